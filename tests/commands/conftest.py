"""The catalogues and songs of tests/data, for the commands that gather and build."""

from tests.data.conftest import catalogues, match, midi

__all__ = ["catalogues", "match", "midi"]
