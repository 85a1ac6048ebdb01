import numpy as np
import pytest

from imagemusic.data.pairing import EXACT_SHARE, Pictures
from imagemusic.training.givens import Givens
from tests import tiny

NOTHING_HIDDEN = dict.fromkeys(("nothing", "rough", "guessed", "no_embedding", "no_ensemble", "contrary"), 0.0)


def shown(prepared, pictures, epochs=60, **shares):
    """The picture that each piece is given in each epoch, by the first number of its embedding."""
    pieces = prepared.select("train")
    return np.array([
        Givens(prepared, pieces, pictures, tiny.layout(), (0, epoch), shares=NOTHING_HIDDEN | shares, temperature=0.25,
               shift=np.zeros(len(pieces), np.int64)).embedding[:, 0]
        for epoch in range(epochs)
    ])  # fmt: skip


@pytest.fixture
def pictures(prepared):
    """Ten pictures of which nothing is known; the first belongs to the first piece."""
    embeddings = np.repeat(np.arange(10, dtype=np.float16)[:, None, None], tiny.EMBEDDING_SIZE, axis=2)
    own = {prepared.select("train")[0].id: 0}
    return Pictures(np.arange(10).astype(str), embeddings, np.full((10, 3), np.nan), own=own)


def test_a_piece_meets_its_own_picture_in_most_epochs_and_another_piece_any(prepared, pictures):
    given = shown(prepared, pictures)
    assert (given[:, 0] == 0).mean() == pytest.approx(EXACT_SHARE + (1 - EXACT_SHARE) / 10, abs=0.12)
    assert len(np.unique(given[:, 1])) > 5


def test_a_contrary_picture_is_not_the_piece_s_own(prepared, pictures):
    assert (shown(prepared, pictures, contrary=1.0)[:, 0] == 0).mean() < 0.4


def test_a_piece_without_an_embedding_gets_none(prepared, pictures):
    assert np.isnan(shown(prepared, pictures, epochs=1, no_embedding=1.0)).all()
