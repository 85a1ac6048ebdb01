import numpy as np
import pytest

pytest.importorskip("sklearn")

from imagemusic.errors import DataError
from imagemusic.music.midi import save_midi
from imagemusic.research.studies.ours_or_real import CLASSIFIERS, balanced, read_composed, tell_apart
from imagemusic.research.studies.structure import Row
from tests import tiny


def rows(side, mean, count=30, ensemble="piano"):
    rng = np.random.default_rng(len(side))
    return [
        Row(f"{side} {number // 2}", ensemble, {"si_mid": mean + rng.normal(), "si_long": rng.normal()})
        for number in range(count)
    ]


def test_pieces_that_differ_are_told_apart_and_the_measure_is_named():
    found = tell_apart(rows("ours", 4.0), rows("real", 0.0))
    assert all(found[name]["value"] > 0.9 and found[name]["low"] > 0.5 for name in CLASSIFIERS)
    assert next(iter(found["telling"])) == "si_mid" and found["telling"]["si_mid"]["auc"] > 0.9


def test_pieces_that_do_not_differ_are_not():
    found = tell_apart(rows("ours", 0.0), rows("real", 0.0))
    assert all(found[name]["value"] < 0.75 for name in CLASSIFIERS)


def test_one_cover_is_too_few():
    assert tell_apart(rows("ours", 1.0, 2), rows("real", 0.0))["trees"] == {"value": None}


def test_real_pieces_of_an_ensemble_weigh_as_much_as_ours():
    ours = [*rows("ours", 0.0, 4), *rows("ours", 0.0, 2, "band")]
    real = [*rows("real", 0.0, 8), *rows("real", 0.0, 3, "voice")]
    weights = balanced([*ours, *real], np.arange(17) < 6)
    assert weights.tolist() == [1.0] * 4 + [0.0] * 2 + [0.5] * 8 + [0.0] * 3


def test_pieces_that_were_composed_before_are_read(tmp_path):
    (tmp_path / "piano").mkdir()
    save_midi(tiny.tune(3, bars=16), tmp_path / "piano" / "000.mid")
    (row,) = read_composed(tmp_path, ["piano"])
    assert row.group == "000" and row.ensemble == "piano"
    with pytest.raises(DataError, match="run the study structure first"):
        read_composed(tmp_path, ["band"])
