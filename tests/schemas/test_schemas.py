import os

import pytest

from imagemusic.errors import DataError
from imagemusic.schemas import Schema, Tick, check_json, read_json


class Change(Schema):
    tick: Tick
    bpm: float
    name: str = ""
    more: list[tuple[int, int]] = []


def test_what_fits_is_returned_and_what_is_not_known_passed_over():
    change = check_json(Change, {"tick": 3, "bpm": 90, "more": [[1, 2]], "colour": "red"}, "a.json", DataError)
    assert (change.tick, change.bpm, change.name, change.more) == (3, 90.0, "", [(1, 2)])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"bpm": 90}, "a.json: tick: field required"),
        ({"tick": "3", "bpm": 90}, "a.json: tick: input should be a valid integer, got '3'"),
        ({"tick": True, "bpm": 90}, "a.json: tick: input should be a valid integer, got True"),
        ({"tick": -1, "bpm": 90}, "a.json: tick: input should be greater than or equal to 0, got -1"),
        ({"tick": 3, "bpm": float("nan")}, "a.json: bpm: input should be a finite number, got nan"),
        ({"tick": 3, "bpm": 90, "more": [[1, 2], [1]]}, "a.json: more.1.1: field required"),
        ({"tick": 3, "bpm": 90, "name": 5 * [[]]}, "a.json: name: input should be a valid string"),
        ([], "a.json: the whole: input should be an object"),
        ({"tick": 3, "bpm": 90, "name": "\ud800"}, "a.json: the whole: invalid json"),
    ],
)
def test_what_does_not_fit_is_named_with_what_would_be_right(value, message):
    with pytest.raises(DataError) as caught:
        check_json(Change, value, "a.json", DataError)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_long_wrong_value_is_shown_in_part():
    with pytest.raises(DataError) as caught:
        check_json(Change, {"tick": "x" * 1000, "bpm": 1}, "a.json", DataError)
    assert len(str(caught.value)) < 200


def test_json_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1]}')
    assert read_json(tmp_path / "a.json", DataError) == {"a": [1]}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 20_000, b"9" * 5000])
def test_what_is_no_json_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json: not JSON"):
        read_json(tmp_path / "a.json", DataError)


def test_missing_files_folders_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("gone", "no such file"), ("pipe", "not a regular file"), ("", "not a regular file")):
        with pytest.raises(DataError, match=message):
            read_json(tmp_path / name, DataError)
