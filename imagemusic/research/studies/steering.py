"""Write the report of `imagemusic evaluate steering` for our own held-out pairs, data/heldout_pairs.csv.

    imagemusic study run steering --data DATA --out docs/results/steering/steering.json

The list holds ids; the data sets pictures and corpora hold the files.  The page and its parts are written beside the
figures.  The gallery shows the bundled example pictures, as those of the list may not be passed on.
"""

import argparse
import csv
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.corpora.catalogue import list_pieces, read_piece
from imagemusic.data.corpora.held_out import split_of
from imagemusic.data.corpora.piece import Piece
from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import signed_ranks
from imagemusic.evaluation.steering.pairs import Pair, PairList
from imagemusic.evaluation.steering.run import Extras, evaluate
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.reports.markdown import table
from imagemusic.research.study import Context, Figures, Study
from imagemusic.resources import EXAMPLES
from imagemusic.training.encoder.labels import LabelledPicture, read_pictures
from imagemusic.vision.image import IMAGE_SUFFIXES

LABELS = ("valence", "arousal", "tempo_bpm")
CONTROLS = Path("docs/results/controls.json")


def find_pieces(corpora: Path, ids: set[str]) -> dict[str, Piece]:
    """Read the pieces with the given ids."""
    found: dict[str, Piece] = {}
    for corpus in sorted({name.partition("/")[0] for name in ids}):
        files = {name.partition("#")[0] for name in ids if name.startswith(f"{corpus}/")}
        for key in list_pieces(corpora, corpus):
            if unicodedata.normalize("NFC", f"{corpus}/{key.removesuffix('.mid')}") in files:
                found |= {piece.id: piece for piece in read_piece(corpora, corpus, key) if piece.id in ids}
    return found


def rank_labels(pictures: list[LabelledPicture]) -> dict[str, dict[str, float]]:
    """Rank the labels of pictures among those of their source: id -> label -> -1..1."""
    ranked: dict[str, dict[str, float]] = {picture.id: {} for picture in pictures}
    for source in {picture.source for picture in pictures}:
        here = [picture for picture in pictures if picture.source == source]
        for name in LABELS:
            values = signed_ranks(np.array([getattr(picture, name) for picture in here]))
            for picture, value in zip(here, values.tolist(), strict=True):
                ranked[picture.id][name] = value
    return ranked


def read_heldout_pairs(model: ImageMusic, path: Path, pictures: Path, corpora: Path) -> PairList:
    """Resolve the ids of the list.

    Raises:
        DataError: the list is missing, an id is of nothing here, or is not held out.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); scripts/freeze_pairs.py makes it") from error
    pieces = find_pieces(corpora, {row["midi"] for row in rows})
    labelled = {picture.id: picture for picture in read_pictures(pictures)}
    labels = rank_labels([labelled[row["image"]] for row in rows if row["image"] in labelled])
    pairs = []
    for number, row in enumerate(rows, start=2):
        picture, piece = labelled.get(row["image"]), pieces.get(row["midi"])
        if picture is None or piece is None:
            lacking = row["image"] if picture is None else row["midi"]
            raise DataError(f"{path}: row {number}: {lacking} is not in the folders given")
        if "train" in (picture.split, split_of(piece.id)):
            raise DataError(f"{path}: row {number}: {row['image']} or {row['midi']} was trained on")
        features, ranked = model.encode(picture.path), labels[picture.id]
        pairs.append(
            Pair(
                name=f"row {number}", image=picture.path, reading=features, piece=piece, album=row["album"],
                genre=row["genre"], theme=picture.group, valence=ranked["valence"], arousal=ranked["arousal"],
                tempo_bpm=ranked["tempo_bpm"],
            )
        )  # fmt: skip
    return PairList(tuple(pairs), ())


class Steering(Study):
    """Evaluates the held-out pairs as `imagemusic evaluate steering` does a list of files."""

    needs = ("heldout_pairs", "pictures", "corpora")
    not_quick = "it reads all pictures and pieces of the held-out list; imagemusic evaluate steering has a quick run"

    @property
    def result_file(self) -> str:
        return "steering/steering.json"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--ratings", type=Path, nargs="+", default=[], metavar="DIR", help="folders of EMOPIA and VGMIDI")
        add("--unconditional", type=Path, metavar="DIR", help="a checkpoint trained without conditions")
        add("--controls", type=Path, default=CONTROLS, metavar="FILE", help="result of controls (%(default)s)")

    def run(self, context: Context) -> Figures:
        options, data = context.options, context.data
        listed = data.path("heldout_pairs")
        pairs = read_heldout_pairs(context.model, listed, data.path("pictures"), data.path("corpora"))
        context.sources = [listed.name]
        extras = Extras(
            ratings=tuple(options.ratings), unconditional=options.unconditional, prepared=data.find("prepared"),
            controls=options.controls, data=(listed.name,),
            gallery=tuple(sorted(path for path in EXAMPLES.iterdir() if path.suffix in IMAGE_SUFFIXES)),
        )  # fmt: skip
        sizes = SteeringOptions(workers=options.workers)
        return evaluate(context.model, pairs, options.out.parent, sizes, extras, context.report)

    def report(self, figures: Figures) -> str:
        rows: list[dict[str, Any]] = figures["goals"]
        return table(
            ("figure", "value", "goal", "reached"),
            [[row["what"], f"{row['value']}", row["goal"], row["said"]] for row in rows],
        )


STUDY = Steering()
