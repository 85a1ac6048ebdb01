"""Pixels to an embedding and dials."""

import csv

import onnx
import onnxruntime
import pytest
import safetensors.torch
import torch

from imagemusic.errors import CheckpointError, ConfigError
from imagemusic.music.dials import IMAGE_DIALS
from imagemusic.training.encoder.export import OUTPUTS, export_backbone, export_onnx
from imagemusic.training.encoder.net import CLASSES, ENCODERS, POOLED, EncoderConfig, ImageEncoder
from imagemusic.training.encoder.weights import load_encoder, save_encoder


def small(name="squeezenet1_1", **settings):
    torch.manual_seed(0)
    encoder = ImageEncoder(EncoderConfig(name=name, size=64, embedding_size=8, **settings))
    with torch.no_grad():  # dials that tell pictures apart
        encoder.to_dial_mean.weight.normal_()
    return encoder.eval()


@pytest.fixture(scope="module", params=ENCODERS)
def encoder(request):
    return small(request.param)


def test_every_encoder_embeds_and_tells_dials(encoder):
    embedding = encoder(torch.rand(2, 3, 64, 64))
    dials = encoder.affect(embedding)
    assert embedding.shape == (2, 8)
    assert dials.mean.shape == dials.sd.shape == (2, len(IMAGE_DIALS))
    assert (dials.sd > 0).all()


def test_features_have_the_size_that_the_table_says(encoder):
    assert encoder.features(torch.rand(1, 3, 64, 64)).shape == (1, encoder.family.feature_size)


def test_the_stages_together_are_the_whole_network(encoder):
    named = {name for name, _ in encoder.backbone.named_parameters()}
    modules = [module for stage in encoder.family.stages for module in stage]
    assert all(any(name.startswith(f"{module}.") for module in modules) for name in named)


def test_stopping_between_stages_changes_nothing(encoder):
    pixels = torch.rand(1, 3, 64, 64)
    for stage in range(len(encoder.family.stages) - POOLED + 1):
        halfway = encoder.after_stage(encoder.before_stage(pixels, stage), stage)
        torch.testing.assert_close(halfway, encoder.features(pixels))


def test_pooling_refuses_to_start_behind_what_it_reads(encoder):
    last = len(encoder.family.stages) - POOLED
    with pytest.raises(ConfigError, match=f"stage must be at most {last}, got {last + 1}"):
        encoder.after_stage(encoder.before_stage(torch.rand(1, 3, 64, 64), last + 1), last + 1)


def test_a_mirrored_picture_has_the_same_features():
    pixels = torch.rand(1, 3, 64, 64)
    encoder = small(mirror=True)
    assert small(mirror=True, scales=(1.0, 0.75)).augmented_features(pixels).shape == (
        1,
        4,
        encoder.family.feature_size,
    )
    torch.testing.assert_close(encoder.features(pixels), encoder.features(pixels.flip(3)), atol=1e-5, rtol=1e-5)
    one_look = small()
    assert not torch.allclose(one_look.features(pixels), one_look.features(pixels.flip(3)), atol=1e-5)


def test_the_last_features_are_what_the_classes_seen_connote():
    """Of two classes that share what is seen by 3 to 1, the rating is the mean with these weights."""
    encoder = small("resnet18", connotations=2)
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        encoder.classes.weight.zero_()
        encoder.classes.bias.fill_(-1e4)
        encoder.classes.bias[[7, CLASSES - 1]] = torch.tensor([3.0, 1.0]).log()
        encoder.class_connotations[[7, CLASSES - 1]] = torch.tensor([[0.8, -0.4], [-0.4, 0.4]])
    features = encoder.features(pixels)
    assert features.shape == (2, encoder.feature_size)
    torch.testing.assert_close(features[:, -2:], torch.tensor([[0.5, -0.2]] * 2))


def test_a_smaller_look_keeps_the_colour_of_a_plain_picture():
    encoder = small("resnet18", scales=(0.5,))
    plain = torch.full((1, 3, 96, 96), 0.25)
    half = torch.full((1, 3, 48, 48), 0.25)
    torch.testing.assert_close(encoder.features(plain), small("resnet18").features(half))


def test_tensorflow_pads_right_and_below():
    """With a kernel that picks its first tap, output (0, 0) is pixel (0, 0), not the padding before it."""
    pixels = torch.rand(1, 3, 8, 8)
    corners = {}
    for padding in ("torch", "tensorflow"):
        first = small("mobilenet_v2", padding=padding).backbone.features[0][0]
        with torch.no_grad():
            first.weight.zero_()
            first.weight[:, :, 0, 0] = 1
        corners[padding] = first(pixels)[0, 0]
        assert corners[padding].shape == (4, 4)
    torch.testing.assert_close(corners["tensorflow"], pixels[0, :, ::2, ::2].sum(dim=0))
    assert corners["torch"][0, 0] == 0


def test_pixels_are_normalised_inside():
    grey = torch.full((1, 3, 64, 64), 0.5)
    torch.testing.assert_close(small(mean=(0.5, 0.5, 0.5)).before_stage(grey, 0), torch.zeros_like(grey))


def test_a_frozen_backbone_learns_nothing_and_an_open_stage_does():
    assert not any(p.requires_grad for p in small().backbone.parameters())
    opened = {name for name, p in small("resnet18", trainable_from=3).backbone.named_parameters() if p.requires_grad}
    assert opened and all(name.startswith(("layer3.", "layer4.")) for name in opened)
    assert all(p.requires_grad for p in small(trainable_from=0).parameters())


def test_training_leaves_the_batch_statistics_alone():
    encoder = small("resnet18", trainable_from=0).train()
    before = encoder.backbone.bn1.running_mean.clone()
    encoder(torch.rand(4, 3, 64, 64))
    assert encoder.training and torch.equal(encoder.backbone.bn1.running_mean, before)


def test_weights_survive_a_file_bit_by_bit(tmp_path):
    encoder = small()
    save_encoder(encoder, tmp_path / "encoder.safetensors")
    again = load_encoder(encoder.config, tmp_path / "encoder.safetensors")
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in encoder.state_dict().items())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_torchvision_fills_the_backbone(suffix, tmp_path):
    from torchvision import models

    state = models.get_model("squeezenet1_1", weights=None).state_dict()  # with its classifier
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    for source in (path, state):
        loaded = load_encoder(small().config, source).backbone.state_dict()
        assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.items())


def test_the_classifier_of_torchvision_names_what_is_seen():
    from torchvision import models

    state = models.get_model("resnet18", weights=None).state_dict()
    loaded = load_encoder(small("resnet18", connotations=2).config, state)
    maps = torch.rand(1, 512, 1, 1)
    expected = maps.flatten() @ state["fc.weight"].T + state["fc.bias"]
    torch.testing.assert_close(loaded.classes(maps).flatten(), expected)
    del state["fc.bias"]
    with pytest.raises(CheckpointError, match=r"not the weights of resnet18 \('fc.bias'\)"):
        load_encoder(loaded.config, state)


def test_default_weights_come_from_torchvision(monkeypatch):
    from torchvision import models

    state = models.get_model("squeezenet1_1", weights=None).state_dict()
    entry = models.SqueezeNet1_1_Weights.DEFAULT
    monkeypatch.setattr(type(entry), "get_state_dict", lambda self, **options: state)
    loaded = load_encoder(small().config, "DEFAULT").backbone.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.items())


def test_default_weights_without_a_network_are_refused(monkeypatch):
    from torchvision import models

    def fail(self, **options):
        raise OSError("no route to host")

    monkeypatch.setattr(models.SqueezeNet1_1_Weights, "get_state_dict", fail)
    with pytest.raises(
        CheckpointError, match=r"torchvision's squeezenet1_1: cannot be downloaded \(no route to host\)"
    ):
        load_encoder(small().config, "DEFAULT")


def test_unusable_weights_are_refused(tmp_path):
    config = small().config
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"12345678")
    pickled = tmp_path / "pickled.pth"
    torch.save({"weights": [1, 2, 3]}, pickled)
    other = tmp_path / "other.safetensors"
    save_encoder(small("resnet18"), other)
    for path, message in {
        tmp_path / "none.pth": "no such weights file",
        damaged: "damaged, or not a weights file",
        pickled: "must hold a state dict",
        other: "not the weights of squeezenet1_1",
    }.items():
        with pytest.raises(CheckpointError, match=rf"{path.name}: {message}"):
            load_encoder(config, path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "resnet19"}, "unknown encoder 'resnet19'; choose from mobilenet_v2, "),
        ({"size": 16}, "size must be 32 pixels or more, got 16"),
        ({"padding": "same"}, "padding must be torch or tensorflow, got 'same'"),
        ({"scales": ()}, r"scales must be one or more shares in 0\.1\.\.1, got \(\)"),
        ({"scales": (1.5,)}, "scales must be one or more shares"),
        ({"name": "squeezenet1_1", "connotations": 2}, "connotations must be 0, or more for mobilenet_v2 or"),
        ({"name": "resnet18", "classes": 1001}, r"classes must be in 1\.\.1000, got 1001"),
        ({"embedding_size": 0}, "embedding_size must be 1 or more, got 0"),
        ({"std": (1.0, 1.0, 0.0)}, "std above 0"),
        ({"name": "resnet18", "trainable_from": 5}, r"trainable_from must be in 0\.\.4 or None, got 5"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        EncoderConfig(**settings)


@pytest.fixture(scope="module")
def graph_path(encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "encoder.onnx"
    export_onnx(encoder, path)
    return path


@pytest.mark.parametrize(("count", "height", "width"), [(1, 64, 64), (2, 96, 64)])
def test_the_graph_equals_the_encoder_at_any_size(encoder, graph_path, count, height, width):
    session = onnxruntime.InferenceSession(graph_path, providers=["CPUExecutionProvider"])
    pixels = torch.rand(count, 3, height, width)
    with torch.no_grad():
        embedding = encoder(pixels)
        expected = (embedding, *encoder.affect(embedding))
    for got, wanted in zip(session.run(list(OUTPUTS), {"pixels": pixels.numpy()}), expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(got), wanted, atol=1e-4, rtol=1e-4)


def test_the_graphs_of_several_augmentations_equal_the_encoder(tmp_path):
    encoder = small("mobilenet_v2", mirror=True, scales=(1.0, 0.5), padding="tensorflow", connotations=2)
    encoder.class_connotations.normal_()
    pixels = torch.rand(2, 3, 64, 64)
    export_backbone(encoder, tmp_path / "looks.onnx")
    export_onnx(encoder, tmp_path / "encoder.onnx")
    with torch.no_grad():
        looks, embedding = encoder.augmented_features(pixels), encoder(pixels)
    for name, output, wanted in (("looks", "looks", looks), ("encoder", "embedding", embedding)):
        session = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx", providers=["CPUExecutionProvider"])
        got = torch.from_numpy(session.run([output], {"pixels": pixels.numpy()})[0])
        torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


def test_weights_in_the_graph_have_the_names_of_the_state_dict(encoder, graph_path):
    names = {tensor.name for tensor in onnx.load(graph_path).graph.initializer}
    assert {name for name in encoder.state_dict() if not name.endswith("num_batches_tracked")} <= names


def test_the_ratings_are_of_the_classes_in_the_classifier_s_order():
    from torchvision.models import MobileNet_V2_Weights

    with open("data/connotations.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == MobileNet_V2_Weights.DEFAULT.meta["categories"]
    assert all(-1 <= float(row[dial]) <= 1 for row in rows for dial in ("valence", "arousal"))
