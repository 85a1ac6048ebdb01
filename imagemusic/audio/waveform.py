"""Sound as an array, and written as a file.

Waveform ── samples: float32 (C, N) in -1..1, a row a channel
         └─ sample_rate: samples a second
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ConfigError, SynthesisError
from imagemusic.files import MARK, write_atomically

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

    def encode(self, kind: str) -> bytes:
        """Return the bytes of a sound file of a kind in `AUDIO_FORMATS`, marked as made by imagemusic.

        Raises:
            SynthesisError: this kind cannot hold the sound.
        """
        import soundfile

        format = AUDIO_FORMATS[kind]
        data = BytesIO()
        frames = self.samples.T  # (C, N) -> (N, C)
        try:
            with soundfile.SoundFile(
                data,
                "w",
                samplerate=self.sample_rate,
                channels=frames.shape[1],
                format=format.container,
                subtype=format.encoding,
                compression_level=format.compression,
            ) as file:
                file.comment = MARK
                for start in range(0, len(frames), FRAMES_PER_WRITE):
                    file.write(frames[start : start + FRAMES_PER_WRITE])
        except (soundfile.SoundFileError, ValueError) as error:
            what = f"{frames.shape[1]} channels at {self.sample_rate} Hz"
            raise SynthesisError(f"{kind}: cannot hold {what} ({str(error).splitlines()[0]})") from error
        return data.getvalue()

    def save(self, path: str | Path) -> None:
        """Write a sound file, in the format of the path's suffix.

        Raises:
            ConfigError: the suffix is not in `AUDIO_FORMATS`.
            SynthesisError: the format cannot hold the sound.
            OutputError: the file cannot be written.
        """
        path = Path(path)
        kind = path.suffix.lower().lstrip(".")
        if kind not in AUDIO_FORMATS:
            raise ConfigError(f"{path}: unknown sound format {path.suffix!r}; choose from {', '.join(AUDIO_FORMATS)}")
        write_atomically(path, self.encode(kind))
