"""Find near-duplicates among millions of pieces and covers without comparing all pairs.

    pieces that are nearly the same     sketches of their fingerprints, 8 bands: similar ones share a band
                                        (Broder 1997, min-hashing; Li, Owen & Zhang 2012, with one permutation)
    pieces that share a passage         hashes sorted part by part on disk: which pieces share one, how often
    similar covers                      64-bit hashes, any 2 of 8 bytes: those that differ in at most 6 bits share two

Each takes time in proportion to the number of pieces, and a few dozen bytes of memory per piece.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.build.fingerprint import is_enough, shared_pairs

BINS, BANDS = 32, 8  # of a sketch, and parts of it that are looked up
EMPTY = np.uint32(0xFFFF_FFFF)
LEAST_AGREEMENT = 0.5  # share of comparable bins that agree, which estimates the share of hashes in common
LEAST_COMPARABLE = 4
MOST_OTHER_BITS = 6  # by which similar covers differ; recompressed ones differ in 0 to 4, others in about 32
HASHES_AT_ONCE = 2_000_000
MOST_PARTS = 256  # files open at once
OWNED = np.dtype([("hash", "u8"), ("owner", "u4")])
Pairs = NDArray[np.int64]  # (P, 2)


def sketch(fingerprint: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the least hash (BINS,) in each bin of a sorted fingerprint (H,), EMPTY where a bin has none."""
    edges = np.searchsorted(fingerprint, np.arange(BINS, dtype=np.uint64) << np.uint64(59))
    ends = np.append(edges[1:], len(fingerprint))
    least = np.full(BINS, EMPTY)
    filled = edges < ends
    least[filled] = (fingerprint[edges[filled]] >> np.uint64(27)).astype(np.uint32)
    return least


def nearly_same(sketches: NDArray[np.uint32]) -> Pairs:
    """Return pairs (P, 2) of each sketch (N, BINS) with the first similar one that shares a band."""
    found = []
    for band in np.split(np.arange(BINS), BANDS):
        known = np.flatnonzero((sketches[:, band] != EMPTY).any(axis=1))
        keys = np.zeros(len(known), np.uint64)
        for column in band:
            keys = (keys ^ sketches[known, column].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
        for first, other in _with_first_of_run(known, keys):
            both = (sketches[first] != EMPTY) & (sketches[other] != EMPTY)
            agree = ((sketches[first] == sketches[other]) & both).sum(axis=1)
            comparable = both.sum(axis=1)
            chosen = (comparable >= LEAST_COMPARABLE) & (agree >= LEAST_AGREEMENT * comparable)
            found.append(np.column_stack([first[chosen], other[chosen]]))
    return np.concatenate([np.zeros((0, 2), np.int64), *found])


def same_value(values: NDArray[np.uint64]) -> Pairs:
    """Return pairs (P, 2) of each value (N,) other than 0 with the first equal one."""
    known = np.flatnonzero(values)
    found = [np.column_stack(pair) for pair in _with_first_of_run(known, values[known])]
    return np.concatenate([np.zeros((0, 2), np.int64), *found])


def _with_first_of_run(places: NDArray[np.int64], keys: NDArray[np.uint64]) -> Iterator[tuple[NDArray, NDArray]]:
    """Yield the first place of each repeated key and its other places, (M,) and (M,), some at a time."""
    order = np.argsort(keys, kind="stable")
    places, keys = places[order], keys[order]
    new = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    first = places[np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0))] if len(keys) else places
    for start in range(0, len(keys), 100_000):
        chosen = slice(start, start + 100_000)
        repeated = ~new[chosen]
        yield first[chosen][repeated], places[chosen][repeated]


def similar_hashes(hashes: NDArray[np.uint64]) -> Pairs:
    """Return pairs (P, 2) of hashes (N,), all different, that differ in at most MOST_OTHER_BITS bits.

    Six differing bits leave at least two of eight bytes equal, so equal pairs of bytes find all of them.
    """
    parts = hashes.astype(">u8").view(np.uint8).reshape(-1, 8).astype(np.int64)
    found = [np.zeros((0, 2), np.int64)]
    for one, two in combinations(range(8), 2):
        keys = parts[:, one] << 8 | parts[:, two]
        order = np.argsort(keys, kind="stable")
        at = np.arange(len(order))
        for ahead in range(1, len(order)):  # neighbours in a run of equal keys, then next but one, ...
            at = at[at + ahead < len(order)]
            at = at[keys[order[at + ahead]] == keys[order[at]]]
            if not len(at):
                break
            first, second = order[at], order[at + ahead]
            near = np.bitwise_count(hashes[first] ^ hashes[second]) <= MOST_OTHER_BITS
            found.append(np.column_stack([first[near], second[near]]))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


class Spill:
    """Records on disk, partitioned by a number, so that each part fits into memory."""

    def __init__(self, folder: Path, name: str, kind: np.dtype[Any], parts: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._kind, self._paths = kind, [folder / f"{name}-{part}" for part in range(parts)]
        self._files = [path.open("wb") for path in self._paths]

    def add(self, records: NDArray[Any], part: NDArray[np.integer]) -> None:
        """Append records (M,) to the parts (M,)."""
        order = np.argsort(part, kind="stable")
        records, edges = records[order], np.searchsorted(part[order], np.arange(len(self._files) + 1))
        for file, start, end in zip(self._files, edges[:-1], edges[1:], strict=True):
            if end > start:
                file.write(records[start:end].tobytes())

    def parts(self) -> Iterator[NDArray[Any]]:
        """Yield and delete each part; records in a part are in any order."""
        for file, path in zip(self._files, self._paths, strict=True):
            file.close()
            yield np.fromfile(path, self._kind)
            path.unlink()


def share_passages(
    owned: Iterable[NDArray[np.void]], sizes: NDArray[np.int64], groups: NDArray[np.int64], folder: Path
) -> Pairs:
    """Return pairs (P, 2) of pieces of different groups that share music, by `fingerprint.is_enough`.

    Args:
        owned: hashes with the numbers of their pieces (OWNED), in chunks.
        sizes: number of hashes of each piece (N,).
        groups: group of each piece (N,).
        folder: for temporary files.
    """
    count = int(np.clip(sizes.sum() // HASHES_AT_ONCE + 1, 1, MOST_PARTS))
    hashes = Spill(folder, "hashes", OWNED, count)
    for records in owned:
        hashes.add(records, (records["hash"] >> np.uint64(8)) % np.uint64(count))
    pairs = Spill(folder, "pairs", np.dtype("i8"), count)
    for records in hashes.parts():
        codes = shared_pairs(records["hash"], records["owner"].astype(np.int64), groups)
        pairs.add(codes, codes % count)
    found = [np.zeros((0, 2), np.int64)]
    for codes in pairs.parts():
        codes, shared = np.unique(codes, return_counts=True)
        both = np.column_stack(np.divmod(codes, max(len(sizes), 1)))
        found.append(both[is_enough(shared, shared / np.maximum(sizes[both].min(axis=1), 1))])
    return np.concatenate(found)
