"""Some hundred mutated inputs, as `imagemusic study run fuzz` makes by the thousand."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from imagemusic.errors import ScoreError
from imagemusic.research.studies import fuzz

GOLDEN = Path(__file__).parents[2] / "golden" / "meadow_plain.json"


@pytest.mark.parametrize("kind", fuzz.USES)
def test_no_mutated_input_ends_in_an_error_that_is_not_ours(kind):
    seeds = {"midi": fuzz.midi_seeds, "picture": fuzz.picture_seeds, "record": lambda: [GOLDEN.read_bytes()]}[kind]()
    result = fuzz.try_inputs(kind, seeds, tuple(range(60)))
    assert result["foreign"] == []
    assert result["counts"]["used"] + result["counts"]["refused"] == 60
    assert result["counts"]["used"] > 0


@pytest.mark.parametrize("kind", fuzz.USES)
def test_the_inputs_as_they_are_can_be_used(kind):
    seeds = {"midi": fuzz.midi_seeds, "picture": fuzz.picture_seeds, "record": lambda: [GOLDEN.read_bytes()]}[kind]()
    for seed in seeds:
        fuzz.USES[kind][0](seed)


def test_mutations_are_the_same_for_the_same_number_and_differ_for_others():
    changed = [fuzz.mutate_bytes(b"0123456789" * 9, np.random.default_rng(number)) for number in (1, 1, 2)]
    assert changed[0] == changed[1] != changed[2]
    table = json.dumps({"a": [1, 2, {"b": "c"}], "d": 1.5}).encode()
    assert len({fuzz.mutate_json(table, np.random.default_rng(number)) for number in range(40)}) > 20


def test_errors_hangs_and_refusals_are_told_apart(monkeypatch):
    def use(data):
        match data:
            case b"hang":
                time.sleep(5)
            case b"ours":
                raise ScoreError("no")
            case b"foreign":
                raise KeyError("x")

    monkeypatch.setitem(fuzz.USES, "midi", (use, lambda data, rng: data))
    monkeypatch.setattr(fuzz, "LIMIT_SECONDS", 0.05)
    result = fuzz.try_inputs("midi", [b"hang", b"ours", b"foreign", b"good"], (0, 1, 2, 3))
    assert result["counts"] == {"hangs": 1, "refused": 1, "foreign": 1, "used": 1}
    assert result["foreign"][0] == "0: more than 0.05 s"
    assert result["foreign"][1].startswith("2: KeyError in test_fuzz.py:")
