"""Assign groups of rows to splits, so that no artist, album, cover or piece is in two of them.

    row ── same artist, same album, same or like cover, same or like music ── row ── ... ──> one group, one split

A group is named after its earliest row in the journal, and its split is a hash of that name.  New rows come after the
existing ones, so a group keeps its name and split when the set grows.  When a new row joins two groups, both get the
split of the earlier one, and only rows of the later one may move.
"""

import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

HELD_OUT = {"test": 0.05, "validation": 0.05}  # shares of the groups; the others train
NO_ARTIST = {"", "various", "variousartists", "va", "unknown", "unknownartist", "anonymous", "traditional", "trad"}


class DisjointSets:
    """Disjoint sets of the numbers 0..N-1 (union-find); the root of a set is its least number."""

    def __init__(self, count: int) -> None:
        self._parent = array("q", range(count))

    def root(self, number: int) -> int:
        """Return the least number of the set that holds this one."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(self, pairs: Iterable[tuple[int, int]] | NDArray[np.int64]) -> None:
        """Unite the sets of both numbers of each pair (P, 2)."""
        for one, two in pairs.tolist() if isinstance(pairs, np.ndarray) else pairs:
            low, high = sorted((self.root(one), self.root(two)))
            self._parent[high] = low

    def roots(self) -> NDArray[np.int64]:
        """Return the root of every number (N,)."""
        return np.fromiter((self.root(number) for number in range(len(self._parent))), np.int64, len(self._parent))

    def __iter__(self) -> Iterator[int]:
        return iter(self.roots().tolist())


def name_key(*names: str) -> int:
    """Hash names to 64 bits, ignoring case, accents and punctuation; 0 where the first is in NO_ARTIST."""
    folded = [_folded(name) for name in names]
    return 0 if folded[0] in NO_ARTIST else hash_key("\n".join(folded))


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).casefold().strip().removeprefix("the ")
    return "".join(letter for letter in letters if letter.isalnum())


def hash_key(text: str) -> int:
    """Hash a text to 64 bits, never 0; return 0 for an empty one."""
    return (int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1) if text else 0


def group_name(artist: str, sha256: str, key: str) -> str:
    """Return the name of the group whose earliest row this is."""
    folded = _folded(artist)
    return f"artist/{folded}" if folded not in NO_ARTIST else f"midi/{sha256}" if sha256 else f"file/{key}"


def split_of_group(name: str) -> str:
    """Return the split of a group, a hash of its name: 'train', 'validation' or 'test'."""
    share = int.from_bytes(blake2b(f"split {name}".encode(), digest_size=8).digest(), "big") / 2**64
    for split, size in HELD_OUT.items():
        if share < size:
            return split
        share -= size
    return "train"
