"""The image encoder: a CNN of torchvision or an EfficientNet-Lite, an embedding and dials.

pixels (B, 3, S, S) in 0..1
  │  normalised, then the stages of the backbone, one after the other
features (B, F): means and deviations of the channels after each of the last three stages, and the connotations: the
  │                affect ratings of the ImageNet classes, averaged by their probability
  │  one linear layer
embedding (B, E), about zero mean and unit variance
  │  one linear layer each
mean (B, 3), standard deviation (B, 3) of IMAGE_DIALS, percentiles in -1..1
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from imagemusic.errors import ConfigError
from imagemusic.music.dials import IMAGE_DIALS
from imagemusic.training.encoder.efficientnet_lite import MULTIPLIERS, EfficientNetLite

POOLED = 3  # stages, the last ones
CLASSES = 1000  # of ImageNet

SMALLEST_SD = 0.02  # of a dial, a lower bound: else the likelihood is unbounded


class Family(NamedTuple):
    """Layout of a backbone, of torchvision or an EfficientNet-Lite."""

    channels: tuple[int, int, int]  # after each of the last three stages
    stages: tuple[tuple[str, ...], ...]  # module names, in order; stages can be frozen
    classifier: str = ""  # the linear layer of the classifier, where its input is the last stage

    @property
    def feature_size(self) -> int:
        """Number of pooled features: means and deviations of the channels."""
        return 2 * sum(self.channels)


def _numbered(*ends: int) -> tuple[tuple[str, ...], ...]:
    """Return stages of the modules `features.0`, `features.1` ..., which end before each of `ends`."""
    return tuple(
        tuple(f"features.{index}" for index in range(start, end)) for start, end in zip((0, *ends), ends, strict=False)
    )


_RESNET = (("conv1", "bn1", "relu", "maxpool"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))

ENCODERS: dict[str, Family] = {
    "mobilenet_v2": Family((96, 160, 1280), _numbered(2, 4, 7, 14, 17, 19), "classifier.1"),
    "mobilenet_v3_large": Family((112, 160, 960), _numbered(2, 4, 7, 13, 16, 17)),
    "efficientnet_b0": Family((112, 320, 1280), _numbered(2, 3, 4, 6, 8, 9), "classifier.1"),
    "efficientnet_lite0": Family((112, 320, 1280), _numbered(2, 3, 4, 6, 8, 9), "classifier"),
    "efficientnet_lite1": Family((112, 320, 1280), _numbered(2, 3, 4, 6, 8, 9), "classifier"),
    "efficientnet_lite2": Family((120, 352, 1280), _numbered(2, 3, 4, 6, 8, 9), "classifier"),
    "resnet18": Family((128, 256, 512), _RESNET, "fc"),
    "resnet50": Family((512, 1024, 2048), _RESNET, "fc"),
    "squeezenet1_1": Family((128, 256, 512), _numbered(3, 6, 9, 13)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Shape of an `ImageEncoder`; saved in the checkpoint as JSON."""

    name: str = "mobilenet_v2"  # a key of ENCODERS
    size: int = 224  # side of the training pictures in pixels; other sizes work too
    embedding_size: int = 128
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of ImageNet, as torchvision's weights expect
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    padding: str = "torch"  # or "tensorflow": strided convolutions pad right and below only
    scales: tuple[float, ...] = (1.0,)  # test-time augmentation: sizes, as shares of the picture's
    mirror: bool = False  # test-time augmentation: the mirrored picture
    connotations: int = 0  # number of ratings, such as valence, of every class
    classes: int = CLASSES  # rows of the classifier: fewer where classes are merged
    trainable_from: int | None = None  # first stage that is trained; None freezes the backbone

    def __post_init__(self) -> None:
        if self.name not in ENCODERS:
            raise ConfigError(f"unknown encoder {self.name!r}; choose from {', '.join(ENCODERS)}")
        if not self.scales or not all(0.1 <= scale <= 1 for scale in self.scales):
            raise ConfigError(f"scales must be one or more shares in 0.1..1, got {self.scales}")
        if self.padding not in ("torch", "tensorflow"):
            raise ConfigError(f"padding must be torch or tensorflow, got {self.padding!r}")
        if self.size < 32:
            raise ConfigError(f"size must be 32 pixels or more, got {self.size}")
        if self.embedding_size < 1:
            raise ConfigError(f"embedding_size must be 1 or more, got {self.embedding_size}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ConfigError(f"mean and std must be 3 numbers, std above 0, got {self.mean} and {self.std}")
        if self.connotations < 0 or (self.connotations and not ENCODERS[self.name].classifier):
            raise ConfigError(
                f"connotations must be 0, or more for {' or '.join(n for n, f in ENCODERS.items() if f.classifier)}; "
                f"got {self.connotations} for {self.name}"
            )
        if not 1 <= self.classes <= CLASSES:
            raise ConfigError(f"classes must be in 1..{CLASSES}, got {self.classes}")
        stages = len(ENCODERS[self.name].stages)
        if self.trainable_from is not None and not 0 <= self.trainable_from < stages:
            raise ConfigError(f"trainable_from must be in 0..{stages - 1} or None, got {self.trainable_from}")


class Dials(NamedTuple):
    """Predicted IMAGE_DIALS, a Gaussian each."""

    mean: Tensor  # (B, 3)
    sd: Tensor  # (B, 3)


class ImageEncoder(nn.Module):
    """The encoder net: pixels to features, features to an embedding, an embedding to dials."""

    pixel_mean: Tensor  # (1, 3, 1, 1)
    pixel_std: Tensor
    dial_sd_scale: Tensor  # (3,)
    class_connotations: Tensor  # (classes, connotations) ratings of each class

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.family = ENCODERS[config.name]
        self.backbone: nn.Module = (
            EfficientNetLite(config.name) if config.name in MULTIPLIERS else models.get_model(config.name, weights=None)
        )
        for classifier in ("classifier", "fc"):
            if hasattr(self.backbone, classifier):
                delattr(self.backbone, classifier)
        if config.padding == "tensorflow":
            for module in self.backbone.modules():
                if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
                    module.register_forward_pre_hook(_PadAfter(module))
        if config.connotations:
            self.classes = nn.Conv2d(self.family.channels[-1], config.classes, 1).requires_grad_(False)
            self.register_buffer("class_connotations", torch.zeros(config.classes, config.connotations))
        self.to_embedding = nn.Linear(self.feature_size, config.embedding_size)
        self.to_dial_mean = nn.Linear(config.embedding_size, len(IMAGE_DIALS))
        self.to_dial_sd = nn.Linear(config.embedding_size, len(IMAGE_DIALS))
        self.register_buffer("dial_sd_scale", torch.ones(len(IMAGE_DIALS)))  # set once training is over, to calibrate
        # Part of the config, so not saved with the weights.
        self.register_buffer("pixel_mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(config.std).view(1, 3, 1, 1), persistent=False)
        first = len(self.family.stages) if config.trainable_from is None else config.trainable_from
        for stage in range(first):
            for module in self._modules_of(stage):
                module.requires_grad_(False)

    @property
    def feature_size(self) -> int:
        """Number of features F."""
        return self.family.feature_size + self.config.connotations

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute embeddings (B, E) of pixels (B, 3, S, S) in 0..1."""
        return self.embed(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        """Compute pooled features (B, F) of pixels (B, 3, S, S) in 0..1, averaged over augmentations."""
        return self.augmented_features(pixels).mean(dim=1)

    def augmented_features(self, pixels: Tensor) -> Tensor:
        """Compute the pooled features (B, A, F) of A augmentations of pixels (B, 3, S, S) in 0..1.

        Strided convolutions are not invariant to small shifts.  Their errors differ between sizes and for the mirrored
        picture, so the mean varies less than one of them.
        """
        features = []
        for scale in self.config.scales:
            scaled = pixels if scale == 1 else _shrink(pixels, scale)
            for one in (scaled, scaled.flip(3)) if self.config.mirror else (scaled,):
                features.append(self.after_stage(self.before_stage(one, 0), 0))
        return torch.stack(features, dim=1)

    def before_stage(self, pixels: Tensor, stage: int) -> Tensor:
        """Compute the input (B, C, H, W) of a stage from pixels (B, 3, S, S) in 0..1."""
        maps = (pixels - self.pixel_mean) / self.pixel_std
        for earlier in range(stage):
            maps = self._through(earlier, maps)
        return maps

    def after_stage(self, maps: Tensor, stage: int) -> Tensor:
        """Compute pooled features (B, F) from the input (B, C, H, W) of a stage.

        Content (the last stage) and style (those before) both predict affect.  Too few pictures are rated to learn the
        affect of every kind of object; the connotations cover those that no rated picture shows.
        """
        count = len(self.family.stages)
        if stage > count - POOLED:
            raise ConfigError(
                f"pooling reads the last {POOLED} stages, so stage must be at most {count - POOLED}, got {stage}"
            )
        pooled = []
        for index in range(stage, count):
            maps = self._through(index, maps)
            if index >= count - POOLED:
                centre = maps.mean(dim=(2, 3), keepdim=True)
                pooled += [centre.flatten(1), ((maps - centre).square().mean(dim=(2, 3)) + 1e-6).sqrt()]
        if self.config.connotations:
            probabilities = self.classes(maps).softmax(dim=1).mean(dim=(2, 3))  # (B, classes), mean over positions
            pooled.append(probabilities @ self.class_connotations)
        return torch.cat(pooled, dim=1)

    def embed(self, features: Tensor) -> Tensor:
        """Compute embeddings (B, E) of pooled features (B, F)."""
        embedding: Tensor = self.to_embedding(features)
        return embedding

    def affect(self, embedding: Tensor) -> Dials:
        """Predict the dials, means and deviations (B, 3), from embeddings (B, E)."""
        sd = functional.softplus(self.to_dial_sd(embedding)) + SMALLEST_SD
        return Dials(self.to_dial_mean(embedding), sd * self.dial_sd_scale)

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Switch to training mode, except for the batch norms of the backbone, whose statistics are kept."""
        super().train(mode)
        self.backbone.eval()
        return self

    def _through(self, stage: int, maps: Tensor) -> Tensor:
        for module in self._modules_of(stage):
            maps = module(maps)
        return maps

    def _modules_of(self, stage: int) -> list[nn.Module]:
        return [self.backbone.get_submodule(name) for name in self.family.stages[stage]]


def _shrink(pixels: Tensor, scale: float) -> Tensor:
    """Scale down pixels (B, 3, S, S), blurred first against aliasing."""
    blurred = functional.avg_pool2d(functional.pad(pixels, (0, 1, 0, 1), mode="replicate"), 2, stride=1)
    return functional.interpolate(
        blurred, scale_factor=scale, mode="bilinear", align_corners=False, recompute_scale_factor=False
    )


class _PadAfter:
    """Pad the input of a strided convolution as TensorFlow does for even sides: the odd pixel goes right and below."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        high, wide = (max(0, size - 2) for size in convolution.kernel_size)
        self.sides = (wide // 2, wide - wide // 2, high // 2, high - high // 2)
        convolution.padding = (0, 0)

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        return functional.pad(inputs[0], self.sides)
