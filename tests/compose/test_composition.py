import json

import numpy as np
import pytest

from imagemusic.checkpoint import open_checkpoint
from imagemusic.compose.composition import Composition, backend_choice, load_record
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.targets import Dial, Targets
from imagemusic.errors import DataError, OutputError
from imagemusic.generation.backends import BACKENDS
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track
from imagemusic.vision.features import ImageFeatures


@pytest.fixture
def composition():
    tracks = [Track([Note(0, 60, 24), Note(24, 64, 24)], 73, name="flute"), Track([Note(0, 36, 6)], is_drum=True)]
    rng = np.random.default_rng(0)
    return Composition(
        score=Score(tracks, [Tempo(0, 97.3)], [Meter(0, 3, 4)], [Key(0, -1, minor=True)]),
        targets=Targets({"valence": Dial(0.25, "picture", False), "tempo": Dial(-1.0, "you")}, "piano", "sampled"),
        options=ComposeOptions(seconds=12, seed=3, tempo_bpm=97.3),
        features=ImageFeatures("ab" * 32, *(rng.normal(size=n).astype(np.float32) for n in (4, 3, 3))),
        checkpoint_id="0123456789ab",
        backend="onnxruntime 1 fp32",
        versions={"numpy": "2"},
        compose_seconds=0.25,
    )


@pytest.fixture
def record(composition, tmp_path):
    composition.save(tmp_path / "x.json")
    return tmp_path / "x.json"


def test_a_record_comes_back_whole(composition, record):
    found = load_record(record)
    assert found.score == composition.score
    assert (found.options, found.targets, found.versions) == (
        composition.options, composition.targets, composition.versions,
    )  # fmt: skip
    assert (found.checkpoint_id, found.backend, found.picture_hash) == ("0123456789ab", composition.backend, "ab" * 32)
    np.testing.assert_array_equal(found.features.embedding, composition.features.embedding)
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
        composition.save(tmp_path / "nowhere" / "x.json")


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
        ("ensemble", "piano"),
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


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_backend_that_a_record_names_is_found(tiny_checkpoint, backend):
    assert backend_choice(open_checkpoint(tiny_checkpoint).stepper(backend).backend.name) == backend


def test_an_unknown_backend_keeps_its_name(record):
    record.write_text(json.dumps(json.loads(record.read_text()) | {"backend": 3}))
    assert backend_choice(load_record(record).backend) == "3"


def test_a_record_of_version_0_1_is_read_with_the_names_of_today(record):
    table = json.loads(record.read_text())
    del table["ensemble"]
    table["engine"] = table.pop("backend")
    table["dials"] = {
        "valence": {"value": 0.25, "source": "picture"},
        "density": {"value": 0.1, "source": "implied"},
        "loudness": {"value": 0.5, "source": "guessed"},
        "ensemble": {"value": "band", "source": "implied"},
    }
    table["options"]["recurrence"] = table["options"].pop("repetition_bonus") + 2
    record.write_text(json.dumps(table))
    found = load_record(record)
    dials = {
        "valence": Dial(0.25, "picture", False),
        "density": Dial(0.1, "sampled"),
        "loudness": Dial(0.5, "estimated", False),
    }
    assert found.targets == Targets(dials, "band", "sampled")
    assert (found.backend, found.options.repetition_bonus) == ("onnxruntime 1 fp32", 2)


def test_a_composition_draws_its_piano_roll(composition):
    assert composition.piano_roll(width=400, height=200).size == (400, 200)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("score", "tracks", 0, "program", 300), "score.tracks.0.program: input should be less than or equal to 127"),
        (("score", "tracks", 0, "notes", [[0, 60, 1]]), "score.tracks.0.notes.0.3: field required"),
        (("score", "tempos", [[0, "fast"]]), "score.tempos.0.1: input should be a valid number"),
        (("picture", "dial_mean", [0.5, 1]), "picture.dial_mean: list should have at least 3 items"),
        (("picture", "embedding", [float("nan")]), "picture.embedding.0: input should be a finite number"),
        (("compose_seconds", None), "compose_seconds: input should be a valid number"),
        (("versions", []), "versions: input should be an object"),
        (("take", "scores", {}), "take.scores: input should be a valid array"),
    ],
)
def test_a_wrong_value_is_named_with_its_field(record, change, message):
    *places, last, value = change
    table = json.loads(record.read_text())
    parent = table
    for place in places:
        parent = parent[place]
    parent[last] = value
    record.write_text(json.dumps(table))
    with pytest.raises(DataError) as caught:
        load_record(record)
    assert f"{record}: damaged composition record: {message}" in str(caught.value)


@pytest.mark.parametrize("content", [b"[" * 20_000, b"{" + b"9" * 5000, b'{"record_version": 1, "options": "\\ud800"}'])
def test_json_that_nothing_can_be_made_of_is_refused(record, content):
    record.write_bytes(content)
    with pytest.raises(DataError, match="composition record"):
        load_record(record)
