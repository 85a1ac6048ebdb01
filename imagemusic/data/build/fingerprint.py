"""Fingerprints of music, the same in every key, tempo and file format, and near-duplicates by them.

    Score ── lines ──> intervals between successive notes ── every 8 in a row ──> a set of hashes
             the highest notes of the whole and of each track

Two pieces are near-duplicates when the smaller one shares enough hashes with the other.  Hashes of runs and repeated
notes, and those in many groups, do not count.  Rhythm is left out: recorded piano rolls have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.build.splits import DisjointSets
from imagemusic.music.score import ONSET, PITCH, NoteArray, Score

INTERVALS = 8  # in a row, that is nine notes
FEWEST_KINDS = 4  # different intervals in a row; scales, trills, arpeggios and repeated notes have fewer
TOGETHER = 2  # ticks on a grid of 24 within which notes are one chord: 40 ms at 120 bpm
MOST_GROUPS = 8  # that share a hash from which on it counts as a common figure
# Near-duplicates share so many hashes, and this share of the smaller piece's: a short tune, or a passage of a long one.
# Chosen by reading pairs of all corpora: of 47 short ones near the limit about 40 were the same music.
ENOUGH = ((15, 0.10), (40, 0.03))
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """Two pieces, by their places in the list, and the number of hashes that they share."""

    first: int
    second: int
    shared: int
    share: float  # of the smaller piece's hashes


def fingerprint(score: Score) -> NDArray[np.uint64]:
    """Return the sorted hashes (H,) of a score; none where it has fewer than nine pitched notes."""
    pitched = [track.notes for track in score.tracks if len(track) and not track.is_drum]
    if not pitched:
        return np.zeros(0, np.uint64)
    lines = [np.concatenate(pitched), *(pitched if len(pitched) > 1 else [])]
    together = max(1, round(TOGETHER * score.ticks_per_beat / 24))
    return np.unique(np.concatenate([_hashes(_skyline(notes, together)) for notes in lines]))


def _skyline(notes: NoteArray, together: int) -> NDArray[np.int64]:
    """Return the highest pitch (M,) of each chord; notes less than `together` ticks after the last are of its chord."""
    notes = notes[np.argsort(notes[:, ONSET], kind="stable")]
    starts = np.flatnonzero(np.diff(notes[:, ONSET], prepend=-together) >= together)
    return np.maximum.reduceat(notes[:, PITCH].astype(np.int64), starts)


def _hashes(pitches: NDArray[np.int64]) -> NDArray[np.uint64]:
    if len(pitches) <= INTERVALS:
        return np.zeros(0, np.uint64)
    rows = np.lib.stride_tricks.sliding_window_view(np.diff(pitches), INTERVALS)  # (N, 8)
    ordered = np.sort(rows, axis=1)
    rows = rows[(np.diff(ordered, axis=1) != 0).sum(axis=1) + 1 >= FEWEST_KINDS]
    hashes = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        hashes = (hashes ^ (column + 128).astype(np.uint64)) * MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
    return hashes


def near_duplicates(fingerprints: Sequence[NDArray[np.uint64]], groups: Sequence[str]) -> list[Match]:
    """Return pairs of pieces of different groups that share music, the most similar first.

    Args:
        fingerprints: sorted hashes (H,) of each piece.
        groups: group of each piece; pieces of one group are not paired.
    """
    sizes = np.array([len(hashes) for hashes in fingerprints], np.int64)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    hashes = np.concatenate([*fingerprints, np.zeros(0, np.uint64)])
    group_of = np.unique(np.array(groups), return_inverse=True)[1] if len(groups) else np.zeros(0, np.int64)

    codes, shared = np.unique(shared_pairs(hashes, owners, group_of), return_counts=True)
    first, second = np.divmod(codes, max(len(sizes), 1))
    share = shared / np.minimum(sizes[first], sizes[second])
    alike = is_enough(shared, share)
    columns = (first[alike], second[alike], shared[alike], share[alike])
    matches = [Match(int(a), int(b), int(n), float(s)) for a, b, n, s in zip(*columns, strict=True)]
    return sorted(matches, key=lambda match: (-match.share, match.first, match.second))


def shared_pairs(
    hashes: NDArray[np.uint64], owners: NDArray[np.int64], group_of: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the pairs (P,) of owners of different groups that share a hash, once per hash.

    hashes and owners (H,) correspond; group_of (N,) is by owner.  A pair is first * N + second, first < second.
    """
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    starts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])) if len(hashes) else np.zeros(0, np.int64)
    lengths = np.diff(np.append(starts, len(hashes)))
    pairs = [np.zeros(0, np.int64)]
    for length in range(2, 4 * MOST_GROUPS + 1):  # a group may hold a piece several times
        rows = owners[starts[lengths == length][:, None] + np.arange(length)]  # (R, length) pieces that share a hash
        kinds = (np.diff(np.sort(group_of[rows], axis=1), axis=1) != 0).sum(axis=1) + 1
        rows = rows[(kinds > 1) & (kinds <= MOST_GROUPS)]
        for one, two in zip(*np.triu_indices(length, 1), strict=True):
            first, second = rows[:, one], rows[:, two]
            apart = group_of[first] != group_of[second]
            pairs.append(first[apart] * len(group_of) + second[apart])
    return np.concatenate(pairs)


def is_enough(shared: NDArray[np.integer], share: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return whether pairs (P,) are the same music, by the number of shared hashes and the smaller piece's share."""
    alike = np.zeros(len(shared), bool)
    for fewest, least in ENOUGH:
        alike |= (shared >= fewest) & (share >= least)
    return alike


def join(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Map each name to the first, in sorted order, of the names that chains of pairs connect it with."""
    names = sorted({name for pair in pairs for name in pair})
    number = {name: place for place, name in enumerate(names)}
    sets = DisjointSets(len(names))
    sets.join((number[one], number[two]) for one, two in pairs)
    return {name: names[root] for name, root in zip(names, sets, strict=True)}
