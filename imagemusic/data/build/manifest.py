"""The manifest of a data set: one row per MIDI file, in Parquet.

    DATASET/manifest.parquet    a row per file of the journal, in its order; schema metadata: version and blocks

Rows are written and read some thousand at a time, so memory does not grow with the set.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from imagemusic.errors import DataError, DependencyError
from imagemusic.events.codec import CodecConfig

MANIFEST = "manifest.parquet"
FORMAT, FORMAT_VERSION = "imagemusic manifest", 2
NEW_NAMES = {"stretch": "first_segment"}  # of columns of version 1, which is read for one version
ROWS_AT_ONCE = 4096
HEADER = b"imagemusic"  # key in the schema metadata


def require_arrow() -> None:
    """Check that pyarrow is installed.

    Raises:
        DependencyError: it is not.
    """
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError as error:
        raise DependencyError("data sets need pyarrow; run: pip install 'imagemusic[dataset]'") from error


class DamagedManifestError(DataError):
    """A manifest cannot be read; building again writes it anew."""


class BlockName(NamedTuple):
    """A block of notes and its lengths."""

    id: str
    rows: int
    segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What all rows share."""

    format: str
    version: int
    source: str
    codec: dict[str, Any]
    blocks: tuple[BlockName, ...]


def schema() -> Any:
    """Return the Arrow schema: the columns and their types."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    return pa.schema(
        {
            "id": text,  # of the piece, own/path
            "key": text,  # path of the MIDI file in the folder that was gathered
            "midi_sha256": text,
            "status": text,  # matched, doubtful, unmatched, failed; corrupt, empty or missing MIDI has no notes
            "why": text,
            "paired": text,  # exact: its own cover; label: a cover of its label; dials: one with similar dials
            "match_score": pa.float64(),
            "artist": text, "title": text, "album": text, "label": text,
            "release_source": text, "release_id": text, "track_id": text, "isrc": text, "release_date": text,
            "kind": text,
            "cover": text,  # path in the data set's folder
            "cover_sha256": text, "cover_hash": pa.uint64(), "cover_source": text,
            "licence": text, "source": text, "terms": text,
            "split": text,
            "group": text,  # all rows of a group are in one split
            "piece_group": text, "cover_group": text,  # near-duplicates of its music and of its cover
            "notes": number, "seconds": pa.float64(), "programs": pa.list_(pa.int16()),  # 128: drums
            "fingerprint": pa.list_(pa.uint32()),  # sketch of the music, the same in every key
            "block": pa.int32(), "start": number, "rows": number, "first_segment": number,  # where its notes are
            "prepared": text,  # the prepared piece, as JSON
        }
    )  # fmt: skip


class ManifestWriter:
    """Writes rows as they come."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as parquet

        self._writer = parquet.ParquetWriter(path, schema(), compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> "ManifestWriter":
        return self

    def add(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self._rows.append(row)
        if len(self._rows) == ROWS_AT_ONCE:
            self._write()

    def finish(self, source: str, blocks: Sequence[BlockName]) -> None:
        """Write the remaining rows and the header."""
        self._write()
        header = Header(
            format=FORMAT, version=FORMAT_VERSION, source=source, codec=asdict(CodecConfig()), blocks=tuple(blocks)
        )
        self._writer.add_key_value_metadata({HEADER: json.dumps(asdict(header)).encode()})
        self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema()))
            self._rows = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


@dataclass(frozen=True, slots=True)
class Manifest:
    """An opened manifest."""

    path: Path
    header: Header
    count: int

    @classmethod
    def open(cls, folder: Path) -> "Manifest":
        """Open the manifest of a data set.

        Raises:
            DamagedManifestError: it is damaged, or no manifest.
            DataError: it is missing, or of a newer version.
        """
        import pyarrow as pa
        import pyarrow.parquet as parquet

        path = folder / MANIFEST
        try:
            found = parquet.read_metadata(path)
            table = json.loads((found.metadata or {})[HEADER])
            kind, version = table["format"], table["version"]
        except FileNotFoundError as error:
            raise DataError(f"{folder}: no manifest here; make it with imagemusic data build") from error
        except (OSError, pa.ArrowInvalid, KeyError, ValueError, TypeError) as error:
            raise DamagedManifestError(
                f"{path}: damaged, or not a manifest; run imagemusic data build again"
            ) from error
        if kind != FORMAT or not isinstance(version, int):
            raise DataError(f"{path}: format {kind!r}, need {FORMAT!r}; run imagemusic data build again")
        if version > FORMAT_VERSION:
            raise DataError(
                f"{path}: version {version}, this imagemusic reads up to {FORMAT_VERSION}; update imagemusic"
            )
        blocks = tuple(BlockName(*block) for block in table["blocks"])
        return cls(path, Header(**table | {"blocks": blocks}), found.num_rows)

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield rows, or some columns of them, in the order of the journal."""
        import pyarrow.parquet as parquet

        chosen = set(columns or schema().names)
        with parquet.ParquetFile(self.path) as file:
            new_names = {name: NEW_NAMES.get(name, name) for name in file.schema_arrow.names}
            names = [name for name, new in new_names.items() if new in chosen]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
                yield from batch.rename_columns([new_names[name] for name in batch.schema.names]).to_pylist()
