"""Group the rows of a data set that share artist, album, cover or music, or are near-duplicates of each other.

facts and journal ──> GroupingKeys: numbers, one per row ──> pairs of rows ──> Grouping: three kinds of groups
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.build.blocks import Block, read_facts
from imagemusic.data.build.manifest import Manifest
from imagemusic.data.build.manifest_rows import description
from imagemusic.data.build.near_duplicates import OWNED, nearly_same, same_value, share_passages, similar_hashes
from imagemusic.data.build.splits import DisjointSets, hash_key, name_key
from imagemusic.data.gather.journal_reader import GatheredSet

Numbers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class GroupingKeys:
    """The keys by which N rows are grouped, as numbers (N,); 0 where a row has none."""

    artist: Numbers
    album: Numbers
    release: Numbers
    cover: Numbers  # hash of its bytes
    cover_hash: Numbers  # perceptual hash
    midi: Numbers
    sketches: NDArray[np.uint32]  # (N, BINS)
    sizes: NDArray[np.int64]  # hashes in each fingerprint


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of rows; the root of each is its earliest row."""

    groups: DisjointSets  # rows of one group are in one split
    pieces: DisjointSets  # near-duplicates by their music
    covers: DisjointSets  # near-duplicates by their cover


def read_grouping_keys(gathered: GatheredSet, blocks: Sequence[Block]) -> GroupingKeys:
    """Read the keys of all rows from the journal and the facts of the blocks."""
    names = [np.empty((3, 0), np.uint64)]
    others = [np.empty((3, 0), np.uint64)]
    sketches, sizes = [np.empty((0, 0), np.uint32)], [np.empty(0, np.int64)]
    rows = gathered.rows()
    for block in blocks:
        facts = read_facts(block.facts_file, ["fingerprint", "sketch", "sha256", "cover_sha256", "cover_hash"])
        facts = facts.combine_chunks()
        found = [description(row) for row in islice(rows, block.files)]
        names.append(np.array([_name_numbers(**one) for one in found], np.uint64).T)
        texts = [[hash_key(text or "") for text in facts[name].to_pylist()] for name in ("cover_sha256", "sha256")]
        others.append(np.array([*texts, facts["cover_hash"].fill_null(0).to_numpy()], np.uint64))
        column = facts["sketch"].combine_chunks()
        sketches.append(column.values.to_numpy().reshape(len(column), -1))
        sizes.append(facts["fingerprint"].combine_chunks().value_lengths().fill_null(0).to_numpy().astype(np.int64))
    artist, album, release = np.concatenate(names, axis=1)
    cover, midi, cover_hash = np.concatenate(others, axis=1)
    return GroupingKeys(
        artist, album, release, cover, cover_hash, midi, np.concatenate(sketches[1:]), np.concatenate(sizes)
    )


def _name_numbers(*, artist: str, album: str, release_source: str, release_id: str, **_: object) -> list[int]:
    album_number = name_key(artist, album) if album else 0
    return [name_key(artist), album_number, hash_key(f"{release_source}/{release_id}") if release_id else 0]


@dataclass(frozen=True, slots=True)
class EarlierGroups:
    """The near-duplicates of an earlier build: hash of a MIDI file -> hash of its group, and the same for covers."""

    pieces: Mapping[int, int]
    covers: Mapping[int, int]

    @classmethod
    def read(cls, manifest: Manifest | None) -> "EarlierGroups":
        """Read them from the manifest of that build; empty where there is none."""
        pieces: dict[int, int] = {}
        covers: dict[int, int] = {}
        columns = ("midi_sha256", "cover_sha256", "piece_group", "cover_group")
        for row in manifest.rows(columns) if manifest else ():
            if row["piece_group"]:
                pieces[hash_key(row["midi_sha256"])] = hash_key(row["piece_group"])
            if row["cover_group"]:
                covers[hash_key(row["cover_sha256"])] = hash_key(row["cover_group"])
        return cls(pieces, covers)


def group_rows(keys: GroupingKeys, blocks: Sequence[Block], known: EarlierGroups, folder: Path) -> Grouping:
    """Join rows by artist, album, cover and music; rows that an earlier build joined stay joined.

    Args:
        folder: for temporary files of what does not fit into memory.
    """
    count = len(keys.midi)
    pieces, covers, groups = DisjointSets(count), DisjointSets(count), DisjointSets(count)

    def before(kind: Mapping[int, int], numbers: Numbers) -> Numbers:
        return np.fromiter((kind.get(number, 0) for number in numbers.tolist()), np.uint64, count)

    for found in (keys.midi, before(known.pieces, keys.midi)):
        pieces.join(same_value(found))
    pieces.join(nearly_same(keys.sketches))
    for found in (keys.cover, keys.cover_hash, before(known.covers, keys.cover)):
        covers.join(same_value(found))
    values, first = np.unique(keys.cover_hash, return_index=True)
    values, first = values[values > 0], first[values > 0]
    covers.join(first[similar_hashes(values)])
    kinds = (keys.artist, keys.album, keys.release, pieces.roots() + 1, covers.roots() + 1)
    for kind in kinds:
        groups.join(same_value(kind.astype(np.uint64)))
    # Of near-duplicates only the earliest is compared, so that many copies cost nothing.
    earliest = pieces.roots() == np.arange(count)
    passages = share_passages(_owned(blocks, earliest), keys.sizes, groups.roots(), folder)
    pieces.join(passages)
    groups.join(passages)
    return Grouping(groups, pieces, covers)


def _owned(blocks: Sequence[Block], chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.void]]:
    """Yield the hashes of the chosen rows with their row numbers (OWNED), one block at a time."""
    place = 0
    for block in blocks:
        column = read_facts(block.facts_file, ["fingerprint"])["fingerprint"].combine_chunks()
        sizes = column.value_lengths().fill_null(0).to_numpy()
        owners = np.repeat(np.arange(place, place + len(sizes)), sizes)
        records = np.empty(len(owners), OWNED)
        records["hash"], records["owner"] = column.flatten().to_numpy(), owners
        yield records[chosen[owners]]
        place += len(sizes)
