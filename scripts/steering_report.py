"""Write the report of `imagemusic evaluate steering` for our own held-out pairs, data/heldout_pairs.csv.

    python scripts/steering_report.py --pictures DATA --corpora CORPORA --out docs/results/steering

The list holds ids; DATA holds affect/ and covers/, CORPORA a folder for each corpus.  The gallery shows the pictures of
data/examples, as those of the list may not be passed on.
"""

import argparse
import csv
import sys
import unicodedata
from pathlib import Path

import numpy as np

from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.corpora.catalogue import list_pieces, read_piece
from imagemusic.data.corpora.held_out import split_of
from imagemusic.data.corpora.piece import Piece
from imagemusic.errors import DataError, ImageMusicError
from imagemusic.evaluation.intervals import signed_ranks
from imagemusic.evaluation.steering.pairs import Pair, PairList
from imagemusic.evaluation.steering.run import Extras, evaluate
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.training.encoder.labels import LabelledPicture, read_pictures
from imagemusic.vision.image import IMAGE_SUFFIXES

PAIRS = Path("data/heldout_pairs.csv")
EXAMPLES = Path("data/examples")
LABELS = ("valence", "arousal", "tempo_bpm")


def find_pieces(corpora: Path, wanted: set[str]) -> dict[str, Piece]:
    """Read the pieces with the given ids."""
    found: dict[str, Piece] = {}
    for corpus in sorted({name.partition("/")[0] for name in wanted}):
        files = {name.partition("#")[0] for name in wanted if name.startswith(f"{corpus}/")}
        for key in list_pieces(corpora, corpus):
            if unicodedata.normalize("NFC", f"{corpus}/{key.removesuffix('.mid')}") in files:
                found |= {piece.id: piece for piece in read_piece(corpora, corpus, key) if piece.id in wanted}
    return found


def rank_labels(pictures: list[LabelledPicture]) -> dict[str, dict[str, float]]:
    """Rank what people or songs say of pictures among those of their source: id -> label -> -1..1."""
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
        reading, told = model.encode(picture.path), labels[picture.id]
        pairs.append(
            Pair(
                name=f"row {number}", image=picture.path, reading=reading, piece=piece, album=row["album"],
                genre=row["genre"], theme=picture.group, valence=told["valence"], arousal=told["arousal"],
                tempo_bpm=told["tempo_bpm"],
            )
        )  # fmt: skip
    return PairList(tuple(pairs), ())


def say(message: str) -> None:
    print(f"steering_report: {message}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, default=PAIRS, help="the list of ids")
    parser.add_argument("--pictures", type=Path, required=True, help="folder that holds affect/ and covers/")
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds a folder for each corpus")
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--ratings", type=Path, nargs="+", default=[], help="folders of EMOPIA and VGMIDI")
    parser.add_argument("--unconditional", type=Path, help="a checkpoint trained without conditions")
    parser.add_argument("--prepared", type=Path, help="the training set, to look for copies")
    parser.add_argument("--controls", type=Path, default=Path("docs/results/controls.json"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/steering"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="few pieces, to see that it works")
    arguments = parser.parse_args()
    workers = arguments.workers
    try:
        options = SteeringOptions.quick(workers=workers) if arguments.quick else SteeringOptions(workers=workers)
        model = ImageMusic.from_pretrained(arguments.checkpoint)
        pairs = read_heldout_pairs(model, arguments.pairs, arguments.pictures, arguments.corpora)
        extras = Extras(
            ratings=tuple(arguments.ratings), unconditional=arguments.unconditional, prepared=arguments.prepared,
            controls=arguments.controls, data=(arguments.pairs.name,),
            gallery=tuple(sorted(p for p in EXAMPLES.iterdir() if p.suffix in IMAGE_SUFFIXES)),
        )  # fmt: skip
        figures = evaluate(
            model, pairs, arguments.out, options, extras, lambda message: print(message, file=sys.stderr)
        )
    except ImageMusicError as error:
        print(f"steering_report: error: {error}", file=sys.stderr)
        return 1
    for row in figures["goals"]:
        print(row["what"], row["value"], row["goal"], row["said"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
