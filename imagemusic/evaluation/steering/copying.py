"""Figure 8: the longest run of a training piece that a composed one repeats, in any key.

highest notes of a piece ──> intervals between them ──> the longest run that a training piece has too

The same is asked of held-out music of the same length: what people share by style is no copying.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.evaluation.intervals import mean_of, plain
from imagemusic.events import codec
from imagemusic.music.metrics import pitched_notes
from imagemusic.music.score import ONSET, PITCH, Score

SHORTEST, LONGEST = 4, 96  # intervals
BASE = np.uint64(0x9E3779B97F4A7C15)

Intervals = NDArray[np.int64]


def top_line(onsets: NDArray[np.integer], pitches: NDArray[np.integer]) -> Intervals:
    """Return the intervals (M - 1,) between the highest notes of each onset."""
    order = np.argsort(onsets, kind="stable")
    onsets, pitches = onsets[order], pitches[order].astype(np.int64)
    if not len(onsets):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.diff(onsets, prepend=onsets[0] - 1))
    return np.diff(np.maximum.reduceat(pitches, starts))


def line_of(score: Score) -> Intervals:
    """Return the intervals of a score's highest notes, drums left out."""
    notes = pitched_notes(score)
    return top_line(notes[:, ONSET], notes[:, PITCH])


def prepared_line(prepared: PreparedSet, piece: PreparedPiece) -> Intervals:
    """Return the intervals of a prepared piece's highest notes."""
    rows = prepared.rows[piece.start : piece.start + piece.rows]
    rows = rows[(rows["part"] < codec.SLOTS) & (rows["program"] != codec.DRUMS)]
    return top_line(rows["tick"].astype(np.int64), rows["pitch"])


def longest_matches(lines: Sequence[Intervals], corpus: Sequence[Intervals]) -> NDArray[np.int64]:
    """Find for each line its longest run of intervals that a line of the corpus has too; 0 below SHORTEST.

    Runs of one length are compared by a hash of 64 bits, which the runs of the next length extend.
    """
    longest = np.zeros(len(lines), np.int64)
    known, queries = _Runs(corpus), _Runs(lines)
    for length in range(1, LONGEST + 1):
        known.extend()
        queries.extend()
        if length < SHORTEST:
            continue
        # A run that is not shared is not the start of a longer one that is.
        wanted = np.unique(queries.hashes)
        known.keep(_among(known.hashes, wanted))
        queries.keep(_among(queries.hashes, np.unique(known.hashes)))
        if not len(queries.hashes):
            break
        longest[queries.owners] = length
    return longest


def _among(hashes: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which hashes (N,) are among sorted ones (M,)."""
    if not len(ordered):
        return np.zeros(len(hashes), bool)
    place = np.minimum(np.searchsorted(ordered, hashes), len(ordered) - 1)
    return ordered[place] == hashes


class _Runs:
    """Hashes of all runs of one length; `extend` makes them one longer."""

    def __init__(self, lines: Sequence[Intervals]) -> None:
        self._values = (np.concatenate([*lines, np.zeros(0, np.int64)]) + 1000).astype(np.uint64)
        sizes = np.array([len(line) for line in lines], np.int64)
        ends = np.cumsum(sizes)
        self.owners = np.repeat(np.arange(len(sizes)), sizes)
        self._room = np.repeat(ends, sizes) - np.arange(len(self.owners))  # intervals from here to the line's end
        self._starts = np.arange(len(self.owners))
        self.hashes = np.zeros(len(self.owners), np.uint64)
        self._length = 0

    def extend(self) -> None:
        self.keep(self._room > self._length)
        mixed = (self.hashes ^ self._values[self._starts + self._length]) * BASE
        self.hashes = mixed ^ (mixed >> np.uint64(29))
        self._length += 1

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Keep some of the runs (N,)."""
        self.owners, self._room = self.owners[kept], self._room[kept]
        self._starts, self.hashes = self._starts[kept], self.hashes[kept]


def copying(scores: Sequence[Score], prepared: PreparedSet) -> dict[str, Any]:
    """Measure figure 8: composed scores, and as many held-out pieces cut to their length, against the training set."""
    ours = [line_of(score) for score in scores]
    length = int(np.median([len(line) for line in ours])) if ours else 0
    held_out = [piece for piece in prepared.select("test") if piece.metrical and piece.ensemble != "drums"]
    order = np.random.default_rng(0).permutation(len(held_out))[: len(ours)]
    real = [prepared_line(prepared, held_out[i])[:length] for i in order.tolist()]
    training = [prepared_line(prepared, piece) for piece in prepared.select("train")]
    result: dict[str, Any] = {"intervals_a_piece": length}
    for name, lines, groups in (
        ("composed", ours, [str(i) for i in range(len(ours))]),
        ("held_out_music", real, [held_out[i].group for i in order.tolist()]),
    ):
        found = longest_matches(lines, training).astype(np.float64)
        result[name] = {
            "mean": mean_of(found, groups).to_json() if len(found) else None,
            "median": plain(float(np.median(found))) if len(found) else None,
            "longest": plain(float(found.max(initial=0))),
        }
    return result
