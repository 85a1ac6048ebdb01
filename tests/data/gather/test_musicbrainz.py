"""The real requests against a server that answers as MusicBrainz and the Cover Art Archive do."""

import json
import time

import pytest

pytest.importorskip("requests")

from imagemusic.data.download import RetryPolicy
from imagemusic.data.gather.musicbrainz import PER_SECOND, MusicBrainz
from imagemusic.data.gather.releases import Query
from imagemusic.errors import DataError, NotThere
from tests.servers import serving
from tests.songs import Song, picture_of

QUICK = RetryPolicy(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=2, timeout_seconds=5)
ONE = Song("AC/DC", "Back (in) Black!", "Back in Black", seconds=255.0, date="1980-07-25")
AGAIN = Song("AC/DC", "Back (in) Black!", "Hits", kind="compilation", date="1970")
OTHER = Song("Beyoncé", "Two", "Two", kind="single")


def query(song):
    return Query(key=song.key, artist=song.artist, title=song.title, seconds=200.0)


@pytest.fixture
def server():
    with serving([AGAIN, ONE, OTHER]) as server:
        yield server


@pytest.fixture
def musicbrainz(server):
    return MusicBrainz(contact="me@example.org", server=server.url, archive=server.url, per_second=1000, policy=QUICK)


def test_a_recording_is_found_on_its_release_groups_albums_first(musicbrainz):
    album, compilation = musicbrainz.find(query(ONE))
    assert (album.artist, album.title, album.album, album.kind) == (
        "AC/DC",
        "Back (in) Black!",
        "Back in Black",
        "album",
    )
    assert (album.id, album.track_id, album.release_date, album.seconds) == (ONE.group, ONE.id, "1980-07-25", 255.0)
    assert (compilation.album, compilation.kind) == ("Hits", "compilation")
    assert album.terms == "musicbrainz"


def test_the_very_words_are_asked_for_before_words_that_are_near(musicbrainz, server):
    found = musicbrainz.find(Query(key="x", artist="Beyonce", title="Twoo"))
    asked = [fields["query"] for _, _, fields in server.asked]
    assert asked == ['recording:"Twoo" AND artist:"Beyonce"', "recording:(twoo~) AND artist:(beyonce~)"]
    assert found == []


def test_words_that_mean_something_to_the_search_are_made_harmless(musicbrainz, server):
    musicbrainz.find(Query(key="x", artist='The "Q"', title="NOT *you* && (me)"))
    asked = [fields["query"] for _, _, fields in server.asked]
    assert asked[0] == r'recording:"NOT *you* && (me)" AND artist:"The \"Q\""'
    assert asked[1] == "recording:(not you me) AND artist:(the q)"


def test_once_a_second_is_the_rule():
    assert PER_SECOND == 1.0


def test_every_question_waits_its_turn(server):
    musicbrainz = MusicBrainz(server=server.url, archive=server.url, per_second=20, policy=QUICK)
    started = time.monotonic()
    for song in (ONE, OTHER, ONE, OTHER):
        musicbrainz.find(query(song))
    times = [when for when, _, _ in server.asked]
    assert len(times) == 4
    assert times[-1] - started >= 3 / 20


def test_a_server_that_sends_503_is_asked_again(musicbrainz, server):
    server.troubles["/ws"] = ["503 0.01"]
    assert musicbrainz.find(query(OTHER))[0].title == "Two"


@pytest.mark.parametrize(("asked", "sent"), [(100, 250), (250, 250), (500, 500), (501, 1200), (3000, 1600)])
def test_a_front_cover_comes_at_the_next_size(musicbrainz, server, asked, sent):
    found = musicbrainz.find(query(OTHER))[0]
    assert musicbrainz.fetch(found, asked) == picture_of(OTHER.group, sent)
    assert server.asked[-2][1] == f"/release-group/{OTHER.group}/front" + (f"-{sent}" if sent < 1600 else "")


def test_a_cover_that_the_archive_does_not_have_is_an_error_of_its_own(musicbrainz, server):
    found = musicbrainz.find(query(OTHER))[0]
    server.troubles["/release-group"] = ["404"]
    with pytest.raises(NotThere, match=r"front-500: not there \(HTTP 404\)"):
        musicbrainz.fetch(found, 500)


def test_a_cover_on_another_host_is_refused_unless_it_is_the_archive_s(server):
    found = MusicBrainz(server=server.url, per_second=1000).find(query(OTHER))[0]
    elsewhere = f"redirect http://localhost:{server.server_port}/image/abc/64"
    server.troubles["/release-group"] = [elsewhere, elsewhere]
    with pytest.raises(DataError, match="refused a redirect to another host"):
        MusicBrainz(server=server.url, archive=server.url, policy=QUICK).fetch(found, 500)
    listed = MusicBrainz(server=server.url, archive=server.url, archive_hosts=("localhost",), policy=QUICK)
    assert listed.fetch(found, 500) == picture_of("abc", 64)


@pytest.mark.parametrize("wanted", ["{}", "https://musicbrainz.org/release-group/{}", "back in black"])
def test_an_album_is_found_by_id_address_and_words(musicbrainz, wanted):
    album = musicbrainz.album(wanted.format(ONE.group))
    assert (album.release.album, album.release.artist, album.release.id) == ("Back in Black", "AC/DC", ONE.group)
    assert [(track.title, track.seconds) for track in album.tracks] == [("Back (in) Black!", 255.0)]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("https://example.org/release/x", "not the address of a MusicBrainz release"),
        ("nothing of the kind", "MusicBrainz finds no such album"),
        ("00000000-0000-0000-0000-000000000000", "not there"),
    ],
)
def test_an_album_that_is_none_is_refused(musicbrainz, wanted, message):
    with pytest.raises(DataError, match=message):
        musicbrainz.album(wanted)


def test_a_page_where_json_should_be_is_one_line(musicbrainz, server):
    server.troubles["/ws"] = ["html"]
    with pytest.raises(DataError, match="sent something else than JSON"):
        musicbrainz.find(query(ONE))


@pytest.mark.parametrize(
    "answer",
    ["{}", "[]", '{"recordings": ["x"]}', '{"recordings": [{"id": "x", "releases": [{"release-group": {"id": 1}}]}]}'],
)
def test_an_answer_of_another_shape_is_one_line(musicbrainz, server, answer):
    server.troubles["/ws"] = [f"json {answer}"]
    with pytest.raises(DataError, match="not understood|without recordings"):
        musicbrainz.find(query(ONE))


def test_an_album_of_another_shape_is_one_line(musicbrainz, server):
    server.troubles["/ws/2/release/"] = ['json {"id": "x"}']
    with pytest.raises(DataError, match="musicbrainz .*not understood"):
        musicbrainz.album(ONE.group)


@pytest.mark.parametrize("bad", [None, {"id": "x"}, {"id": "x", "releases": [None, {"release-group": {"id": "g"}}]}])
def test_a_bad_result_is_passed_over_and_the_good_one_taken(musicbrainz, server, bad):
    release = {"title": "First", "release-group": {"id": "g", "title": "First"}}
    good = {"id": "r", "title": "One", "artist-credit": [{"name": "Ann"}], "releases": [None, release]}
    server.troubles["/ws"] = [f"json {json.dumps({'recordings': [bad, good]})}"]
    (found,) = musicbrainz.find(query(ONE))
    assert (found.track_id, found.album, found.artist, found.seconds) == ("r", "First", "Ann", None)
