"""The real spotipy against a server that answers as Spotify does."""

import json
import logging

import pytest

pytest.importorskip("spotipy")

from imagemusic.data.download import RetryPolicy
from imagemusic.data.gather.releases import Query, Release
from imagemusic.data.gather.spotify import Spotify
from imagemusic.errors import DataError, GatheringStopped, NotThere
from tests.servers import serving
from tests.songs import Song, picture_of

QUICK = RetryPolicy(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=2, timeout_seconds=5)
ONE = Song("Ann Bee", 'Notify "One"', "First", seconds=201.5)
SINGLE = Song("Ann Bee", "Two", "Two", kind="single")
LONG = [Song("Cid", f"Part {number}", "Long") for number in range(1, 76)]


def query(song):
    return Query(key=song.key, artist=song.artist, title=song.title, seconds=200.0)


@pytest.fixture
def server():
    with serving([ONE, SINGLE, *LONG]) as server:
        yield server


@pytest.fixture
def spotify(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Spotify("id", "secret", api=server.url, accounts=server.url, policy=QUICK)


def test_a_track_is_found_with_all_of_its_fields(spotify):
    (found,) = spotify.find(query(SINGLE))
    assert (found.artist, found.title, found.album, found.kind) == ("Ann Bee", "Two", "Two", "single")
    assert (found.id, found.track_id) == (SINGLE.album_id, SINGLE.id)
    assert (found.isrc, found.release_date, found.seconds) == (f"XX{SINGLE.id[:10].upper()}", "1999-12-31", 200.0)
    assert [artwork.width for artwork in found.artworks] == [640, 300, 64]
    assert found.terms == "spotify"


def test_quotes_in_a_title_are_left_to_the_second_search(spotify, server):
    assert spotify.find(Query(key="x", artist="Ann", title='Notify "One"'))[0].title == 'Notify "One"'
    searches = [fields["q"] for _, path, fields in server.asked if path == "/v1/search"]
    assert searches == ['track:"Notify  One" artist:"Ann"', 'Ann Notify "One"']


def test_only_ten_are_asked_for_and_only_endpoints_that_still_exist(spotify, server):
    spotify.find(query(ONE))
    spotify.album(ONE.album_id)
    assert all(int(fields["limit"]) <= 10 for _, path, fields in server.asked if path == "/v1/search")
    assert {path for _, path, _ in server.asked} <= {"/api/token", "/v1/search", f"/v1/albums/{ONE.album_id}"}


def test_an_unknown_track_is_an_empty_list(spotify):
    assert spotify.find(Query(key="x", artist="Nobody", title="Nothing")) == []


@pytest.mark.parametrize(("asked", "width"), [(500, 640), (300, 300), (64, 64), (4000, 640)])
def test_the_smallest_artwork_that_is_wide_enough_is_fetched(spotify, asked, width):
    found = spotify.find(query(SINGLE))[0]
    assert spotify.fetch(found, asked) == picture_of(SINGLE.album_id, width)


def test_a_release_known_by_its_id_alone_is_asked_for_its_artworks(spotify):
    kept = Release.from_json(spotify.find(query(SINGLE))[0].to_json())
    assert kept.artworks == ()
    assert spotify.fetch(kept, 300) == picture_of(SINGLE.album_id, 300)


def test_what_is_written_down_is_ids_alone(spotify):
    kept = spotify.find(query(SINGLE))[0].to_json()
    assert set(kept) == {"source", "id", "track_id", "isrc", "terms"}
    assert "Ann" not in json.dumps(kept)


@pytest.mark.parametrize("wanted", ["{}", "spotify:album:{}", "https://open.spotify.com/intl-de/album/{}?si=x", "Long"])
def test_an_album_is_found_by_id_address_and_words_with_every_page_of_its_tracks(spotify, server, wanted):
    album = spotify.album(wanted.format(LONG[0].album_id))
    assert (album.release.album, album.release.artist) == ("Long", "Cid")
    assert [track.title for track in album.tracks] == [song.title for song in LONG]
    assert [track.number for track in album.tracks[:2]] == [1, 2]
    assert [fields["offset"] for _, path, fields in server.asked if "/tracks" in path] == ["20", "70"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("https://open.spotify.com/track/0123456789012345678901", "not the address of a Spotify album"),
        ("nothing of the kind", "Spotify finds no such album"),
        ("0123456789012345678901", "HTTP 404"),
    ],
)
def test_an_album_that_is_none_is_refused(spotify, wanted, message):
    with pytest.raises(DataError, match=message):
        spotify.album(wanted)


def test_a_token_is_asked_for_once_and_kept_in_memory(spotify, server, tmp_path):
    for song in LONG[:3]:
        spotify.find(query(song))
    assert [path for _, path, _ in server.asked].count("/api/token") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_token_that_expired_early_is_replaced(spotify, server):
    spotify.find(query(ONE))
    server.tokens = {"another"}
    assert spotify.find(query(SINGLE))
    assert [path for _, path, _ in server.asked].count("/api/token") == 2


def test_a_token_that_expires_soon_is_replaced_in_time(spotify, server):
    server.token_seconds = 30
    spotify.find(query(ONE))
    spotify.find(query(SINGLE))
    assert [path for _, path, _ in server.asked].count("/api/token") == 3  # one a search: "One" takes two


def test_a_token_that_is_refused_again_stops(spotify, server):
    server.troubles["/v1"] = ["401", "401"]
    with pytest.raises(GatheringStopped, match="this application is not permitted to ask .HTTP 401, on purpose"):
        spotify.find(query(ONE))


def test_wrong_credentials_stop_without_being_shown(server):
    spotify = Spotify("id", "wrong", api=server.url, accounts=server.url, policy=QUICK)
    with pytest.raises(GatheringStopped, match=r"credentials are refused \(invalid_client\)") as caught:
        spotify.find(query(ONE))
    assert "wrong" not in str(caught.value)


def test_an_application_without_premium_gets_the_reason(spotify, server):
    server.troubles["/v1"] = ["403"]
    with pytest.raises(GatheringStopped, match="this application is not permitted to ask"):
        spotify.find(query(ONE))


@pytest.mark.parametrize("path", ["/api/token", "/v1/search"])
@pytest.mark.parametrize("trouble", ["503", "429 0.01", "cut"])
def test_what_goes_wrong_once_is_asked_again(spotify, server, path, trouble):
    server.troubles[path] = [trouble]
    assert spotify.find(query(SINGLE))


@pytest.mark.parametrize("path", ["/api/token", "/v1/search"])
def test_a_long_wait_stops_at_once_and_does_not_sleep_in_spotipy(spotify, server, path):
    server.troubles[path] = ["429 80000"]
    with pytest.raises(GatheringStopped, match="give the same command again after"):
        spotify.find(query(ONE))


@pytest.mark.parametrize("path", ["/api/token", "/v1/search"])
def test_a_page_where_json_should_be_is_one_line(spotify, server, path):
    server.troubles[path] = ["html"] * 3
    with pytest.raises(DataError, match="is not a token|sent something else than JSON") as caught:
        spotify.find(query(ONE))
    assert "\n" not in str(caught.value)


def test_a_cover_that_is_gone_is_an_error_of_its_own(spotify, server):
    found = spotify.find(query(SINGLE))[0]
    server.troubles["/image"] = ["404"]
    with pytest.raises(NotThere):
        spotify.fetch(found, 300)


def test_neither_token_nor_secret_is_logged(spotify, caplog):
    with caplog.at_level(logging.DEBUG):
        spotify.find(query(ONE))
    assert "token-0" not in caplog.text and "secret" not in caplog.text


@pytest.mark.parametrize(
    "answer", ["{}", "[]", '{"tracks": 3}', '{"tracks": {"items": [{"name": "One"}]}}', '{"tracks": {"items": ["x"]}}']
)
def test_an_answer_of_another_shape_is_one_line(spotify, server, answer):
    server.troubles["/v1/search"] = [f"json {answer}"]
    with pytest.raises(DataError, match="spotify search .*(not understood|something else)"):
        spotify.find(query(ONE))


@pytest.mark.parametrize("answer", ["{}", '{"id": "x", "name": "y", "artists": [], "tracks": null}'])
def test_an_album_of_another_shape_is_one_line(spotify, server, answer):
    server.troubles["/v1/albums"] = [f"json {answer}"]
    with pytest.raises(DataError, match=r"spotify album .*not understood"):
        spotify.album(ONE.album_id)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        {"id": "x", "name": "One", "artists": [{"name": "Ann"}], "duration_ms": 1000, "album": None},
        {"id": "x", "name": "", "artists": [{"name": ""}], "duration_ms": 0, "album": {"id": None, "artists": []}},
    ],
    ids=["null", "no album", "emptied"],
)
def test_a_bad_result_is_passed_over_and_the_good_one_taken(spotify, server, bad):
    album = {"id": "a", "name": "First", "artists": [{"name": "Ann"}], "images": [None, {"url": None}]}
    good = {"id": "t", "name": "One", "artists": [{"name": "Ann"}], "duration_ms": None, "album": album}
    server.troubles["/v1/search"] = [f"json {json.dumps({'tracks': {'items': [bad, good]}})}"]
    (found,) = spotify.find(query(ONE))
    assert (found.track_id, found.album, found.seconds, found.artworks) == ("t", "First", None, ())
