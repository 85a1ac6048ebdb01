"""Write an album to a folder: its cover, a record of the release, and its track list.

DIR/cover.jpg   DIR/album.json   DIR/tracks.csv
"""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

from imagemusic.data.gather.cover_store import check_cover
from imagemusic.data.gather.releases import COVER_LICENCE, Album
from imagemusic.errors import DataError
from imagemusic.files import cannot_write, write_outputs

FORMAT = "imagemusic album"
VERSION = 1
RECORD, TRACKS = "album.json", "tracks.csv"


def write_album(album: Album, cover: bytes, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write the files of an album, the record last; return their paths.

    Raises:
        DataError: the cover is no picture, or the folder holds another album.
        OutputError: they cannot be written, or would replace files of other making without `overwrite`.
    """
    release = album.release
    record = folder / RECORD
    if record.exists() and _id_of(record) != release.id:
        raise DataError(f"{folder}: holds another album; name a new folder")
    cover, suffix = check_cover(cover, release.page)
    picture = folder / f"cover.{suffix}"
    fields = asdict(release)
    for name in ("track_id", "title", "seconds", "isrc"):  # of a track
        del fields[name]
    about = {"format": FORMAT, "version": VERSION, "page": release.page, "cover": picture.name} | fields
    about |= {"licence": release.licence or COVER_LICENCE, "tracks": [track.to_json() for track in album.tracks]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    ours = record.exists()  # the record of this album, so the other files are those that an earlier call wrote
    files = {picture: cover, folder / TRACKS: _table(album).encode(), record: text.encode()}
    write_outputs(files, overwrite=overwrite or ours)
    return [picture, folder / TRACKS, record]


def _table(album: Album) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("disc", "number", "title", "seconds", "isrc", "id"))
    for track in album.tracks:
        seconds = "" if track.seconds is None else f"{track.seconds:.3f}"
        writer.writerow((track.disc, track.number, track.title, seconds, track.isrc or "", track.id))
    return table.getvalue()


def _id_of(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the record of an album; name a new folder") from error
