"""From MIDI files to a journal and covers, through the command line and over loopback."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("spotipy")
pytest.importorskip("rapidfuzz")

from imagemusic import cli
from imagemusic.data import covers, gathering, journal, web
from imagemusic.data.download import Patience
from imagemusic.data.gathering import GatherOptions, Once, find_midi
from imagemusic.data.journal import read_rows
from imagemusic.errors import ConfigError, DataError
from tests.servers import Song, midi_of, picture_of, serving, song_of

ROOT = Path(__file__).parents[2]
SONGS = [song_of(number) for number in range(6)]
SPOTIFY = ("--source", "spotify", "--accept-spotify-terms")


@pytest.fixture
def server(monkeypatch):
    with serving(SONGS) as server:
        for name in ("SPOTIFY_API", "SPOTIFY_ACCOUNTS", "MUSICBRAINZ", "COVERART"):
            monkeypatch.setenv(f"IMAGEMUSIC_{name}_URL", server.url)
        monkeypatch.setenv("SPOTIPY_CLIENT_ID", "id")
        monkeypatch.setenv("SPOTIPY_CLIENT_SECRET", "secret")
        quick = Patience(attempts=2, first_wait_seconds=0.001, longest_wait_seconds=2, timeout_seconds=5)
        monkeypatch.setattr(web.Web.__init__, "__kwdefaults__", web.Web.__init__.__kwdefaults__ | {"patience": quick})
        for source in ("spotify.Spotify", "musicbrainz.MusicBrainz"):
            module, name = source.split(".")
            __import__(f"imagemusic.data.sources.{module}")
            kind = getattr(sys.modules[f"imagemusic.data.sources.{module}"], name)
            defaults = kind.__init__.__kwdefaults__ | {"patience": quick}
            defaults |= {"per_second": 1000} if name == "MusicBrainz" else {}
            monkeypatch.setattr(kind.__init__, "__kwdefaults__", defaults)
        yield server


@pytest.fixture
def midi(tmp_path):
    for song in SONGS:
        put(tmp_path / "midi" / song.key, midi_of())
    return tmp_path / "midi"


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def match(midi, tmp_path, capsys):
    """Run `data match`; return (status, stdout, stderr)."""

    def run(*more, out="set", folder=midi):
        status = cli.main(["data", "match", str(folder), "--out", str(tmp_path / out), *map(str, more)])
        return status, *capsys.readouterr()

    return run


def rows_of(tmp_path, out="set"):
    return {row["key"]: row for row in read_rows(tmp_path / out)}


def lines_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def searches(server):
    return [fields["q"] for _, path, fields in server.asked if path == "/v1/search"]


@pytest.mark.parametrize("source", [SPOTIFY, ("--contact", "me@example.org")], ids=["spotify", "musicbrainz"])
def test_every_file_is_matched_with_the_cover_of_its_album(match, server, tmp_path, source):
    status, out, _ = match(*source)
    assert status == 0
    assert out.splitlines()[-1] == f"{tmp_path / 'set'}: 6 matched, of 6 MIDI files"
    rows = rows_of(tmp_path)
    assert list(rows) == sorted(song.key for song in SONGS)
    for song in SONGS:
        row = rows[song.key]
        spotify = source is SPOTIFY
        cover = picture_of(song.album_id if spotify else song.group, 640 if spotify else 500)
        assert (tmp_path / "set" / row["cover"]).read_bytes() == cover
        assert row["cover"] == f"covers/{hashlib.sha256(cover).hexdigest()[:2]}/{hashlib.sha256(cover).hexdigest()}.jpg"
        assert row["sha256"] == hashlib.sha256(midi_of()).hexdigest()
        assert (row["status"], row["chosen"], row["paired"], row["seconds"]) == ("matched", 0, "exact", 4.0)
        assert row["terms"] == row["candidates"][0]["terms"] == ("spotify" if spotify else "musicbrainz")
        assert row["candidates"][0]["id"] in row["cover_source"]


def test_nothing_that_spotify_tells_is_written_down_but_ids(match, server, tmp_path):
    match(*SPOTIFY)
    for text in ("1999-12-31", "Album", "/image/"):
        assert text not in (tmp_path / "set" / "journal.jsonl").read_text()
    assert json.loads((tmp_path / "set" / "dataset.json").read_text())["terms"] == "spotify"


def test_a_second_run_asks_nothing_and_a_third_asks_for_what_is_new(match, server, midi, tmp_path):
    match(*SPOTIFY)
    before = (tmp_path / "set" / "journal.jsonl").read_bytes()
    server.asked.clear()
    assert match(*SPOTIFY)[0] == 0
    assert server.asked == []
    put(midi / SONGS[0].artist / f"{SONGS[0].title}.1.mid", midi_of(5))
    match(*SPOTIFY)
    assert (tmp_path / "set" / "journal.jsonl").read_bytes().startswith(before)
    assert len(searches(server)) == 1
    assert not [path for _, path, _ in server.asked if path.startswith("/image")]  # its album's cover is there


def test_copies_of_a_piece_are_asked_for_once(match, server, midi):
    for copy in (1, 2, 3):
        put(midi / SONGS[0].artist / f"{SONGS[0].title}.{copy}.mid", midi_of(3 + copy))
    match(*SPOTIFY, "--workers", "4")
    assert len(searches(server)) == len(SONGS)
    assert len([path for _, path, _ in server.asked if path.startswith("/image")]) == len(SONGS)


def test_several_workers_write_the_same_journal(match, server, tmp_path):
    match(*SPOTIFY, out="one")
    match(*SPOTIFY, "--workers", "4", out="four")
    assert (tmp_path / "one/journal.jsonl").read_bytes() == (tmp_path / "four/journal.jsonl").read_bytes()


def test_corrupt_files_are_named_and_counted_and_nobody_is_asked_about_them(match, server, midi, tmp_path):
    put(midi / "Ann" / "Broken.mid", b"MThd and no more")
    put(midi / "Ann" / "Empty.mid", b"")
    put(midi / "Ann" / "Silent.mid", midi_of(0))
    status, out, _ = match(*SPOTIFY)
    assert status == 0
    assert "Ann/Broken.mid: corrupt, damaged MIDI file" in out
    assert "Ann/Silent.mid: corrupt, no notes in it" in out
    assert out.splitlines()[-1].endswith("6 matched, 3 corrupt, of 9 MIDI files")
    assert len(searches(server)) == len(SONGS)


def test_a_name_without_an_artist_is_not_asked_for(match, server, midi, tmp_path):
    put(midi / "tune.mid", midi_of())
    match(*SPOTIFY)
    row = rows_of(tmp_path)["tune.mid"]
    assert (row["status"], row["why"]) == ("unmatched", "its name tells no artist; name files Artist/Title.mid")
    assert len(searches(server)) == len(SONGS)


def test_what_the_catalogue_does_not_know_is_unmatched(match, server, midi, tmp_path):
    put(midi / "Nobody" / "Nothing.mid", midi_of())
    match(*SPOTIFY)
    row = rows_of(tmp_path)["Nobody/Nothing.mid"]
    assert (row["status"], row["why"], row["cover"]) == ("unmatched", "the catalogue knows nothing like it", None)


@pytest.mark.parametrize(
    ("trouble", "status", "why"),
    [
        ("404", "unmatched", "no cover: .* not there .HTTP 404."),
        ("html", "failed", "not a picture that can be read; .* it is a web page"),
        ("junk", "failed", "picture|damaged"),
        ("long", "failed", "damaged or cut short"),
        ("redirect http://localhost:1/x", "failed", "refused a redirect to another host"),
    ],
)
def test_a_cover_that_is_no_picture_is_said_and_the_next_file_goes_on(match, server, tmp_path, trouble, status, why):
    import re

    server.troubles["/image"] = [trouble]
    assert match(*SPOTIFY)[0] == 0
    rows = list(rows_of(tmp_path).values())
    assert rows[0]["status"] == status and re.search(why, rows[0]["why"]), rows[0]["why"]
    assert {row["status"] for row in rows[1:]} == {"matched"}
    kept = [path for path in (tmp_path / "set" / "covers").rglob("*") if path.is_file()]
    assert len(kept) == len(SONGS) - 1


def test_what_failed_is_asked_again_when_that_is_wanted(match, server, tmp_path):
    server.troubles["/v1/search"] = ["503", "503"]
    status, out, _ = match(*SPOTIFY)
    assert status == 0
    assert "failed, " in out and "gave up after 2 attempts (HTTP 503)" in out
    server.asked.clear()
    match(*SPOTIFY)
    assert server.asked == []
    assert match(*SPOTIFY, "--retry-failed")[1].splitlines()[-1].endswith("6 matched, of 6 MIDI files")
    assert len(searches(server)) == 1


def test_a_server_that_is_down_ends_the_run(match, server, monkeypatch):
    monkeypatch.setattr(gathering, "MOST_FAILURES", 3)
    server.troubles["/v1/search"] = ["503"] * 99
    status, out, err = match(*SPOTIFY)
    assert status == 1
    assert "3 files failed one after another" in err and "--retry-failed" in err
    assert out.splitlines()[-1].endswith("3 failed, of 6 MIDI files")


@pytest.mark.parametrize("trouble", ["quota", "429 80000"])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_quota_stops_cleanly_and_the_same_command_goes_on(match, server, tmp_path, trouble, workers):
    server.troubles["/image"] = ["", "", trouble]
    status, out, err = match(*SPOTIFY, "--workers", workers)
    assert status == 1
    assert err.splitlines()[-1].startswith("imagemusic: error: ") and "give the same command again" in err
    done = len(rows_of(tmp_path))
    assert 2 <= done < 6
    assert out.splitlines()[-1].endswith(f"{done} matched, of 6 MIDI files")
    assert match(*SPOTIFY)[0] == 0
    assert [row["status"] for row in rows_of(tmp_path).values()] == ["matched"] * 6


def test_wrong_credentials_stop_before_anything_is_written_about_a_file(match, server, monkeypatch, tmp_path):
    monkeypatch.setenv("SPOTIPY_CLIENT_SECRET", "wrong")
    status, _, err = match(*SPOTIFY)
    assert status == 1
    assert "the credentials are refused (invalid_client); check SPOTIPY_CLIENT_ID" in err
    assert rows_of(tmp_path) == {}


def test_a_wait_is_told_in_a_line(match, server):
    server.troubles["/v1/search"] = ["429 0.01"]
    assert "spotify: HTTP 429, waiting 0 s" in match(*SPOTIFY)[2]


@pytest.mark.parametrize("full", ["cover", "journal"])
def test_a_full_disk_stops_cleanly(match, server, tmp_path, monkeypatch, full):
    real, calls = os.fsync, []

    def fsync(file):
        calls.append(file)
        if len(calls) > 6 and os.readlink(f"/proc/self/fd/{file}").endswith(".part") == (full == "cover"):
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(journal.os, "fsync", fsync)
    status, _, err = match(*SPOTIFY)
    assert status == 1
    assert "cannot write (No space left on device); what was found is kept" in err
    monkeypatch.setattr(journal.os, "fsync", real)
    done = rows_of(tmp_path)
    assert 0 < len(done) < 6
    assert not list((tmp_path / "set").rglob("*.part"))
    assert match(*SPOTIFY)[0] == 0
    assert len(rows_of(tmp_path)) == 6


def test_what_a_killed_process_left_of_a_cover_is_swept_away(match, server, tmp_path):
    match(*SPOTIFY)
    left = put(tmp_path / "set" / "covers" / "ab" / ".abc.jpg.7.part", b"half")
    match(*SPOTIFY)
    assert not left.exists()


def test_killed_at_random_points_nothing_is_lost_or_doubled(tmp_path):
    command = [sys.executable, "scripts/measure_gathering.py", "--kills", "3", "--killed-files", "15"]
    command += ["--files", "0", "--paced-files", "0", "--out", tmp_path / "figures.json"]
    environment = os.environ | {"PYTHONPATH": ".", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {name: figures[name] for name in ("kills", "lost", "doubled", "same_bytes", "covers_left_over")} == {
        "kills": 3, "lost": 0, "doubled": 0, "same_bytes": True, "covers_left_over": 0
    }  # fmt: skip


# What a person decides


@pytest.fixture
def doubtful(match, midi, server, monkeypatch):
    """Gather a file whose song is there in another recording only."""
    server.songs.append(Song("Cat Duo", "Hello World (Live)", "On Stage", seconds=200))
    put(midi / "Cat Duo" / "Hello World.mid", midi_of(200))
    server.troubles.clear()
    match(*SPOTIFY)
    return "Cat Duo/Hello World.mid"


def choose(tmp_path, key, choice):
    path = tmp_path / "set" / "review.csv"
    rows = lines_of(path)
    for row in rows:
        if row["key"] == key:
            row["choice"] = choice
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_person_settles_what_is_doubtful(doubtful, match, tmp_path, server):
    row = rows_of(tmp_path)[doubtful]
    assert (row["status"], row["cover"], row["chosen"]) == ("doubtful", None, None)
    (line,) = lines_of(tmp_path / "set" / "review.csv")
    assert line["key"] == doubtful and "https://open.spotify.com/album/" in line["candidate 1"]
    status, out, _ = match(*SPOTIFY, "--review", choose(tmp_path, doubtful, "1"))
    assert status == 0
    assert f"{doubtful}: matched, a person chose it" in out
    row = rows_of(tmp_path)[doubtful]
    assert (row["status"], row["chosen"], row["paired"]) == ("matched", 0, "exact")
    assert (tmp_path / "set" / row["cover"]).exists()
    assert not (tmp_path / "set" / "review.csv").exists()


def test_a_person_may_choose_none(doubtful, match, tmp_path):
    match(*SPOTIFY, "--review", choose(tmp_path, doubtful, "None"))
    row = rows_of(tmp_path)[doubtful]
    assert (row["status"], row["why"]) == ("unmatched", "a person chose none")


def test_choices_that_are_not_fed_back_yet_are_kept(doubtful, match, tmp_path):
    path = choose(tmp_path, doubtful, "1")
    match(*SPOTIFY)
    (line,) = lines_of(path)
    assert line["choice"] == "1"


@pytest.mark.parametrize(
    ("choice", "message"),
    [("yes", "choice must be the number of a candidate or none, got 'yes'"), ("5", r"has candidates 1\.\.1, got 5")],
)
def test_a_choice_that_is_none_is_refused(doubtful, match, tmp_path, choice, message):
    import re

    status, _, err = match(*SPOTIFY, "--review", choose(tmp_path, doubtful, choice))
    assert status == 1
    assert re.search(message, err), err


def test_a_review_of_another_data_set_is_refused(match, server, tmp_path):
    put(tmp_path / "other.csv", b"key,choice\nnobody.mid,1\n")
    status, _, err = match(*SPOTIFY, "--review", tmp_path / "other.csv")
    assert status == 1
    assert "'nobody.mid' is no file of this data set" in err


# Folders


def test_a_folder_gathers_what_lies_in_it_and_asks_nobody(match, midi, tmp_path, server):
    for song in SONGS[:5]:
        put(midi / song.artist / "cover.jpg", picture_of(song.album_id, 64))
    put(midi / SONGS[4].artist / "cover.jpg", b"no picture")
    status, out, _ = match("--source", "folder")
    assert status == 0
    assert out.splitlines()[-1].endswith("4 matched, 1 failed, 1 unmatched, of 6 MIDI files")
    row = rows_of(tmp_path)[SONGS[0].key]
    assert (row["terms"], row["licence"], row["cover_source"]) == ("own", "not told", f"{SONGS[0].artist}/cover.jpg")
    assert server.asked == []


def test_a_table_that_names_missing_files_is_used_and_they_are_told(match, midi, tmp_path):
    put(tmp_path / "x.jpg", picture_of("x", 64))
    put(tmp_path / "pairs.csv", f"midi,image\nmidi/{SONGS[0].key},x.jpg\nmidi/gone.mid,x.jpg\n".encode())
    status, out, err = match("--source", "folder", "--pairs", tmp_path / "pairs.csv")
    assert status == 0
    assert "pairs.csv: 1 of its MIDI files are not there, such as " in err and "gone.mid" in err
    assert out.splitlines()[-1].endswith("5 unmatched, 1 matched, of 6 MIDI files")


# Bad input


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--source", "spotify"), "forbid to train .* give --accept-spotify-terms"),
        ((*SPOTIFY, "--pairs", "pairs.csv"), "a table of pairs goes with --source folder, not spotify"),
        ((*SPOTIFY, "--size", "5"), r"size must be in 32\.\.4000 pixels, got 5"),
        ((*SPOTIFY, "--workers", "0"), r"workers must be in 1\.\.32, got 0"),
        ((*SPOTIFY, "--review", "nothing.csv"), "nothing.csv: no such file"),
    ],
)
def test_bad_arguments_are_one_line_and_leave_no_folder(match, server, tmp_path, more, message):
    import re

    status, _, err = match(*more)
    assert status == 1
    assert re.search(message, err), err
    assert err.count("\n") == 1
    assert not (tmp_path / "set").exists()


def test_no_credentials_are_one_line(match, server, monkeypatch):
    monkeypatch.delenv("SPOTIPY_CLIENT_ID")
    status, _, err = match(*SPOTIFY)
    assert status == 1
    assert "set SPOTIPY_CLIENT_ID and SPOTIPY_CLIENT_SECRET in the environment" in err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--source", "folder", "--source", "musicbrainz"), "one at a time"),
        (("--source", "folder,musicbrainz"), "invalid choice"),
    ],
)
def test_two_sources_at_once_are_refused(match, capsys, more, message):
    with pytest.raises(SystemExit):
        match(*more)
    assert message in capsys.readouterr().err


def test_an_empty_folder_is_refused(match, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, err = match("--source", "folder", folder=tmp_path / "empty")
    assert status == 1
    assert "empty: no MIDI files in it; looked for .mid and .midi" in err


def test_a_folder_with_another_data_set_is_refused(match, server):
    match(*SPOTIFY)
    status, _, err = match("--source", "folder")
    assert status == 1
    assert "holds a data set with source spotify, not folder; name a new folder" in err


def test_a_newer_data_set_is_refused(match, server, tmp_path):
    match(*SPOTIFY)
    path = tmp_path / "set" / "dataset.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 9'))
    status, _, err = match(*SPOTIFY)
    assert status == 1
    assert "version 9, but this imagemusic knows up to 1" in err


def test_without_the_extra_it_says_how_to_get_it(match, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagemusic.data.sources.musicbrainz", None)
    status, _, err = match()
    assert status == 1
    assert "pip install 'imagemusic[gather]'" in err


def test_midi_files_are_listed_in_order_and_others_left_out(tmp_path):
    for name in ("b.MID", "a/z.midi", "a/c.mid", "._a.mid", "a.txt"):
        put(tmp_path / name, b"")
    assert find_midi(tmp_path) == ["a/c.mid", "a/z.midi", "b.MID"]
    with pytest.raises(DataError, match="nowhere: no such folder"):
        find_midi(tmp_path / "nowhere")


def test_options_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="workers must be in"):
        GatherOptions(workers=99)


def test_what_is_made_once_is_made_once_and_the_latest_are_remembered():
    made = []

    def make(name):
        made.append(name)
        return name.upper()

    once = Once(2)
    assert [once.get(name, lambda name=name: make(name)) for name in "aabca"] == list("AABCA")
    assert made == ["a", "b", "c", "a"]


def test_a_pipe_is_not_waited_for(match, server, midi, tmp_path):
    os.mkfifo(midi / "Ann.mid")
    match(*SPOTIFY)
    assert rows_of(tmp_path)["Ann.mid"]["why"] == "not a regular file"


def test_a_small_picture_is_no_cover(tmp_path):
    with pytest.raises(DataError, match="here: 16 x 16 pixels, too small for a cover"):
        covers.store_cover(tmp_path, picture_of("x", 16), "here")


# One album


@pytest.fixture
def fetch(tmp_path, capsys):
    def run(*more):
        status = cli.main(["data", "album", *map(str, more), "--out", str(tmp_path / "album")])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("source", [SPOTIFY, ("--contact", "me@example.org")], ids=["spotify", "musicbrainz"])
def test_an_album_becomes_a_folder_to_compose_for(fetch, server, tmp_path, source):
    song = SONGS[0]
    status, out, _ = fetch(song.album, *source)
    assert status == 0
    folder = tmp_path / "album"
    assert out.split() == [str(folder / name) for name in ("cover.jpg", "tracks.csv", "album.json")]
    record = json.loads((folder / "album.json").read_text())
    assert (record["format"], record["album"], record["artist"]) == ("imagemusic album", song.album, song.artist)
    assert len(record["artworks"]) == 3 and record["cover"] == "cover.jpg"
    assert [track["title"] for track in record["tracks"]] == [song.title]
    assert [line["title"] for line in lines_of(folder / "tracks.csv")] == [song.title]
    cover = picture_of(song.album_id, 640) if source is SPOTIFY else picture_of(song.group, 500)
    assert (folder / "cover.jpg").read_bytes() == cover


def test_a_folder_with_another_album_is_refused(fetch, server):
    fetch(SONGS[0].album, *SPOTIFY)
    assert fetch(SONGS[0].album, *SPOTIFY)[0] == 0
    status, _, err = fetch(SONGS[1].album, *SPOTIFY)
    assert status == 1
    assert "holds another album; name a new folder" in err
