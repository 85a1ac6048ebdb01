"""Prepare MIDI files and covers in blocks: a block is one job of a worker, and none is done twice.

    128 MIDI files and their covers ── prepare_block ──> DATASET/notes/BLOCK.arrow           their events
                                                         DATASET/notes/BLOCK.segments.arrow  cues of their segments
                                                         DATASET/notes/BLOCK.parquet         facts, written last

The name of a block is a hash of its files, their sizes and times.  So a build that was killed continues with the
missing blocks, and when the set grows only new and changed blocks are made.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.build.fingerprint import fingerprint
from imagemusic.data.build.near_duplicates import BINS, sketch
from imagemusic.data.build.note_store import open_array, write_array
from imagemusic.data.corpora.user_midi import read_user_midi, user_piece
from imagemusic.data.gather.journal_reader import GatheredSet, as_text
from imagemusic.data.prepared import FORMAT_VERSION, ROW, prepare_piece
from imagemusic.errors import DataError, ImageError
from imagemusic.files import replace_atomically
from imagemusic.music.dials import CUES
from imagemusic.vision.similarity import perceptual_hash

FILES = 128  # in a block; a worker holds the events of all of them
PREPARATION = 2  # version of what blocks hold; another number prepares every block again
NOTES = "notes"  # folder of the blocks
DRUMS = 128  # among the programs: the part of drums
NO_SKETCH = sketch(np.zeros(0, np.uint64))
NO_ROWS, NO_SEGMENTS = np.zeros(0, ROW), np.zeros((0, len(CUES)), np.float32)


@dataclass(frozen=True, slots=True)
class Entry:
    """A MIDI file to prepare."""

    key: str
    title: str
    licence: str
    cover: str | None  # in the data set's folder


@dataclass(frozen=True, slots=True)
class Block:
    """Files that are prepared together by one worker."""

    id: str
    folder: Path  # the data set
    midi_dir: Path
    entries: tuple[Entry, ...]
    files: int  # number of entries, which are dropped once the block is done

    @property
    def notes_file(self) -> Path:
        """Return the file of the events."""
        return self.folder / NOTES / f"{self.id}.arrow"

    @property
    def segments_file(self) -> Path:
        """Return the file of the cues of segments."""
        return self.folder / NOTES / f"{self.id}.segments.arrow"

    @property
    def facts_file(self) -> Path:
        """Return the file of the facts; a block is done when it exists."""
        return self.folder / NOTES / f"{self.id}.parquet"


def plan_blocks(gathered: GatheredSet, files: int = FILES) -> Iterator[Block]:
    """Yield the blocks of a gathered set, in the order of its rows."""
    entries: list[Entry] = []
    digest = hashlib.sha256()
    for number, row in enumerate(gathered.rows(), 1):
        cover = row.get("cover") if row["status"] == "matched" else None
        entry = Entry(row["key"], str(row.get("title") or ""), str(row.get("licence") or ""), cover)
        entries.append(entry)
        stamps = [_stamp(gathered.midi_dir / entry.key), _stamp(gathered.folder / entry.cover) if entry.cover else None]
        digest.update(json.dumps([PREPARATION, FORMAT_VERSION, *asdict(entry).values(), stamps]).encode())
        if number % files == 0 or number == len(gathered):
            yield Block(digest.hexdigest()[:16], gathered.folder, gathered.midi_dir, tuple(entries), len(entries))
            entries, digest = [], hashlib.sha256()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def prepare_block(block: Block) -> str:
    """Prepare one block, unless its files are there and whole, and return its id."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if _is_whole(block):
        return block.id
    block.notes_file.parent.mkdir(parents=True, exist_ok=True)
    facts: list[dict[str, Any]] = []
    rows: list[NDArray[np.void]] = [NO_ROWS]
    segments: list[NDArray[np.float32]] = [NO_SEGMENTS]
    start, first_segment = 0, 0
    for entry in block.entries:
        fact, own_rows, own_segments = _prepare_file(block, entry)
        places = {"start": start, "rows": len(own_rows), "first_segment": first_segment, "segments": len(own_segments)}
        facts.append(fact | places | _facts_of_cover(block.folder, entry.cover))
        rows.append(own_rows)
        segments.append(own_segments)
        start, first_segment = start + len(own_rows), first_segment + len(own_segments)
    write_array(block.notes_file, np.concatenate(rows))
    write_array(block.segments_file, np.concatenate(segments))
    with replace_atomically(block.facts_file) as temporary:
        parquet.write_table(pa.Table.from_pylist(facts, facts_schema()), temporary)
    return block.id


def _is_whole(block: Block) -> bool:
    """Return whether an earlier build finished a block, and its files can be read and fit each other."""
    import pyarrow as pa

    if not block.facts_file.exists():
        return False
    try:
        facts = read_facts(block.facts_file, ["rows", "segments"]).to_pydict()
        rows = open_array(block.notes_file, ROW)
        segments = open_array(block.segments_file, np.dtype(np.float32), NO_SEGMENTS.shape[1:])
    except (DataError, OSError, pa.ArrowInvalid, KeyError):
        return False
    return (len(rows), len(segments)) == (sum(facts["rows"]), sum(facts["segments"]))


def facts_schema() -> Any:
    """Return the Arrow schema of a facts file."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    return pa.schema(
        {
            "key": text, "state": text, "why": text, "sha256": text,
            "start": number, "rows": number, "first_segment": number, "segments": number,
            "notes": number, "seconds": pa.float64(), "programs": pa.list_(pa.int16()),
            "fingerprint": pa.list_(pa.uint64()), "sketch": pa.list_(pa.uint32(), BINS), "prepared": text,
            "cover_sha256": text, "cover_hash": pa.uint64(), "cover_why": text,
        }
    )  # fmt: skip


def _prepare_file(block: Block, entry: Entry) -> tuple[dict[str, Any], NDArray[np.void], NDArray[np.float32]]:
    """Read and prepare one MIDI file: its facts, rows (R,) and cues of segments (S, 8); R = S = 0 if unusable."""
    fact: dict[str, Any] = {"key": as_text(entry.key), "state": "corrupt", "notes": 0, "sketch": NO_SKETCH}
    try:
        data = (block.midi_dir / entry.key).read_bytes()
    except OSError as error:
        return fact | {"state": "missing", "why": f"cannot be read ({error.strerror})"}, NO_ROWS, NO_SEGMENTS
    fact["sha256"] = hashlib.sha256(data).hexdigest()
    try:
        score = read_user_midi(data)
        piece = user_piece(score, key=fact["key"], title=entry.title, licence=entry.licence)
        made = prepare_piece(piece) if piece else None
        if piece is None or made is None:
            return fact | {"state": "empty", "why": "no notes"}, NO_ROWS, NO_SEGMENTS
        hashes = fingerprint(piece.score)
    except Exception as error:  # one of a million files fails in an unforeseen way, and the others go on
        return fact | {"why": _reason(error)}, NO_ROWS, NO_SEGMENTS
    rows, segments, prepared = made
    programs = {DRUMS if track.is_drum else track.program for track in score.tracks}
    fact |= {
        "state": "ok", "notes": prepared.notes, "seconds": score.seconds, "programs": sorted(programs),
        "fingerprint": hashes, "sketch": sketch(hashes),
        "prepared": json.dumps(asdict(prepared), ensure_ascii=False),
    }  # fmt: skip
    return fact, rows, segments


def _reason(error: Exception) -> str:
    text = str(error).removeprefix("MIDI bytes: ")  # the file is named beside it
    return text.splitlines()[0] if text else type(error).__name__


def _facts_of_cover(folder: Path, cover: str | None) -> dict[str, Any]:
    return _cover_facts(folder / cover) if cover else {}


@lru_cache(maxsize=256)  # the tracks of an album come together
def _cover_facts(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        return {"cover_sha256": hashlib.sha256(data).hexdigest(), "cover_hash": perceptual_hash(data)}
    except OSError as error:
        return {"cover_why": f"{path.name}: cannot be read ({error.strerror})"}
    except ImageError as error:
        return {"cover_why": f"{path.name}: {error}"}


def read_facts(path: Path, columns: list[str] | None = None) -> Any:
    """Return the facts of a block, or some columns of them, as an Arrow table."""
    import pyarrow.parquet as parquet

    return parquet.read_table(path, columns=columns, memory_map=True)
