"""Write a checkpoint directory from a trained decoder and an encoder; or, for a checkpoint, its graphs again:

python -m imagemusic.training.export FOLDER
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from safetensors.numpy import load_file

from imagemusic.checkpoint import write_checkpoint, write_graphs
from imagemusic.data.prepared import PreparedSet
from imagemusic.errors import DataError, ImageMusicError
from imagemusic.events.codec import CodecConfig
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.model.decoder import NoteDecoder
from imagemusic.music.dials import DIALS, IMAGE_DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.styles import STYLES
from imagemusic.plan.network import Network
from imagemusic.training.loading import load_encoder_graph

QUANTILES = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the parts of a checkpoint come from."""

    encoder: Path  # directory with encoder.safetensors, encoder.json, encoder.onnx
    pictures: Path  # the embedded pictures that the decoder was trained with
    planner: Path | None = None  # directory of scripts/train_planner.py; None exports a model without one


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
    weights["prior.styles"] = np.array([float(STYLES.index(piece.style)) if piece.style else -1.0 for piece in pieces])
    planner = Network.load(sources.planner) if sources.planner else None
    if planner:
        weights |= {f"planner.{name}": value for name, value in planner.weights.items()}
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
    if planner:
        config["planner"] = asdict(planner.config)
    write_checkpoint(out, config, weights, encoder_graph, training=training, card=card)
    return out


def export_graphs(folder: Path) -> None:
    """Write the graphs of a checkpoint folder again, for the weights that it holds now; its id stays the same.

    Raises:
        CheckpointError: a weight that a graph needs is missing.
    """
    config = json.loads((folder / "config.json").read_text())
    write_graphs(folder, config["decoder"], load_encoder_graph(folder))


if __name__ == "__main__":
    try:
        export_graphs(Path(sys.argv[1]))
    except (ImageMusicError, OSError, ValueError, LookupError) as error:
        sys.exit(f"no graphs were written: {error}")
