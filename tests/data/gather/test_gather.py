"""From MIDI files to a journal and covers, through the command line and over loopback."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rapidfuzz")

from imagemusic.data.gather import gather, journal
from imagemusic.data.gather.gather import GatherOptions, find_midi
from imagemusic.errors import ConfigError, DataError
from tests.datasets import SONGS, SPOTIFY, put, rows_of, searches
from tests.songs import midi_of, picture_of

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("source", [SPOTIFY, ("--contact", "me@example.org")], ids=["spotify", "musicbrainz"])
def test_every_file_is_matched_with_the_cover_of_its_album(match, catalogues, tmp_path, source):
    status, out, _ = match(*source)
    assert status == 0
    assert out.splitlines()[-1] == f"{tmp_path / 'set'}: 6 matched, of 6 MIDI files"
    rows = rows_of(tmp_path / "set")
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


def test_of_spotify_only_ids_are_stored(match, catalogues, tmp_path):
    match(*SPOTIFY)
    for text in ("1999-12-31", "Album", "/image/"):
        assert text not in (tmp_path / "set" / "journal.jsonl").read_text()
    assert json.loads((tmp_path / "set" / "dataset.json").read_text())["terms"] == "spotify"


def test_a_second_run_asks_nothing_and_a_third_asks_for_what_is_new(match, catalogues, midi, tmp_path):
    match(*SPOTIFY)
    before = (tmp_path / "set" / "journal.jsonl").read_bytes()
    catalogues.asked.clear()
    assert match(*SPOTIFY)[0] == 0
    assert catalogues.asked == []
    put(midi / SONGS[0].artist / f"{SONGS[0].title}.1.mid", midi_of(5))
    match(*SPOTIFY)
    assert (tmp_path / "set" / "journal.jsonl").read_bytes().startswith(before)
    assert len(searches(catalogues)) == 1
    assert not [path for _, path, _ in catalogues.asked if path.startswith("/image")]  # its album's cover is there


def test_copies_of_a_piece_are_asked_for_once(match, catalogues, midi):
    for copy in (1, 2, 3):
        put(midi / SONGS[0].artist / f"{SONGS[0].title}.{copy}.mid", midi_of(3 + copy))
    match(*SPOTIFY, "--workers", "4")
    assert len(searches(catalogues)) == len(SONGS)
    assert len([path for _, path, _ in catalogues.asked if path.startswith("/image")]) == len(SONGS)


def test_several_workers_write_the_same_journal(match, catalogues, tmp_path):
    match(*SPOTIFY, out="one")
    match(*SPOTIFY, "--workers", "4", out="four")
    assert (tmp_path / "one/journal.jsonl").read_bytes() == (tmp_path / "four/journal.jsonl").read_bytes()


def test_corrupt_files_are_named_and_counted_and_not_searched_for(match, catalogues, midi, tmp_path):
    put(midi / "Ann" / "Broken.mid", b"MThd and no more")
    put(midi / "Ann" / "Empty.mid", b"")
    put(midi / "Ann" / "Silent.mid", midi_of(0))
    status, out, _ = match(*SPOTIFY)
    assert status == 0
    assert "Ann/Broken.mid: corrupt, damaged MIDI file" in out
    assert "Ann/Silent.mid: corrupt, no notes in it" in out
    assert out.splitlines()[-1].endswith("6 matched, 3 corrupt, of 9 MIDI files")
    assert len(searches(catalogues)) == len(SONGS)


def test_a_name_without_an_artist_is_not_asked_for(match, catalogues, midi, tmp_path):
    put(midi / "tune.mid", midi_of())
    match(*SPOTIFY)
    row = rows_of(tmp_path / "set")["tune.mid"]
    assert (row["status"], row["why"]) == ("unmatched", "its name has no artist; name files Artist/Title.mid")
    assert len(searches(catalogues)) == len(SONGS)


def test_what_the_catalogue_does_not_know_is_unmatched(match, catalogues, midi, tmp_path):
    put(midi / "Nobody" / "Nothing.mid", midi_of())
    match(*SPOTIFY)
    row = rows_of(tmp_path / "set")["Nobody/Nothing.mid"]
    assert (row["status"], row["why"], row["cover"]) == ("unmatched", "the catalogue has nothing like it", None)


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
def test_a_cover_that_is_no_picture_is_reported_and_the_rest_goes_on(match, catalogues, tmp_path, trouble, status, why):
    catalogues.troubles["/image"] = [trouble]
    assert match(*SPOTIFY)[0] == 0
    rows = list(rows_of(tmp_path / "set").values())
    assert rows[0]["status"] == status and re.search(why, rows[0]["why"]), rows[0]["why"]
    assert {row["status"] for row in rows[1:]} == {"matched"}
    kept = [path for path in (tmp_path / "set" / "covers").rglob("*") if path.is_file()]
    assert len(kept) == len(SONGS) - 1


def test_what_failed_is_asked_again_when_that_is_wanted(match, catalogues, tmp_path):
    catalogues.troubles["/v1/search"] = ["503", "503"]
    status, out, _ = match(*SPOTIFY)
    assert status == 0
    assert "failed, " in out and "gave up after 2 attempts (HTTP 503)" in out
    catalogues.asked.clear()
    match(*SPOTIFY)
    assert catalogues.asked == []
    assert match(*SPOTIFY, "--retry-failed")[1].splitlines()[-1].endswith("6 matched, of 6 MIDI files")
    assert len(searches(catalogues)) == 1


def test_a_server_that_is_down_ends_the_run(match, catalogues, monkeypatch):
    monkeypatch.setattr(gather, "MOST_FAILURES", 3)
    catalogues.troubles["/v1/search"] = ["503"] * 99
    status, out, err = match(*SPOTIFY)
    assert status == 1
    assert "3 files failed one after another" in err and "--retry-failed" in err
    assert out.splitlines()[-1].endswith("3 failed, of 6 MIDI files")


@pytest.mark.parametrize("trouble", ["quota", "429 80000"])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_quota_stops_cleanly_and_the_same_command_goes_on(match, catalogues, tmp_path, trouble, workers):
    catalogues.troubles["/image"] = ["", "", trouble]
    status, out, err = match(*SPOTIFY, "--workers", workers)
    assert status == 1
    assert err.splitlines()[-1].startswith("imagemusic: error: ") and "give the same command again" in err
    done = len(rows_of(tmp_path / "set"))
    assert 2 <= done < 6
    assert out.splitlines()[-1].endswith(f"{done} matched, of 6 MIDI files")
    assert match(*SPOTIFY)[0] == 0
    assert [row["status"] for row in rows_of(tmp_path / "set").values()] == ["matched"] * 6


def test_wrong_credentials_stop_before_anything_is_written_about_a_file(match, catalogues, monkeypatch, tmp_path):
    monkeypatch.setenv("SPOTIPY_CLIENT_SECRET", "wrong")
    status, _, err = match(*SPOTIFY)
    assert status == 1
    assert "the credentials are refused (invalid_client); check SPOTIPY_CLIENT_ID" in err
    assert rows_of(tmp_path / "set") == {}


def test_a_wait_is_reported_in_a_line(match, catalogues):
    catalogues.troubles["/v1/search"] = ["429 0.01"]
    assert "spotify: HTTP 429, waiting 0 s" in match(*SPOTIFY)[2]


@pytest.mark.parametrize("full", ["cover", "journal"])
def test_a_full_disk_stops_cleanly(match, catalogues, tmp_path, monkeypatch, full):
    real, calls = os.fsync, []

    def fsync(file):
        calls.append(file)
        if len(calls) > 6 and os.readlink(f"/proc/self/fd/{file}").endswith(".part") == (full == "cover"):
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(journal.os, "fsync", fsync)
    status, _, err = match(*SPOTIFY)
    assert status == 1
    assert "cannot be written (No space left on device); what was found is kept" in err
    monkeypatch.setattr(journal.os, "fsync", real)
    done = rows_of(tmp_path / "set")
    assert 0 < len(done) < 6
    assert not list((tmp_path / "set").rglob("*.part"))
    assert match(*SPOTIFY)[0] == 0
    assert len(rows_of(tmp_path / "set")) == 6


def test_what_a_killed_process_left_of_a_cover_is_swept_away(match, catalogues, tmp_path):
    match(*SPOTIFY)
    left = put(tmp_path / "set" / "covers" / "ab" / ".abc.jpg.7.part", b"half")
    match(*SPOTIFY)
    assert not left.exists()


def test_killed_at_random_points_nothing_is_lost_or_doubled(tmp_path):
    command = [sys.executable, "-m", "imagemusic", "study", "run", "gathering", "--kills", "3", "--killed-files", "15"]
    command += ["--files", "0", "--paced-files", "0", "--out", tmp_path / "figures.json"]
    environment = os.environ | {"PYTHONPATH": ".", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {name: figures[name] for name in ("kills", "lost", "doubled", "same_bytes", "covers_left_over")} == {
        "kills": 3, "lost": 0, "doubled": 0, "same_bytes": True, "covers_left_over": 0
    }  # fmt: skip


def test_midi_files_are_listed_in_order_and_others_left_out(tmp_path):
    for name in ("b.MID", "a/z.midi", "a/c.mid", "._a.mid", "a.txt"):
        put(tmp_path / name, b"")
    put(tmp_path / "k.kar")
    assert find_midi(tmp_path) == ["a/c.mid", "a/z.midi", "b.MID", "k.kar"]
    with pytest.raises(DataError, match="nowhere: no such folder"):
        find_midi(tmp_path / "nowhere")


def test_options_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="workers must be in"):
        GatherOptions(workers=99)


def test_a_pipe_is_not_waited_for(match, catalogues, midi, tmp_path):
    os.mkfifo(midi / "Ann.mid")
    match(*SPOTIFY)
    assert rows_of(tmp_path / "set")["Ann.mid"]["why"] == "not a regular file"
