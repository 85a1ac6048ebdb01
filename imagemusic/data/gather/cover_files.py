"""Find the pictures and audio files of a folder that may hold the cover of its music, by the names that covers have.

cover, folder, front, albumart, AlbumArt_{GUID}_Large, album, artwork, Front Cover, the folder's own name
any name with one of these words and none of back, inlay, ...; the same in Scans/, Artwork/, Covers/
a lone picture in the folder of one album
"""

import re
import unicodedata
from functools import cached_property
from pathlib import Path

from imagemusic.data.gather.artwork import AUDIO_SUFFIXES, read_artwork
from imagemusic.data.gather.file_names import MIDI_SUFFIXES
from imagemusic.data.gather.text_normalization import normalized_key
from imagemusic.errors import DependencyError
from imagemusic.vision.image import IMAGE_SUFFIXES

COVER_NAMES = (
    "cover", "folder", "front", "frontcover", "coverfront", "albumcover", "albumart", "albumartlarge", "albumartwork",
    "artwork", "album",
)  # fmt: skip
SURE = COVER_NAMES.index("coverfront")  # the last name that is a cover in any folder
SMALL_NAME = "albumartsmall"  # which players write beside the large one
COVER_WORDS = frozenset(("cover", "front", "folder", "albumart", "artwork"))
OTHER_SIDES = frozenset(("back", "rear", "inlay", "inside", "booklet", "tray", "disc", "cd", "spine", "matrix"))
SCAN_FOLDERS = frozenset(("scan", "scans", "art", "artwork", "cover", "covers", "images", "pictures"))
GUID = re.compile(r"\{[0-9a-f-]*\}", re.IGNORECASE)
MOST_TRACKS = 40  # MIDI files of a folder that counts as one album; in a larger one other names mean less
MOST_AUDIO_FILES = 50  # of a folder whose tags are read to find artwork for other files


class FolderListing:
    """The pictures and audio files of one folder, listed once for all MIDI files in it."""

    def __init__(self, folder: Path) -> None:
        try:
            # macOS leaves ._NAME beside files on foreign disks.
            entries = sorted(path for path in folder.iterdir() if not path.name.startswith("._"))
        except OSError:
            entries = []
        files = [path for path in entries if path.is_file()]
        self.folder = folder
        self.pictures = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
        self._audio = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
        self._midi = {plain_stem(path) for path in files if path.suffix.lower() in MIDI_SUFFIXES}
        self._scans = [path for path in entries if path.name.casefold() in SCAN_FOLDERS and path.is_dir()]
        self._one_album = len(self._midi) <= MOST_TRACKS
        self._by_stem: dict[str, list[Path]] = {}
        for path in (*self.pictures, *self._audio):
            self._by_stem.setdefault(plain_stem(path), []).append(path)

    def named(self, midi: Path) -> list[Path]:
        """Return the pictures, then the audio files, that are named as a MIDI file."""
        return self._by_stem.get(plain_stem(midi), [])

    @cached_property
    def covers(self) -> list[Path]:
        """Return the pictures with names of covers, best names first, then those in folders of scans."""
        ranked = []
        for path in self.pictures:
            rank = cover_rank(path.name, self.folder.name)
            # "Album.jpg" beside "Album.mid" is of that song, and among many songs "Cover Me.jpg" is, too.
            if rank is not None and (rank <= SURE or (plain_stem(path) not in self._midi and self._one_album)):
                ranked.append((rank, path))
        own = [path for _, path in sorted(ranked)]
        scans = [FolderListing(folder) for folder in self._scans]
        return own + [path for scan in scans for path in dict.fromkeys((*scan.covers, *scan.lone))]

    @cached_property
    def lone(self) -> list[Path]:
        """Return the only picture of an album's folder, unless it is named as one of several MIDI files."""
        if len(self.pictures) != 1 or not self._one_album or plain_stem(self.pictures[0]) in self._midi:
            return []
        return self.pictures

    @cached_property
    def artwork(self) -> list[Path]:
        """Return the first audio file with artwork in it, among MOST_AUDIO_FILES."""
        files = self._audio[:MOST_AUDIO_FILES]
        try:
            return next(([path] for path in files if read_artwork(path)), [])
        except DependencyError:
            return files[:1]  # reading it says what is missing


def cover_rank(name: str, folder: str) -> int | None:
    """Return the rank of a picture's name as that of a cover in a folder, 0 the best; None for other names."""
    stem = plain_stem(Path(name))
    words = re.findall(r"[^\W\d_]+", GUID.sub(" ", stem))
    joined = "".join(words)
    if joined in COVER_NAMES:
        return COVER_NAMES.index(joined)
    if normalized_key(stem) == normalized_key(folder):
        return len(COVER_NAMES)
    if joined == SMALL_NAME:
        return len(COVER_NAMES) + 2
    return len(COVER_NAMES) + 1 if COVER_WORDS & set(words) and not OTHER_SIDES & set(words) else None


def plain_stem(path: Path) -> str:
    """Return the name of a file without its suffixes, in lower case, with composed accents."""
    while path.suffix.lower() in IMAGE_SUFFIXES | AUDIO_SUFFIXES | {*MIDI_SUFFIXES}:  # cover.jpg.jpg
        path = Path(path.stem)
    return unicodedata.normalize("NFC", path.name).casefold()
