"""Queries and releases: what every catalogue takes and returns.

Query ──> Source.find ──> [Release, ...] ── matching ──> one of them ──> Source.fetch ──> a picture's bytes
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

from imagemusic.errors import DataError

KINDS = ("album", "single", "ep", "compilation", "other")

# The fields that may be stored of a release whose terms forbid a copy of the catalogue.
IDS = ("source", "id", "track_id", "isrc", "terms")
IDS_ONLY = ("spotify",)
COVER_LICENCE = "not known; the cover belongs to its owner"
PAGES = {
    "musicbrainz": "https://musicbrainz.org/release-group/{}",
    "spotify": "https://open.spotify.com/album/{}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is known of a MIDI file before a catalogue is searched."""

    key: str  # path of the file in its folder, with forward slashes
    artist: str
    title: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artwork:
    """One size of a cover, in pixels; 0 where unknown."""

    url: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A track on a release, or, where a whole album is meant, the release."""

    source: str  # musicbrainz, spotify, folder
    id: str  # of the release in its source; tracks of one album share it
    track_id: str = ""
    artist: str = ""
    title: str = ""  # of the track
    album: str = ""  # title of the release
    kind: str = "other"  # one of KINDS
    seconds: float | None = None
    isrc: str | None = None
    release_date: str | None = None  # 1999, 1999-12 or 1999-12-31
    artworks: tuple[Artwork, ...] = ()  # widest first
    terms: str = ""  # under whose terms it is stored: musicbrainz, spotify, own
    licence: str = ""  # of the cover, as far as it is known

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"{self.source} {self.id}: unknown kind {self.kind!r}; choose from {', '.join(KINDS)}")

    @property
    def page(self) -> str:
        """Return the address of the release's web page; for a folder the path of the cover."""
        return PAGES.get(self.source, "{}").format(self.id)

    def artwork(self, width: int) -> Artwork | None:
        """Return the smallest artwork of at least `width` pixels, else the widest; None when there is none."""
        by_width = sorted(self.artworks, key=lambda artwork: artwork.width)
        wide = [artwork for artwork in by_width if artwork.width >= width]
        return wide[0] if wide else by_width[-1] if by_width else None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that the terms allow to store; artworks can be requested again by id."""
        kept = IDS if self.terms in IDS_ONLY else [field.name for field in fields(self) if field.name != "artworks"]
        return {name: getattr(self, name) for name in kept}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Release":
        """Read what `to_json` returned; other keys are ignored."""
        known = {field.name for field in fields(cls)} - {"artworks"}
        return cls(**{name: value for name, value in row.items() if name in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumTrack:
    """A line of a track list."""

    number: int
    title: str
    disc: int = 1
    seconds: float | None = None
    isrc: str | None = None
    id: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return all fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """A release with its track list."""

    release: Release
    tracks: tuple[AlbumTrack, ...]


class Source(Protocol):
    """A catalogue of releases.

    Its methods raise NotThere for what the catalogue does not have, DataError for a failure of this request alone, and
    GatheringStopped when no further request can succeed: wrong credentials, a quota that is used up.
    """

    name: str
    terms: str
    exact: bool  # the user put file and cover together, so releases are not scored

    def find(self, query: Query) -> list[Release]:
        """Return the releases that may contain the piece, likeliest first; none when the catalogue has none."""
        ...

    def album(self, wanted: str) -> Album:
        """Return an album by its id, its address, or search words."""
        ...

    def fetch(self, release: Release, width: int) -> bytes:
        """Return the bytes of a release's cover, at least `width` pixels wide where there is such a one."""
        ...
