"""What a person decides and gets wrong: reviews, folders, bad input, and one album, through the command line."""

import csv
import json
import re
import sys

import pytest

from imagemusic.commands import cli
from tests.datasets import SONGS, SPOTIFY, lines_of, put, rows_of
from tests.songs import Song, midi_of, picture_of
from tests.tagged_audio import flac, mp3, ogg

# What a person decides


@pytest.fixture
def doubtful(match, midi, catalogues, monkeypatch):
    """Gather a file whose song is there in another recording only."""
    catalogues.songs.append(Song("Cat Duo", "Hello World (Live)", "On Stage", seconds=200))
    put(midi / "Cat Duo" / "Hello World.mid", midi_of(200))
    catalogues.troubles.clear()
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


def test_a_person_resolves_what_is_doubtful(doubtful, match, tmp_path, catalogues):
    row = rows_of(tmp_path / "set")[doubtful]
    assert (row["status"], row["cover"], row["chosen"]) == ("doubtful", None, None)
    (line,) = lines_of(tmp_path / "set" / "review.csv")
    assert line["key"] == doubtful and "https://open.spotify.com/album/" in line["candidate 1"]
    status, out, _ = match(*SPOTIFY, "--review", choose(tmp_path, doubtful, "1"))
    assert status == 0
    assert f"{doubtful}: matched, a person chose it" in out
    row = rows_of(tmp_path / "set")[doubtful]
    assert (row["status"], row["chosen"], row["paired"]) == ("matched", 0, "exact")
    assert (tmp_path / "set" / row["cover"]).exists()
    assert not (tmp_path / "set" / "review.csv").exists()


def test_a_person_may_choose_none(doubtful, match, tmp_path):
    match(*SPOTIFY, "--review", choose(tmp_path, doubtful, "None"))
    row = rows_of(tmp_path / "set")[doubtful]
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
    status, _, err = match(*SPOTIFY, "--review", choose(tmp_path, doubtful, choice))
    assert status == 1
    assert re.search(message, err), err


def test_a_review_of_another_data_set_is_refused(match, catalogues, tmp_path):
    put(tmp_path / "other.csv", b"key,choice\nnobody.mid,1\n")
    status, _, err = match(*SPOTIFY, "--review", tmp_path / "other.csv")
    assert status == 1
    assert "'nobody.mid' is no file of this data set" in err


# Folders


def test_a_folder_gathers_what_lies_in_it_without_a_request(match, midi, tmp_path, catalogues):
    for song in SONGS[:5]:
        put(midi / song.artist / "cover.jpg", picture_of(song.album_id, 64))
    put(midi / SONGS[4].artist / "cover.jpg", b"no picture")
    status, out, _ = match("--source", "folder")
    assert status == 0
    assert out.splitlines()[-1].endswith("4 matched, 1 failed, 1 unmatched, of 6 MIDI files")
    row = rows_of(tmp_path / "set")[SONGS[0].key]
    assert (row["terms"], row["licence"], row["cover_source"]) == ("own", "not stated", f"{SONGS[0].artist}/cover.jpg")
    assert catalogues.asked == []


@pytest.mark.parametrize("bad", [b"", b"<!DOCTYPE html><html></html>", picture_of("tiny", 8)])
def test_the_next_nearest_cover_is_taken_when_one_is_no_picture(match, midi, tmp_path, bad):
    for song in SONGS:
        put(midi / song.artist / "cover.jpg", bad)
        put(midi / song.artist / "folder.jpg", picture_of(song.album_id, 64))
    status, out, _ = match("--source", "folder")
    assert status == 0
    assert out.splitlines()[-1].endswith("6 matched, of 6 MIDI files")
    assert {row["cover_source"].split("/")[-1] for row in rows_of(tmp_path / "set").values()} == {"folder.jpg"}


def test_tags_without_a_usable_picture_hide_no_cover(match, midi, tmp_path):
    pytest.importorskip("mutagen")
    files = (mp3((3, b"")), flac(title="x"), ogg(title="x"), b"no audio", mp3(), mp3())
    for song, data in zip(SONGS, files, strict=True):
        path = midi / song.key
        put(path.with_suffix(".ogg" if data[:4] == b"OggS" else ".flac" if data[:4] == b"fLaC" else ".mp3"), data)
        if song is not SONGS[5]:
            put(path.parent / "cover.jpg", picture_of(song.album_id, 64))
    assert match("--source", "folder")[1].splitlines()[-1].endswith("5 matched, 1 unmatched, of 6 MIDI files")


def test_pictures_that_may_be_anything_are_named_and_leave_a_file_unmatched(match, midi, tmp_path):
    song = SONGS[0]
    for name in ("x.jpg", "y.jpg"):
        put(midi / song.artist / name, picture_of(name, 64))
    assert match("--source", "folder")[0] == 0
    row = rows_of(tmp_path / "set")[song.key]
    assert (row["status"], row["cover"]) == ("unmatched", None)
    assert "(x.jpg, y.jpg) name one cover.jpg" in row["why"]


def test_a_table_that_names_missing_files_is_used_and_they_are_reported(match, midi, tmp_path):
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
def test_bad_arguments_are_one_line_and_leave_no_folder(match, catalogues, tmp_path, more, message):
    status, _, err = match(*more)
    assert status == 1
    assert re.search(message, err), err
    assert err.count("\n") == 1
    assert not (tmp_path / "set").exists()


def test_no_credentials_are_one_line(match, catalogues, monkeypatch):
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
    assert "empty: no MIDI files in it; looked for .mid, .midi, .kar, .rmi" in err


def test_a_folder_with_another_data_set_is_refused(match, catalogues):
    match(*SPOTIFY)
    status, _, err = match("--source", "folder")
    assert status == 1
    assert "holds a data set with source spotify, not folder; name a new folder" in err


def test_a_newer_data_set_is_refused(match, catalogues, tmp_path):
    match(*SPOTIFY)
    path = tmp_path / "set" / "dataset.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 9'))
    status, _, err = match(*SPOTIFY)
    assert status == 1
    assert "version 9, but this imagemusic reads up to 1" in err


def test_without_the_extra_it_says_how_to_get_it(match, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagemusic.data.gather.musicbrainz", None)
    status, _, err = match()
    assert status == 1
    assert "pip install 'imagemusic[gather]'" in err


# One album


@pytest.fixture
def fetch(tmp_path, capsys):
    def run(*more):
        status = cli.main(["data", "album", *map(str, more), "--out", str(tmp_path / "album")])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("source", [SPOTIFY, ("--contact", "me@example.org")], ids=["spotify", "musicbrainz"])
def test_an_album_becomes_a_folder_to_compose_for(fetch, catalogues, tmp_path, source):
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


def test_a_folder_with_another_album_is_refused(fetch, catalogues):
    fetch(SONGS[0].album, *SPOTIFY)
    assert fetch(SONGS[0].album, *SPOTIFY)[0] == 0
    status, _, err = fetch(SONGS[1].album, *SPOTIFY)
    assert status == 1
    assert "holds another album; name a new folder" in err


def test_where_every_file_failed_the_status_is_one(match, tmp_path):
    folder = tmp_path / "broken"
    put(folder / "A" / "One.mid", b"no midi")
    put(folder / "A" / "Two.mid", b"")
    status, out, _ = match("--source", "folder", folder=folder)
    assert (status, "2 corrupt, of 2 MIDI files" in out) == (1, True)
    assert match("--source", "folder", folder=folder)[0] == 1  # also when nothing is left to do
    put(folder / "A" / "Three.mid", midi_of(200))
    assert match("--source", "folder", folder=folder)[0] == 0


def test_a_cover_of_the_user_s_is_not_replaced_by_one_of_an_album(fetch, catalogues, tmp_path):
    put(tmp_path / "album" / "cover.jpg", b"my own")
    status, _, err = fetch(SONGS[0].album, *SPOTIFY)
    assert status == 1 and "cover.jpg: is there already and was not made by imagemusic" in err
    assert [path.name for path in (tmp_path / "album").iterdir()] == ["cover.jpg"]
    assert fetch(SONGS[0].album, *SPOTIFY, "--overwrite")[0] == 0
