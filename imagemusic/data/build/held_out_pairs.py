"""Write the held-out pairs of a data set, as a table that `imagemusic evaluate steering` reads.

DATASET/held_out.csv   image, midi, artist, album, genre: exact pairs of the splits test and validation
"""

import csv
import io
from pathlib import Path

from imagemusic.data.build.manifest import Manifest
from imagemusic.data.gather.journal import read_header
from imagemusic.errors import DataError
from imagemusic.files import write_atomically

TABLE = "held_out.csv"
COLUMNS = ("image", "midi", "artist", "album", "genre")


def write_held_out(folder: Path) -> Path:
    """Write the table and return its path.

    Raises:
        DataError: the data set was not built, or has no exact pair in validation or test.
        OutputError: the table cannot be written.
    """
    manifest, midi_dir = Manifest.open(folder), Path(read_header(folder).midi_dir)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    count = 0
    for row in manifest.rows(("key", "cover", "paired", "split", "artist", "album", "label")):
        if row["split"] != "train" and row["paired"] == "exact":
            table.writerow([row["cover"], midi_dir / row["key"], row["artist"], row["album"], row["label"] or ""])
            count += 1
    if not count:
        raise DataError(f"{folder}: no exact pair is held out; gather more artists, one in ten is held out")
    write_atomically(folder / TABLE, text.getvalue())
    return folder / TABLE
