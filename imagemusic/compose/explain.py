"""What a picture says of the music: its dials, what those imply, its colours, and which parts of it say so.

picture ──► encoder ──► valence, arousal, tempo, each with how unsure that is   (and by occlusion: which parts)
those ──► many draws of a training piece with like dials ──► the other dials and the ensemble, as implied
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic, Picture
from imagemusic.compose.prior import UNIFORM_SD
from imagemusic.compose.targets import image_targets
from imagemusic.music.dials import IMAGE_DIALS
from imagemusic.vision.image import load_image, load_pixels
from imagemusic.vision.palette import Colour, dominant_colours
from imagemusic.vision.saliency import occlude

# What the two ends of a dial mean, of the dials that do not go from low to high.
ENDS = {
    "valence": ("sad", "happy"),
    "arousal": ("calm", "excited"),
    "tempo": ("slow", "fast"),
    "density": ("sparse", "busy"),
    "loudness": ("soft", "loud"),
    "articulation": ("short", "long"),
    "mode": ("minor", "major"),
    "polyphony": ("thin", "full"),
}

DRAWS = 100
MOST = 0.8  # share of the draws that the range of an implied dial holds
CERTAINTY = ((0.5, "fairly sure"), (0.25, "unsure"), (-np.inf, "hardly more than a guess"))  # by variance explained
EXTENT = ((0.2, "neither {low} nor {high}"), (0.6, "rather {end}"), (np.inf, "very {end}"))  # by distance from 0


@dataclass(frozen=True, slots=True)
class ImageDial:
    """A dial that the encoder reads from a picture."""

    value: float  # -1..1: where the picture stands among others; this steers the music (see Prior.image_targets)
    predicted: float  # where people would put the picture, -1..1, as far as the encoder can tell
    deviation: float  # standard deviation of that


@dataclass(frozen=True, slots=True)
class Implied:
    """A dial that follows from those that were seen, over many draws."""

    mean: float
    low: float  # 80 % of the draws lie between
    high: float


@dataclass(frozen=True, slots=True)
class ImageReport:
    """All that a picture says."""

    hash: str
    seen: Mapping[str, ImageDial]
    implied: Mapping[str, Implied]
    ensembles: Mapping[str, float]  # shares of the draws, largest first
    tempo_bpm: float  # what the tempo dial stands for
    palette: tuple[Colour, ...]


def report_image(model: ImageMusic, picture: Picture, size: int | None = None) -> ImageReport:
    """See what a picture says.

    Raises:
        ImageError: it cannot be read.
    """
    reading = model.encode(picture, size)
    values = image_targets(model.checkpoint, model.prior, reading)
    predictions = zip(IMAGE_DIALS, reading.dial_mean.tolist(), reading.dial_sd.tolist(), strict=True)
    sampled = [model.targets(reading, ComposeOptions(seed=seed)) for seed in range(DRAWS)]
    implied: dict[str, list[float]] = {}
    for targets in sampled:
        for name, dial in targets.dials.items():
            if name not in IMAGE_DIALS:
                implied.setdefault(name, []).append(dial.value)
    edges = (0.5 - MOST / 2, 0.5 + MOST / 2)
    players = Counter(targets.ensemble for targets in sampled)
    return ImageReport(
        hash=reading.hash,
        seen={name: ImageDial(values[name], mean, deviation) for name, mean, deviation in predictions},
        implied={name: Implied(float(np.mean(all_)), *np.quantile(all_, edges)) for name, all_ in implied.items()},
        ensembles={name: count / DRAWS for name, count in players.most_common()},
        tempo_bpm=model.checkpoint.scale.from_percentile("tempo", values["tempo"]),
        palette=tuple(dominant_colours(load_image(picture))),
    )


def occlusion_maps(model: ImageMusic, picture: Picture, size: int | None = None) -> dict[str, NDArray[np.float64]]:
    """Tell which parts of a picture raise and lower each dial that is seen: cells (N, N), from the top left.

    Raises:
        ImageError: it cannot be read.
    """
    pixels = load_pixels(picture, size or model.encoder.size)
    cells = occlude(lambda hidden: model.encoder.encode(hidden)[1], pixels)
    return dict(zip(IMAGE_DIALS, cells, strict=True))


def ends_of(dial: str) -> tuple[str, str]:
    """Say what the two ends of a dial mean."""
    return ENDS.get(dial, ("low", "high"))


def describe(dial: str, value: float) -> str:
    """Put a dial's value into words: "rather happy"."""
    low, high = ends_of(dial)
    words = next(words for most, words in EXTENT if abs(value) < most)
    return words.format(low=low, high=high, end=high if value > 0 else low)


def how_sure(deviation: float) -> str:
    """Put the standard deviation of a dial, -1..1, into words."""
    explained = 1 - (deviation / UNIFORM_SD) ** 2
    return next(words for least, words in CERTAINTY if explained >= least)
