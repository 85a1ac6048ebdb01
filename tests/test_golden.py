"""Records that an earlier imagemusic wrote compose to the same MIDI bytes.

tests/golden holds three pieces for each bundled picture, composed when the model that ships came to the package: with
nothing asked for, with every exact control, and with other settings of chance.  The last bits of a product differ
between libraries and processors, and a piece with them: where those differ from the ones that composed the records, the
test is skipped.  tests/golden/old holds records of version 0.1, whose model no longer ships: they are still read.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from imagemusic import ImageMusic, load_record

GOLDEN = Path(__file__).parent / "golden"
RECORDS = sorted(path for path in GOLDEN.glob("*.json") if path.name != "machine.json")


def machine():
    from numpy._core._multiarray_umath import __cpu_features__
    from onnxruntime import __version__ as onnxruntime_version

    return {
        "numpy": np.__version__,
        "onnxruntime": onnxruntime_version,
        "cpu": sorted(name for name, found in __cpu_features__.items() if found),
    }


@pytest.fixture(scope="module")
def model():
    recorded = json.loads((GOLDEN / "machine.json").read_text(encoding="utf-8"))
    if (here := machine()) != recorded:
        different = [name for name in recorded if here[name] != recorded[name]]
        pytest.skip(f"the records were composed with another {', '.join(different)}")
    return ImageMusic.from_pretrained()


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_an_earlier_record_composes_to_the_same_bytes(model, path):
    recorded = load_record(path)
    report = model.replay(recorded)
    assert report.identical, report.differences


def test_there_are_three_records_for_each_bundled_picture():
    assert len(RECORDS) == 18


@pytest.mark.parametrize("path", sorted((GOLDEN / "old").glob("*.json")), ids=lambda path: path.stem)
def test_records_of_version_0_1_are_read_and_keep_their_notes(path):
    table = json.loads(path.read_text(encoding="utf-8"))
    recorded = load_record(path)
    assert recorded.score.note_count == sum(len(track["notes"]) for track in table["score"]["tracks"])
    assert (recorded.options.rules, recorded.options.form, recorded.options.rhythm_temperature) == (1, "free", 1.0)
    assert recorded.plan is None and recorded.targets.style is None
