"""Features and labels to the heads of an encoder, in closed form."""

import numpy as np
import pytest
import torch

from imagemusic.errors import ConfigError, DataError
from imagemusic.training.encoder.heads import (
    CONNOTATION_WEIGHT,
    Gram,
    HeadOptions,
    Scaled,
    content_directions,
    group_folds,
    out_of_fold,
    set_heads,
)
from imagemusic.training.encoder.net import EncoderConfig, ImageEncoder


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_every_source_counts_the_same_in_the_scale():
    features = np.array([[0.0], [0.0], [0.0], [2.0]])
    scaled = Scaled.of(features, np.array(["many", "many", "many", "one"]))
    assert scaled.centre.tolist() == [1]
    np.testing.assert_allclose(scaled(features)[:, 0], [-1, -1, -1, 1], atol=2e-3)


def test_connotations_count_for_more_in_the_scale():
    features = np.array([[0.0, 3.0, 1.0], [2.0, 1.0, 3.0]])
    plain, louder = (Scaled.of(features, np.array(["a", "a"]), count)(features) for count in (0, 2))
    np.testing.assert_allclose(louder / plain, [[1, CONNOTATION_WEIGHT, CONNOTATION_WEIGHT]] * 2, rtol=1e-5)


def test_a_group_lies_in_one_fold_and_folds_are_alike():
    groups = np.repeat(np.arange(20), 3).astype(str)
    fold = group_folds(groups, 5, 0)
    assert all(len(set(fold[groups == group])) == 1 for group in groups)
    assert np.bincount(fold).tolist() == [12] * 5


def test_more_folds_than_groups_are_refused():
    with pytest.raises(DataError, match="2 groups cannot make 3 folds"):
        group_folds(np.array(["a", "b", "b"]), 3, 0)


def test_inner_products_fit_the_ridge_that_the_textbook_has(rng):
    rows, truth = rng.normal(size=(30, 4)), rng.normal(size=30)
    everything = np.arange(30)
    told = Gram(rows.astype(np.float32), np.full(30, "a"), "a").predict(truth, everything, everything, 3.0)
    centred = rows - rows.mean(axis=0)
    slope = np.linalg.solve(centred.T @ centred + 3 * np.eye(4), centred.T @ (truth - truth.mean()))
    np.testing.assert_allclose(told, centred @ slope + truth.mean(), atol=1e-4)


def test_a_difference_between_sources_is_not_learned(rng):
    signal, drawing = rng.normal(size=60), np.arange(60) % 2
    rows = np.stack([signal, 10.0 * drawing], axis=1).astype(np.float32)
    truth = signal + 5 * drawing
    sources = np.where(drawing == 1, "drawing", "photograph")
    weights, offset = Gram(rows, sources, "photograph").fit(truth, np.arange(60), 1e-6)
    np.testing.assert_allclose(weights @ rows, [1, 0], atol=1e-3)
    assert offset == pytest.approx(0, abs=1e-3)


def test_rows_of_another_source_weigh_less(rng):
    """Photographs say 1 a unit, drawings -1; who counts for more decides the sign, and equal weights leave none."""
    signal, drawing = np.tile(rng.normal(size=30), 2), np.repeat([0, 1], 30)
    rows = signal[:, None].astype(np.float32)
    truth = np.where(drawing == 1, -signal, signal)
    sources = np.where(drawing == 1, "drawing", "photograph")
    slopes = [
        Gram(rows, sources, "photograph", others).fit(truth, np.arange(60), 1.0)[0] @ rows for others in (1, 0.25)
    ]
    assert abs(slopes[0].item()) < 1e-6
    assert slopes[1].item() == pytest.approx(0.6, abs=0.05)


def test_the_strength_suits_groups_left_out(rng):
    groups = np.repeat(np.arange(20), 5).astype(str)
    looks = np.repeat(rng.normal(size=(20, 8)), 5, axis=0)  # pictures of a group look the same
    rows = (looks + rng.normal(0, 0.1, looks.shape)).astype(np.float32)
    noise = np.repeat(rng.normal(size=20), 5)  # nothing that rows could tell of another group
    gram = Gram(rows, np.full(100, "a"), "a")
    strength, told = out_of_fold(gram, noise, groups, HeadOptions(strengths=(1e-3, 1e4)))
    assert strength == 1e4
    signal = looks[:, 0]
    strength, told = out_of_fold(gram, signal, groups, HeadOptions(strengths=(1.0, 1e6)))
    assert strength == 1.0 and np.corrcoef(told, signal)[0, 1] > 0.3


def test_content_differs_between_pictures_and_not_between_augmentations(rng):
    pictures = rng.normal(size=(80, 1, 6)) * [3, 3, 1, 1, 1, 1]
    looks = (pictures + rng.normal(size=(80, 2, 6)) * [0.1, 3, 0.1, 1, 1, 1]).astype(np.float32)
    directions, ratios = content_directions(looks, np.repeat(["a", "b"], 40), 2, 6)
    assert (np.abs(directions[:, [0, 2]]).sum(axis=1) > 0.8 * np.abs(directions).sum(axis=1)).all()
    assert ratios[0] >= ratios[1] > 10


def test_more_directions_than_components_are_refused():
    with pytest.raises(ConfigError, match="3 directions cannot be chosen from 2 components"):
        content_directions(np.zeros((4, 2, 5), dtype=np.float32), np.full(4, "a"), 3, 2)


def test_the_heads_say_what_was_fitted_with_an_embedding_of_unit_variance(rng):
    encoder = ImageEncoder(EncoderConfig(name="squeezenet1_1", size=64, embedding_size=5))
    features = rng.normal(2, 3, (50, encoder.family.feature_size)).astype(np.float32)
    scaled = Scaled.of(features, np.full(50, "a"))
    directions = rng.normal(0, 0.1, (5, features.shape[1])).astype(np.float32)
    dials = [(direction, offset) for direction, offset in zip(directions[:3], (0.1, 0.2, 0.3), strict=True)]
    set_heads(encoder, scaled, dials, directions[3:], features, [0.4, 0.5, 0.6])
    with torch.no_grad():
        embedding = encoder.embed(torch.from_numpy(features))
        told = encoder.affect(embedding)
    np.testing.assert_allclose(embedding.mean(dim=0), 0, atol=1e-3)
    np.testing.assert_allclose(embedding.std(dim=0, unbiased=False), 1, atol=1e-3)
    np.testing.assert_allclose(told.mean, scaled(features) @ directions[:3].T + [0.1, 0.2, 0.3], atol=1e-3)
    np.testing.assert_allclose(told.sd[7], [0.4, 0.5, 0.6], atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 1}, "folds must be 2 or more, got 1"),
        ({"strengths": ()}, r"strengths must be one or more numbers above 0, got \(\)"),
        ({"strengths": (0.0,)}, "strengths must be one or more numbers above 0"),
        ({"others": 0.0}, r"others must be above 0 and at most 1, got 0\.0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        HeadOptions(**settings)
