"""imagemusic: a picture goes in, music comes out.

from imagemusic import ComposeOptions, ImageMusic

piece = ImageMusic.from_pretrained().compose("cover.jpg", ComposeOptions(seconds=60))
piece.save("cover.mid")
piece.save("cover.wav")
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from imagemusic.errors import (
    CheckpointError,
    CodecError,
    ConfigError,
    DataError,
    DependencyError,
    ImageError,
    ImageMusicError,
    OutputError,
    ScoreError,
    SynthesisError,
)
from imagemusic.version import __version__

# Before numpy: the heads are small products, for which threads wait longer than they work, and the way in which they
# share a sum would change its last bits from machine to machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if TYPE_CHECKING:
    from imagemusic.compose.composition import Composition, load_record
    from imagemusic.compose.options import ComposeOptions
    from imagemusic.compose.pipeline import ImageMusic
    from imagemusic.music.midi import load_midi, save_midi
    from imagemusic.music.score import Note, Score, Track

__all__ = [
    "CheckpointError",
    "CodecError",
    "ComposeOptions",
    "Composition",
    "ConfigError",
    "DataError",
    "DependencyError",
    "ImageError",
    "ImageMusic",
    "ImageMusicError",
    "Note",
    "OutputError",
    "Score",
    "ScoreError",
    "SynthesisError",
    "Track",
    "__version__",
    "load_midi",
    "load_record",
    "save_midi",
]

# Found when first asked for: numpy and onnxruntime would slow down `imagemusic --help`.
_WHERE = {
    "ComposeOptions": "compose.options",
    "Composition": "compose.composition",
    "load_midi": "music.midi",
    "load_record": "compose.composition",
    "ImageMusic": "compose.pipeline",
    "Note": "music.score",
    "Score": "music.score",
    "Track": "music.score",
    "save_midi": "music.midi",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'imagemusic' has no attribute {name!r}")
    return getattr(import_module(f"imagemusic.{_WHERE[name]}"), name)
