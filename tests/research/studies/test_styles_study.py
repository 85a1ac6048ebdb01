import numpy as np
import pytest

pytest.importorskip("sklearn")

from imagemusic.data.prepared import PreparedSet
from imagemusic.research.studies.styles import classifier, enough, features_of, recognised
from tests import tiny


def test_styles_that_differ_are_recognised():
    rng = np.random.default_rng(0)
    styles = np.repeat(["hymn", "rock", "waltz"], 40)
    features = np.repeat(np.eye(3) * 6, 40, axis=0) + rng.normal(size=(120, 3))
    features[0, 1] = np.nan
    model = classifier().fit(features[::2], styles[::2])
    groups = [str(number) for number in range(60)]
    found = recognised(model, features[1::2], styles[1::2].tolist(), groups, ["hymn", "rock", "waltz"])
    assert found["top_1"]["value"] > 0.9 and found["top_3"]["value"] == 1
    assert found["by_style"]["rock"]["pieces"] == 20 and found["by_style"]["rock"]["taken_for"] == "rock"
    assert 0.3 < found["commonest_guess"] < 0.4


def test_styles_count_alike_however_many_pieces_they_have():
    styles = ["hymn"] * 18 + ["rock"] * 2
    model = classifier().fit(np.array([[0.0], [1.0]]), ["hymn", "rock"])
    found = recognised(model, np.zeros((20, 1)), styles, [str(n) for n in range(20)], ["hymn", "rock"])
    assert found["top_1"]["value"] == pytest.approx(0.5)


def test_a_piece_has_as_many_features_as_any_other():
    assert features_of(tiny.tune(1, bars=4)).shape == features_of(tiny.tune(2, bars=20)).shape


def test_a_style_needs_pieces_of_training_and_held_out(data_root):
    prepared = PreparedSet.open(data_root / "prepared")
    assert enough(prepared, 10**6, 0) == []
