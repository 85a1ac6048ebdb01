"""Covers as conditions that a gradient can pass through, so that the last layers of the encoder can learn too.

features (B, F) of the frozen backbone ──> embedding, dials ──> ranks ──> condition (B, C)

The numbers are those of `brief.image_condition` with the dials as guesses.
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
    """Lay out what a cover says as a decoder hears it."""

    tables: Tensor  # (3, Q)
    within: Tensor  # (3,)
    place: Tensor  # (3, D)

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
        self.register_buffer("tables", torch.tensor([pictures[name] for name in IMAGE_DIALS], dtype=torch.float32))
        self.register_buffer(
            "within", torch.tensor([checkpoint.scale.segment_rms.get(name, 0.0) for name in IMAGE_DIALS])
        )

    def forward(self, features: Tensor, tells: Tensor | None = None) -> Tensor:
        """Turn features (B, F) into conditions (B, C).

        tells (B, 2) says with 0 or 1 whether the embedding and the dials are told; all are by default.
        """
        layout = self.layout
        tells = torch.ones(len(features), 2) if tells is None else tells
        embedding = self.to_embedding(features)
        mean, sd = self._affect(embedding)
        told_embedding, told_dials = tells[:, :1], tells[:, 1:] * self.place.sum(0)
        values, unsure = self._ranks(mean) @ self.place, torch.hypot(sd, self.within) @ self.place
        parts = [
            layout.embedding_scale * embedding * told_embedding, told_embedding,
            layout.dial_scale * values * told_dials, told_dials, layout.dial_scale * unsure * told_dials,
            features.new_zeros(len(features), len(layout.ensembles) + 1),
        ]  # fmt: skip
        return torch.cat(parts, dim=1)

    def _ranks(self, mean: Tensor) -> Tensor:
        """Rank dials (B, 3) in -1..1 among those of other pictures, straight between their quantiles."""
        last = self.tables.shape[1] - 1
        values = mean.T.contiguous()
        after = torch.searchsorted(self.tables, values.detach()).clamp(1, last)
        low, high = self.tables.gather(1, after - 1), self.tables.gather(1, after)
        share = ((values - low) / (high - low).clamp(min=1e-9)).clamp(0, 1)
        return (2 * (after - 1 + share) / last - 1).T
