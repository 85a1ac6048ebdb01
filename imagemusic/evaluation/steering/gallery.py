"""A few composed pieces for the report page: picture, piano roll and sound as data: URIs."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from imagemusic.audio.synthesis import has_sound
from imagemusic.audio.waveform import Waveform
from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.reports.page import data_uri, png_uri
from imagemusic.vision.image import load_image

PICTURE_PIXELS = 220
ROLL_PIXELS = (640, 300)
SAMPLE_RATE_HZ = 22_050  # keeps the page small


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A piece of the gallery; picture, roll and sound are data: URIs."""

    name: str
    picture: str
    roll: str
    sound: str  # "" where no synthesizer is installed
    dials: dict[str, str]


def gallery(model: ImageMusic, pictures: Sequence[Path], options: SteeringOptions) -> list[Shown]:
    """Compose, draw and render a piece for each of the first `options.gallery` pictures.

    Raises:
        ImageError: a picture cannot be read.
    """
    shown = []
    for path in pictures[: options.gallery]:
        piece = model.compose(path, ComposeOptions(seconds=options.seconds))
        picture = load_image(path, at_least=PICTURE_PIXELS)
        picture.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
        drawn = BytesIO()
        picture.save(drawn, "JPEG", quality=80)
        roll = png_uri(piece.piano_roll(width=ROLL_PIXELS[0], height=ROLL_PIXELS[1]))
        dials = {
            name: dial.value if isinstance(dial.value, str) else f"{dial.value:+.1f}"
            for name, dial in piece.dials.items()
        }
        sound = _sound(piece) if piece.score.note_count and has_sound() else ""
        shown.append(
            Shown(
                name=path.stem, picture=data_uri("image/jpeg", drawn.getvalue()), roll=roll, sound=sound, dials=dials
            )
        )  # fmt: skip
    return shown


def _sound(piece: Composition) -> str:
    wave = piece.render(sample_rate=SAMPLE_RATE_HZ)
    mono = Waveform(wave.samples.mean(axis=0, keepdims=True), wave.sample_rate)
    return data_uri("audio/mpeg", mono.encode("mp3"))
