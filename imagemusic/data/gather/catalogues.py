"""The catalogues of `imagemusic data match --source`, each created, with its imports, when it is chosen."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imagemusic.data.gather.releases import Source
from imagemusic.errors import ConfigError, DependencyError

CREDENTIALS = ("SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET")
SPOTIFY_NOTICE = (
    "Spotify's developer terms forbid to train a machine-learning model on Spotify content, to build a data set of it, "
    "and to keep it for longer than needed; what you gather is yours to answer for, and is marked terms=spotify"
)

Notify = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """Settings of catalogues."""

    midi_dir: Path
    pairs: Path | None = None  # a table of pairs, for the folder
    accept_spotify_terms: bool = False
    contact: str = ""  # an e-mail or web address, sent to MusicBrainz in the user agent


def make_source(name: str, options: SourceOptions, notify: Notify) -> Source:
    """Return the catalogue `name`.

    Args:
        notify: called with one line for each wait and each notice to the user.

    Raises:
        ConfigError: the name is unknown, or a setting that the catalogue needs is missing.
        DependencyError: a library it needs is not installed.
    """
    if name not in RELEASE_SOURCES:
        raise ConfigError(f"source: unknown source {name!r}; choose from {', '.join(RELEASE_SOURCES)}")
    if options.pairs is not None and name != "folder":
        raise ConfigError(f"pairs: a table of pairs goes with --source folder, not {name}")
    try:
        return RELEASE_SOURCES[name](options, notify)
    except ModuleNotFoundError as error:
        message = f"--source {name} needs {error.name}; run: pip install 'imagemusic[gather]'"
        raise DependencyError(message) from error


def _musicbrainz(options: SourceOptions, notify: Notify) -> Source:
    from imagemusic.data.gather.musicbrainz import ARCHIVE, SERVER, MusicBrainz

    contact = options.contact or os.environ.get("IMAGEMUSIC_CONTACT", "")
    if not contact:
        notify("MusicBrainz asks for a contact address: give --contact, or set IMAGEMUSIC_CONTACT")
    return MusicBrainz(
        contact=contact, server=_address("MUSICBRAINZ", SERVER), archive=_address("COVERART", ARCHIVE), notify=notify
    )


def _spotify(options: SourceOptions, notify: Notify) -> Source:
    if not options.accept_spotify_terms:
        raise ConfigError(f"--source spotify: {SPOTIFY_NOTICE}; to go on, give --accept-spotify-terms")
    client_id, client_secret = (os.environ.get(name, "") for name in CREDENTIALS)
    if not client_id or not client_secret:
        where = "make an application at https://developer.spotify.com/dashboard"
        raise ConfigError(f"--source spotify: set {' and '.join(CREDENTIALS)} in the environment; {where}")
    from imagemusic.data.gather.spotify import ACCOUNTS, API, Spotify

    notify(SPOTIFY_NOTICE)
    return Spotify(
        client_id,
        client_secret,
        api=_address("SPOTIFY_API", API),
        accounts=_address("SPOTIFY_ACCOUNTS", ACCOUNTS),
        notify=notify,
    )


def _folder(options: SourceOptions, notify: Notify) -> Source:
    from imagemusic.data.gather.folder import Folder

    folder = Folder(options.midi_dir, options.pairs)
    if missing := folder.missing_midi():
        notify(f"{options.pairs}: {len(missing)} of its MIDI files are not there, such as {missing[0]}")
    return folder


def _address(name: str, default: str) -> str:
    """Return the server from the environment (a mirror, or one for tests), or the default."""
    return os.environ.get(f"IMAGEMUSIC_{name}_URL", default).rstrip("/")


RELEASE_SOURCES: dict[str, Callable[[SourceOptions, Notify], Source]] = {
    "musicbrainz": _musicbrainz,
    "spotify": _spotify,
    "folder": _folder,
}
