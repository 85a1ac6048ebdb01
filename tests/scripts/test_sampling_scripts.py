"""The scripts that hold composed pieces against real ones tell like from unlike, and chance from a difference."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.music.dials import DialNormalizer, measure
from imagemusic.music.distributions import FIGURES, mean_shares, share_table
from imagemusic.music.score import Note, Score, Track
from tests import tiny

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.append(str(SCRIPTS))  # as scripts find each other

TUNES = [tiny.tune(seed, bars=20) for seed in range(16)]
SCALE = DialNormalizer.fit([measure(tune) for tune in TUNES])


def load(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def likeness():
    return load("likeness")


@pytest.fixture(scope="module")
def quality():
    return load("sample_quality")


def sample(likeness, scores):
    asked = [SCALE.dials(measure(score)) | {"ensemble": "band"} for score in scores]
    return likeness.Sample.of(scores, SCALE, asked)


def halved(score):
    """The score with notes half as long."""
    tracks = [
        Track([Note(note.onset, note.pitch, note.duration // 2) for note in track], track.program, track.is_drum)
        for track in score.tracks
    ]
    return Score(tracks, score.tempos, score.meters)


def test_a_setting_is_told_from_another_only_where_it_differs(likeness):
    ours, same, other = (sample(likeness, scores) for scores in (TUNES, TUNES, [halved(tune) for tune in TUNES]))
    drawn = likeness.Drawn.of(len(TUNES), np.ones(len(TUNES)), [str(i) for i in range(len(TUNES))])
    there = {name: mean_shares(rows, drawn.real) for name, rows in ours.shares.items()}
    base, again, shorter = (likeness.compare(one, drawn, there) for one in (ours, same, other))
    assert base["overlap"][0] == pytest.approx(1)  # as they are; drawn again, ours and the real ones differ
    assert base["overlap"][1:].max() < 1
    assert likeness.compared(again["overlap"], base["overlap"])["verdict"] == "noise"
    assert likeness.compared(shorter["overlap"], base["overlap"])["verdict"] == "lower"
    assert likeness.compared(shorter["divergence"], base["divergence"])["verdict"] == "higher"
    np.testing.assert_allclose(shorter["note_beats"], base["note_beats"] / 2)
    moving = np.nanstd(ours.asked, axis=0) > 1e-9  # what was asked for is what they are
    assert base["dials_followed"][0] == pytest.approx(moving.mean())
    assert shorter["overlap of interval"][0] == pytest.approx(1)


def test_a_sample_that_was_saved_is_the_same(likeness, tmp_path):
    ours = sample(likeness, TUNES[:3])
    ours.save(tmp_path / "sample.npz")
    again = likeness.Sample.load(tmp_path / "sample.npz")
    for name in FIGURES:
        np.testing.assert_array_equal(again.shares[name], ours.shares[name])
    for name in likeness.COLUMNS:
        np.testing.assert_array_equal(getattr(again, name), getattr(ours, name))


def test_halves_share_no_group(quality):
    groups = ["a", "a", "b", "c", "c", "d"]
    table = {"figure": np.arange(6.0)[:, None]}
    one, other = (side["figure"][:, 0].astype(int).tolist() for side in quality.halves(table, groups))
    assert sorted([*one, *other]) == list(range(6))
    assert one and other and not {groups[i] for i in one} & {groups[i] for i in other}


def test_figures_of_pieces_and_their_distances(quality):
    figures = quality.figures_of(TUNES, [str(i) for i in range(len(TUNES))])
    assert figures["pieces"] == 16 and figures["empty"] == 0
    assert figures["worn_windows"]["windows"] > 0
    assert set(figures["similarity"]) == {"4_bars", "8_bars", "16_bars"}
    table = share_table(TUNES)
    found = quality.distance_figures(table, table)
    assert found["mean_overlap"] == pytest.approx(1) and found["interval"]["divergence"] == pytest.approx(0)
    assert quality.distance_figures(table, share_table(halved(t) for t in TUNES))["duration"]["overlap"] < 0.5


def test_pieces_of_one_picture_differ_and_come_in_order(quality, tiny_checkpoint):
    from imagemusic.compose.pipeline import ImageMusic

    model = ImageMusic.from_pretrained(tiny_checkpoint)
    readings = [model.encode(Path("data/examples") / name) for name in ("dusk_sea.jpg", "meadow.jpg")]
    options = ComposeOptions(seconds=4)
    pieces = quality.compose(model, readings, options, 2, "test")
    assert [piece.picture_hash for piece in pieces] == [reading.hash for reading in readings for _ in range(2)]
    assert [piece.options.variation for piece in pieces] == [1, 2, 1, 2]
    assert pieces[0].score == model.compose_features(readings[0], options).score
