"""A finished run and an encoder -> a checkpoint directory that composes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.numpy import load_file

from imagemusic.checkpoint import write_checkpoint
from imagemusic.data.prepared import PreparedSet
from imagemusic.errors import DataError
from imagemusic.events.codec import CodecConfig
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.model.decoder import DecoderConfig, NoteDecoder
from imagemusic.music.dials import DIALS, IMAGE_DIALS
from imagemusic.music.ensembles import ENSEMBLES

QUANTILES = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the parts of a checkpoint come from."""

    encoder: Path  # directory with encoder.safetensors, encoder.json, encoder.onnx
    pictures: Path  # the embedded pictures that the decoder was trained with


def read_decoder(last: Path, config: DecoderConfig) -> tuple[NoteDecoder, int]:
    """Load the decoder of a training state and the step that it had reached."""
    state = torch.load(last, weights_only=True, map_location="cpu")
    weights = {
        name.removeprefix("decoder."): tensor
        for name, tensor in state["state_dict"].items()
        if name.startswith("decoder.")
    }
    decoder = NoteDecoder(config)
    decoder.load_state_dict(weights)
    return decoder.eval(), int(state["global_step"])


def export_checkpoint(
    out: Path,
    decoder: NoteDecoder,
    layout: ConditionLayout,
    prepared: PreparedSet,
    sources: Sources,
    *,
    training: Mapping[str, Any],
    card: str,
) -> Path:
    """Write a checkpoint directory.

    Raises:
        DataError: the encoder is missing.
    """
    try:
        encoder_weights = load_file(sources.encoder / "encoder.safetensors")
        encoder_config = json.loads((sources.encoder / "encoder.json").read_text())["encoder"]
        encoder_graph = onnx.load(sources.encoder / "encoder.onnx")
    except OSError as error:
        raise DataError(f"{sources.encoder}: no encoder here; make one with scripts/train_encoder.py") from error
    shape = decoder.config
    pieces = [piece for piece in prepared.select("train") if piece.metrical]
    scaled = [prepared.scale.dials(piece.cues) for piece in pieces]
    prior = np.array([[np.nan if dials[name] is None else dials[name] for name in DIALS] for dials in scaled])
    weights = {f"encoder.{name}": value for name, value in encoder_weights.items()}
    weights |= {f"decoder.{name}": value.numpy() for name, value in decoder.state_dict().items()}
    weights["prior.dials"] = prior
    weights["prior.ensembles"] = np.array([float(ENSEMBLES.index(piece.ensemble)) for piece in pieces])
    table = np.load(sources.pictures)
    means = table["dial_mean"][table["split"] == "validation"]
    grid = np.linspace(0, 1, QUANTILES)
    config = {
        "encoder": encoder_config,
        "decoder": asdict(shape),
        "codec": asdict(CodecConfig()),
        "condition": asdict(layout),
        "dials": prepared.scale.to_json(),
        "pictures": {name: np.quantile(means[:, i], grid).tolist() for i, name in enumerate(IMAGE_DIALS)},
    }
    write_checkpoint(out, config, weights, encoder_graph, training=training, card=card)
    return out
