"""A checkpoint's decoder as a torch module, to measure it or to train it further."""

import torch

from imagemusic.checkpoint import WEIGHTS, Checkpoint
from imagemusic.errors import CheckpointError
from imagemusic.model.decoder import DecoderConfig, NoteDecoder


def load_decoder(checkpoint: Checkpoint) -> NoteDecoder:
    """Load the decoder of a checkpoint.

    Raises:
        CheckpointError: weights and settings do not match.
    """
    try:
        decoder = NoteDecoder(DecoderConfig.from_json(checkpoint.config["decoder"]))
    except TypeError as error:
        raise CheckpointError(f"{checkpoint.folder}: config.json does not describe a decoder ({error})") from error
    load_weights(decoder, checkpoint)
    return decoder.eval()


def load_weights(decoder: NoteDecoder, checkpoint: Checkpoint) -> None:
    """Set the weights of a decoder to those of a checkpoint.

    Raises:
        CheckpointError: they are not of its shape.
    """
    try:
        decoder.load_state_dict({name: torch.from_numpy(value) for name, value in checkpoint.part("decoder").items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{checkpoint.folder / WEIGHTS}: does not fit the decoder ({reason})") from error


def interpolate_weights(decoder: NoteDecoder, checkpoint: Checkpoint, share: float) -> None:
    """Move the weights of a decoder a share of the way back to those of the checkpoint that it was trained from.

    What lies between both often does better than either: Wortsman et al. 2022, arXiv:2109.01903.

    Raises:
        CheckpointError: they are not of its shape.
    """
    trained = {name: value.clone() for name, value in decoder.state_dict().items()}
    load_weights(decoder, checkpoint)
    with torch.no_grad():
        for name, value in decoder.state_dict().items():
            value.lerp_(trained[name], 1 - share)
