"""Compare what says so: occlusion, as `imagemusic look` draws it, with integrated gradients and Grad-CAM of captum.

    python scripts/compare_saliency.py --data DATA

DATA holds affect/ and covers/.  For held-out rated pictures, one a theme, each method maps which parts raise valence
and arousal.  Then the eighth of the parts that a map puts highest is hidden, and the dial read again: a good map makes
it fall far.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import DataError, ImageMusicError
from imagemusic.evaluation.intervals import bootstrap, spearman
from imagemusic.music.dials import AFFECT_DIALS
from imagemusic.reports.results import write_result
from imagemusic.research.cover_conditions import encoder_of
from imagemusic.research.saliency import Gradients, hide
from imagemusic.training.encoder.labels import LabelledPicture, read_pictures
from imagemusic.vision.image import load_pixels
from imagemusic.vision.saliency import occlude

GRID = 8
HIDDEN = GRID * GRID // 8  # cells
METHODS = ("occlusion", "integrated_gradients", "grad_cam", "chance")

Cells = NDArray[np.float64]
Table = dict[str, dict[str, list[float]]]  # dial -> method -> a number a picture


def one_a_theme(data: Path, count: int) -> list[LabelledPicture]:
    """Choose held-out rated pictures of as many groups, the same in every run."""
    held_out = [p for p in read_pictures(data) if p.split == "test" and not np.isnan(p.valence)]
    chosen = list({picture.group: picture for picture in held_out}.values())
    if len(chosen) < count:
        raise DataError(f"{data}: {len(chosen)} held-out themes, need {count}; ask for fewer --pictures")
    return [chosen[i] for i in sorted(np.random.default_rng(0).permutation(len(chosen))[:count])]


def maps_of(
    model: ImageMusic, gradients: Gradients, pixels: NDArray[np.float32], rng: np.random.Generator
) -> Iterator[tuple[int, dict[str, Cells]]]:
    """Yield the number of each dial of feeling with its cells (N, N) by method."""
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
    """By dial and method, a number a picture: how far the dial falls, and how the map agrees with occlusion."""
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds affect/ and covers/")
    parser.add_argument("--pictures", type=int, default=60, help="how many, of a theme each (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("docs/results/saliency.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        pictures = one_a_theme(arguments.data, arguments.pictures)
        model = ImageMusic.from_pretrained()
        falls, agree = measure(model, pictures)
    except ImageMusicError as error:
        print(f"compare_saliency: error: {error}", file=sys.stderr)
        return 1
    groups = [picture.group for picture in pictures]
    figures = {
        "pictures": len(pictures),
        "cells_hidden": f"{HIDDEN} of {GRID * GRID}",
        "fall": means(falls, groups),
        "rank_correlation_with_occlusion": means(agree, groups),
        "checkpoint": model.checkpoint.id,
    }
    write_result(arguments.out, figures, data=("OASIS", "BASS"), seed=0)
    for name, found in falls.items():
        print(name, {method: round(float(np.mean(values)), 3) for method, values in found.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
