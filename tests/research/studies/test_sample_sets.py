"""Sets of composed and real pieces: equal ones are near, and a difference is distinguished from chance."""

import numpy as np
import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.music.dials import DialNormalizer, measure
from imagemusic.music.distributions import FIGURES, mean_shares, share_table
from imagemusic.music.score import Note, Score, Track
from imagemusic.research.studies import quality, sample_sets
from imagemusic.resources import EXAMPLES
from tests import tiny

TUNES = [tiny.tune(seed, bars=20) for seed in range(16)]
SCALE = DialNormalizer.fit([measure(tune) for tune in TUNES])


def sample(scores):
    requested = [SCALE.dials(measure(score)) | {"ensemble": "band"} for score in scores]
    return sample_sets.Sample.of(scores, SCALE, requested)


def halved(score):
    """The score with notes half as long."""
    tracks = [
        Track([Note(note.onset, note.pitch, note.duration // 2) for note in track], track.program, track.is_drum)
        for track in score.tracks
    ]
    return Score(tracks, score.tempos, score.meters)


def test_a_setting_is_told_from_another_only_where_it_differs():
    ours, same, other = (sample(scores) for scores in (TUNES, TUNES, [halved(tune) for tune in TUNES]))
    resampled = sample_sets.Resampled.of(len(TUNES), np.ones(len(TUNES)), [str(i) for i in range(len(TUNES))])
    there = {name: mean_shares(rows, resampled.real) for name, rows in ours.shares.items()}
    base, again, shorter = (sample_sets.compare(one, resampled, there) for one in (ours, same, other))
    assert base["overlap"][0] == pytest.approx(1)  # not resampled; resampled sets differ
    assert base["overlap"][1:].max() < 1
    assert sample_sets.compared(again["overlap"], base["overlap"])["verdict"] == "noise"
    assert sample_sets.compared(shorter["overlap"], base["overlap"])["verdict"] == "lower"
    assert sample_sets.compared(shorter["divergence"], base["divergence"])["verdict"] == "higher"
    np.testing.assert_allclose(shorter["note_beats"], base["note_beats"] / 2)
    moving = np.nanstd(ours.requested, axis=0) > 1e-9  # the requested dials are those measured
    assert base["dials_followed"][0] == pytest.approx(moving.mean())
    assert shorter["overlap of interval"][0] == pytest.approx(1)


def test_a_sample_that_was_saved_is_the_same(tmp_path):
    ours = sample(TUNES[:3])
    ours.save(tmp_path / "sample.npz")
    again = sample_sets.Sample.load(tmp_path / "sample.npz")
    for name in FIGURES:
        np.testing.assert_array_equal(again.shares[name], ours.shares[name])
    for name in sample_sets.COLUMNS:
        np.testing.assert_array_equal(getattr(again, name), getattr(ours, name))


def test_halves_share_no_group():
    groups = ["a", "a", "b", "c", "c", "d"]
    table = {"figure": np.arange(6.0)[:, None]}
    one, other = (side["figure"][:, 0].astype(int).tolist() for side in quality.halves(table, groups))
    assert sorted([*one, *other]) == list(range(6))
    assert one and other and not {groups[i] for i in one} & {groups[i] for i in other}


def test_figures_of_pieces_and_their_distances():
    figures = quality.figures_of(TUNES, [str(i) for i in range(len(TUNES))])
    assert figures["pieces"] == 16 and figures["empty"] == 0
    assert figures["worn_windows"]["windows"] > 0
    assert set(figures["similarity"]) == {"4_bars", "8_bars", "16_bars"}
    table = share_table(TUNES)
    found = quality.distance_figures(table, table)
    assert found["mean_overlap"] == pytest.approx(1) and found["interval"]["divergence"] == pytest.approx(0)
    assert quality.distance_figures(table, share_table(halved(t) for t in TUNES))["duration"]["overlap"] < 0.5


def test_pieces_of_one_picture_differ_and_come_in_order(tiny_model):
    pictures = [tiny_model.encode(EXAMPLES / name) for name in ("dusk_sea.jpg", "meadow.jpg")]
    options = ComposeOptions(seconds=4)
    pieces = quality.compose(tiny_model, pictures, options, 2, "test")
    assert [piece.picture_hash for piece in pieces] == [features.hash for features in pictures for _ in range(2)]
    assert [piece.options.variation for piece in pieces] == [1, 2, 1, 2]
    assert pieces[0].score == tiny_model.compose_features(pictures[0], options).score
