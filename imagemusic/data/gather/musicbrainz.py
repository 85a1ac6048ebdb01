"""MusicBrainz and the Cover Art Archive: an open catalogue of releases, and covers by release group.

    artist, title ──> /ws/2/recording ──> release groups, earliest albums first ──> /release-group/ID/front-500

MusicBrainz allows one request a second and wants a contact in the user agent; the archive redirects to archive.org.
See https://musicbrainz.org/doc/MusicBrainz_API/Rate_Limiting and https://musicbrainz.org/doc/Cover_Art_Archive/API
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from imagemusic.data.download import RetryPolicy
from imagemusic.data.gather.http import RETRY_POLICY, Notify, WebClient, parse_items, parsing
from imagemusic.data.gather.releases import COVER_LICENCE, Album, AlbumTrack, Artwork, Query, Release
from imagemusic.errors import DataError, NotThere

NAME = "musicbrainz"  # of the source, and of its terms
SERVER = "https://musicbrainz.org"
ARCHIVE = "https://coverartarchive.org"
ARCHIVE_HOSTS = ("archive.org",)
PER_SECOND = 1.0  # by their rules
MOST_RESULTS = 25
WIDTHS = (250, 500, 1200)  # that the archive scales to; beyond it is the original
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
ADDRESS = re.compile(rf"^https?://(?:\w+\.)?musicbrainz\.org/(release-group|release)/({UUID.pattern})", re.IGNORECASE)
SPECIAL = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/])')  # to Lucene
ORDER = ("album", "single", "ep", "compilation", "other")


class MusicBrainz:
    """Find releases in MusicBrainz, covers in the Cover Art Archive.

    Args:
        contact: an e-mail or web address for the user agent.
        server, archive, archive_hosts, per_second: others for tests and mirrors.
    """

    name = NAME
    terms = NAME
    exact = False

    def __init__(
        self,
        *,
        contact: str = "",
        server: str = SERVER,
        archive: str = ARCHIVE,
        archive_hosts: tuple[str, ...] = ARCHIVE_HOSTS,
        per_second: float = PER_SECOND,
        policy: RetryPolicy = RETRY_POLICY,
        notify: Notify = lambda line: None,
    ) -> None:
        self._server, self._archive = server, archive
        self._web = WebClient(self.name, per_second=per_second, contact=contact, policy=policy, notify=notify)
        self._covers = WebClient(
            "cover art archive", hosts=archive_hosts, contact=contact, policy=policy, notify=notify
        )

    def find(self, query: Query) -> list[Release]:
        """Search recordings by exact phrases; where that finds nothing, by words with edit distance 2."""
        exact = f'recording:"{_quoted(query.title)}" AND artist:"{_quoted(query.artist)}"'
        fuzzy = f"recording:({_fuzzy(query.title)}) AND artist:({_fuzzy(query.artist)})"
        for words in (exact, fuzzy):
            answer = self._ask("recording", query=words, limit=MOST_RESULTS)
            recordings = _list(answer, "recordings")
            found = parse_items(recordings, lambda recording: list(_releases(recording)), "musicbrainz recording")
            if releases := [release for releases in found for release in releases]:
                return _unique(releases)
        return []

    def album(self, wanted: str) -> Album:
        """Return a release group or release by id, address or search words, with the track list of one release."""
        wanted = wanted.strip()
        address = ADDRESS.match(wanted)
        if address:
            kind, identity = address[1].lower(), address[2].lower()
        elif UUID.fullmatch(wanted):
            kind, identity = "", wanted.lower()
        elif "://" in wanted:
            raise DataError(f"{wanted}: not the address of a MusicBrainz release or release group")
        else:
            found = _list(self._ask("release-group", query=SPECIAL.sub(r"\\\1", wanted), limit=1), "release-groups")
            if not found:
                raise NotThere(f"{wanted!r}: MusicBrainz finds no such album")
            kind, identity = "release-group", str(found[0].get("id"))
        with parsing(f"musicbrainz {identity}"):
            release = self._release_of(kind, identity)
            return Album(release=_release(release["release-group"], release), tracks=tuple(_tracks(release)))

    def fetch(self, release: Release, width: int) -> bytes:
        """Return the front cover of the release group, in the next larger of WIDTHS or as uploaded."""
        return self._covers.body(self._cover(release.id, next((w for w in WIDTHS if w >= width), None)))

    def _cover(self, group: str, width: int | None) -> str:
        return f"{self._archive}/release-group/{group}/front{f'-{width}' if width else ''}"

    def _release_of(self, kind: str, identity: str) -> Mapping[str, Any]:
        """Return a release; of a release group its first official one."""
        if kind != "release":
            try:
                answer = self._ask("release", **{"release-group": identity}, inc="media", limit=100)
                releases = _list(answer, "releases")
            except NotThere:
                if kind:
                    raise
                releases = []
            if releases:
                official = [release for release in releases if release.get("status") == "Official"] or releases
                identity = str(min(official, key=lambda release: release.get("date") or "9999")["id"])
            elif kind:
                raise NotThere(f"release group {identity}: MusicBrainz has no release of it")
        return self._ask(f"release/{identity}", inc="recordings+artist-credits+isrcs+release-groups")

    def _ask(self, what: str, **parameters: str | int) -> Mapping[str, Any]:
        answer = self._web.json(f"{self._server}/ws/2/{what}", {**parameters, "fmt": "json"})
        if not isinstance(answer, Mapping):
            raise DataError(f"musicbrainz {what}: an answer that is not understood")
        return answer


def _quoted(text: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", text)


def _fuzzy(text: str) -> str:
    """Return a Lucene query for any of the words with up to two edits; lower case, as AND, OR and NOT are operators."""
    words = SPECIAL.sub(" ", text).lower().split()
    return " ".join(f"{word}~" if len(word) > 3 else word for word in words) or '""'


def _list(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = answer.get(name)
    if not isinstance(found, list):
        raise DataError(f"musicbrainz: an answer without {name}")
    return found


def _releases(recording: Mapping[str, Any]) -> Iterator[Release]:
    for release in recording.get("releases") or ():
        if release and release.get("status") != "Bootleg" and release.get("release-group"):
            yield _release(release["release-group"], release, recording)


def _release(
    group: Mapping[str, Any], release: Mapping[str, Any], recording: Mapping[str, Any] | None = None
) -> Release:
    credited = recording or release
    length = recording.get("length") if recording else None
    codes = (recording.get("isrcs") or [None]) if recording else [None]
    artworks = [
        Artwork(url=f"{ARCHIVE}/release-group/{group['id']}/front-{width}", width=width) for width in WIDTHS[::-1]
    ]
    return Release(
        source=NAME,
        id=group["id"],
        track_id=recording["id"] if recording else "",
        artist=_credit(credited.get("artist-credit") or ()),
        title=recording["title"] if recording else "",
        album=group.get("title") or release["title"],
        kind=_kind(group),
        seconds=length / 1000 if length else None,
        isrc=codes[0],
        release_date=group.get("first-release-date") or release.get("date"),
        artworks=tuple(artworks),
        terms=NAME,
        licence=COVER_LICENCE,
    )


def _credit(artists: Any) -> str:
    """Join the names of an artist credit, `Simon` + ` & ` + `Garfunkel`."""
    return "".join((part.get("name") or part["artist"]["name"]) + part.get("joinphrase", "") for part in artists)


def _kind(group: Mapping[str, Any]) -> str:
    """Return the kind of a release group; live, remixed and the like are `other`."""
    second = set(group.get("secondary-types") or ()) - {"Soundtrack"}
    if second:
        return "compilation" if second == {"Compilation"} else "other"
    primary = str(group.get("primary-type") or "").lower()
    return primary if primary in ("album", "single", "ep") else "other"


def _unique(releases: list[Release]) -> list[Release]:
    """Keep each recording once per release group; albums before compilations, then the earliest."""
    kept: dict[tuple[str, str], Release] = {}
    for release in sorted(releases, key=lambda release: (ORDER.index(release.kind), release.release_date or "9999")):
        kept.setdefault((release.id, release.track_id), release)
    return list(kept.values())


def _tracks(release: Mapping[str, Any]) -> Iterator[AlbumTrack]:
    for disc, medium in enumerate(release.get("media") or (), 1):
        for number, track in enumerate(medium.get("tracks") or (), 1):
            recording = track.get("recording") or {}
            length = track.get("length") or recording.get("length")
            yield AlbumTrack(
                number=number,
                disc=disc,
                title=str(track.get("title") or recording.get("title") or ""),
                seconds=length / 1000 if length else None,
                isrc=next(iter(recording.get("isrcs") or ()), None),
                id=str(recording.get("id") or ""),
            )
