"""Compare the formulas of valence and arousal with people's labels of piano music: do they say more than density?

    imagemusic study run feelings --data DATA --out docs/results/feelings.json

The corpora emopia (four quadrants, by song) and vgmidi (valence and arousal of +-1, by game) only measure: nothing is
fitted to them, the threshold neither.  Pieces are read and measured as training music is, and their cues become dials
by the scale of the model.  Partial is Spearman's correlation with the label given the notes a second; in ranks these
and their logarithm are the same.  Intervals are 95 %, from 1,000 draws of whole songs or games.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from imagemusic.checkpoint import open_checkpoint, resolve
from imagemusic.data.corpora.catalogue import list_pieces, read_piece
from imagemusic.data.corpora.piece import Piece
from imagemusic.data.prepared import prepare_piece
from imagemusic.errors import DataError, ScoreError
from imagemusic.evaluation.intervals import Statistic, bootstrap, partial_spearman, plain, ranks, spearman
from imagemusic.music.dials import AFFECT_DIALS, DialNormalizer
from imagemusic.music.metrics import pitched_notes
from imagemusic.music.score import ONSET, Score
from imagemusic.research.study import Context, Figures, Study

QUADRANTS = {"Q1": (1, 1), "Q2": (-1, 1), "Q3": (-1, -1), "Q4": (1, -1)}  # valence, arousal
TABLE = "vgmidi_labelled.csv"
COLUMNS = ("midi", "game", *AFFECT_DIALS)

Numbers = NDArray[np.float64]
Labels = tuple[float, float]


@dataclass(frozen=True, slots=True)
class LabelledPiece:
    """A labelled piece, measured."""

    group: str
    labels: Labels  # valence, arousal: -1 or 1
    dials: tuple[float, float]  # -1..1, 0 the middle of the music that the model learned from
    notes_a_second: float


def emopia(corpora: Path, report: Callable[[str], None]) -> Iterator[tuple[Piece, str, Labels]]:
    """Read pieces with their songs and labels; the name of a file begins with its quadrant."""
    for key in list_pieces(corpora, "emopia"):
        for piece in read_piece(corpora, "emopia", key):
            if piece.tags[0] not in QUADRANTS:
                raise DataError(f"{corpora / 'emopia' / key}: no quadrant Q1 to Q4 in its name")
            yield piece, piece.group, QUADRANTS[piece.tags[0]]


def vgmidi(corpora: Path, report: Callable[[str], None]) -> Iterator[tuple[Piece, str, Labels]]:
    """Read pieces with their games and labels, as far as the files of the table are there."""
    for key, game, labels in read_table(corpora / "vgmidi" / TABLE):
        try:
            pieces = read_piece(corpora, "vgmidi", key)
        except ScoreError as error:
            report(f"left out: {error}")
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


def measure_pieces(
    labelled: Iterable[tuple[Piece, str, Labels]], scale: DialNormalizer
) -> tuple[list[LabelledPiece], list[str]]:
    """Measure pieces as training music is measured; also return the ids of those without a dial: no tempo is known."""
    measured, left_out = [], []
    for piece, group, labels in labelled:
        prepared = prepare_piece(piece)
        dials = scale.dials(prepared[2].cues) if prepared else {}
        valence, arousal = (dials.get(name) for name in AFFECT_DIALS)
        if valence is None or arousal is None:
            left_out.append(piece.id)
        else:
            measured.append(LabelledPiece(group, labels, (valence, arousal), notes_a_second(piece.score)))
    return measured, left_out


def notes_a_second(score: Score) -> float:
    """Count pitched notes over the seconds from the first to the end."""
    notes = pitched_notes(score)
    start, end = score.seconds_at(np.array([notes[:, ONSET].min(), score.end])).tolist()
    return float(len(notes) / (end - start))


def accuracy(dial: Numbers, label: Numbers) -> float:
    """Return the share of pieces whose dial (N,) lies on the side of 0 of the label (N,)."""
    return float(((dial > 0) == (label > 0)).mean())


def balanced_accuracy(dial: Numbers, label: Numbers) -> float:
    """Return the mean of the accuracies on either label: 0.5 for a constant dial; NaN if a label does not occur."""
    high = label > 0
    if high.all() or not high.any():
        return float("nan")
    return (accuracy(dial[high], label[high]) + accuracy(dial[~high], label[~high])) / 2


def auc(values: Numbers, label: Numbers) -> float:
    """Return the probability that a piece labelled high has the larger value, ties half (Mann & Whitney 1947).

    NaN if a label does not occur.
    """
    high = label > 0
    above, below = int(high.sum()), int((~high).sum())
    if not above or not below:
        return float("nan")
    return float((ranks(values)[high].sum() - above * (above - 1) / 2) / (above * below))


def compare(pieces: Sequence[LabelledPiece], name: str, seed: int) -> dict[str, dict[str, float | None]]:
    """Measure how well a dial predicts its label, and how well density alone does, with intervals over groups."""
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


class Feelings(Study):
    """Compares both dials with the labels of two corpora."""

    needs = ("corpora",)
    sources = ("emopia", "vgmidi")

    def run(self, context: Context) -> Figures:
        corpora, figures = context.data.path("corpora"), Figures()
        checkpoint = open_checkpoint(resolve(context.options.checkpoint))
        for name, read in (("emopia", emopia), ("vgmidi", vgmidi)):
            labelled = tqdm(read(corpora, context.report), name, unit="piece")
            pieces, left_out = measure_pieces(labelled, checkpoint.scale)
            if not pieces:
                raise DataError(f"{corpora / name}: no labelled piece can be measured")
            count = {"pieces": len(pieces), "groups": len({piece.group for piece in pieces}), "left_out": left_out}
            figures[name] = count | {dial: compare(pieces, dial, context.options.seed) for dial in AFFECT_DIALS}
        return figures | {"checkpoint": checkpoint.id}


STUDY = Feelings()
