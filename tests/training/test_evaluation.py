import math

import numpy as np
import pytest
import torch

from imagemusic.events.codec import decode
from imagemusic.events.vocabulary import FIELDS
from imagemusic.training.batches import window_columns
from imagemusic.training.evaluation import bits_per_note, count_predictions, piece_nats, to_tensors
from tests import tiny


@pytest.fixture(scope="module")
def decoder():
    return tiny.decoder()


def nats_of(decoder, prepared, pieces, **options):
    return {piece.id: nats for piece, nats, _ in piece_nats(decoder, prepared, pieces, **options)}


def test_nats_equal_those_of_one_piece_read_at_once(decoder, prepared):
    (piece,) = prepared.select("validation")
    rows = prepared.rows[piece.start : piece.start + piece.rows]
    columns = window_columns(rows, piece.end, 0, len(rows), hide_remaining=True)
    before, target, weights = (to_tensors({k: v[None] for k, v in part.items()}) for part in columns)
    condition = torch.zeros(1, decoder.config.condition_size)
    with torch.no_grad():
        hidden, _ = decoder(before, condition, decoder.initial_state(condition))
        expected, _ = decoder.loss(hidden, target, weights)
    found = nats_of(decoder, prepared, [piece])[piece.id]
    for name in FIELDS:
        assert found[name] == pytest.approx(float(expected[name]), rel=1e-5)


@pytest.mark.parametrize("options", [{"window": 7}, {"batch_size": 1}, {"batch_size": 3, "window": 64}])
def test_neither_windows_nor_neighbours_change_a_piece(decoder, prepared, options):
    whole = nats_of(decoder, prepared, prepared.pieces)
    cut = nats_of(decoder, prepared, prepared.pieces, **options)
    for name, nats in whole.items():
        assert cut[name] == pytest.approx(nats, rel=1e-4)


def test_conditions_go_with_their_pieces(decoder, prepared):
    pieces = prepared.pieces
    conditions = torch.randn(len(pieces), decoder.config.condition_size)
    together = nats_of(decoder, prepared, pieces, conditions=conditions)
    for i, piece in enumerate(pieces):
        alone = nats_of(decoder, prepared, [piece], conditions=conditions[i : i + 1])
        assert together[piece.id] == pytest.approx(alone[piece.id], rel=1e-4)


def test_no_more_guesses_are_right_than_there_are(decoder, prepared):
    for piece, _, right in piece_nats(decoder, prepared, prepared.pieces):
        predictions = count_predictions(prepared, [piece])
        assert all(0 <= right[name] <= predictions[name] for name in FIELDS)


def test_guesses_are_counted_by_hand(prepared):
    piece = prepared.pieces[0]
    drums = sum(len(track) for track in decode(prepared.events(piece)).tracks if track.is_drum)
    # Beside the notes: meter, tempo, three parts, end; the part of drums has a program and a role as well.
    assert piece.rows == piece.notes + 6
    assert count_predictions(prepared, [piece]) == {
        "gap": piece.rows,
        "part": piece.rows,
        "pitch": piece.rows - 1,
        "duration": piece.notes - drums + 3,
        "velocity": piece.notes,
    }


def test_bits_per_note_by_hand(prepared):
    pieces = prepared.pieces[:2]
    notes = sum(piece.notes for piece in pieces)
    nats = [dict.fromkeys(FIELDS, math.log(2) * piece.notes) for piece in pieces]
    bits = bits_per_note(nats, pieces)
    assert notes > 0
    assert bits == pytest.approx({"total": 4, **dict.fromkeys(FIELDS, 1)})


def test_an_untrained_decoder_is_about_as_good_as_a_guess(decoder, prepared):
    (piece,) = prepared.select("validation")
    nats = nats_of(decoder, prepared, [piece])[piece.id]
    assert nats["gap"] / piece.rows == pytest.approx(np.log(97), rel=0.1)
