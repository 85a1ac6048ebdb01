import hashlib
import os

import pytest
from PIL import Image

from imagemusic.audio.synthesis import has_sound
from imagemusic.commands import cli
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Note, Score, Tempo, Track
from tests.midi_bytes import control, midi, scale, track

needs_sound = pytest.mark.skipif(not has_sound(), reason="no synthesizer is installed")


@pytest.fixture
def tune(tmp_path):
    path = tmp_path / "tune.mid"
    save_midi(Score([Track([Note(0, 60, 24), Note(24, 64, 24), Note(48, 67, 48)])]), path)
    return path


def contents(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@needs_sound
def test_render_writes_the_sound_and_a_piano_roll(tune, tmp_path, capsys):
    assert cli.main(["render", str(tune), "--out", str(tmp_path / "new"), "--format", "wav,flac"]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["tune.flac", "tune.png", "tune.wav"]
    assert capsys.readouterr().out.split() == [str(tmp_path / "new" / f"tune.{end}") for end in ("png", "wav", "flac")]


@needs_sound
@pytest.mark.parametrize("suffix", ["png", "wav", "mp3", "flac", "ogg"])
def test_a_file_of_the_user_s_beside_the_midi_file_is_left_alone(tune, tmp_path, suffix, capsys):
    mine = tmp_path / f"tune.{suffix}"
    if suffix == "png":
        Image.new("RGB", (64, 64), "red").save(mine)
    else:
        mine.write_bytes(b"a recording")
    before = contents(tmp_path)
    command = ["render", str(tune), "--format", "wav" if suffix == "png" else suffix]
    assert cli.main(command) == 1
    assert capsys.readouterr().err == (
        f"imagemusic: error: {mine}: is there already and was not made by imagemusic; --overwrite replaces it\n"
    )
    assert contents(tmp_path) == before
    assert cli.main([*command, "--overwrite"]) == 0
    assert contents(tmp_path)[mine.name] != before[mine.name]


@needs_sound
def test_what_it_wrote_before_is_replaced(tune, tmp_path):
    command = ["render", str(tune), "--format", "wav,mp3,flac,ogg"]
    assert cli.main(command) == 0
    save_midi(Score([Track([Note(0, 72, 48)])]), tune)
    before = contents(tmp_path)
    assert cli.main(command) == 0
    after = contents(tmp_path)
    assert [name for name in before if before[name] == after[name]] == ["tune.mid"]


def test_render_that_fails_leaves_nothing(tmp_path, capsys):
    save_midi(Score([]), tmp_path / "silence.mid")
    assert cli.main(["render", str(tmp_path / "silence.mid")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["silence.mid"]


def test_render_says_what_is_wrong_with_a_file(tmp_path, capsys):
    (tmp_path / "no.mid").write_bytes(b"not midi")
    assert cli.main(["render", str(tmp_path / "no.mid")]) == 1
    assert "not a MIDI file" in capsys.readouterr().err


@needs_sound
def test_render_says_once_what_it_does_not_follow_or_could_not_read(tmp_path, capsys):
    path = tmp_path / "a.mid"
    path.write_bytes(midi(track((0, control(1, 9)), (0, control(1, 10)), *scale(2)))[:-1])
    assert cli.main(["render", str(path)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"imagemusic: {path}: the file is cut off or a length in it is wrong: read up to its last byte",
        f"imagemusic: {path}: a track is cut off: read up to there",
        f"imagemusic: {path}: not followed: modulation",
    ]


def test_what_has_no_notes_is_named(tmp_path, capsys):
    (tmp_path / "silence.mid").write_bytes(midi(track()))
    assert cli.main(["render", str(tmp_path / "silence.mid")]) == 1
    assert capsys.readouterr().err == f"imagemusic: error: {tmp_path / 'silence.mid'}: no notes to play\n"


def test_what_is_too_long_is_refused_before_its_roll_is_drawn(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("imagemusic.export.formats.draw_piano_roll", lambda score: pytest.fail("it is drawn"))
    save_midi(Score([Track([Note(0, 60, 24 * 3700)])], [Tempo(0, 60)]), tmp_path / "a.mid")
    assert cli.main(["render", str(tmp_path / "a.mid")]) == 1
    assert "lasts 3700 seconds; at most 3600 can be played" in capsys.readouterr().err


def test_a_pipe_is_refused(tmp_path, capsys):
    os.mkfifo(tmp_path / "a.mid")
    assert cli.main(["render", str(tmp_path / "a.mid")]) == 1
    assert "not a regular file" in capsys.readouterr().err
