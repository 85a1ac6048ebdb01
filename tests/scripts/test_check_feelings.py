"""The script that holds valence and arousal against labels: its figures by hand, and a whole run on made-up pieces."""

import csv
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from imagemusic.errors import DataError
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Note, Score, Tempo, Track

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_feelings.py"
AT_120 = (Tempo(0, 120.0),)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("check_feelings", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks for it
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def tune(major, fast, tempos=AT_120):
    """A scale in C major or C minor, fast and loud or slow and soft."""
    steps = [60, 64, 67, 72, 71, 67, 65, 62] if major else [60, 63, 67, 72, 70, 67, 65, 62]
    length, loud = (6, 100) if fast else (36, 40)
    notes = [Note(i * length, pitch, length, loud + i % 3) for i, pitch in enumerate(steps * 3)]
    return Score([Track(notes)], tempos)


@pytest.fixture
def corpora(tmp_path):
    """Both corpora in small, ten songs or games, their labels true; a row without a file, a file without tempo."""
    kinds = [(major, fast) for major in (True, False) for fast in (True, False)]
    quadrants = {(True, True): "Q1", (False, True): "Q2", (False, False): "Q3", (True, False): "Q4"}
    emopia, vgmidi = tmp_path / "emopia" / "midis", tmp_path / "vgmidi"
    emopia.mkdir(parents=True)
    vgmidi.mkdir()
    rows = [["gone.mid", "game 0", 1, 1], ["timeless.mid", "game 0", 1, 1]]
    save_midi(tune(True, True, ()), vgmidi / "timeless.mid")
    for song in range(10):
        for clip, kind in enumerate(kinds):
            save_midi(tune(*kind), emopia / f"{quadrants[kind]}_song{song}_{clip}.mid")
            save_midi(tune(*kind), vgmidi / f"{song} {clip}.mid")
            rows.append([f"{song} {clip}.mid", f"game {song}", *(1 if high else -1 for high in kind)])
    with (vgmidi / "vgmidi_labelled.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["midi", "game", "valence", "arousal"], *rows])
    return tmp_path


def run(script, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["check_feelings", *map(str, words)])
    return script.main()


def test_partial_correlation_agrees_with_one_done_by_hand(script):
    # Ranks 0 1 2 3, 0 1 3 2 and 1 0 2 3: correlations 0.8, 0.8 and 0.6, so (0.8 - 0.8 x 0.6) / (0.6 x 0.8).
    one, other, given = np.array([1.0, 2, 5, 9]), np.array([0.1, 0.2, 0.9, 0.3]), np.array([4.0, 2, 6, 8])
    assert script.partial_spearman(one, other, given) == pytest.approx(2 / 3)
    assert script.partial_spearman(one, other, np.log(given)) == pytest.approx(2 / 3)
    assert np.isnan(script.partial_spearman(one, other, one))


def test_what_only_density_explains_is_gone_when_it_is_controlled_for(script):
    rng = np.random.default_rng(0)
    density = rng.normal(size=4000)
    one, other = density + rng.normal(size=4000), density + rng.normal(size=4000)
    assert script.spearman(one, other) > 0.4
    assert abs(script.partial_spearman(one, other, density)) < 0.05


def test_shares_and_areas_agree_with_counting(script):
    dial, label = np.array([0.5, -0.1, 0.2, 0.0, -0.3]), np.array([1.0, 1, 1, -1, -1])
    assert script.accuracy(dial, label) == pytest.approx(4 / 5)
    assert script.balanced_accuracy(dial, label) == pytest.approx((2 / 3 + 1) / 2)
    assert script.auc(dial, label) == pytest.approx(5 / 6)
    assert script.auc(np.zeros(5), label) == 0.5
    assert np.isnan(script.auc(dial, np.ones(5)))
    assert np.isnan(script.balanced_accuracy(dial, np.ones(5)))


def test_a_run_finds_true_labels_and_says_what_it_left_out(script, corpora, monkeypatch, capsys):
    out = corpora / "feelings.json"
    assert run(script, monkeypatch, "--corpora", corpora, "--out", out) == 0
    assert "gone.mid" in capsys.readouterr().err
    found = json.loads(out.read_text())
    assert {found[name]["pieces"] for name in ("emopia", "vgmidi")} == {40}
    assert {found[name]["groups"] for name in ("emopia", "vgmidi")} == {10}
    assert found["vgmidi"]["left_out"] == ["vgmidi/timeless"]
    for name in ("emopia", "vgmidi"):
        assert found[name]["arousal"]["auc"] == {"value": 1.0, "low": 1.0, "high": 1.0}
        assert found[name]["valence"]["auc_of_density"]["value"] == 0.5
        assert found[name]["valence"]["spearman_given_density"]["low"] > 0.3
        assert found[name]["valence"]["labelled_high"]["value"] == 0.5


def test_what_cannot_be_read_is_one_line(script, corpora, monkeypatch, capsys):
    table = corpora / "vgmidi" / "vgmidi_labelled.csv"
    table.write_text("midi,game,valence,arousal\na.mid,g,1,0\n")
    with pytest.raises(DataError, match="row 2: valence and arousal must be -1 or 1"):
        script.read_table(table)
    table.write_text("midi,game,valence\n")
    with pytest.raises(DataError, match="no column 'arousal'"):
        script.read_table(table)
    assert run(script, monkeypatch, "--corpora", corpora / "nowhere", "--out", corpora / "never.json") == 1
    assert "check_feelings: error:" in capsys.readouterr().err
    assert not (corpora / "never.json").exists()
