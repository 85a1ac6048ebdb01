import json

import numpy as np
import pytest

from imagemusic.checkpoint import open_checkpoint
from imagemusic.compose.composition import (
    ComposeOptions,
    Composition,
    Dial,
    ImageFeatures,
    engine_choice,
    load_record,
    parse_dials,
)
from imagemusic.errors import ConfigError, DataError, OutputError
from imagemusic.generation.backends import BACKENDS
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track


@pytest.fixture
def composition():
    tracks = [Track([Note(0, 60, 24), Note(24, 64, 24)], 73, name="flute"), Track([Note(0, 36, 6)], is_drum=True)]
    rng = np.random.default_rng(0)
    return Composition(
        score=Score(tracks, [Tempo(0, 97.3)], [Meter(0, 3, 4)], [Key(0, -1, minor=True)]),
        dials={"valence": Dial(0.25, "picture"), "tempo": Dial(-1.0, "you"), "ensemble": Dial("piano", "implied")},
        options=ComposeOptions(seconds=12, seed=3, tempo_bpm=97.3),
        picture=ImageFeatures("ab" * 32, *(rng.normal(size=n).astype(np.float32) for n in (4, 3, 3))),
        checkpoint_id="0123456789ab",
        engine="onnxruntime 1 fp32",
        versions={"numpy": "2"},
        compose_seconds=0.25,
    )


@pytest.fixture
def record(composition, tmp_path):
    composition.save_record(tmp_path / "x.json")
    return tmp_path / "x.json"


def test_a_record_comes_back_whole(composition, record):
    found = load_record(record)
    assert found.score == composition.score
    assert (found.options, found.dials, found.versions) == (
        composition.options, composition.dials, composition.versions,
    )  # fmt: skip
    assert (found.checkpoint_id, found.engine, found.picture_hash) == ("0123456789ab", composition.engine, "ab" * 32)
    np.testing.assert_array_equal(found.picture.embedding, composition.picture.embedding)
    assert found.record() == composition.record()


def test_a_record_is_plain_json_that_names_its_units(record):
    table = json.loads(record.read_text(encoding="utf-8"))
    assert table["score"]["note_columns"] == ["onset_ticks", "pitch", "duration_ticks", "velocity"]
    assert table["score"]["tracks"][0]["notes"] == [[0, 60, 24, 80], [24, 64, 24, 80]]
    assert table["options"]["seconds"] == 12


def test_nothing_is_left_beside_a_record(record):
    assert [path.name for path in record.parent.iterdir()] == ["x.json"]


def test_a_record_from_before_keys_were_kept_has_none(record):
    table = json.loads(record.read_text())
    del table["score"]["keys"]
    record.write_text(json.dumps(table))
    assert load_record(record).score.keys == ()


def test_an_option_of_a_later_version_is_passed_over(record):
    table = json.loads(record.read_text())
    table["options"]["rubato"] = 0.5
    record.write_text(json.dumps(table))
    assert load_record(record).options.seconds == 12


def test_a_record_that_cannot_be_written_says_where(composition, tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/x\.json: cannot be written \(No such file or directory\)"):
        composition.save_record(tmp_path / "nowhere" / "x.json")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "3"])
def test_what_is_not_a_record_is_refused(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=r"x\.json: not a composition record"):
        load_record(tmp_path / "x.json")


def test_a_record_that_is_missing_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"x\.json: no such record"):
        load_record(tmp_path / "x.json")


def test_another_record_version_is_refused(record):
    record.write_text(json.dumps(json.loads(record.read_text()) | {"record_version": 9}))
    with pytest.raises(DataError, match="record version 9, this imagemusic reads 1"):
        load_record(record)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("score", None),
        ("score", {}),
        ("options", []),
        ("options", {"seconds": -1}),
        ("options", {"temperature": "hot"}),
        ("options", {"seed": 1.5}),
        ("options", {"dials": {"arousal": "x"}}),
        ("options", {"dials": None}),
        ("dials", {"tempo": {"worth": 1}}),
        ("dials", [1]),
        ("picture", {"hash": "x"}),
        ("versions", 3),
    ],
)
def test_a_damaged_record_is_refused(record, key, value):
    record.write_text(json.dumps(json.loads(record.read_text()) | {key: value}))
    with pytest.raises(DataError, match=r"x\.json: damaged composition record"):
        load_record(record)


@pytest.mark.parametrize("row", [[0, 60, 24], [0, 200, 24, 80], [2**40, 60, 24, 80], [2**70, 60, 24, 80]])
def test_a_record_with_impossible_notes_is_refused(record, row):
    table = json.loads(record.read_text())
    table["score"]["tracks"][0]["notes"] = [row]
    record.write_text(json.dumps(table))
    with pytest.raises(DataError, match=r"x\.json: damaged composition record"):
        load_record(record)


@pytest.mark.parametrize("engine", BACKENDS)
def test_the_engine_that_a_record_names_is_found(tiny_checkpoint, engine):
    assert engine_choice(open_checkpoint(tiny_checkpoint).stepper(engine).backend.name) == engine


def test_an_engine_that_nobody_knows_keeps_its_name(record):
    record.write_text(json.dumps(json.loads(record.read_text()) | {"engine": 3}))
    assert engine_choice(load_record(record).engine) == "3"


def test_a_composition_draws_its_piano_roll(composition):
    assert composition.piano_roll(width=400, height=200).size == (400, 200)


@pytest.mark.parametrize("seconds", [4, 600])
def test_the_ends_of_a_range_are_in_it(seconds):
    assert ComposeOptions(seconds=seconds).seconds == seconds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 3.9}, r"seconds must be in 4\.\.600, got 3\.9"),
        ({"seconds": float("nan")}, "seconds must be in"),
        ({"seconds": float("inf")}, "seconds must be in"),
        ({"tempo_bpm": 20}, r"tempo must be in 30\.\.300, got 20"),
        ({"size": 16}, r"size must be in 32\.\.1024, got 16"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"seed": 2**63}, "seed must be 0 or more and below"),
        ({"variation": 0}, "variation must be 1 or more, got 0"),
        ({"temperature": 9}, "temperature must be in"),
        ({"seed": 1.5}, r"seed must be a whole number, got 1\.5"),
        ({"seed": True}, "seed must be a whole number, got True"),
        ({"variation": 1.5}, r"variation must be a whole number, got 1\.5"),
        ({"size": 100.5}, r"size must be a whole number, got 100\.5"),
        ({"dials": {"arousal": "x"}}, "dial arousal must be a number, got 'x'"),
        ({"dials": ["arousal=1"]}, r"dials must be a table of names and numbers, got \['arousal=1'\]"),
    ],
)
def test_an_option_out_of_range_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        ComposeOptions(**change)


def test_dials_are_read_as_names_and_numbers():
    assert parse_dials(["arousal=0.8", " mode = -1", "arousal=.5"]) == {"arousal": 0.5, "mode": -1.0}
    assert parse_dials([]) == {}


@pytest.mark.parametrize("setting", ["arousal", "arousal=", "arousal=high", "0.5"])
def test_what_is_no_dial_and_number_is_refused(setting):
    with pytest.raises(ConfigError, match=f"dial '{setting}' is not a name and a number, such as arousal=0.8"):
        parse_dials([setting])
