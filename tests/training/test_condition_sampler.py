from dataclasses import replace

import numpy as np
import pytest

from imagemusic.data.pairing import EXACT_SHARE, Pictures
from imagemusic.music.styles import STYLES
from imagemusic.training.condition_sampler import ConditionSampler, TrainingData
from imagemusic.training.settings import BatchOptions
from tests import tiny

DROPPED = ("drop_condition", "piece_level", "noisy", "drop_embedding", "drop_ensemble", "mismatch_prob")
NOTHING_DROPPED = dict.fromkeys(DROPPED, 0.0)


def shown(prepared, pictures, epochs=60, **shares):
    """The picture that each piece is given in each epoch, by the first number of its embedding."""
    options = BatchOptions(**NOTHING_DROPPED | shares)
    return embeddings(prepared, pictures, epochs, options)[:, :, 0]


def embeddings(prepared, pictures, epochs, options):
    """The embedding (E, P, N) of each piece in each epoch."""
    data = TrainingData(prepared, prepared.select("train"), pictures, tiny.layout())
    shift = np.zeros(len(data.pieces), np.int64)
    return np.array([ConditionSampler(data, options, (0, epoch), shift).embedding for epoch in range(epochs)])


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


def test_a_mismatched_picture_is_not_the_piece_s_own(prepared, pictures):
    assert (shown(prepared, pictures, mismatch_prob=1.0)[:, 0] == 0).mean() < 0.4


def test_a_piece_without_an_embedding_gets_none(prepared, pictures):
    assert np.isnan(shown(prepared, pictures, epochs=1, drop_embedding=1.0)).all()


def test_the_content_of_a_picture_paired_by_dials_is_swapped(prepared, pictures):
    """The first three numbers stay those of one picture, and the rest is another's; never for a piece's own."""
    mixed = embeddings(prepared, pictures, 40, BatchOptions(**NOTHING_DROPPED, content_swap_prob=1.0))
    dials, content = mixed[..., 0], mixed[..., 3]
    assert (mixed[..., :3] == dials[..., None]).all() and (mixed[..., 3:] == content[..., None]).all()
    assert (dials[:, 1] == content[:, 1]).mean() < 0.4
    assert len(np.unique(content[:, 1])) > 5
    own = dials[:, 0] == 0
    assert (content[own, 0] == 0).mean() > 0.8


def styles_of(prepared, pictures, layout, epochs=40, **shares):
    """The styles (E, P) that are given, and the ends of the conditions (E, P, S + 1)."""
    pieces = tuple(
        replace(one, style=style) for one, style in zip(prepared.select("train"), ("waltz", "", "rock"), strict=False)
    )
    data = TrainingData(prepared, pieces, pictures, layout)
    options, numbers = BatchOptions(**NOTHING_DROPPED | shares), np.arange(len(pieces))
    samplers = [ConditionSampler(data, options, (0, epoch), np.zeros(len(pieces), np.int64)) for epoch in range(epochs)]
    ends = [
        sampler.conditions(numbers, np.zeros((len(pieces), 1), np.int64))[:, 0, -len(STYLES) - 1 :]
        for sampler in samplers
    ]
    return np.array([sampler.style for sampler in samplers]), np.array(ends)


def test_a_piece_is_given_its_style_but_where_it_has_none_or_it_is_dropped(prepared, pictures):
    layout = replace(tiny.layout(), styles=STYLES)
    given, ends = styles_of(prepared, pictures, layout, drop_style=0.0)
    assert (given == [STYLES.index("waltz"), -1, STYLES.index("rock")]).all()
    assert (ends[:, 0, STYLES.index("waltz")] == layout.style_scale).all() and (ends[:, [0, 2], -1] == 1).all()
    assert not ends[:, 1].any()
    assert (np.count_nonzero(ends[:, [0, 2]], axis=2) == 2).all()
    given, ends = styles_of(prepared, pictures, layout, drop_style=0.5)
    assert 0.2 < (given[:, 0] == -1).mean() < 0.8
    np.testing.assert_array_equal(ends[..., -1], given >= 0)
    given, ends = styles_of(prepared, pictures, layout, drop_condition=1.0, drop_style=0.0)
    assert (given == -1).all() and not ends.any()
