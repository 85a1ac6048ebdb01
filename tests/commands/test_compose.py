"""The commands on a whole, if untrained, model."""

import json
import sys

import pytest
from PIL import Image

from imagemusic.audio.synthesis import has_sound
from imagemusic.commands import cli
from imagemusic.music.midi import load_midi

needs_sound = pytest.mark.skipif(not has_sound(), reason="no synthesizer is installed")


@pytest.fixture
def compose(tiny_checkpoint, tmp_path):
    """Run `imagemusic compose` for eight seconds of MIDI; return its status and the names of the files."""

    def run(*arguments, formats="mid"):
        out = tmp_path / "out"
        settings = ["--out", str(out), "--checkpoint", str(tiny_checkpoint), "--seconds", "8", "--format", formats]
        status = cli.main(["compose", *map(str, arguments), *settings])
        return status, sorted(path.name for path in out.iterdir())

    return run


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "sea.png"
    Image.new("RGB", (20, 30), "navy").save(path)
    return path


def test_a_picture_becomes_midi_and_a_record(compose, picture, tmp_path, capsys):
    assert compose(picture) == (0, ["sea.json", "sea.mid"])
    score = load_midi(tmp_path / "out" / "sea.mid")
    assert score.note_count > 0
    assert score.seconds == pytest.approx(8, abs=1)
    assert capsys.readouterr().out == f"{picture} -> {tmp_path}/out/sea.mid {tmp_path}/out/sea.json\n"


@needs_sound
def test_every_format_that_was_asked_for_is_written(compose, picture):
    assert compose(picture, formats="wav,flac") == (0, ["sea.flac", "sea.json", "sea.wav"])


def test_variations_are_numbered_and_differ(compose, picture, tmp_path):
    status, names = compose(picture, "--variations", 3)
    assert (status, names[::2]) == (0, ["sea-2.json", "sea-3.json", "sea.json"])
    assert len({(tmp_path / "out" / name).read_bytes() for name in names[1::2]}) == 3


def test_options_reach_the_piece(compose, picture, tmp_path):
    compose(picture, "--seed", 7, "--guidance", 2, "--tempo", 90, "--size", 64)
    options = json.loads((tmp_path / "out" / "sea.json").read_text())["options"]
    assert [options[name] for name in ("seed", "guidance_scale", "tempo_bpm", "size")] == [7, 2, 90, 64]


def test_dials_and_the_ensemble_reach_the_piece(compose, picture, tmp_path):
    compose(picture, "--dial", "arousal=0.8", "--dial", "mode=-1", "--ensemble", "piano")
    record = json.loads((tmp_path / "out" / "sea.json").read_text())
    set_by_hand = {name: dial["value"] for name, dial in record["dials"].items() if dial["source"] == "you"}
    assert set_by_hand == {"arousal": 0.8, "mode": -1.0}
    assert record["ensemble"] == {"name": "piano", "source": "you"}


def test_what_is_asked_for_exactly_is_kept(compose, picture, tmp_path):
    compose(picture, "--key", "D dorian", "--meter", "3/4", "--instruments", "piano,cello", "--range", "C3-C6",
            "--polyphony", 2)  # fmt: skip
    score = load_midi(tmp_path / "out" / "sea.mid")
    assert [(meter.numerator, meter.denominator) for meter in score.meters] == [(3, 4)]
    assert sorted(track.program for track in score.tracks) == [0, 42]
    options = json.loads((tmp_path / "out" / "sea.json").read_text())["options"]
    assert [options[name] for name in ("key", "pitch_range", "polyphony")] == ["D dorian", "C3-C6", 2]


def test_in_a_batch_the_others_still_finish_and_the_summary_names_what_failed(compose, picture, tmp_path, capsys):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    status, names = compose(broken, picture, tmp_path / "missing.png")
    assert (status, names) == (1, ["sea.json", "sea.mid"])
    errors = capsys.readouterr().err.splitlines()
    assert errors[0].startswith(f"imagemusic: error: {broken}: not a picture")
    assert errors[1] == f"imagemusic: error: {tmp_path}/missing.png: no such file"
    assert errors[2] == f"imagemusic: 1 of 3 pictures composed; failed: {broken}, {tmp_path}/missing.png"
    assert len(errors) == 3


def test_one_picture_that_fails_is_one_line(compose, tmp_path, capsys):
    assert compose(tmp_path / "missing.png") == (1, [])
    assert capsys.readouterr().err == f"imagemusic: error: {tmp_path}/missing.png: no such file\n"


def test_a_record_replays_to_the_same_bytes(compose, picture, tiny_checkpoint, tmp_path, capsys):
    compose(picture)
    record = tmp_path / "out" / "sea.json"
    assert cli.main(["replay", str(record), "--checkpoint", str(tiny_checkpoint)]) == 0
    assert "the same MIDI bytes" in capsys.readouterr().out
    assert record.with_name("sea-replay.mid").read_bytes() == record.with_suffix(".mid").read_bytes()


def test_a_record_from_elsewhere_gives_its_own_notes_and_says_what_differs(
    compose, picture, tiny_checkpoint, tmp_path, capsys
):
    compose(picture)
    record = tmp_path / "out" / "sea.json"
    table = json.loads(record.read_text())
    table["backend"], table["score"]["tracks"][0]["notes"][0][1] = "an older backend", 99
    record.write_text(json.dumps(table))
    again = tmp_path / "again"
    assert cli.main(["replay", str(record), "--checkpoint", str(tiny_checkpoint), "--out", str(again)]) == 1
    assert "backend was an older backend, is onnxruntime" in capsys.readouterr().out
    assert 99 in load_midi(again / "sea-replay.mid").tracks[0].notes[:, 1]


def test_a_record_is_replayed_by_the_backend_that_it_names(compose, picture, tiny_checkpoint, tmp_path, capsys):
    compose(picture, "--backend", "onnx")
    record = tmp_path / "out" / "sea.json"
    table = json.loads(record.read_text())
    assert table["backend"].endswith("fp32")
    table["score"]["tracks"][0]["notes"][0][1] = 99  # only what differs is listed
    record.write_text(json.dumps(table))
    assert cli.main(["replay", str(record), "--checkpoint", str(tiny_checkpoint)]) == 1
    captured = capsys.readouterr()
    assert "composed again" in captured.out and "backend was" not in captured.out
    assert captured.err == ""


def test_a_backend_that_is_not_installed_is_one_line_and_the_default(
    compose, picture, tiny_checkpoint, tmp_path, capsys, monkeypatch
):
    compose(picture)
    record = tmp_path / "out" / "sea.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"backend": "torch 2.0 fp32"}))
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.main(["replay", str(record), "--checkpoint", str(tiny_checkpoint)]) == 0
    error = capsys.readouterr().err
    assert error.startswith(f"imagemusic: {record}: composing with int8, as torch 2.0 fp32 does not run here (")
    assert "needs torch" in error and error.count("\n") == 1


def test_a_checkpoint_tells_what_it_is(tiny_checkpoint, capsys):
    assert cli.main(["info", str(tiny_checkpoint)]) == 0
    assert "encoder:\n  name: mean colour\n" in capsys.readouterr().out


def test_a_folder_without_a_model_is_no_checkpoint(tmp_path, capsys):
    assert cli.main(["info", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"imagemusic: error: {tmp_path}: not a checkpoint")


def test_a_file_of_the_user_s_in_the_folder_is_left_alone_and_the_record_is_not_written(
    compose, picture, tmp_path, capsys
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sea.mid").write_bytes(b"my own song")
    assert compose(picture) == (1, ["sea.mid"])
    assert "sea.mid: is there already and was not made by imagemusic; --overwrite" in capsys.readouterr().err
    assert compose(picture, "--overwrite") == (0, ["sea.json", "sea.mid"])
    assert compose(picture, "--seed", 9) == (0, ["sea.json", "sea.mid"])  # its own are replaced
