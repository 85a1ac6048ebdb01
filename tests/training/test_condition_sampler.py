import numpy as np
import pytest

from imagemusic.data.pairing import EXACT_SHARE, Pictures
from imagemusic.training.batches import BatchOptions
from imagemusic.training.condition_sampler import ConditionSampler
from tests import tiny

HIDING = ("drop_condition", "piece_level", "noisy", "drop_embedding", "drop_ensemble", "mismatch_prob")
NOTHING_HIDDEN = dict.fromkeys(HIDING, 0.0)


def shown(prepared, pictures, epochs=60, **shares):
    """The picture that each piece is given in each epoch, by the first number of its embedding."""
    pieces, options = prepared.select("train"), BatchOptions(**NOTHING_HIDDEN | shares)
    still = np.zeros(len(pieces), np.int64)
    return np.array(
        [
            ConditionSampler(prepared, pieces, pictures, tiny.layout(), options, (0, epoch), still).embedding[:, 0]
            for epoch in range(epochs)
        ]
    )


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
    assert (shown(prepared, pictures, mismatch_prob=1.0)[:, 0] == 0).mean() < 0.4


def test_a_piece_without_an_embedding_gets_none(prepared, pictures):
    assert np.isnan(shown(prepared, pictures, epochs=1, drop_embedding=1.0)).all()


def test_a_picture_paired_by_dials_lends_its_dials_alone(prepared, pictures):
    """The first three numbers stay those of one picture, and the rest is another's; never for a piece's own."""
    pieces, still = prepared.select("train"), np.zeros(len(prepared.select("train")), np.int64)
    options = BatchOptions(**NOTHING_HIDDEN, content_swap_prob=1.0)
    mixed = np.array(
        [
            ConditionSampler(prepared, pieces, pictures, tiny.layout(), options, (0, n), still).embedding
            for n in range(40)
        ]
    )
    dials, content = mixed[..., 0], mixed[..., 3]
    assert (mixed[..., :3] == dials[..., None]).all() and (mixed[..., 3:] == content[..., None]).all()
    assert (dials[:, 1] == content[:, 1]).mean() < 0.4
    assert len(np.unique(content[:, 1])) > 5
    own = dials[:, 0] == 0
    assert (content[own, 0] == 0).mean() > 0.8
