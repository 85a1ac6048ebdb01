"""Figure 8: the longest run of melody intervals that a composed piece shares with a training piece.

highest notes of a piece ──> intervals between them, in semitones ──> the longest run that a training piece has too

Intervals make the comparison independent of the key.  Held-out music of the same length is the reference: runs that it
shares with training music are due to style.
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

SHORTEST, LONGEST = 4, 96  # intervals in a run
BASE = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, for multiplicative hashing

Intervals = NDArray[np.int64]


def top_line(onsets: NDArray[np.integer], pitches: NDArray[np.integer]) -> Intervals:
    """Return the intervals (M - 1,), in semitones, between the highest notes at the M distinct onsets.

    Args:
        onsets: (N,) in ticks, in any order.
        pitches: (N,) MIDI pitches.
    """
    order = np.argsort(onsets, kind="stable")
    onsets, pitches = onsets[order], pitches[order].astype(np.int64)
    if not len(onsets):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.diff(onsets, prepend=onsets[0] - 1))
    return np.diff(np.maximum.reduceat(pitches, starts))


def line_of(score: Score) -> Intervals:
    """Return the intervals (M - 1,) of a score's highest notes, without drums."""
    notes = pitched_notes(score)
    return top_line(notes[:, ONSET], notes[:, PITCH])


def prepared_line(prepared: PreparedSet, piece: PreparedPiece) -> Intervals:
    """Return the intervals (M - 1,) of a prepared piece's highest notes, without drums."""
    rows = prepared.rows[piece.start : piece.start + piece.rows]
    rows = rows[(rows["part"] < codec.SLOTS) & (rows["program"] != codec.DRUMS)]
    return top_line(rows["tick"].astype(np.int64), rows["pitch"])


def longest_matches(lines: Sequence[Intervals], corpus: Sequence[Intervals]) -> NDArray[np.int64]:
    """Return the length (N,) of each line's longest run of intervals that is in a line of the corpus; 0 below SHORTEST.

    Runs of one length are compared by 64-bit hashes, which are extended to the next length.
    """
    longest = np.zeros(len(lines), np.int64)
    known, queries = _Runs(corpus), _Runs(lines)
    for length in range(1, LONGEST + 1):
        known.extend()
        queries.extend()
        if length < SHORTEST:
            continue
        # Only a shared run can be the start of a longer shared run.
        known.keep(_among(known.hashes, np.unique(queries.hashes)))
        queries.keep(_among(queries.hashes, np.unique(known.hashes)))
        if not len(queries.hashes):
            break
        longest[queries.owners] = length
    return longest


def _among(hashes: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which hashes (N,) are among the sorted ones (M,): (N,)."""
    if not len(ordered):
        return np.zeros(len(hashes), bool)
    place = np.minimum(np.searchsorted(ordered, hashes), len(ordered) - 1)
    return ordered[place] == hashes


class _Runs:
    """Hashes of all runs of one length; `extend` makes the runs longer by one interval."""

    def __init__(self, lines: Sequence[Intervals]) -> None:
        self._values = (np.concatenate([*lines, np.zeros(0, np.int64)]) + 1000).astype(np.uint64)
        sizes = np.array([len(line) for line in lines], np.int64)
        ends = np.cumsum(sizes)
        self.owners = np.repeat(np.arange(len(sizes)), sizes)
        self._room = np.repeat(ends, sizes) - np.arange(len(self.owners))  # intervals up to the line's end
        self._starts = np.arange(len(self.owners))
        self.hashes = np.zeros(len(self.owners), np.uint64)
        self._length = 0

    def extend(self) -> None:
        self.keep(self._room > self._length)
        mixed = (self.hashes ^ self._values[self._starts + self._length]) * BASE
        self.hashes = mixed ^ (mixed >> np.uint64(29))
        self._length += 1

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Keep the runs where `kept` (N,) is true."""
        self.owners, self._room = self.owners[kept], self._room[kept]
        self._starts, self.hashes = self._starts[kept], self.hashes[kept]


def copying(scores: Sequence[Score], prepared: PreparedSet) -> dict[str, Any]:
    """Compare composed scores, and as many held-out pieces of the same length, with the training set.

    Returns `intervals_a_piece`, the median length of the composed lines, and for `composed` and `held_out_music` the
    mean with its interval, median and maximum of the longest shared run.
    """
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
