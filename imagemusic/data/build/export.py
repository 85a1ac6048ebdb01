"""Export what may be shared of a data set: ids of releases and fingerprints of MIDI files; no cover, music or name.

OUT/pieces.parquet   one row per usable file: its hash and fingerprint, the id of its release, its split
OUT/README.md        a card: what this is, and how to get the same pairs from the same files
"""

from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any

from imagemusic.data.build.manifest import ROWS_AT_ONCE, Manifest
from imagemusic.errors import DependencyError, OutputError
from imagemusic.files import cannot_write, replace_atomically, write_atomically

PIECES, CARD = "pieces.parquet", "README.md"
FILES = (PIECES, CARD)
KEPT = (
    "midi_sha256", "fingerprint", "status", "paired", "match_score", "release_source", "release_id", "track_id", "isrc",
    "kind", "terms", "split", "group", "notes", "seconds", "programs",
)  # fmt: skip
SPOTIFY = "spotify"


def export(manifest: Manifest, out: Path) -> list[Path]:
    """Write what may be shared to a folder; return the files.

    Raises:
        OutputError: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    from imagemusic.data.build.manifest import schema

    counts: Counter[str] = Counter()
    kinds = pa.schema([schema().field(name) for name in KEPT])
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (
            replace_atomically(out / PIECES) as temporary,
            parquet.ParquetWriter(temporary, kinds, compression="zstd") as writer,
        ):
            rows: list[dict[str, Any]] = []
            for row in manifest.rows(KEPT):
                if row["notes"]:
                    rows.append(_public(row))
                    counts[row["release_source"] or "no release"] += 1
                if len(rows) == ROWS_AT_ONCE:
                    writer.write_table(pa.Table.from_pylist(rows, kinds))
                    rows = []
            writer.write_table(pa.Table.from_pylist(rows, kinds))
        write_atomically(out / CARD, _card(counts))
    except OSError as error:
        raise cannot_write(out, error) from error
    return [out / name for name in FILES]


def _public(row: dict[str, Any]) -> dict[str, Any]:
    """Remove names: a group is named after its artist."""
    group = blake2b(row["group"].encode(), digest_size=8).hexdigest()
    return row | {"group": group, "isrc": None if row["terms"] == SPOTIFY else row["isrc"]}


def push(folder: Path, repository: str, *, endpoint: str | None = None, token: str | None = None) -> str:
    """Upload the exported files, and no others, to a private data set of the hub; return its address.

    Args:
        endpoint: of the hub; the default is that of huggingface_hub.
        token: the default is that of the current login.

    Raises:
        OutputError: the hub refused, or cannot be reached.
        DependencyError: huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ModuleNotFoundError as error:
        raise DependencyError("the hub needs huggingface_hub; run: pip install huggingface-hub") from error
    api = HfApi(endpoint=endpoint, token=token)
    try:
        address = api.create_repo(repository, repo_type="dataset", private=True, exist_ok=True)
        api.upload_folder(
            repo_id=repository, repo_type="dataset", folder_path=folder, allow_patterns=list(FILES),
            commit_message="Ids and fingerprints of a data set of covers and music",
        )  # fmt: skip
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise OutputError(f"{repository}: the hub did not take it ({str(error).splitlines()[0]})") from error
    return str(address)


def _card(counts: Counter[str]) -> str:
    rows = "\n".join(f"| {name} | {count:,} |" for name, count in counts.most_common())
    return f"""---
pretty_name: ids of covers and fingerprints of MIDI files
tags: [music, midi, album-covers, imagemusic]
---

# Which MIDI file belongs to which release

{counts.total():,} MIDI files, named by their sha256 and a fingerprint that is the same in every key, with the ids of
the releases that they were matched with.  There is no cover in it, no music and no name.  To get the same pairs from
the same files, look the ids up in their source, with the right to use the covers.

| source of the id | files |
|---|---|
{rows}

Made with `imagemusic data export`.  Rows of one `group` must stay in one `split`.
"""
