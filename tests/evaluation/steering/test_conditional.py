import math

import numpy as np
import pytest
import torch

from imagemusic.evaluation.steering.conditional import (
    Music,
    Scorer,
    canonical_correlations,
    conditional_gap,
    cut,
    derangement,
    gap_table,
)
from imagemusic.evaluation.steering.pairs import read_pairs
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.events import codec
from imagemusic.training.evaluation import banded_nats, note_bands, piece_nats
from tests import tiny
from tests.evaluation.steering.conftest import write_pairs

BANDS = (4, 10, 1 << 30)


@pytest.fixture(scope="module")
def pairs(tiny_model, tmp_path_factory):
    path = write_pairs(tmp_path_factory.mktemp("pairs") / "a", 10)
    return read_pairs(path, tiny_model.encode).pairs


@pytest.fixture(scope="module")
def music(tiny_model, pairs):
    return Music.of(pairs, tiny_model)


def test_bands_count_notes_by_hand(music):
    piece = music.prepared.pieces[0]
    rows = music.prepared.rows[piece.start : piece.start + piece.rows]
    bands = note_bands(music.prepared, piece, BANDS)
    assert (bands[rows["part"] >= codec.SLOT][:5] == 0).all()  # meter, tempo, three parts
    assert bands[-1] == 3  # the end counts to the notes before it
    notes = bands[rows["part"] < codec.SLOTS]
    assert np.bincount(notes).tolist() == [0, 4, 6, piece.notes - 10]


def test_bands_add_up_to_all_nats_but_those_of_velocity(music):
    decoder = tiny.decoder()
    nats = banded_nats(decoder, music.prepared, music.prepared.pieces, BANDS)
    whole = {piece.id: by_field for piece, by_field, _ in piece_nats(decoder, music.prepared, music.prepared.pieces)}
    for row, piece in zip(nats, music.prepared.pieces, strict=True):
        expected = sum(value for name, value in whole[piece.id].items() if name != "velocity")
        assert row.sum() == pytest.approx(expected, rel=1e-5)


def test_a_cut_piece_costs_what_its_first_notes_cost(tiny_model, music):
    short, whole = Scorer.of(tiny_model, music, 10), Scorer.of(tiny_model, music, 10_000)
    nothing = np.zeros((len(music.pairs), tiny_model.checkpoint.layout.size), np.float32)
    for piece in cut(music.prepared, 10):
        rows = music.prepared.rows[piece.start : piece.start + piece.rows]
        assert piece.notes == (rows["part"] < codec.SLOTS).sum() == 10
    assert short.nats(nothing)[:, 0] == pytest.approx(whole.nats(nothing)[:, 0], rel=1e-5)
    assert short.nats(nothing)[:, 1].sum() < whole.nats(nothing)[:, 1].sum()
    assert short.notes().sum(axis=1).tolist() == [10] * len(music.pairs)


def test_a_wrong_picture_is_of_another_album_and_of_the_same_kind():
    kinds, groups = ["a", "a", "a", "b", "b", "c"], ["1", "1", "2", "3", "4", "5"]
    for seed in range(20):
        order = derangement(kinds, groups, np.random.default_rng(seed))
        assert order[:2].tolist() == [2, 2]
        assert order[2] in (0, 1)
        assert order[3:].tolist() == [4, 3, 5]  # the last has no other of its kind


def test_a_gap_is_bits_over_notes():
    nats = np.full((10, 5), math.log(2))
    notes = np.tile([0.0, 4, 4, 0, 0], (10, 1))
    table = gap_table(nats, notes, [str(i) for i in range(10)])
    assert table["overall"]["value"] == pytest.approx(5 / 8)
    assert table["without_header"]["value"] == pytest.approx(4 / 8)
    assert table["notes_1_16"]["value"] == pytest.approx(1 / 4)
    assert "notes_65_256" not in table


def one_bit_less_for_the_right_picture(scorer, conditions):
    """Nats of a model that pays one bit a note where the condition holds the piece's own picture, else two."""
    own = np.array([pair.reading.embedding for pair in scorer.music.pairs])
    wrong = np.abs(conditions[:, : own.shape[1]] - tiny.layout().embedding_scale * own).sum(axis=1) > 1e-3
    return scorer.notes() * (1 + wrong[:, None]) * math.log(2)


def test_a_model_that_needs_the_picture_pays_a_bit_a_note_for_a_wrong_one(tiny_model, pairs, monkeypatch):
    monkeypatch.setattr(Scorer, "nats", one_bit_less_for_the_right_picture)
    options = SteeringOptions(seeds=2, notes=64)
    found = conditional_gap(tiny_model, pairs, options, lambda message: None)["as_composed"]
    assert found["bits_per_note"] == pytest.approx(1)
    for wrong in ("swapped", "swapped_within_kind", "noise", "mean", "null"):
        assert found[wrong]["overall"]["value"] == pytest.approx(1, abs=0.06), wrong
    assert not found["picture_costs_bits"]


def test_an_untrained_model_answers_every_question(tiny_model, pairs):
    torch.manual_seed(0)
    found = conditional_gap(tiny_model, pairs, SteeringOptions(seeds=1, notes=32), lambda message: None)
    assert found["pieces"] == len(pairs)
    assert set(found["as_composed"]) - set(found["calibrated"]) == {"noise", "mean"}
    assert set(found["per_dial"]["rated_or_known"]) == {"valence", "arousal", "tempo"}
    assert abs(found["as_composed"]["swapped"]["overall"]["value"]) < 1


def test_canonical_correlations_of_two_shared_directions_are_theirs():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((20_000, 2))
    one = np.column_stack([shared[:, 0], shared[:, 1], rng.standard_normal(20_000)]) @ rng.standard_normal((3, 3))
    noisy = shared * [0.8, 0.3] + np.sqrt(1 - np.square([0.8, 0.3])) * rng.standard_normal((20_000, 2))
    found = canonical_correlations(one, noisy @ rng.standard_normal((2, 2)))
    assert found == pytest.approx([0.8, 0.3], abs=0.03)
