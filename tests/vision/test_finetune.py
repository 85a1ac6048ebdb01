"""Cached feature maps and labels to fine-tuned weights."""

import numpy as np
import pytest
import torch

from imagemusic.errors import ConfigError
from imagemusic.vision.encoder import Dials, EncoderConfig, ImageEncoder
from imagemusic.vision.finetune import Examples, FinetuneOptions, dial_loss, features_of, finetune, validation_error

QUICK = FinetuneOptions(steps=4, batch=(("a", 8), ("b", 4)), check_every=2, ridge_strength=10.0)


def encoder_and_examples(trainable_from=2):
    """Make 60 pictures of two sources, whose first dial is how bright their maps are."""
    torch.manual_seed(0)
    config = EncoderConfig(name="squeezenet1_1", size=64, embedding_size=12, trainable_from=trainable_from)
    encoder = ImageEncoder(config).eval()
    rng = np.random.default_rng(0)
    bright = rng.uniform(-1, 1, 60).astype(np.float32)
    pixels = np.clip(0.5 + 0.4 * bright[:, None, None, None] + rng.normal(0, 0.1, (60, 3, 64, 64)), 0, 1)
    with torch.no_grad():
        maps = encoder.before_stage(torch.from_numpy(pixels.astype(np.float32)), encoder.cached_stage).numpy()
    dials = np.full((60, 3), np.nan, dtype=np.float32)
    dials[:40, 0], dials[:40, 1] = bright[:40], rng.uniform(-1, 1, 40)
    dials[40:, 2] = rng.uniform(-1, 1, 20)
    return encoder, Examples(
        maps=np.repeat(maps, 2, axis=0).astype(np.float16),
        first_row=np.arange(60) * 2,
        views=np.full(60, 2),
        dials=dials,
        category=np.where(np.arange(60) < 40, -1, np.arange(60) % 3),
        source=np.where(np.arange(60) < 40, "a", "b"),
        split=np.array(["train", "train", "train", "validation", "test"] * 12),
    )


def test_the_mean_learns_by_its_squared_error_alone():
    mean = torch.tensor([[0.2, 0.0, 0.0]], requires_grad=True)
    truth = torch.tensor([[0.5, float("nan"), float("nan")]])
    dial_loss(Dials(mean, torch.tensor([[0.1, 1.0, 1.0]])), truth).backward()
    torch.testing.assert_close(mean.grad, torch.tensor([[-0.3, 0.0, 0.0]]))


def test_training_tells_bright_from_dark_and_keeps_the_promises_of_the_embedding():
    encoder, examples = encoder_and_examples()
    frozen = {name: tensor.clone() for name, tensor in encoder.backbone.state_dict().items()}
    history = finetune(encoder, examples, QUICK)
    assert history.steps == [2, 4] and len(history.validation_error) == 2
    embedding = encoder.embed(features_of(encoder, examples, np.flatnonzero(examples.split == "train"))).detach()
    torch.testing.assert_close(embedding.mean(dim=0), torch.zeros(12), atol=1e-3, rtol=0)
    torch.testing.assert_close(embedding.std(dim=0), torch.ones(12), atol=1e-2, rtol=0)
    held_out = np.flatnonzero((examples.split == "test") & (examples.source == "a"))
    told = encoder.affect(encoder.embed(features_of(encoder, examples, held_out))).mean[:, 0].detach().numpy()
    assert np.corrcoef(told, examples.dials[held_out, 0])[0, 1] > 0.9
    changed = {name for name, tensor in encoder.backbone.state_dict().items() if not torch.equal(tensor, frozen[name])}
    # Stage 2 begins at features.6.
    assert all(int(name.split(".")[1]) >= 6 for name in changed)


def test_the_errors_on_validation_have_unit_variance_after_calibration():
    encoder, examples = encoder_and_examples()
    finetune(encoder, examples, QUICK)
    rows = np.flatnonzero(examples.split == "validation")
    dials = encoder.affect(encoder.embed(features_of(encoder, examples, rows)))
    errors = ((torch.from_numpy(examples.dials[rows]) - dials.mean) / dials.sd).square().nanmean(dim=0)
    torch.testing.assert_close(errors.detach(), torch.ones(3), atol=1e-3, rtol=0)


def test_the_same_seed_gives_the_same_weights():
    results = []
    for _ in range(2):
        encoder, examples = encoder_and_examples()
        finetune(encoder, examples, QUICK)
        results.append(encoder.to_embedding.weight.detach().clone())
    assert torch.equal(*results)


def test_every_dial_and_source_counts_the_same_in_the_error():
    encoder, examples = encoder_and_examples()
    with torch.no_grad():
        encoder.to_dial_mean.weight.zero_()
        encoder.to_dial_mean.bias.zero_()
    rows = examples.split == "validation"
    expected = np.mean(
        [
            np.square(examples.dials[rows & (examples.source == source), column]).mean()
            for source, column in (("a", 0), ("a", 1), ("b", 2))
        ]
    )
    assert validation_error(encoder, examples) == pytest.approx(expected, rel=1e-5)


def test_a_frozen_encoder_is_not_trained():
    encoder, examples = encoder_and_examples(trainable_from=None)
    with pytest.raises(ConfigError, match="trainable_from is None"):
        finetune(encoder, examples, QUICK)


def test_no_steps_are_refused():
    with pytest.raises(ConfigError, match="steps and check_every must be 1 or more, got 0 and 25"):
        FinetuneOptions(steps=0)
