import importlib.util
import json
from pathlib import Path

import pytest

from imagemusic.data.build.fingerprint import Match
from imagemusic.data.corpora.catalogue import TRAINABLE
from imagemusic.data.corpora.held_out import read_heldout, split_of
from imagemusic.errors import DataError

SCRIPT = Path(__file__).parents[3] / "scripts" / "freeze_heldout.py"


@pytest.fixture(scope="module")
def freeze():
    spec = importlib.util.spec_from_file_location("freeze_heldout", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_frozen_list_holds_out_something_of_every_corpus():
    counts = read_heldout()["counts"]
    assert set(counts) == set(TRAINABLE)
    for corpus, splits in counts.items():
        notes = {split: count["notes"] for split, count in splits.items()}
        assert notes["validation"] > 0 and notes["test"] > 0, corpus
        assert 0.84 < notes["train"] / sum(notes.values()) < 0.92, corpus


def test_no_group_and_no_file_of_the_frozen_list_is_in_two_splits():
    listed = read_heldout()
    validation, test = listed["splits"]["validation"], listed["splits"]["test"]
    assert not set(validation) & set(test)
    files = [name for groups in (validation, test) for ids in groups.values() for name in ids]
    assert len(files) == len(set(files))


def test_pieces_are_looked_up_by_file_and_everything_else_trains(tmp_path):
    path = tmp_path / "heldout.json"
    path.write_text(json.dumps({"splits": {"validation": {"a/g": ["a/1", "b/2"]}, "test": {"a/h": ["a/3"]}}}))
    assert [split_of(name, path) for name in ("a/1", "b/2#4", "a/3#1", "a/4")] == [
        "validation",
        "validation",
        "test",
        "train",
    ]
    assert split_of("nottingham/MIDI/jigs1", path) == "evaluation"


@pytest.mark.parametrize("content", ["", "[]", '{"splits": {"test": {}}}', "{"])
def test_a_damaged_list_is_refused(tmp_path, content):
    path = tmp_path / "heldout.json"
    path.write_text(content)
    with pytest.raises(DataError, match="damaged list of held-out pieces"):
        read_heldout(path)


def test_a_missing_list_says_what_makes_it(tmp_path):
    with pytest.raises(DataError, match="freeze_heldout"):
        split_of("a/1", tmp_path / "gone.json")


def test_groups_are_taken_whole_until_the_share_of_notes_is_nearest(freeze):
    notes = {"big": {f"big/{number}": 10 for number in range(200)}, "few": {"few/a": 60, "few/b": 20, "few/c": 20}}
    split = freeze.assign(notes, {})
    held = [name for name in notes["big"] if split[name] == "test"]
    assert len(held) == 16  # 8 % of 200
    assert sum(split[name] == "validation" for name in notes["big"]) == 8
    assert split["few/a"] == "train" and {split["few/b"], split["few/c"]} == {"test", "validation"}
    assert freeze.assign(notes, {}) == split


def test_what_an_earlier_version_held_out_stays_so(freeze):
    notes = {"big": {f"big/{number}": 10 for number in range(100)}}
    first = min(name for name, held in freeze.assign(notes, {}).items() if held == "train")
    assert freeze.assign(notes, {first: "test"})[first] == "test"


def rows_of(freeze, *names):
    return [freeze.Row(name, name.split("/")[0], name, "title", 100) for name in names]


def test_groups_that_share_music_go_the_same_way(freeze):
    names = [f"mutopia/{number}" for number in range(30)] + [f"pop909/{number}" for number in range(30)]
    rows = rows_of(freeze, *names, "nottingham/1")
    matches = [Match(0, 30, 50, 0.9), Match(1, 60, 50, 0.8)]  # one pair that trains, one of a corpus for evaluation
    listed = freeze.held_out(rows, matches, None)
    assert listed["version"] == 1
    assert listed["joined_groups"] == {"mutopia/0": ["mutopia/0", "pop909/0"]}
    assert listed["near_duplicates"]["pairs"] == 1
    assert listed["evaluation_overlap"] == ["nottingham/1"]
    ways = {
        held for held, groups in listed["splits"].items() if {"mutopia/0", "pop909/0"} & set(sum(groups.values(), []))
    }
    assert len(ways) <= 1
    again = freeze.held_out(rows, [], listed)
    assert again["version"] == 2
    for held, groups in listed["splits"].items():
        assert set(sum(groups.values(), [])) <= set(sum(again["splits"][held].values(), []))


@pytest.mark.parametrize(
    ("name", "title", "marked"),
    [
        ("mutopia/BachJS__BWV269__x", "Aus meines Herzens Grunde", True),
        ("mutopia/BachJS__BWV1079__x", "Ricercar", False),
        ("mutopia/BachJS__O_Haupt__x", "Choral 'O Haupt'", True),
        ("mutopia/HandelGF__BWV351__x", "La Réjouissance", False),
    ],
)
def test_bach_s_chorales_are_marked(freeze, name, title, marked):
    assert freeze.is_bach_chorale(freeze.Row(name, "mutopia", "g", title, 1)) is marked


def test_a_frozen_list_is_not_overwritten(freeze, tmp_path, monkeypatch, capsys):
    out = tmp_path / "heldout.json"
    out.write_text("{}")
    monkeypatch.setattr("sys.argv", ["freeze_heldout", "--corpora", str(tmp_path), "--out", str(out)])
    assert freeze.main() == 1
    assert "the list is frozen; --new-version makes the next one" in capsys.readouterr().err
    assert out.read_text() == "{}"
