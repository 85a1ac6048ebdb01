"""A folder as a catalogue: covers beside the MIDI files, artwork in audio files, or a table of pairs.

    song.mid with song.jpg, song.mp3 (artwork in it), cover.jpg or another name of a cover (cover_files.py)
    pairs.csv: midi,image[,artist,title,album,licence...], paths from where the table lies

A user put the files together, so nothing is scored and nothing is requested from the network.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from imagemusic.data.gather.artwork import AUDIO_SUFFIXES, read_artwork
from imagemusic.data.gather.cover_files import COVER_NAMES, FolderListing
from imagemusic.data.gather.cover_store import check_cover
from imagemusic.data.gather.file_names import MIDI_SUFFIXES
from imagemusic.data.gather.pairs_table import normal_path, read_pairs
from imagemusic.data.gather.releases import Album, AlbumTrack, Query, Release
from imagemusic.errors import DataError, NotThere

LICENCE = "not stated"
MOST_NAMED = 5  # pictures in a message


class Folder:
    """Find covers in the folder of the MIDI files, or in a table of pairs.

    Raises:
        DataError: the table is missing, lacks a column, or names no file of the folder.
    """

    name = "folder"
    terms = "own"
    exact = True

    def __init__(self, midi_dir: Path, pairs: Path | None = None) -> None:
        self._root = Path(os.path.abspath(midi_dir))
        self._listing = lru_cache(maxsize=16)(FolderListing)
        self._pairs = read_pairs(pairs) if pairs else None
        if self._pairs is not None and not self._names_any_file():
            raise DataError(f"{pairs}: names no file in {midi_dir}; its paths count from where the table lies")

    def find(self, query: Query) -> list[Release]:
        """Return what may hold the cover of a MIDI file, nearest first: rows of the table, else files.

        Raises:
            NotThere: pictures lie beside it, but none has the name of a cover.
        """
        midi = self._root / query.key
        if self._pairs is not None:
            found = self._pairs.get(normal_path(midi), ())
            return [
                self._release(p.image, p.artist or query.artist, p.title or query.title, p.album, p.licence)
                for p in found
            ]
        paths = dict.fromkeys(self._beside(midi))
        if not paths and (pictures := self._listing(midi.parent).pictures):
            names = ", ".join(path.name for path in pictures[:MOST_NAMED])
            raise NotThere(f"no cover found for it; of the pictures beside it ({names}) name one cover.jpg")
        return [self._release(path, query.artist, query.title, path.parent.name) for path in paths]

    def _names_any_file(self) -> bool:
        root = normal_path(self._root)
        return any(Path(midi).is_relative_to(root) for midi in self._pairs or ())

    def missing_midi(self) -> list[Path]:
        """Return the MIDI files of the table that do not exist."""
        return [pair.midi for pairs in (self._pairs or {}).values() for pair in pairs if not pair.midi.is_file()]

    def album(self, wanted: str) -> Album:
        """Return a folder as an album: its cover, and its MIDI files as the track list."""
        folder = Path(wanted)
        if not folder.is_dir():
            raise DataError(f"{wanted}: no such folder")
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in MIDI_SUFFIXES)
        tracks = tuple(AlbumTrack(number=number, title=path.stem) for number, path in enumerate(files, 1))
        refused = DataError(f"{wanted}: no cover there; looked for {', '.join(COVER_NAMES)} and artwork in audio files")
        for path in self._beside(folder / "album.mid"):
            release = self._release(path, folder.resolve().parent.name, "", folder.resolve().name)
            try:
                check_cover(self.fetch(release, 0), str(path))
            except NotThere:
                continue
            except DataError as error:
                refused = error
                continue
            return Album(release=replace(release, kind="album"), tracks=tracks)
        raise refused

    def fetch(self, release: Release, width: int) -> bytes:
        """Return the bytes of the cover, whatever its width."""
        path = self._root / release.id
        if path.suffix.lower() in AUDIO_SUFFIXES:
            return _usable(read_artwork(path), path)
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error

    def _release(self, path: Path, artist: str, title: str, album: str, licence: str = "") -> Release:
        """Return a release whose id is the path of its cover, so tracks with one cover are of one album."""
        return Release(
            source=self.name,
            id=Path(os.path.relpath(path, self._root)).as_posix(),
            artist=artist,
            title=title,
            album=album,
            terms=self.terms,
            licence=licence or LICENCE,
        )

    def _beside(self, midi: Path) -> Iterator[Path]:
        """Yield files that may hold the cover of a MIDI file, nearest first."""
        here = self._listing(midi.parent)
        yield from here.named(midi)
        yield from here.covers
        yield from here.artwork
        if midi.parent != self._root and midi.parent.is_relative_to(self._root):
            yield from self._listing(midi.parent.parent).covers
        yield from here.lone


def _usable(pictures: list[bytes], path: Path) -> bytes:
    """Return the first picture that can be decoded.

    Raises:
        DataError: there is none.
    """
    refused: DataError | None = None
    for data in pictures:
        try:
            check_cover(data, str(path))
            return data
        except DataError as error:
            refused = refused or error
    raise refused or NotThere(f"{path}: no artwork in it")
