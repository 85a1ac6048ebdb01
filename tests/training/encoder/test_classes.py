"""Classes of one rating, merged."""

from pathlib import Path

import pytest
import torch

from imagemusic.errors import CheckpointError
from imagemusic.training.encoder.classes import merge_classes, read_connotations, with_merged_classes
from imagemusic.training.encoder.net import CLASSES, EncoderConfig, ImageEncoder
from imagemusic.training.encoder.weights import save_encoder


def test_equal_classes_merge_into_one_as_probable_as_all():
    torch.manual_seed(0)
    two = torch.randn(2, 8)
    weight, bias = two[[0, 0, 0, 1]], torch.tensor([0.5, 0.1, -0.3, 0.2])
    connotations = torch.tensor([[0.7, 0.0]] * 3 + [[-0.5, 0.5]])
    merged, biases, rated = merge_classes(weight, bias, connotations, 0.25)
    assert merged.shape == (2, 8)
    maps = torch.randn(5, 8)
    before = (maps @ weight.T + bias).softmax(dim=1) @ connotations
    torch.testing.assert_close((maps @ merged.T + biases).softmax(dim=1) @ rated, before)


def test_classes_of_two_ratings_never_merge_and_all_is_all():
    weight, bias = torch.zeros(6, 4), torch.zeros(6)
    connotations = torch.tensor([[0.0, 0.1], [0.0, 0.2], [0.0, 0.3]]).repeat(2, 1)
    assert len(merge_classes(weight, bias, connotations, 0.01)[1]) == 3
    torch.manual_seed(0)
    weight = torch.randn(6, 4)
    merged, _, rated = merge_classes(weight, bias, connotations, 1.0)
    rows = [int((merged - row).abs().sum(dim=1).argmin()) for row in weight]
    torch.testing.assert_close(merged[rows], weight)
    assert torch.equal(rated[rows], connotations)


def test_clusters_are_the_classes_that_lie_together():
    torch.manual_seed(0)
    near, far = torch.randn(4, 3) * 0.01, torch.randn(4, 3) * 0.01 + 10
    merged, biases, _ = merge_classes(torch.cat([near, far]), torch.zeros(8), torch.zeros(8, 2), 0.25)
    found = sorted(merged.mean(dim=1).tolist())
    assert found == pytest.approx([near.mean().item(), far.mean().item()], abs=1e-4)
    torch.testing.assert_close(biases, torch.tensor([4.0, 4.0]).log())


def test_an_encoder_with_merged_classes_keeps_its_backbone(tmp_path):
    whole = ImageEncoder(EncoderConfig(name="resnet18", size=64, connotations=2)).eval()
    save_encoder(whole, tmp_path / "whole.safetensors")
    connotations = torch.zeros(CLASSES, 2)
    connotations[:400] = 0.5
    config = EncoderConfig(name="resnet18", size=64, connotations=2, classes=2)
    made = with_merged_classes(config, tmp_path / "whole.safetensors", connotations, 0.001)
    assert sorted(made.class_connotations[:, 0].tolist()) == [0, 0.5]
    pixels = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        kept = made.family.feature_size
        torch.testing.assert_close(made.features(pixels)[:, :kept], whole.features(pixels)[:, :kept])
    with pytest.raises(CheckpointError, match="not the weights of resnet18"):
        with_merged_classes(config, tmp_path / "whole.safetensors", connotations, 0.01)


def test_the_ratings_are_read_in_the_order_of_the_classes():
    assert read_connotations(Path("data/connotations.csv")).shape == (CLASSES, 2)
