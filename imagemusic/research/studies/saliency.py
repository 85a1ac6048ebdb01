"""Compare occlusion maps, as `imagemusic look` draws them, with integrated gradients and Grad-CAM of captum.

    imagemusic study run saliency --data DATA --out docs/results/saliency.json

For held-out rated pictures, one of each theme, each method maps which parts raise valence and arousal.  Then the eighth
of the cells with the highest values is hidden, and the dial predicted again: the better the map, the farther it falls.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import bootstrap, spearman
from imagemusic.music.dials import AFFECT_DIALS
from imagemusic.research.cover_conditions import encoder_of
from imagemusic.research.saliency import Gradients, hide
from imagemusic.research.study import Context, Figures, Study
from imagemusic.training.encoder.labels import LabelledPicture, read_pictures
from imagemusic.vision.image import load_pixels
from imagemusic.vision.saliency import occlude

GRID = 8
HIDDEN = GRID * GRID // 8  # cells
METHODS = ("occlusion", "integrated_gradients", "grad_cam", "chance")

Cells = NDArray[np.float64]
Table = dict[str, dict[str, list[float]]]  # dial -> method -> a number a picture


def one_a_theme(data: Path, count: int) -> list[LabelledPicture]:
    """Choose held-out rated pictures of `count` groups, the same in every run.

    Raises:
        DataError: there are fewer groups.
    """
    held_out = [p for p in read_pictures(data) if p.split == "test" and not np.isnan(p.valence)]
    chosen = list({picture.group: picture for picture in held_out}.values())
    if len(chosen) < count:
        raise DataError(f"{data}: {len(chosen)} held-out themes, need {count}; ask for fewer --pictures")
    return [chosen[i] for i in sorted(np.random.default_rng(0).permutation(len(chosen))[:count])]


def maps_of(
    model: ImageMusic, gradients: Gradients, pixels: NDArray[np.float32], rng: np.random.Generator
) -> Iterator[tuple[int, dict[str, Cells]]]:
    """Yield the index of each affect dial with its cells (N, N) by method, for pixels (3, S, S)."""
    hidden = occlude(lambda one: model.encoder.encode(one)[1], pixels, grid=GRID)
    for dial in range(len(AFFECT_DIALS)):
        yield (
            dial,
            {
                "occlusion": hidden[dial],
                "integrated_gradients": gradients.integrated(pixels, dial, GRID),
                "grad_cam": gradients.cam(pixels, dial, GRID),
                "chance": rng.random((GRID, GRID)),
            },
        )


def measure(model: ImageMusic, pictures: list[LabelledPicture]) -> tuple[Table, Table]:
    """Measure for each picture, by dial and method, how far the dial falls and how the map agrees with occlusion."""
    gradients, rng = Gradients(encoder_of(model.checkpoint)), np.random.default_rng(0)
    falls: Table = {name: {method: [] for method in METHODS} for name in AFFECT_DIALS}
    agree: Table = {name: {method: [] for method in METHODS[1:]} for name in AFFECT_DIALS}
    for picture in tqdm(pictures, desc="pictures", unit="picture"):
        pixels = load_pixels(picture.path, model.encoder.size)
        before = model.encoder.encode(pixels)[1]
        for dial, maps in maps_of(model, gradients, pixels, rng):
            for method, cells in maps.items():
                after = model.encoder.encode(hide(pixels, cells, HIDDEN))[1]
                falls[AFFECT_DIALS[dial]][method].append(float(before[dial] - after[dial]))
            for method, values in agree[AFFECT_DIALS[dial]].items():
                values.append(spearman(maps["occlusion"].ravel(), maps[method].ravel()))
    return falls, agree


def means(measured: Table, groups: list[str]) -> dict[str, Any]:
    """Average numbers of pictures (P,), with intervals over their groups."""

    def mean(values: list[float]) -> dict[str, Any]:
        table = np.array(values)
        return bootstrap(lambda rows: float(table[rows].mean()), groups).to_json()

    return {name: {method: mean(values) for method, values in found.items()} for name, found in measured.items()}


class Saliency(Study):
    """Measures four kinds of maps on the same pictures."""

    needs = ("pictures",)
    sources = ("OASIS", "BASS")
    quick = {"pictures": 3}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--pictures", type=int, default=60, metavar="N", help="of a theme each (%(default)s)")

    def run(self, context: Context) -> Figures:
        torch.set_num_threads(1)
        pictures = one_a_theme(context.data.path("pictures"), context.options.pictures)
        falls, agree = measure(context.model, pictures)
        groups = [picture.group for picture in pictures]
        return {
            "pictures": len(pictures),
            "cells_hidden": f"{HIDDEN} of {GRID * GRID}",
            "fall": means(falls, groups),
            "rank_correlation_with_occlusion": means(agree, groups),
            "checkpoint": context.model.checkpoint.id,
        }


STUDY = Saliency()
