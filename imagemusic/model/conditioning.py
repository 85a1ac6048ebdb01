"""Embedding and dials -> the condition that a decoder starts from and is reminded of.

    vector  =  embedding x present | present | dials x present | present each | ensemble one-hot | present

Each part is scaled so that it can be heard beside the others.  Whatever is not given is zero with its present flag at
zero; all zeros is the null condition of guidance.
numpy only: training and composing build the same vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ConfigError

# An embedding has a hundred numbers that say little each, an ensemble one that says a lot.  Unscaled, the many drown
# the few: after 1,000 steps the decoder still paid no heed to the ensemble.
EMBEDDING_SCALE, DIAL_SCALE, ENSEMBLE_SCALE = 0.25, 2.0, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionLayout:
    """Names and sizes of what a condition holds; saved in the checkpoint."""

    embedding_size: int
    dials: tuple[str, ...]
    ensembles: tuple[str, ...]

    @property
    def size(self) -> int:
        """Length C of the condition vector."""
        return self.embedding_size + 1 + 2 * len(self.dials) + len(self.ensembles) + 1

    def pack(
        self,
        embedding: NDArray[np.floating] | None,
        dials: NDArray[np.floating],
        ensemble: NDArray[np.integer],
    ) -> NDArray[np.float32]:
        """Lay out B conditions as vectors (B, C).

        embedding (B, E), where a row of NaN means none; dials (B, D) with NaN where not given; ensemble (B,) index,
        -1 where not given.
        """
        batch = len(dials)
        if embedding is None:
            embedding = np.full((batch, self.embedding_size), np.nan)
        seen = ~np.isnan(embedding[:, :1])
        given = ~np.isnan(dials)
        kinds = np.zeros((batch, len(self.ensembles) + 1))
        named = ensemble >= 0
        kinds[np.flatnonzero(named), ensemble[named]] = ENSEMBLE_SCALE
        kinds[:, -1] = named
        parts = [
            np.where(seen, EMBEDDING_SCALE * embedding, 0), seen, np.where(given, DIAL_SCALE * dials, 0), given, kinds,
        ]  # fmt: skip
        return np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")

    def vector(
        self, embedding: NDArray[np.floating] | None, dials: Mapping[str, float | None], ensemble: str | None
    ) -> NDArray[np.float32]:
        """Lay out one condition as a vector (C,).

        Raises:
            ConfigError: a dial or an ensemble that this model does not know.
        """
        if unknown := sorted(dials.keys() - set(self.dials)):
            raise ConfigError(f"unknown dial {unknown[0]!r}; choose from {', '.join(self.dials)}")
        if ensemble is not None and ensemble not in self.ensembles:
            raise ConfigError(f"unknown ensemble {ensemble!r}; choose from {', '.join(self.ensembles)}")
        values = [dials.get(name) for name in self.dials]
        row = np.array([[np.nan if value is None else value for value in values]])
        index = -1 if ensemble is None else self.ensembles.index(ensemble)
        return self.pack(None if embedding is None else embedding[None], row, np.array([index]))[0]
