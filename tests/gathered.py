"""Folders as `imagemusic data match` leaves them, with tunes and coloured covers."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from imagemusic.music.midi import save_midi
from tests import tiny


def picture(seed=0, side=96, kind="PNG", **save):
    """Bytes of a picture of eight by eight colours."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    file = io.BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


class Gathering:
    """A data set's folder to fill, line by line."""

    def __init__(self, folder: Path, midi_dir: Path | None = None, source="folder", terms="own", version=1):
        self.folder, self.midi_dir = folder, midi_dir or folder.parent / f"{folder.name}-midi"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.midi_dir.mkdir(parents=True, exist_ok=True)
        header = {"format": "imagemusic dataset", "version": version, "source": source, "terms": terms}
        (folder / "dataset.json").write_text(json.dumps(header | {"midi_dir": str(self.midi_dir)}))

    def midi(self, key, score):
        """Put a score, or any bytes, into the folder of MIDI files."""
        path = self.midi_dir / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(score) if isinstance(score, bytes) else save_midi(score, path)

    def cover(self, data, suffix="png"):
        """Store a cover under its hash and return its path in the data set."""
        name = hashlib.sha256(data).hexdigest()
        path = self.folder / "covers" / name[:2] / f"{name}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path.relative_to(self.folder).as_posix()

    def line(self, key, *, artist="", album="", cover=None, status="matched", terms="own", **more):
        """Write what was found for a file."""
        name = f"{artist}/{album}" if album else ""
        release = {"source": "folder", "id": name, "artist": artist, "title": Path(key).stem,
                   "album": album, "kind": "album", "score": 1.0, "terms": terms}  # fmt: skip
        matched = status == "matched"
        row = {
            "key": key, "sha256": "", "status": status, "why": "", "artist": artist, "title": Path(key).stem,
            "version": None, "seconds": None, "candidates": [release] if matched else [],
            "chosen": 0 if matched else None, "cover": cover, "cover_source": "folder" if cover else None,
            "licence": "own", "terms": terms, "paired": "exact" if cover else "dials",
        }  # fmt: skip
        with open(self.folder / "journal.jsonl", "a", encoding="utf-8") as journal:
            journal.write(json.dumps(row | more, ensure_ascii=False) + "\n")

    def album(self, number, pieces=2, artist=None):
        """Gather an album with a cover and tunes of its own."""
        artist = artist or f"Artist {number}"
        cover = self.cover(picture(number))
        for piece in range(pieces):
            key = f"{artist}/Tune {number}-{piece}.mid"
            self.midi(key, tiny.tune(1000 * number + piece))
            self.line(key, artist=artist, album=f"Album {number}", cover=cover)


def gather(folder: Path, albums=6, pieces=2) -> Gathering:
    """Gather some albums."""
    made = Gathering(folder)
    for number in range(albums):
        made.album(number, pieces)
    return made
