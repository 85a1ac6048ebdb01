"""Weights of checkpoints and training states, to measure a model or to train it further."""

from pathlib import Path

import onnx
import torch

from imagemusic.checkpoint import WEIGHTS, Checkpoint
from imagemusic.errors import CheckpointError
from imagemusic.graphs.weights import inline_weights
from imagemusic.model.decoder import DecoderConfig, NoteDecoder
from imagemusic.vision.encoder import ENCODER


def load_decoder(checkpoint: Checkpoint) -> NoteDecoder:
    """Load the decoder of a checkpoint as a torch module, in evaluation mode.

    Raises:
        CheckpointError: weights and settings do not match.
    """
    try:
        decoder = NoteDecoder(DecoderConfig.from_json(checkpoint.config["decoder"]))
    except TypeError as error:
        raise CheckpointError(f"{checkpoint.folder}: config.json does not describe a decoder ({error})") from error
    load_weights(decoder, checkpoint)
    return decoder.eval()


NEW_PARTS = ("memory.", "plan_inputs.", "plan_known.")  # begin without effect where a checkpoint lacks them


def load_weights(decoder: NoteDecoder, checkpoint: Checkpoint) -> None:
    """Set the weights of a decoder to those of a checkpoint, which may lack a memory and a plan.

    Raises:
        CheckpointError: they have other names or shapes.
    """
    try:
        found = {name: torch.from_numpy(value) for name, value in checkpoint.part("decoder").items()}
        new = {name: value for name, value in decoder.state_dict().items() if name.startswith(NEW_PARTS)}
        decoder.load_state_dict(new | found)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{checkpoint.folder / WEIGHTS}: does not fit the decoder ({reason})") from error


def interpolate_weights(decoder: NoteDecoder, checkpoint: Checkpoint, share: float) -> None:
    """Interpolate the weights of a decoder with those of the checkpoint it was trained from, which get weight `share`.

    The mean often does better than either: Wortsman et al. 2022, arXiv:2109.01903.

    Raises:
        CheckpointError: they have other names or shapes.
    """
    trained = {name: value.clone() for name, value in decoder.state_dict().items()}
    load_weights(decoder, checkpoint)
    with torch.no_grad():
        for name, value in decoder.state_dict().items():
            value.lerp_(trained[name], 1 - share)


def load_trained_decoder(last: Path, config: DecoderConfig) -> tuple[NoteDecoder, int]:
    """Load the decoder of a training state, `last.ckpt`, and the number of steps that it was trained."""
    state = torch.load(last, weights_only=True, map_location="cpu")
    weights = {
        name.removeprefix("decoder."): tensor
        for name, tensor in state["state_dict"].items()
        if name.startswith("decoder.")
    }
    decoder = NoteDecoder(config)
    decoder.load_state_dict(weights)
    return decoder.eval(), int(state["global_step"])


def load_encoder_graph(folder: Path) -> onnx.ModelProto:
    """Load the encoder's graph of a checkpoint folder with its weights inside, as float32.

    Raises:
        CheckpointError: a weight that the graph names is missing.
    """
    try:
        return inline_weights(folder / ENCODER, "encoder")
    except ValueError as error:
        raise CheckpointError(f"{folder / WEIGHTS}: does not fit {ENCODER} ({error})") from error
