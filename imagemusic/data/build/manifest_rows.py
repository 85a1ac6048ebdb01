"""Make a row of the manifest from a line of the journal and the facts of its files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagemusic.data.corpora.user_midi import CORPUS
from imagemusic.data.gather.journal import Row
from imagemusic.data.gather.journal_reader import as_text
from imagemusic.data.gather.user_table import read_table
from imagemusic.errors import DataError

LABELS = "labels.csv"  # optional, by the user: columns `label` and `key` or `artist`


def description(row: Row) -> dict[str, str]:
    """Return artist, title, album and release of a piece: of the chosen release, else parsed from the file name."""
    release = chosen_release(row)
    return {
        "artist": as_text(str(release.get("artist") or row.get("artist") or "")),
        "title": as_text(str(release.get("title") or row.get("title") or "")),
        "album": as_text(str(release.get("album") or "")),
        "release_source": str(release.get("source") or ""),
        "release_id": str(release.get("id") or ""),
    }


def chosen_release(row: Row) -> dict[str, Any]:
    """Return the release that a file was matched with; empty where it was not."""
    chosen, candidates = row.get("chosen"), row.get("candidates") or []
    if row["status"] != "matched" or not isinstance(chosen, int) or not 0 <= chosen < len(candidates):
        return {}
    return dict(candidates[chosen])


def manifest_row(row: Row, fact: dict[str, Any], label: str | None) -> dict[str, Any]:
    """Return the row of one file, without its groups and split."""
    release, has_cover = chosen_release(row), bool(fact["cover_sha256"])
    usable = fact["state"] == "ok"
    reasons = [row.get("why") if usable else fact["why"], fact["cover_why"]]
    paired = "exact" if has_cover else "label" if label else "dials"
    return description(row) | {
        "id": f"{CORPUS}/{fact['key']}",
        "key": fact["key"],
        "midi_sha256": fact["sha256"] or "",
        "status": row["status"] if usable else fact["state"],
        "why": as_text("; ".join(reason for reason in reasons if reason)),
        "paired": paired if usable else "",
        "match_score": release.get("score"),
        "label": label,
        "track_id": release.get("track_id"),
        "isrc": release.get("isrc"),
        "release_date": release.get("release_date"),
        "kind": release.get("kind"),
        "cover": row.get("cover") if has_cover else None,
        "cover_sha256": fact["cover_sha256"],
        "cover_hash": fact["cover_hash"],
        "cover_source": row.get("cover_source") if has_cover else None,
        "licence": row.get("licence"),
        "source": release.get("source") or "",
        "terms": row.get("terms"),
        **{name: fact[name] for name in ("notes", "seconds", "programs", "start", "rows", "first_segment", "segments")},
        "prepared": fact["prepared"],
    }


def read_labels(folder: Path) -> dict[str, str]:
    """Read labels by the keys of files and the names of artists, casefolded; empty where there is no table.

    Raises:
        DataError: the table lacks a column or cannot be read.
    """
    path = folder / LABELS
    if not path.exists():
        return {}
    columns, rows = read_table(path)
    if "label" not in columns or not {"key", "artist"} & set(columns):
        raise DataError(f"{path}: needs the columns 'label' and 'key' or 'artist', has {sorted(columns)}")
    return {(row.get("key") or row.get("artist") or "").casefold(): row["label"] for _, row in rows}


def label_of(labels: Mapping[str, str], key: str, artist: str) -> str | None:
    """Return the label of a file, or of its artist."""
    return labels.get(key.casefold()) or labels.get(artist.casefold()) or None
