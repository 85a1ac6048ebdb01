import functools

import pytest

from imagemusic.commands import cli
from imagemusic.data.download import RetryPolicy
from tests.datasets import SONGS, put
from tests.songs import midi_of


@pytest.fixture
def catalogues(monkeypatch):
    """Serve six songs as Spotify and MusicBrainz do, to the commands of this process."""
    musicbrainz = pytest.importorskip("imagemusic.data.gather.musicbrainz", exc_type=ImportError)
    spotify = pytest.importorskip("imagemusic.data.gather.spotify", exc_type=ImportError)
    pytest.importorskip("rapidfuzz")
    from tests.servers import serving

    quick = RetryPolicy(attempts=2, first_wait_seconds=0.001, longest_wait_seconds=2, timeout_seconds=5)
    with serving(SONGS) as server:
        for name in ("SPOTIFY_API", "SPOTIFY_ACCOUNTS", "MUSICBRAINZ", "COVERART"):
            monkeypatch.setenv(f"IMAGEMUSIC_{name}_URL", server.url)
        monkeypatch.setenv("SPOTIPY_CLIENT_ID", "id")
        monkeypatch.setenv("SPOTIPY_CLIENT_SECRET", "secret")
        monkeypatch.setattr(spotify, "Spotify", functools.partial(spotify.Spotify, policy=quick))
        hurried = functools.partial(musicbrainz.MusicBrainz, policy=quick, per_second=1000)
        monkeypatch.setattr(musicbrainz, "MusicBrainz", hurried)
        yield server


@pytest.fixture
def midi(tmp_path):
    """Write a MIDI file for each song of the catalogue."""
    for song in SONGS:
        put(tmp_path / "midi" / song.key, midi_of())
    return tmp_path / "midi"


@pytest.fixture
def match(midi, tmp_path, capsys):
    """Run `data match`; return (status, stdout, stderr)."""

    def run(*more, out="set", folder=midi):
        status = cli.main(["data", "match", str(folder), "--out", str(tmp_path / out), *map(str, more)])
        return status, *capsys.readouterr()

    return run
