"""Pair held-out pictures with held-out music, once, and write data/heldout_pairs.csv: ids, no files.

    python scripts/freeze_pairs.py --pictures DATA --corpora CORPORA

Half of the pieces meet rated pictures by valence and arousal, the other half jackets by the tempo of their song.  On
the side of pictures stand people's ratings and true tempos, on that of music what is measured in the score; both are
ranked among themselves, and no prediction of any model takes part.  Every piece and every picture is used once.
"""

import argparse
import csv
import hashlib
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.catalogue import TRAINABLE, list_pieces, read_piece
from imagemusic.data.corpora.held_out import split_of
from imagemusic.data.corpora.piece import Piece
from imagemusic.errors import DataError, ImageMusicError
from imagemusic.evaluation.intervals import signed_ranks
from imagemusic.files import replace_atomically
from imagemusic.music.dials import AFFECT_DIALS, DIALS, IMAGE_DIALS, DialNormalizer, as_row, measure
from imagemusic.music.ensembles import ensemble_of
from imagemusic.training.encoder.labels import LabelledPicture, read_pictures

OUT = Path("data/heldout_pairs.csv")
COLUMNS = ("image", "midi", "album", "genre")
FEWEST_NOTES = 64
SALT = "imagemusic held-out pairs 1"


def place(name: str) -> str:
    """Turn a name into an order that no one chose."""
    return hashlib.sha256(f"{SALT}\n{name}".encode()).hexdigest()


def held_out_pieces(corpora: Path, split: str) -> list[Piece]:
    """Read the pieces of a split whose tempo is known, which dials of feeling need, and that are not drums alone."""
    pieces = []
    for corpus in TRAINABLE:
        for key in list_pieces(corpora, corpus):
            name = f"{corpus}/{key.removesuffix('.mid')}"
            if split_of(name) == split:
                pieces += read_piece(corpora, corpus, key)
    return [
        piece
        for piece in pieces
        if piece.metrical and piece.tempo_known and piece.score.note_count >= FEWEST_NOTES
        and ensemble_of(piece.score) != "drums"
    ]  # fmt: skip


def dials_of(pieces: list[Piece]) -> NDArray[np.float64]:
    """Rank valence, arousal and tempo (N, 3) of pieces among themselves."""
    cues = [measure(piece.score, velocity_known=piece.velocity_known) for piece in pieces]
    raw = DialNormalizer.fit(cues).raw(np.array([as_row(cue) for cue in cues]))
    return np.column_stack([signed_ranks(raw[:, DIALS.index(name)]) for name in IMAGE_DIALS])


def match(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give each of ours (N, D) one of theirs (M, D), each once, M at least N: near in sum of squares.

    The outermost of ours choose first; then any two exchange theirs, or one takes a free one, while that is nearer.
    """
    cost = ((ours[:, None] - theirs[None]) ** 2).sum(axis=2)
    chosen = np.full(len(ours), -1)
    free = np.ones(len(theirs), bool)
    for row in np.argsort(-(ours**2).sum(axis=1), kind="stable"):
        chosen[row] = np.where(free, cost[row], np.inf).argmin()
        free[chosen[row]] = False
    rows = np.arange(len(ours))
    for _ in range(100):
        changed = False
        for row in rows:
            here = cost[row, chosen[row]]
            gain = here + cost[rows, chosen] - cost[row, chosen] - cost[rows, chosen[row]]
            other = int(gain.argmax())
            alone = np.where(free, here - cost[row], -np.inf)
            if alone.max() > max(gain[other], 1e-12):
                free[chosen[row]], chosen[row] = True, int(alone.argmax())
                free[chosen[row]] = False
                changed = True
            elif gain[other] > 1e-12:
                chosen[row], chosen[other] = chosen[other], chosen[row]
                changed = True
        if not changed:
            break
    return chosen


def split_in_two(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Deal the pieces of each ensemble into two halves."""
    halves: tuple[list[Piece], list[Piece]] = ([], [])
    by_ensemble = defaultdict(list)
    for piece in sorted(pieces, key=lambda piece: place(piece.id)):
        by_ensemble[ensemble_of(piece.score)].append(piece)
    for _, group in sorted(by_ensemble.items()):
        for number, piece in enumerate(group):
            halves[number % 2].append(piece)
    return halves


def one_a_group(pictures: list[LabelledPicture]) -> list[LabelledPicture]:
    """Keep one picture of each group."""
    ordered = sorted(pictures, key=lambda picture: place(picture.id))
    return list({picture.group: picture for picture in reversed(ordered)}.values())[::-1]


def ranked(pictures: list[LabelledPicture], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Rank labels (P, D) of pictures among those of their source."""
    result = np.empty((len(pictures), len(names)))
    sources = np.array([picture.source for picture in pictures])
    for source in np.unique(sources):
        here = np.flatnonzero(sources == source)
        for column, name in enumerate(names):
            result[here, column] = signed_ranks(np.array([getattr(pictures[i], name) for i in here.tolist()]))
    return result


def make_pairs(pictures: list[LabelledPicture], pieces: list[Piece]) -> list[tuple[LabelledPicture, Piece]]:
    """Pair pieces with pictures; where rated pictures are too few, the pieces left over meet jackets."""
    rated = [picture for picture in pictures if not np.isnan(picture.valence)]
    jackets = one_a_group([picture for picture in pictures if not np.isnan(picture.tempo_bpm)])
    feeling, timed = split_in_two(pieces)
    feeling, timed = feeling[: len(rated)], timed + feeling[len(rated) :]
    timed = timed[: len(jackets)]
    pairs = []
    for group, chosen, names, columns in (
        (feeling, rated, AFFECT_DIALS, [0, 1]),
        (timed, jackets, ("tempo_bpm",), [2]),
    ):
        found = match(dials_of(group)[:, columns], ranked(chosen, names))
        pairs += [(chosen[i], piece) for i, piece in zip(found.tolist(), group, strict=True)]
    return sorted(pairs, key=lambda pair: pair[0].id)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder that holds affect/ and covers/")
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds a folder for each corpus")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    try:
        if arguments.out.exists():
            raise DataError(f"{arguments.out}: frozen; write the next version to another file")
        pictures = [picture for picture in read_pictures(arguments.pictures) if picture.split == arguments.split]
        pairs = make_pairs(pictures, held_out_pieces(arguments.corpora, arguments.split))
    except ImageMusicError as error:
        print(f"freeze_pairs: error: {error}", file=sys.stderr)
        return 1
    with replace_atomically(arguments.out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for picture, piece in pairs:
            table.writerow([picture.id, piece.id, piece.group, ensemble_of(piece.score)])
    print(f"{arguments.out}: {len(pairs)} pairs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
