"""Sound as an array, and written as a file.

Waveform ── samples: float32 (C, N) in -1..1, a row a channel
         └─ sample_rate: samples a second
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ConfigError, OutputError, SynthesisError

FRAMES_PER_WRITE = 1 << 16  # libsndfile's Vorbis encoder overflows its stack on one long write


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """A format of sound files, in the terms of libsndfile."""

    container: str
    encoding: str
    compression: float | None = None  # 0..1, higher is smaller; None where it does not apply


AUDIO_FORMATS = {
    "wav": AudioFormat("WAV", "PCM_16"),
    "mp3": AudioFormat("MP3", "MPEG_LAYER_III", 0.2),
    "flac": AudioFormat("FLAC", "PCM_16", 0.6),
    "ogg": AudioFormat("OGG", "VORBIS", 0.4),
}


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Sound of one or more channels.

    Raises:
        SynthesisError: the samples do not have two dimensions.
    """

    samples: NDArray[np.float32]  # (C, N) in -1..1
    sample_rate: int  # Hz

    def __post_init__(self) -> None:
        if self.samples.ndim != 2:
            raise SynthesisError(f"samples must be (channels, frames), got shape {self.samples.shape}")

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return int(self.samples.shape[1]) / self.sample_rate

    def save(self, path: str | Path) -> None:
        """Write a sound file, in the format of the path's suffix.

        Raises:
            ConfigError: the suffix is not in `AUDIO_FORMATS`.
            OutputError: the file cannot be written.
        """
        path = Path(path)
        kind = AUDIO_FORMATS.get(path.suffix.lower().lstrip("."))
        if kind is None:
            raise ConfigError(f"{path}: unknown sound format {path.suffix!r}; choose from {', '.join(AUDIO_FORMATS)}")
        import soundfile

        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        frames = self.samples.T  # (C, N) -> (N, C)
        try:
            with soundfile.SoundFile(
                partial,
                "w",
                samplerate=self.sample_rate,
                channels=frames.shape[1],
                format=kind.container,
                subtype=kind.encoding,
                compression_level=kind.compression,
            ) as file:
                for start in range(0, len(frames), FRAMES_PER_WRITE):
                    file.write(frames[start : start + FRAMES_PER_WRITE])
            os.replace(partial, path)
        except (OSError, soundfile.SoundFileError, ValueError) as error:
            partial.unlink(missing_ok=True)
            raise OutputError(f"{path}: cannot write the sound: {_reason(error, path)}") from error


def _reason(error: Exception, path: Path) -> str:
    """Return why a write failed; libsndfile's message is only 'System error'."""
    if not path.parent.is_dir():
        return f"{path.parent} is not a folder"
    if not os.access(path.parent, os.W_OK):
        return f"{path.parent} is not writable"
    return str(error).splitlines()[0]
