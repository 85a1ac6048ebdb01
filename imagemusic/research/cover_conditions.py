"""Differentiable conditions of covers, so that the last layers of the encoder can be trained too.

features (B, F) of the frozen backbone ──> embedding, dials ──> percentiles ──> condition (B, C)

The values are those of `compose.targets.image_condition` with predicted dials.
"""

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from imagemusic.checkpoint import WEIGHTS, Checkpoint
from imagemusic.config import from_table
from imagemusic.music.dials import IMAGE_DIALS
from imagemusic.training.encoder.net import EncoderConfig, ImageEncoder
from imagemusic.training.encoder.weights import load_encoder


def encoder_of(checkpoint: Checkpoint) -> ImageEncoder:
    """Load the encoder of a checkpoint."""
    stored = load_file(checkpoint.folder / WEIGHTS)
    state = {
        name.removeprefix("encoder."): value.float() if value.is_floating_point() else value
        for name, value in stored.items()
        if name.startswith("encoder.")
    }
    config = from_table(EncoderConfig, checkpoint.config["encoder"], where=f"{checkpoint.folder}: encoder")
    return load_encoder(config, state).eval()


class CoverConditions(nn.Module):
    """The condition of a cover, computed in torch."""

    quantiles: Tensor  # (3, Q) of the dials of other pictures
    segment_rms: Tensor  # (3,)
    place: Tensor  # (3, D) 1 at the column of each image dial

    def __init__(self, checkpoint: Checkpoint, encoder: ImageEncoder) -> None:
        super().__init__()
        layout, pictures = checkpoint.layout, checkpoint.config["pictures"]
        self.to_embedding, self.to_dial_mean, self.to_dial_sd = (
            encoder.to_embedding, encoder.to_dial_mean, encoder.to_dial_sd,
        )  # fmt: skip
        self._affect = encoder.affect
        self.layout = layout
        place = torch.zeros(len(IMAGE_DIALS), len(layout.dials))
        for row, name in enumerate(IMAGE_DIALS):
            place[row, layout.dials.index(name)] = 1
        self.register_buffer("place", place)
        self.register_buffer("quantiles", torch.tensor([pictures[name] for name in IMAGE_DIALS], dtype=torch.float32))
        self.register_buffer(
            "segment_rms", torch.tensor([checkpoint.scale.segment_rms.get(name, 0.0) for name in IMAGE_DIALS])
        )

    def forward(self, features: Tensor, kept: Tensor | None = None) -> Tensor:
        """Compute conditions (B, C) from features (B, F).

        kept (B, 2) is 0 where the embedding or the dials are dropped, else 1; by default all are kept.
        """
        layout = self.layout
        kept = torch.ones(len(features), 2) if kept is None else kept
        embedding = self.to_embedding(features)
        mean, sd = self._affect(embedding)
        has_embedding, has_dials = kept[:, :1], kept[:, 1:] * self.place.sum(0)
        values, deviations = self._percentiles(mean) @ self.place, torch.hypot(sd, self.segment_rms) @ self.place
        parts = [
            layout.embedding_scale * embedding * has_embedding, has_embedding,
            layout.dial_scale * values * has_dials, has_dials, layout.dial_scale * deviations * has_dials,
            features.new_zeros(len(features), len(layout.ensembles) + 1),
        ]  # fmt: skip
        return torch.cat(parts, dim=1)

    def _percentiles(self, mean: Tensor) -> Tensor:
        """Return dials (B, 3) as percentiles in -1..1 among other pictures, interpolated between quantiles."""
        last = self.quantiles.shape[1] - 1
        values = mean.T.contiguous()
        after = torch.searchsorted(self.quantiles, values.detach()).clamp(1, last)
        low, high = self.quantiles.gather(1, after - 1), self.quantiles.gather(1, after)
        share = ((values - low) / (high - low).clamp(min=1e-9)).clamp(0, 1)
        return (2 * (after - 1 + share) / last - 1).T
