"""Pictures to the features of a frozen backbone, kept in a file."""

import numpy as np
import pytest
import torch
from PIL import Image

from imagemusic.errors import DataError
from imagemusic.training.encoder.export import export_backbone
from imagemusic.training.encoder.features import VIEWS, cache_features
from imagemusic.training.encoder.labels import LabelledPicture
from imagemusic.training.encoder.net import EncoderConfig, ImageEncoder
from imagemusic.vision.image import load_pixels


@pytest.fixture
def pictures(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (2, 80, 80, 3), dtype=np.uint8)
    made = []
    for number, pixels in enumerate(noise):
        path = tmp_path / f"{number}.png"
        Image.fromarray(pixels).save(path)
        made.append(LabelledPicture(id=f"a/{number}", path=path, source="a", group=f"a/{number}"))
    return made


def test_rows_are_the_augmentations_of_each_view_and_are_computed_once(pictures, tmp_path):
    torch.manual_seed(0)
    encoder = ImageEncoder(EncoderConfig(name="squeezenet1_1", size=64, mirror=True)).eval()
    graph, path = tmp_path / "looks.onnx", tmp_path / "features.npy"
    export_backbone(encoder, graph)
    shape = (2, encoder.family.feature_size)
    rows = cache_features(pictures, ("original", "half_size"), graph, path, size=64, shape=shape, workers=1)
    assert rows.shape == (2, 2, *shape)
    edited = load_pixels(VIEWS["half_size"](Image.open(pictures[1].path)), 64)
    with torch.no_grad():
        wanted = encoder.augmented_features(torch.from_numpy(edited)[None])[0].numpy()
    np.testing.assert_allclose(rows[1, 1], wanted, atol=5e-3)
    how = {"size": 64, "shape": shape, "workers": 1}
    np.save(path, np.zeros(rows.shape, np.float16))  # computed again, it would not be this
    assert not cache_features(pictures, ("original", "half_size"), graph, path, **how).any()
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(DataError, match="made by another encoder than .*looks.onnx; remove it to compute it again"):
        cache_features(pictures, ("original", "half_size"), graph, path, **how)


def test_the_file_of_other_pictures_is_refused(pictures, tmp_path):
    path = tmp_path / "features.npy"
    np.save(path, np.zeros((3, 1, 2, 4), dtype=np.float16))
    with pytest.raises(DataError, match=r"holds features \(3, 1, 2, 4\), need \(2, 1, 2, 4\); remove it"):
        cache_features(pictures, ("original",), tmp_path / "none.onnx", path, size=64, shape=(2, 4), workers=1)
