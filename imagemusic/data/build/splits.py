"""Which rows of a data set belong together, and on which side of the split each such group stands.

    row ── same artist, same album, same or like cover, same or like music ── row ── ... ──> one group, one split

A group is named after its earliest row in the journal and its split is a hash of that name.  When the set grows, rows
come after those that are there, so a group keeps its name and split; when a new row joins two groups, they go where
the earlier of them was, and only the rows of the later one may move.
"""

import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

HELD_OUT = {"test": 0.05, "validation": 0.05}  # shares of the groups; the others train
ANYBODY = {"", "various", "variousartists", "va", "unknown", "unknownartist", "anonymous", "traditional", "trad"}


class Union:
    """Numbers 0..N-1 in groups; a group's root is its least number."""

    def __init__(self, count: int) -> None:
        self._parent = array("q", range(count))

    def root(self, number: int) -> int:
        """Return the least number that is in a group with this one."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(self, pairs: Iterable[tuple[int, int]] | NDArray[np.int64]) -> None:
        """Make one group of the groups of each pair."""
        for one, two in pairs.tolist() if isinstance(pairs, np.ndarray) else pairs:
            low, high = sorted((self.root(one), self.root(two)))
            self._parent[high] = low

    def roots(self) -> NDArray[np.int64]:
        """Return the root of every number (N,)."""
        return np.fromiter((self.root(number) for number in range(len(self._parent))), np.int64, len(self._parent))

    def __iter__(self) -> Iterator[int]:
        return iter(self.roots().tolist())


def name_key(*names: str) -> int:
    """Hash names to 64 bits, whatever their case, accents and punctuation; 0 for names that are nobody's."""
    folded = [_folded(name) for name in names]
    return 0 if folded[0] in ANYBODY else hash_key("\n".join(folded))


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).casefold().strip().removeprefix("the ")
    return "".join(letter for letter in letters if letter.isalnum())


def hash_key(text: str) -> int:
    """Hash a text to 64 bits, never 0; an empty one to 0, which stands for nothing."""
    return (int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1) if text else 0


def group_name(artist: str, sha256: str, key: str) -> str:
    """Name the group of which this row is the earliest."""
    folded = _folded(artist)
    return f"artist/{folded}" if folded not in ANYBODY else f"midi/{sha256}" if sha256 else f"file/{key}"


def split_of_group(name: str) -> str:
    """Say where a group stands: 'train', 'validation' or 'test', for ever the same."""
    share = int.from_bytes(blake2b(f"split {name}".encode(), digest_size=8).digest(), "big") / 2**64
    for split, size in HELD_OUT.items():
        if share < size:
            return split
        share -= size
    return "train"
