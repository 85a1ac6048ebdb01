"""Gradients and occlusion tell the same of an encoder whose answer is known."""

import numpy as np
import pytest
import torch

from imagemusic.research.saliency import Gradients, hide
from imagemusic.training.encoder.net import EncoderConfig, ImageEncoder
from imagemusic.vision.saliency import occlude

GRID = 4


@pytest.fixture(scope="module")
def encoder():
    """Its valence is the mean of what the first convolution makes of red; its arousal the opposite."""
    torch.manual_seed(0)
    encoder = ImageEncoder(EncoderConfig(name="squeezenet1_1", size=64, embedding_size=2, scales=(1.0,), mirror=True))
    with torch.no_grad():
        encoder.backbone.get_parameter("features.0.weight")[:, 1:] = 0
        for name, parameter in encoder.backbone.named_parameters():  # every layer takes a mean
            if name.endswith("weight"):
                parameter.abs_().div_(parameter.sum(dim=(1, 2, 3), keepdim=True))
            else:
                parameter.zero_()
        encoder.to_embedding.weight.zero_()
        encoder.to_embedding.weight[:, -1024:-512] = 1.0
        encoder.to_dial_mean.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]))
        scale = float(encoder.affect(encoder(torch.ones(1, 3, 64, 64))).mean[0, 0])
        encoder.to_dial_mean.weight /= scale
    return encoder.eval()


@pytest.fixture
def pixels():
    """Black, and red in the lower right."""
    red = np.zeros((3, 64, 64), np.float32)
    red[0, 40:, 40:] = 1
    return red


def test_every_map_finds_the_part_that_says_so(encoder, pixels):
    def read(one):
        with torch.no_grad():
            return encoder.affect(encoder(torch.from_numpy(one)[None])).mean[0].numpy()

    gradients = Gradients(encoder)
    for cells in (
        occlude(read, pixels, grid=GRID)[0], gradients.integrated(pixels, 0, GRID), gradients.cam(pixels, 0, GRID)
    ):  # fmt: skip
        assert cells.shape == (GRID, GRID)
        assert cells[2:, 2:].mean() > cells[:2, :2].mean() + 1e-3 * np.abs(cells).max()


def test_integrated_gradients_add_up_to_what_the_picture_changes(encoder, pixels):
    cells = Gradients(encoder).integrated(pixels, 0, GRID)
    plain = np.broadcast_to(pixels.mean(axis=(1, 2), keepdims=True), pixels.shape).copy()
    with torch.no_grad():
        seen, before = (
            float(encoder.affect(encoder(torch.from_numpy(one)[None])).mean[0, 0]) for one in (pixels, plain)
        )
    assert cells.sum() == pytest.approx(seen - before, abs=0.05 * max(abs(seen - before), 0.1))


def test_a_dial_that_is_the_opposite_has_the_opposite_map(encoder, pixels):
    gradients = Gradients(encoder)
    for method in (gradients.integrated, gradients.cam):
        np.testing.assert_allclose(method(pixels, 0, GRID), -method(pixels, 1, GRID), atol=1e-5)


def test_hiding_takes_the_highest_cells_and_no_others():
    pixels = np.zeros((3, 32, 32), np.float32)
    pixels[:, :16] = 1
    cells = np.zeros((GRID, GRID))
    cells[0, :2] = 1
    hidden = hide(pixels, cells, 2)
    assert hidden[:, :6, :12] == pytest.approx(0.5)
    assert (hidden[:, 12:] == pixels[:, 12:]).all() and (hidden[:, :, 24:] == pixels[:, :, 24:]).all()
