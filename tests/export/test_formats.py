import json
from io import BytesIO

import pytest
from PIL import Image

from imagemusic.audio.synthesis import has_sound
from imagemusic.audio.waveform import AUDIO_FORMATS
from imagemusic.errors import ConfigError, OutputError, SynthesisError
from imagemusic.export import source as source_module
from imagemusic.export.formats import EXPORTERS, ExportOptions, export, save
from imagemusic.export.source import ExportSource
from imagemusic.files import is_ours, sha256
from imagemusic.music.midi import load_midi, midi_bytes
from imagemusic.music.score import Note, Score, Track

SCORE = Score([Track([Note(0, 60, 24), Note(24, 64, 24)])])
needs_sound = pytest.mark.skipif(not has_sound(), reason="no synthesizer is installed")


def source(record=None):
    return ExportSource(score=SCORE, record=record)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_midi_is_the_bytes_of_the_score():
    assert EXPORTERS["mid"](source()) == midi_bytes(SCORE)


def test_the_piano_roll_is_a_png():
    with Image.open(BytesIO(EXPORTERS["png"](source()))) as image:
        assert image.format == "PNG" and image.width >= 800


def test_a_record_is_json_and_a_score_alone_has_none():
    assert json.loads(EXPORTERS["json"](source({"record_version": 1}))) == {"record_version": 1}
    with pytest.raises(ConfigError, match="only a piece that imagemusic composed has a record"):
        EXPORTERS["json"](source())


@needs_sound
def test_every_kind_of_sound_is_made_from_one_synthesis(monkeypatch):
    calls = []

    def render_once(score, **options):
        calls.append(score)
        return render(score, **options)

    render = source_module.render
    monkeypatch.setattr(source_module, "render", render_once)
    one = source()
    assert all(len(EXPORTERS[kind](one)) > 1000 for kind in AUDIO_FORMATS)
    assert calls == [SCORE]


@needs_sound
@pytest.mark.parametrize("kind", [kind for kind in EXPORTERS if kind not in ("mid", "json")])
def test_a_file_of_ours_carries_a_mark(kind, tmp_path):
    save(source(), tmp_path / f"a.{kind}")
    assert is_ours(tmp_path / f"a.{kind}")


def test_saving_takes_the_format_from_the_suffix_and_replaces_what_is_there(tmp_path):
    (tmp_path / "a.MID").write_text("old")
    save(source(), tmp_path / "a.MID")
    assert load_midi(tmp_path / "a.MID") == SCORE
    with pytest.raises(ConfigError, match=r"a\.aiff: unknown format 'aiff'; choose from mid, wav, mp3"):
        save(source(), tmp_path / "a.aiff")


def test_the_record_names_the_other_files(tmp_path):
    record = {"record_version": 1}
    paths = export(source(record), tmp_path / "a.b", ExportOptions(formats=("mid", "png")))
    assert [path.name for path in paths] == ["a.b.mid", "a.b.png", "a.b.json"]
    written = json.loads(paths[-1].read_text())
    assert written == record | {"files": {path.name: sha256(path.read_bytes()) for path in paths[:2]}}
    assert all(is_ours(path) for path in paths)


def test_own_files_are_replaced_and_the_user_s_are_not(tmp_path):
    options = ExportOptions(formats=("mid", "png"))
    export(source({"record_version": 1}), tmp_path / "song", options)
    other = ExportSource(score=Score([Track([Note(0, 61, 24)])]), record={"record_version": 1})
    export(other, tmp_path / "song", options)
    assert load_midi(tmp_path / "song.mid") == other.score
    (tmp_path / "song.mid").write_bytes(b"edited")
    with pytest.raises(OutputError, match=r"song\.mid: is there already and was not made by imagemusic"):
        export(other, tmp_path / "song", options)
    export(other, tmp_path / "song", ExportOptions(formats=("mid",), overwrite=True))
    assert load_midi(tmp_path / "song.mid") == other.score


def test_where_one_file_is_impossible_none_is_written(tmp_path):
    with pytest.raises(SynthesisError, match="no notes to play"):
        export(ExportSource(score=Score([])), tmp_path / "a", ExportOptions(formats=("mid", "wav")))
    assert names(tmp_path) == []


def test_unknown_formats_and_synthesizers_are_refused():
    with pytest.raises(ConfigError, match="format: unknown format 'aiff'; choose from mid, wav, mp3"):
        ExportOptions(formats=("aiff",))
    with pytest.raises(ConfigError, match="unknown synthesizer 'harp'"):
        ExportOptions(synth="harp")
