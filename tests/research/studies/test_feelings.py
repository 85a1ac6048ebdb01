"""The study of valence and arousal against labels: its figures by hand, and a whole run on made-up pieces."""

import json

import numpy as np
import pytest

from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import partial_spearman, spearman
from imagemusic.research.studies.feelings import accuracy, auc, balanced_accuracy, read_table
from tests.research.studies.conftest import write_affect_corpora


@pytest.fixture
def corpora(tmp_path):
    return write_affect_corpora(tmp_path)


def test_partial_correlation_agrees_with_one_done_by_hand():
    # Ranks 0 1 2 3, 0 1 3 2 and 1 0 2 3: correlations 0.8, 0.8 and 0.6, so (0.8 - 0.8 x 0.6) / (0.6 x 0.8).
    one, other, given = np.array([1.0, 2, 5, 9]), np.array([0.1, 0.2, 0.9, 0.3]), np.array([4.0, 2, 6, 8])
    assert partial_spearman(one, other, given) == pytest.approx(2 / 3)
    assert partial_spearman(one, other, np.log(given)) == pytest.approx(2 / 3)
    assert np.isnan(partial_spearman(one, other, one))


def test_what_only_density_explains_is_gone_when_it_is_controlled_for():
    rng = np.random.default_rng(0)
    density = rng.normal(size=4000)
    one, other = density + rng.normal(size=4000), density + rng.normal(size=4000)
    assert spearman(one, other) > 0.4
    assert abs(partial_spearman(one, other, density)) < 0.05


def test_shares_and_areas_agree_with_counting():
    dial, label = np.array([0.5, -0.1, 0.2, 0.0, -0.3]), np.array([1.0, 1, 1, -1, -1])
    assert accuracy(dial, label) == pytest.approx(4 / 5)
    assert balanced_accuracy(dial, label) == pytest.approx((2 / 3 + 1) / 2)
    assert auc(dial, label) == pytest.approx(5 / 6)
    assert auc(np.zeros(5), label) == 0.5
    assert np.isnan(auc(dial, np.ones(5)))
    assert np.isnan(balanced_accuracy(dial, np.ones(5)))


def test_a_run_finds_true_labels_and_says_what_it_left_out(run, corpora, tiny_checkpoint):
    out = corpora / "feelings.json"
    status, _, err = run("feelings", "--set", f"corpora={corpora}", "--checkpoint", tiny_checkpoint, "--out", out)
    assert status == 0 and "gone.mid" in err
    found = json.loads(out.read_text())
    assert {found[name]["pieces"] for name in ("emopia", "vgmidi")} == {40}
    assert {found[name]["groups"] for name in ("emopia", "vgmidi")} == {10}
    assert found["vgmidi"]["left_out"] == ["vgmidi/timeless"]
    for name in ("emopia", "vgmidi"):
        assert found[name]["arousal"]["auc"] == {"value": 1.0, "low": 1.0, "high": 1.0}
        assert found[name]["valence"]["auc_of_density"]["value"] == 0.5
        assert found[name]["valence"]["spearman_given_density"]["low"] > 0.3
        assert found[name]["valence"]["labelled_high"]["value"] == 0.5


def test_what_cannot_be_read_is_one_line(run, corpora, tiny_checkpoint):
    table = corpora / "vgmidi" / "vgmidi_labelled.csv"
    table.write_text("midi,game,valence,arousal\na.mid,g,1,0\n")
    with pytest.raises(DataError, match="row 2: valence and arousal must be -1 or 1"):
        read_table(table)
    table.write_text("midi,game,valence\n")
    with pytest.raises(DataError, match="no column 'arousal'"):
        read_table(table)
    status, _, err = run("feelings", "--set", f"corpora={corpora / 'nowhere'}", "--out", corpora / "never.json")
    assert status == 1 and "nowhere: not there; --set corpora names" in err and err.count("\n") == 1
    assert not (corpora / "never.json").exists()
