"""Build a data set that trains from gathered files: `imagemusic data build`.

    journal ──> blocks, by any number of workers ──> groups ──> splits ──> manifest, dataset card

The blocks take most of the time and may be interrupted; see blocks.py.  The steps after them stream the facts of the
blocks and keep numbers per file, no names, so memory grows slowly with the set.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.data.build.blocks import FILES, NOTES, Block, plan_blocks, prepare_block, read_facts
from imagemusic.data.build.dataset_card import CARD, dataset_card
from imagemusic.data.build.grouping import EarlierGroups, Grouping, group_rows, read_grouping_keys
from imagemusic.data.build.manifest import MANIFEST, BlockName, DamagedManifestError, Manifest, ManifestWriter
from imagemusic.data.build.manifest_rows import description, label_of, manifest_row, read_labels
from imagemusic.data.build.near_duplicates import EMPTY
from imagemusic.data.build.splits import DisjointSets, group_name, split_of_group
from imagemusic.data.gather.journal_reader import GatheredSet, open_gathered_set
from imagemusic.errors import DataError
from imagemusic.executors import Progress, executor_named
from imagemusic.files import replace_atomically, sweep, write_atomically

SPILLED = "spilled"  # folder beside the blocks for temporary files


def build(
    folder: Path,
    *,
    executor: str = "processes",
    workers: int = 2,
    progress: Progress = lambda done, message: None,
) -> Manifest:
    """Build the data set in `folder`; blocks that an earlier build made are reused.

    Args:
        executor: a name of executors.EXECUTORS.
        progress: called with the share done, 0..1, and a message.

    Raises:
        DataError: nothing was gathered there, no file can be used, or the folder cannot be written.
        ConfigError: the executor is unknown.
    """
    run = executor_named(executor, workers)
    gathered = open_gathered_set(folder)
    if not gathered.midi_dir.is_dir():
        raise DataError(f"{gathered.midi_dir}: the MIDI files that were gathered are not there")
    earlier = _earlier_groups(folder)
    try:
        blocks: list[Block] = []

        def jobs() -> Iterator[Block]:
            for block in plan_blocks(gathered):
                blocks.append(replace(block, entries=()))  # names of a million files would fill a gigabyte
                yield block

        total = -(-len(gathered) // FILES)
        for number, _ in enumerate(run(prepare_block, jobs(), workers), 1):
            progress(0.95 * number / total, f"block {number} of {total}")
        progress(0.96, "grouping rows")
        keys = read_grouping_keys(gathered, blocks)
        grouping = group_rows(keys, blocks, earlier, folder / NOTES / SPILLED)
        _write_manifest(gathered, blocks, grouping)
        _sweep(folder, blocks)
        manifest = Manifest.open(folder)
        write_atomically(folder / CARD, dataset_card(manifest))
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return manifest


def _earlier_groups(folder: Path) -> EarlierGroups:
    """Read the groups of an earlier build; none where its manifest is missing or damaged."""
    try:
        return EarlierGroups.read(Manifest.open(folder) if (folder / MANIFEST).exists() else None)
    except DamagedManifestError:
        return EarlierGroups.read(None)


def _write_manifest(gathered: GatheredSet, blocks: Sequence[Block], grouping: Grouping) -> None:
    """Write the manifest, one row per file, with its group and split."""
    pieces = _DuplicateNames(grouping.pieces, "piece_group", "midi_sha256")
    covers = _DuplicateNames(grouping.covers, "cover_group", "cover_sha256")
    names: dict[int, str] = {}  # of groups, by their earliest row
    lengths = np.zeros((len(blocks), 2), np.int64)  # rows and segments
    with replace_atomically(gathered.folder / MANIFEST) as temporary, ManifestWriter(temporary) as writer:
        for place, row in enumerate(_rows(gathered, blocks)):
            root = grouping.groups.root(place)
            if root == place:
                names[place] = group_name(row["artist"], row["midi_sha256"], row["key"])
            row |= {"group": names[root], "split": split_of_group(names[root])}
            pieces.name(place, row)
            covers.name(place, row)
            lengths[row["block"]] += (row["rows"], row.pop("segments"))
            writer.add(row)
        if not lengths.any():
            raise DataError(f"{gathered.folder}: not one of its {len(gathered)} MIDI files can be used")
        named = [BlockName(block.id, *length) for block, length in zip(blocks, lengths.tolist(), strict=True)]
        writer.finish(gathered.header.source, named)


def _rows(gathered: GatheredSet, blocks: Sequence[Block]) -> Iterator[dict[str, Any]]:
    """Yield rows made of the lines of the journal and the facts of the blocks, one block at a time."""
    lines, labels = gathered.rows(), read_labels(gathered.folder)
    for number, block in enumerate(blocks):
        facts = read_facts(block.facts_file).drop_columns(["fingerprint"]).to_pylist()
        for fact, line in zip(facts, islice(lines, len(facts)), strict=True):
            label = label_of(labels, fact["key"], description(line)["artist"])
            fingerprint = fact["sketch"] if any(value != EMPTY for value in fact["sketch"]) else []
            yield manifest_row(line, fact, label) | {"block": number, "fingerprint": fingerprint}


class _DuplicateNames:
    """Names of groups of near-duplicates, after their earliest file; a group of one row has no name."""

    def __init__(self, union: DisjointSets, column: str, named_by: str) -> None:
        self._roots = union.roots()
        self._sizes = np.bincount(self._roots, minlength=len(self._roots))
        self._column, self._named_by = column, named_by
        self._names: dict[int, str] = {}

    def name(self, place: int, row: dict[str, Any]) -> None:
        """Set the name of its group in a row."""
        root = int(self._roots[place])
        if self._sizes[root] > 1:
            row[self._column] = self._names.setdefault(root, str(row[self._named_by])[:16])


def _sweep(folder: Path, blocks: Sequence[Block]) -> None:
    """Remove blocks that the data set no longer has, and unfinished files of a killed build."""
    kept = {path.name for block in blocks for path in (block.notes_file, block.segments_file, block.facts_file)}
    for path in (folder / NOTES).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in kept:
            path.unlink()
    sweep(folder)
