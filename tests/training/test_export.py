import json

import numpy as np
import pytest
import torch
from PIL import Image

from imagemusic.checkpoint import open_checkpoint
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.config import from_table
from imagemusic.errors import DataError
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.midi import midi_bytes
from imagemusic.training.export import Sources, export_checkpoint
from imagemusic.training.loading import interpolate_weights, load_decoder
from tests import tiny


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    return tiny.write_encoder(tmp_path_factory.mktemp("encoder") / "encoder")


@pytest.fixture(scope="module")
def exported(encoder_folder, prepared, pictures_file, tmp_path_factory):
    sources = Sources(encoder=encoder_folder, pictures=pictures_file)
    out = tmp_path_factory.mktemp("exported") / "checkpoint"
    return export_checkpoint(
        out, tiny.decoder(), tiny.layout(), prepared, sources, training={"step": 0}, card="# Card\n"
    )


def test_an_exported_checkpoint_composes_with_a_real_encoder(exported):
    model = ImageMusic.from_pretrained(exported)
    red, blue = (Image.new("RGB", (80, 60), colour) for colour in ("red", "blue"))
    options = ComposeOptions(seconds=8)
    piece = model.compose(red, options)
    assert abs(piece.score.seconds - 8) < 1
    assert piece.features.embedding.shape == (tiny.EMBEDDING_SIZE,)
    assert midi_bytes(model.compose(blue, options).score) != midi_bytes(piece.score)


def test_the_encoder_sees_the_same_on_both_engines(exported, encoder_folder):
    from safetensors.torch import load_file

    from imagemusic.training.encoder.net import EncoderConfig, ImageEncoder
    from imagemusic.vision.image import load_pixels

    table = json.loads((encoder_folder / "encoder.json").read_text())["encoder"]
    encoder = ImageEncoder(from_table(EncoderConfig, table, where="encoder.json")).eval()
    state = load_file(encoder_folder / "encoder.safetensors")
    encoder.load_state_dict({name: tensor.half().float() for name, tensor in state.items()})
    pixels = load_pixels(Image.effect_noise((64, 64), 90).convert("RGB"), 64)
    with torch.no_grad():
        expected = encoder(torch.from_numpy(pixels)[None])[0].numpy()
    found, _, _ = ImageMusic.from_pretrained(exported).encoder.encode(pixels)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_music_that_was_learned_stands_in_the_checkpoint(exported, prepared):
    checkpoint = open_checkpoint(exported)
    pieces = prepared.select("train")
    assert checkpoint.weights["prior.dials"].shape == (len(pieces), len(DIALS))
    assert checkpoint.weights["prior.ensembles"].tolist() == [ENSEMBLES.index(piece.ensemble) for piece in pieces]
    assert json.loads((exported / "training.json").read_text()) == {"step": 0}
    assert all(table == sorted(table) for table in checkpoint.config["pictures"].values())


def test_a_missing_encoder_is_refused(prepared, pictures_file, tmp_path):
    sources = Sources(encoder=tmp_path / "none", pictures=pictures_file)
    with pytest.raises(DataError, match=r"none: no encoder here; make one with scripts/train_encoder\.py"):
        export_checkpoint(tmp_path / "out", tiny.decoder(), tiny.layout(), prepared, sources, training={}, card="")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_weights_are_blended_with_those_that_training_began_with(exported, share):
    start = open_checkpoint(exported)
    decoder, began = tiny.decoder(), load_decoder(start).state_dict()
    with torch.no_grad():
        for value in decoder.parameters():
            value.add_(1.0)
    trained = {name: value.clone() for name, value in decoder.state_dict().items()}
    interpolate_weights(decoder, start, share)
    for name, value in decoder.state_dict().items():
        torch.testing.assert_close(value, share * began[name] + (1 - share) * trained[name])
