"""The version of imagemusic."""

__version__ = "0.1.0"
