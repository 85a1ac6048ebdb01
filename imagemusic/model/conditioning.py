"""Embedding and dials -> the condition that a decoder starts from and is reminded of.

    vector  =  embedding | given | each dial: value | given | deviation | ensemble one-hot | given

A dial's deviation says how far what is played may lie from it: 0 for one that a person turned, more for one that was
guessed from a picture.  Each part is scaled so that it can be heard beside the others.  Whatever is not given is zero
with its flag at zero; all zeros is the null condition of guidance.
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
        return self.embedding_size + 1 + 3 * len(self.dials) + len(self.ensembles) + 1

    def pack(
        self,
        embedding: NDArray[np.floating] | None,
        dials: NDArray[np.floating],
        ensemble: NDArray[np.integer],
        deviations: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float32]:
        """Lay out B conditions as vectors (B, C).

        embedding (B, E), where a row of NaN means none; dials (B, D) with NaN where not given; ensemble (B,) index,
        -1 where not given; deviations (B, D) of the dials, 0 by default.
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
        unsure = np.zeros_like(dials) if deviations is None else deviations
        parts = [
            np.where(seen, EMBEDDING_SCALE * embedding, 0), seen, np.where(given, DIAL_SCALE * dials, 0), given,
            np.where(given, DIAL_SCALE * unsure, 0), kinds,
        ]  # fmt: skip
        return np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")

    def vector(
        self,
        embedding: NDArray[np.floating] | None,
        dials: Mapping[str, float | None],
        ensemble: str | None,
        deviations: Mapping[str, float] | None = None,
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
        unsure = np.array([[(deviations or {}).get(name, 0.0) for name in self.dials]])
        return self.pack(None if embedding is None else embedding[None], row, np.array([index]), unsure)[0]

    def moved(self, condition: NDArray[np.float32], dials: Mapping[str, float]) -> NDArray[np.float32]:
        """Lay out a condition (C,) again with some dials at other values."""
        first, count = self.embedding_size + 1, len(self.dials)
        result = condition.copy()
        for name, value in dials.items():
            place = first + self.dials.index(name)
            result[place : place + 3 * count : count] = DIAL_SCALE * value, 1, 0
        return result
