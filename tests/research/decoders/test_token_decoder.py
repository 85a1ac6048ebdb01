import copy

import numpy as np
import pytest
import torch

from imagemusic.research.decoders.token_decoder import IGNORED, TokenDecoder, TokenSource, token_nats

START = 0


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    return TokenDecoder(40, 16).eval()


def token_rows(lengths=(30, 7, 18)):
    return [np.random.default_rng(i).integers(1, 40, length) for i, length in enumerate(lengths)]


def source_of(pieces, **changes):
    made = {"batch_size": 2, "window": 8, "transpose": 0, "seed": 0} | changes
    tokens = token_rows()
    return TokenSource(pieces, np.ones(len(pieces)), lambda piece, shift: tokens[pieces.index(piece)], START, **made)


def test_nats_are_those_of_each_piece_by_itself(decoder):
    tokens = token_rows()
    found = dict(token_nats(decoder, tokens, START, window=5))
    for number, piece in enumerate(tokens):
        before = torch.tensor([[START, *piece[:-1]]])
        with torch.no_grad():
            scores, _ = decoder(before, decoder.initial_state(1))
        chosen = scores.log_softmax(-1)[0, torch.arange(len(piece)), torch.from_numpy(piece)]
        assert found[number] == pytest.approx(-float(chosen.sum()), rel=1e-5)


def test_streams_read_every_piece_once_in_an_epoch(benchmark):
    pieces = benchmark.training[:3]
    source, read = source_of(pieces), []
    rows = [[], []]
    while sum(len(piece) for piece in read) < 55:
        batch = source.batch()
        for row in range(2):
            if batch.reset[row] and rows[row]:
                read.append(rows[row])
                rows[row] = []
            rows[row] += batch.target[row][batch.target[row] != IGNORED].tolist()
            assert batch.before[row, 0] == START or not batch.reset[row]
    assert sorted(map(tuple, read[:3])) == sorted(tuple(piece.tolist()) for piece in token_rows())


def test_a_window_reads_what_it_predicted_before(benchmark):
    batch = source_of(benchmark.training[:3]).batch()
    known = batch.target[:, :-1] != IGNORED
    assert torch.equal(batch.before[:, 1:][known & (batch.target[:, 1:] != IGNORED)],
                       batch.target[:, :-1][known & (batch.target[:, 1:] != IGNORED)])  # fmt: skip


def test_a_source_goes_on_from_its_position(benchmark):
    pieces = benchmark.training[:3]
    source = source_of(pieces)
    for _ in range(3):
        source.batch()
    other = source_of(pieces, position=copy.deepcopy(source.position))
    for _ in range(6):
        for one, two in zip(source.batch(), other.batch(), strict=True):
            assert torch.equal(torch.as_tensor(one), torch.as_tensor(two))


def test_notes_of_an_epoch_are_all_counted(benchmark):
    pieces = benchmark.training[:3]
    source, notes = source_of(pieces, batch_size=1), 0
    for _ in range(sum(-(-len(piece) // 8) for piece in token_rows())):
        notes += source.batch().notes
    assert notes == pytest.approx(sum(piece.notes for piece in pieces), abs=8)
