"""Hold the formulas of valence and arousal against people's labels of piano music: do they tell more than density?

    python scripts/check_feelings.py --corpora CORPORA --out docs/results/feelings.json

CORPORA holds emopia/ (four quadrants, by song) and vgmidi/ (valence and arousal of +-1, by game), which only measure:
nothing is fitted to them, the threshold neither.  Pieces are read and measured as training music is, and their cues
become dials by the scale of the model.  Partial is Spearman's correlation with the label given the notes a second; in
ranks these and their logarithm are the same.  Intervals are 95 %, from 1,000 draws of whole songs or games.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from imagemusic.checkpoint import open_checkpoint, resolve
from imagemusic.data.corpora.catalogue import list_pieces, read_piece
from imagemusic.data.corpora.piece import Piece
from imagemusic.data.prepared import prepare_piece
from imagemusic.errors import DataError, ImageMusicError, ScoreError
from imagemusic.evaluation.intervals import Statistic, bootstrap, partial_spearman, plain, ranks, spearman
from imagemusic.music.dials import AFFECT_DIALS, DialNormalizer
from imagemusic.music.metrics import pitched_notes
from imagemusic.music.score import ONSET, Score
from imagemusic.reports.results import write_result

QUADRANTS = {"Q1": (1, 1), "Q2": (-1, 1), "Q3": (-1, -1), "Q4": (1, -1)}  # valence, arousal
TABLE = "vgmidi_labelled.csv"
COLUMNS = ("midi", "game", *AFFECT_DIALS)

Numbers = NDArray[np.float64]
Labels = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Felt:
    """A labelled piece, measured."""

    group: str
    labels: Labels  # valence, arousal: -1 or 1
    dials: tuple[float, float]  # -1..1, 0 the middle of the music that the model learned from
    notes_a_second: float


def emopia(corpora: Path) -> Iterator[tuple[Piece, str, Labels]]:
    """Read pieces with their songs and labels; the name of a file begins with its quadrant."""
    for key in list_pieces(corpora, "emopia"):
        for piece in read_piece(corpora, "emopia", key):
            if piece.tags[0] not in QUADRANTS:
                raise DataError(f"{corpora / 'emopia' / key}: no quadrant Q1 to Q4 in its name")
            yield piece, piece.group, QUADRANTS[piece.tags[0]]


def vgmidi(corpora: Path) -> Iterator[tuple[Piece, str, Labels]]:
    """Read pieces with their games and labels, as far as the files of the table are there."""
    for key, game, labels in read_table(corpora / "vgmidi" / TABLE):
        try:
            pieces = read_piece(corpora, "vgmidi", key)
        except ScoreError as error:
            print(f"check_feelings: passed over: {error}", file=sys.stderr)
            continue
        for piece in pieces:
            yield piece, game, labels


def read_table(path: Path) -> list[tuple[str, str, Labels]]:
    """Read file, game and labels of each row.

    Raises:
        DataError: the table is missing, lacks a column, or a label is neither -1 nor 1.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise DataError(f"{path}: no column {missing[0]!r}")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    found = []
    for number, row in enumerate(rows, start=2):
        if not {row[name] for name in AFFECT_DIALS} <= {"-1", "1"}:
            raise DataError(f"{path}: row {number}: valence and arousal must be -1 or 1")
        found.append((row["midi"], row["game"], (float(row["valence"]), float(row["arousal"]))))
    return found


def feel(labelled: Iterable[tuple[Piece, str, Labels]], scale: DialNormalizer) -> tuple[list[Felt], list[str]]:
    """Measure pieces as training music is measured; the ids of those without a dial come apart: no tempo is known."""
    felt, left_out = [], []
    for piece, group, labels in labelled:
        prepared = prepare_piece(piece)
        dials = scale.dials(prepared[2].cues) if prepared else {}
        valence, arousal = (dials.get(name) for name in AFFECT_DIALS)
        if valence is None or arousal is None:
            left_out.append(piece.id)
        else:
            felt.append(Felt(group, labels, (valence, arousal), notes_a_second(piece.score)))
    return felt, left_out


def notes_a_second(score: Score) -> float:
    """Count pitched notes over the seconds from the first to the end."""
    notes = pitched_notes(score)
    start, end = score.seconds_at(np.array([notes[:, ONSET].min(), score.end])).tolist()
    return float(len(notes) / (end - start))


def accuracy(dial: Numbers, label: Numbers) -> float:
    """Share of pieces whose dial lies on the label's side of 0."""
    return float(((dial > 0) == (label > 0)).mean())


def balanced_accuracy(dial: Numbers, label: Numbers) -> float:
    """Mean of the accuracies on either label: 0.5 for a dial that says one thing of all; NaN where a label lacks."""
    high = label > 0
    if high.all() or not high.any():
        return float("nan")
    return (accuracy(dial[high], label[high]) + accuracy(dial[~high], label[~high])) / 2


def auc(values: Numbers, label: Numbers) -> float:
    """Chance that a piece labelled high has the larger value, ties half (Mann & Whitney); NaN where a label lacks."""
    high = label > 0
    above, below = int(high.sum()), int((~high).sum())
    if not above or not below:
        return float("nan")
    return float((ranks(values)[high].sum() - above * (above - 1) / 2) / (above * below))


def compare(pieces: Sequence[Felt], name: str, seed: int) -> dict[str, dict[str, float | None]]:
    """Measure how well a dial tells its label, and how well density alone does, with intervals over groups."""
    number = AFFECT_DIALS.index(name)
    dial = np.array([piece.dials[number] for piece in pieces])
    label = np.array([piece.labels[number] for piece in pieces])
    density = np.array([piece.notes_a_second for piece in pieces])
    statistics: dict[str, Statistic] = {
        "labelled_high": lambda rows: float((label[rows] > 0).mean()),
        "dial_above_zero": lambda rows: float((dial[rows] > 0).mean()),
        "accuracy": lambda rows: accuracy(dial[rows], label[rows]),
        "balanced_accuracy": lambda rows: balanced_accuracy(dial[rows], label[rows]),
        "auc": lambda rows: auc(dial[rows], label[rows]),
        "auc_of_density": lambda rows: auc(density[rows], label[rows]),
        "auc_more_than_density": lambda rows: auc(dial[rows], label[rows]) - auc(density[rows], label[rows]),
        "spearman": lambda rows: spearman(dial[rows], label[rows]),
        "spearman_given_density": lambda rows: partial_spearman(dial[rows], label[rows], density[rows]),
    }
    groups = [piece.group for piece in pieces]
    found = {key: bootstrap(statistic, groups, seed=seed) for key, statistic in statistics.items()}
    return {
        key: {"value": plain(one.value), "low": plain(one.low), "high": plain(one.high)} for key, one in found.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds emopia/ and vgmidi/")
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws of songs and games")
    parser.add_argument("--out", type=Path, default=Path("docs/results/feelings.json"))
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    try:
        checkpoint = open_checkpoint(resolve(arguments.checkpoint))
        for name, read in (("emopia", emopia), ("vgmidi", vgmidi)):
            pieces, left_out = feel(tqdm(read(arguments.corpora), name, unit="piece"), checkpoint.scale)
            if not pieces:
                raise DataError(f"{arguments.corpora / name}: no labelled piece can be measured")
            count = {"pieces": len(pieces), "groups": len({piece.group for piece in pieces}), "left_out": left_out}
            figures[name] = count | {dial: compare(pieces, dial, arguments.seed) for dial in AFFECT_DIALS}
            for dial in AFFECT_DIALS:
                print(name, dial, {key: list(one.values()) for key, one in figures[name][dial].items()}, flush=True)
    except ImageMusicError as error:
        print(f"check_feelings: error: {error}", file=sys.stderr)
        return 1
    figures["checkpoint"] = checkpoint.id
    write_result(arguments.out, figures, seed=arguments.seed, data=["emopia", "vgmidi"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
