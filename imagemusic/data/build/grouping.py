"""Which rows of a data set belong together: the same artist, album, cover or music, or one that is like it.

facts and journal ──> Looks: numbers, a row each ──> pairs that are alike ──> Belonging: groups, of three kinds
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.build.blocks import Block, read_facts
from imagemusic.data.build.manifest import Manifest
from imagemusic.data.build.manifest_rows import about
from imagemusic.data.build.near_duplicates import OWNED, nearly_same, same_value, share_passages, similar_hashes
from imagemusic.data.build.splits import Union, hash_key, name_key
from imagemusic.data.gather.journal_reader import GatheredSet

Numbers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Looks:
    """What decides which of N rows belong together, as numbers (N,); 0 says nothing."""

    artist: Numbers
    album: Numbers
    release: Numbers
    cover: Numbers  # its bytes
    seen: Numbers  # its perceptual hash
    midi: Numbers
    sketches: NDArray[np.uint32]  # (N, BINS)
    sizes: NDArray[np.int64]  # hashes in each fingerprint


@dataclass(frozen=True, slots=True)
class Belonging:
    """Groups of rows; each is named by its earliest row."""

    groups: Union  # all that must stand on one side of the split
    pieces: Union  # near-duplicates of the music
    covers: Union  # of the cover


def look(gathered: GatheredSet, blocks: Sequence[Block]) -> Looks:
    """Read, as numbers, what decides which rows belong together."""
    names = [np.empty((3, 0), np.uint64)]
    others = [np.empty((3, 0), np.uint64)]
    sketches, sizes = [np.empty((0, 0), np.uint32)], [np.empty(0, np.int64)]
    rows = gathered.rows()
    for block in blocks:
        facts = read_facts(block.facts_file, ["fingerprint", "sketch", "sha256", "cover_sha256", "cover_hash"])
        facts = facts.combine_chunks()
        found = [about(row) for row in islice(rows, block.files)]
        names.append(np.array([_name_numbers(**one) for one in found], np.uint64).T)
        texts = [[hash_key(text or "") for text in facts[name].to_pylist()] for name in ("cover_sha256", "sha256")]
        others.append(np.array([*texts, facts["cover_hash"].fill_null(0).to_numpy()], np.uint64))
        column = facts["sketch"].combine_chunks()
        sketches.append(column.values.to_numpy().reshape(len(column), -1))
        sizes.append(facts["fingerprint"].combine_chunks().value_lengths().fill_null(0).to_numpy().astype(np.int64))
    artist, album, release = np.concatenate(names, axis=1)
    cover, midi, seen = np.concatenate(others, axis=1)
    return Looks(artist, album, release, cover, seen, midi, np.concatenate(sketches[1:]), np.concatenate(sizes))


def _name_numbers(*, artist: str, album: str, release_source: str, release_id: str, **_: object) -> list[int]:
    album_number = name_key(artist, album) if album else 0
    return [name_key(artist), album_number, hash_key(f"{release_source}/{release_id}") if release_id else 0]


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier build found alike: number of a MIDI file -> of its group of music, and so for covers."""

    pieces: Mapping[int, int]
    covers: Mapping[int, int]

    @classmethod
    def read(cls, manifest: Manifest | None) -> "Known":
        """Read it from the manifest of that build; nothing is known where there is none."""
        pieces: dict[int, int] = {}
        covers: dict[int, int] = {}
        columns = ("midi_sha256", "cover_sha256", "piece_group", "cover_group")
        for row in manifest.rows(columns) if manifest else ():
            if row["piece_group"]:
                pieces[hash_key(row["midi_sha256"])] = hash_key(row["piece_group"])
            if row["cover_group"]:
                covers[hash_key(row["cover_sha256"])] = hash_key(row["cover_group"])
        return cls(pieces, covers)


def belong_together(looks: Looks, blocks: Sequence[Block], known: Known, folder: Path) -> Belonging:
    """Join rows by artist, album, cover and music; what was once found alike stays together.

    Args:
        folder: for what does not fit into memory.
    """
    count = len(looks.midi)
    pieces, covers, groups = Union(count), Union(count), Union(count)

    def before(kind: Mapping[int, int], numbers: Numbers) -> Numbers:
        return np.fromiter((kind.get(number, 0) for number in numbers.tolist()), np.uint64, count)

    for found in (looks.midi, before(known.pieces, looks.midi)):
        pieces.join(same_value(found))
    pieces.join(nearly_same(looks.sketches))
    for found in (looks.cover, looks.seen, before(known.covers, looks.cover)):
        covers.join(same_value(found))
    values, first = np.unique(looks.seen, return_index=True)
    values, first = values[values > 0], first[values > 0]
    covers.join(first[similar_hashes(values)])
    kinds = (looks.artist, looks.album, looks.release, pieces.roots() + 1, covers.roots() + 1)
    for kind in kinds:
        groups.join(same_value(kind.astype(np.uint64)))
    # Of pieces that are nearly the same only the earliest is looked at, so that many copies cost nothing.
    earliest = pieces.roots() == np.arange(count)
    passages = share_passages(_owned(blocks, earliest), looks.sizes, groups.roots(), folder)
    pieces.join(passages)
    groups.join(passages)
    return Belonging(groups, pieces, covers)


def _owned(blocks: Sequence[Block], chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.void]]:
    """Yield the hashes of the chosen rows with the numbers of their rows, a block at a time."""
    place = 0
    for block in blocks:
        column = read_facts(block.facts_file, ["fingerprint"])["fingerprint"].combine_chunks()
        sizes = column.value_lengths().fill_null(0).to_numpy()
        owners = np.repeat(np.arange(place, place + len(sizes)), sizes)
        records = np.empty(len(owners), OWNED)
        records["hash"], records["owner"] = column.flatten().to_numpy(), owners
        yield records[chosen[owners]]
        place += len(sizes)
