"""Spotify's catalogue, through spotipy.

It requests only what new applications may use since 2026: /search with at most 10 results, /albums/ID and
/albums/ID/tracks.  Spotify's developer terms forbid training on its content and keeping a copy of it, so only ids of
an answer are stored; see releases.IDS_ONLY.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from spotipy import Spotify as Client
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.exceptions import SpotifyException, SpotifyOauthError
from spotipy.oauth2 import SpotifyClientCredentials

from imagemusic.data.download import RetryPolicy
from imagemusic.data.gather.http import RETRY_POLICY, Notify, WebClient, parse_items, parsing
from imagemusic.data.gather.releases import COVER_LICENCE, Album, AlbumTrack, Artwork, Query, Release
from imagemusic.errors import DataError, GatheringStopped, NotThere

NAME = "spotify"  # of the source, and of its terms
API = "https://api.spotify.com"
ACCOUNTS = "https://accounts.spotify.com"
IMAGE_HOSTS = ("scdn.co", "spotifycdn.com")
MOST_RESULTS = 10
PAGE = 50  # tracks of an album at a time
LONGEST_QUERY = 250
ALBUM_ID = re.compile(
    r"(?:^spotify:album:|^https?://open\.spotify\.com/(?:intl-\w+/)?album/|^)([0-9A-Za-z]{22})(?:[?#].*)?$"
)
SOMETHING_ELSE = re.compile(r"^spotify:|^https?://")

Parsed = TypeVar("Parsed")


class Spotify:
    """Find releases with an application's own credentials.

    Args:
        api, accounts: the servers, for tests.
    """

    name = NAME
    terms = NAME
    exact = False

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        api: str = API,
        accounts: str = ACCOUNTS,
        policy: RetryPolicy = RETRY_POLICY,
        notify: Notify = lambda line: None,
    ) -> None:
        # At DEBUG spotipy logs the bearer token, and at ERROR every answer that is dealt with here.
        logging.getLogger("spotipy").setLevel(logging.CRITICAL)
        self._web = WebClient(self.name, policy=policy, notify=notify)
        self._images = WebClient(self.name, hosts=IMAGE_HOSTS, policy=policy, notify=notify)
        self._token = MemoryCacheHandler()  # the default writes .cache into the working folder
        credentials = SpotifyClientCredentials(
            client_id, client_secret, requests_session=self._web.session, cache_handler=self._token
        )
        credentials.OAUTH_TOKEN_URL = f"{accounts}/api/token"
        # With a session of our own spotipy does not sleep through a 429, for hours if need be.
        self._client = Client(auth_manager=credentials, requests_session=self._web.session)
        self._client.prefix = f"{api}/v1/"

    def find(self, query: Query) -> list[Release]:
        """Search by artist and title; where that finds nothing, for the words in any field."""
        for words in (
            f'track:"{_plain(query.title)}" artist:"{_plain(query.artist)}"',
            f"{query.artist} {query.title}",
        ):
            if found := self._search(words, "track", lambda track: _release(track["album"], track)):
                return found
        return []

    def album(self, wanted: str) -> Album:
        """Return an album by id, URI, address or search words, with all of its tracks."""
        named = ALBUM_ID.search(wanted.strip())
        if named:
            identity = named[1]
        elif SOMETHING_ELSE.search(wanted):
            raise DataError(f"{wanted}: not the address of a Spotify album, as in https://open.spotify.com/album/ID")
        else:
            found = self._search(wanted, "album", lambda album: str(album["id"]))
            if not found:
                raise NotThere(f"{wanted!r}: Spotify finds no such album")
            identity = found[0]
        album = self._ask(lambda: self._client.album(identity), f"album {identity}")
        with parsing(f"spotify album {identity}"):
            return Album(release=_release(album), tracks=tuple(self._tracks(identity, album)))

    def fetch(self, release: Release, width: int) -> bytes:
        """Return the smallest artwork that is wide enough, else the widest."""
        if not release.artworks:  # a row of the journal holds ids alone
            identity = release.id
            with parsing(f"spotify album {identity}"):
                release = _release(self._ask(lambda: self._client.album(identity), f"album {identity}"))
        artwork = release.artwork(width)
        if artwork is None:
            raise NotThere(f"spotify album {release.id}: has no artwork")
        return self._images.body(artwork.url)

    def _search(self, words: str, kind: str, parse: Callable[[Any], Parsed]) -> list[Parsed]:
        """Search, and parse the items of the answer; what is no longer available is null or incomplete there."""
        words, where = words[:LONGEST_QUERY], f"search {words!r}"
        answer = self._ask(lambda: self._client.search(words, limit=MOST_RESULTS, type=kind), where)
        with parsing(f"spotify {where}"):
            items = list(answer[f"{kind}s"]["items"])
        return parse_items(items, parse, f"spotify {where}")

    def _tracks(self, identity: str, album: Mapping[str, Any]) -> Iterator[AlbumTrack]:
        page = album["tracks"]
        count = 0
        while True:
            yield from map(_track, filter(None, page["items"]))
            count += len(page["items"])
            if not page.get("next") or not page["items"]:
                return
            # The address in `next` is not followed: the token goes to one host alone.
            more = partial(self._client.album_tracks, identity, limit=PAGE, offset=count)
            page = self._ask(more, f"album {identity}")

    def _ask(self, request: Callable[[], Any], where: str) -> Mapping[str, Any]:
        """Send a request, with a new token where the old one has expired early."""
        try:
            try:
                answer = self._web.retry(request)
            except SpotifyException as error:
                if error.http_status != 401:
                    raise
                self._token.save_token_to_cache(None)
                answer = self._web.retry(request)
        except SpotifyOauthError as error:
            check = "check SPOTIPY_CLIENT_ID and SPOTIPY_CLIENT_SECRET"
            raise GatheringStopped(f"spotify: the credentials are refused ({error.error}); {check}") from error
        except SpotifyException as error:
            reason = f"HTTP {error.http_status}, {error.msg.splitlines()[-1].strip()}"
            if error.http_status in (401, 403):
                raise GatheringStopped(f"spotify: this application is not permitted to ask ({reason})") from error
            if error.http_status == 404:
                raise NotThere(f"spotify {where}: {reason}") from error
            raise DataError(f"spotify {where}: {reason}") from error
        except (ValueError, KeyError, TypeError) as error:  # the token is no JSON, or not one
            raise DataError(f"spotify: the answer to the credentials is not a token ({error})") from error
        if not isinstance(answer, Mapping):
            raise DataError(f"spotify {where}: sent something else than JSON")
        return answer


def _plain(text: str) -> str:
    """Remove the quotation marks, which would end a quoted phrase."""
    return text.replace('"', " ").strip()


def _release(album: Mapping[str, Any], track: Mapping[str, Any] | None = None) -> Release:
    if not album["id"]:
        raise KeyError("id")
    kind = str(album.get("album_type", ""))
    artworks = [
        Artwork(url=image["url"], width=image.get("width") or 0, height=image.get("height") or 0)
        for image in album.get("images") or ()
        if image and image.get("url")
    ]
    credited = track or album
    return Release(
        source=NAME,
        id=album["id"],
        track_id=track["id"] if track else "",
        artist=", ".join(artist["name"] for artist in credited["artists"]),
        title=track["name"] if track else "",
        album=album["name"],
        kind=kind if kind in ("album", "single", "compilation") else "other",
        seconds=_seconds(track) if track else None,
        isrc=(track.get("external_ids") or {}).get("isrc") if track else None,
        release_date=album.get("release_date"),
        artworks=tuple(sorted(artworks, key=lambda artwork: -artwork.width)),
        terms=NAME,
        licence=COVER_LICENCE,
    )


def _track(track: Mapping[str, Any]) -> AlbumTrack:
    return AlbumTrack(
        number=track["track_number"],
        disc=track.get("disc_number", 1),
        title=track["name"],
        seconds=_seconds(track),
        id=track["id"],
    )


def _seconds(track: Mapping[str, Any]) -> float | None:
    """Return the duration of a track; None where it is null or missing."""
    milliseconds = track.get("duration_ms")
    return None if milliseconds is None else milliseconds / 1000
