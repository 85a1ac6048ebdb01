"""Every exception that imagemusic raises on purpose.

ImageMusicError
├── ConfigError         a setting is unknown, missing or out of range
├── ImageError          a picture cannot be read or used
├── ScoreError          a note, track or score breaks a rule of music, or a MIDI file cannot be read
├── CodecError          note events do not spell a score
├── CheckpointError     a checkpoint is missing, damaged or of another version
├── SynthesisError      a score cannot be turned into sound
├── OutputError         a result cannot be written where it was asked for
├── DependencyError     an optional part is not installed
└── DataError           a corpus, manifest, download or data set is not usable
    ├── NotThere            the catalogue does not have what was requested
    ├── NotAPicture         what was fetched as a cover cannot be used as a picture
    └── GatheringStopped    gathering cannot go on now: credentials, quota, disk
"""


class ImageMusicError(Exception):
    """Base class; catch it to tell the user what went wrong without a traceback."""


class ConfigError(ImageMusicError, ValueError):
    """A setting is unknown, missing or out of range."""


class ImageError(ImageMusicError):
    """A picture cannot be read or used."""


class ScoreError(ImageMusicError, ValueError):
    """A note, track or score breaks a rule of music, or a MIDI file cannot be read."""


class CodecError(ImageMusicError, ValueError):
    """Note events do not spell a score."""


class CheckpointError(ImageMusicError):
    """A checkpoint is missing, damaged or of another version."""


class SynthesisError(ImageMusicError):
    """A score cannot be turned into sound."""


class OutputError(ImageMusicError):
    """A result cannot be written where it was asked for."""


class DependencyError(ImageMusicError):
    """An optional part is not installed."""


class DataError(ImageMusicError):
    """A corpus, manifest, download or data set is not usable."""


class NotThere(DataError):
    """The catalogue does not have what was requested."""


class NotAPicture(DataError):
    """What was fetched as a cover cannot be used as a picture."""


class GatheringStopped(DataError):
    """Gathering cannot go on now: wrong credentials, a quota that is used up, a full disk."""


class ImageMusicWarning(UserWarning):
    """Something was not as it should be, and has been put right."""
