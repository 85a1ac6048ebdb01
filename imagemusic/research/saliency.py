"""Gradient saliency maps of an image encoder's dials, to compare with the occlusion maps of `imagemusic look`.

    pixels ─┬─ occlusion: difference after hiding a patch         (vision/saliency.py, on the ONNX encoder)
            ├─ integrated gradients, from the mean colour         (Sundararajan et al. 2017, arXiv:1703.01365)
            └─ Grad-CAM of the last stage                         (Selvaraju et al. 2017, arXiv:1610.02391)
    each ──> cells (N, N), from the top left, above zero where a part raises a dial

The gradient methods are captum's.  Maps are compared by deletion (Petsiuk et al. 2018, arXiv:1806.07421): how far the
dial falls when the highest cells are hidden.
"""

from dataclasses import replace

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradCam
from numpy.typing import NDArray
from torch.nn import functional

from imagemusic.training.encoder.net import ImageEncoder
from imagemusic.training.encoder.weights import load_encoder
from imagemusic.vision.saliency import patch_strips

STEPS = 32  # of the integral from the mean colour to the picture

Cells = NDArray[np.float64]  # (N, N)
Pixels = NDArray[np.float32]  # (3, S, S) in 0..1


class Gradients:
    """Saliency maps of an encoder's dials from gradients."""

    def __init__(self, encoder: ImageEncoder) -> None:
        self.encoder = encoder.eval()
        # captum's Grad-CAM needs a layer that runs once, so without test-time augmentation.
        once = replace(encoder.config, scales=(1.0,), mirror=False)
        self.once = load_encoder(once, encoder.state_dict()).eval()
        self._integrated = IntegratedGradients(lambda pixels: _dials(self.encoder, pixels))
        last = self.once.backbone.get_submodule(self.once.family.stages[-1][-1])
        self._cam = LayerGradCam(lambda pixels: _dials(self.once, pixels), last)

    def integrated(self, pixels: Pixels, dial: int, grid: int) -> Cells:
        """Return integrated gradients (grid, grid) of a dial, summed over the pixels of each cell.

        Args:
            pixels: (3, S, S) in 0..1.
            dial: index in `IMAGE_DIALS`.
            grid: cells a side.
        """
        one = torch.from_numpy(pixels)[None]
        mean = one.mean(dim=(2, 3), keepdim=True).expand_as(one)
        found = self._integrated.attribute(one, mean, target=dial, n_steps=STEPS, internal_batch_size=8)
        strips = patch_strips(pixels.shape[-1], grid)
        cells: Cells = strips @ found[0].sum(dim=0).double().numpy() @ strips.T
        return cells

    def cam(self, pixels: Pixels, dial: int, grid: int) -> Cells:
        """Return the Grad-CAM map (grid, grid) of a dial, without the usual ReLU, so that cells below zero lower it.

        Arguments are those of `integrated`.
        """
        found = self._cam.attribute(torch.from_numpy(pixels)[None].requires_grad_(), target=dial)
        cells: Cells = (
            functional.interpolate(found.detach(), (grid, grid), mode="bilinear", align_corners=False)[0, 0]
            .double()
            .numpy()
        )
        return cells


def _dials(encoder: ImageEncoder, pixels: torch.Tensor) -> torch.Tensor:
    return encoder.affect(encoder(pixels)).mean


def hide(pixels: Pixels, cells: Cells, count: int) -> Pixels:
    """Return pixels (3, S, S) whose `count` highest cells (N, N) are replaced by the mean colour, with soft edges."""
    strips = patch_strips(pixels.shape[-1], len(cells))
    mask = np.zeros(pixels.shape[1:])
    for cell in np.argsort(cells, axis=None)[::-1][:count]:
        row, column = divmod(int(cell), len(cells))
        mask += np.outer(strips[row], strips[column])
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    hidden: Pixels = (pixels + mask * (mean - pixels)).astype(np.float32)
    return hidden
