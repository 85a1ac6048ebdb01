"""The condition vector: image embedding, dials and ensemble, as the decoder reads them.

    vector  =  embedding | given | each dial: value | given | deviation | ensemble one-hot | given | style likewise

A deviation is the standard deviation of a dial: 0 for an exact value, more for one predicted from a picture.  A part
that is not given is zero and has its flag at zero; all zeros is the null condition of classifier-free guidance.
numpy only: training and composing build the same vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ConfigError
from imagemusic.events.vocabulary import SEGMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionLayout:
    """Names, sizes and scales of the parts of a condition; saved in the checkpoint.

    Without scales the hundred numbers of the embedding outweigh the one of the ensemble: after 1,000 steps the decoder
    still ignored the ensemble.
    """

    embedding_size: int
    dials: tuple[str, ...]
    ensembles: tuple[str, ...]
    styles: tuple[str, ...] = ()
    embedding_scale: float = 0.25
    dial_scale: float = 2.0
    ensemble_scale: float = 3.0
    style_scale: float = 2.0
    segment: int = SEGMENT  # events that share one condition

    def __post_init__(self) -> None:
        if self.segment != SEGMENT:
            raise ConfigError(f"condition: segments of {self.segment} events, this imagemusic needs {SEGMENT}")
        for name in ("embedding_scale", "dial_scale", "ensemble_scale", "style_scale"):
            if not (isfinite(scale := getattr(self, name)) and scale > 0):
                raise ConfigError(f"condition: {name} must be above 0 and finite, got {scale}")

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "ConditionLayout":
        """Read the `condition` table of a checkpoint; scales and segment length default to those before 0.2.

        Raises:
            KeyError, TypeError: a value is missing or not known.
            ConfigError: segments of another length, or a scale out of range.
        """
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
        }
        return cls(**values)

    @property
    def size(self) -> int:
        """Length C of the condition vector."""
        styles = len(self.styles) + 1 if self.styles else 0
        return self.embedding_size + 1 + 3 * len(self.dials) + len(self.ensembles) + 1 + styles

    def pack(
        self,
        embedding: NDArray[np.floating] | None,
        dials: NDArray[np.floating],
        ensemble: NDArray[np.integer],
        deviations: NDArray[np.floating] | None = None,
        style: NDArray[np.integer] | None = None,
    ) -> NDArray[np.float32]:
        """Lay out B conditions as vectors (B, C).

        embedding (B, E), NaN in a whole row where not given; dials (B, D) in -1..1, NaN where not given; ensemble (B,)
        index, -1 where not given; deviations (B, D) of the dials, 0 by default; style (B,) index, likewise.
        """
        batch = len(dials)
        if embedding is None:
            embedding = np.full((batch, self.embedding_size), np.nan)
        has_embedding = ~np.isnan(embedding[:, :1])
        has_dial = ~np.isnan(dials)
        kinds = _one_hot(ensemble, len(self.ensembles), self.ensemble_scale)
        if self.styles:
            chosen = np.full(batch, -1) if style is None else style
            kinds = np.concatenate([kinds, _one_hot(chosen, len(self.styles), self.style_scale)], axis=1)
        deviations = np.zeros_like(dials) if deviations is None else deviations
        parts = [
            np.where(has_embedding, self.embedding_scale * embedding, 0), has_embedding,
            np.where(has_dial, self.dial_scale * dials, 0), has_dial,
            np.where(has_dial, self.dial_scale * deviations, 0), kinds,
        ]  # fmt: skip
        return np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")

    def vector(
        self,
        embedding: NDArray[np.floating] | None,
        dials: Mapping[str, float | None],
        ensemble: str | None,
        deviations: Mapping[str, float] | None = None,
        style: str | None = None,
    ) -> NDArray[np.float32]:
        """Lay out one condition as a vector (C,); embedding (E,), dials in -1..1 by name.

        Raises:
            ConfigError: a dial, an ensemble or a style that this model does not know.
        """
        if unknown := sorted(dials.keys() - set(self.dials)):
            raise ConfigError(f"unknown dial {unknown[0]!r}; choose from {', '.join(self.dials)}")
        if ensemble is not None and ensemble not in self.ensembles:
            raise ConfigError(f"unknown ensemble {ensemble!r}; choose from {', '.join(self.ensembles)}")
        if style is not None and style not in self.styles:
            raise ConfigError(
                f"unknown style {style!r}; choose from {', '.join(self.styles) or 'none: it knows no styles'}"
            )
        values = [dials.get(name) for name in self.dials]
        row = np.array([[np.nan if value is None else value for value in values]])
        index = -1 if ensemble is None else self.ensembles.index(ensemble)
        deviation = np.array([[(deviations or {}).get(name, 0.0) for name in self.dials]])
        kind = np.array([-1 if style is None else self.styles.index(style)])
        return self.pack(None if embedding is None else embedding[None], row, np.array([index]), deviation, kind)[0]

    def without_style(self, condition: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a condition (C,) without its style, which comes last."""
        return condition[: self.size - (len(self.styles) + 1 if self.styles else 0)]

    def moved(self, condition: NDArray[np.float32], dials: Mapping[str, float]) -> NDArray[np.float32]:
        """Return a copy of a condition (C,) with some dials at other values, in -1..1, exact."""
        first, count = self.embedding_size + 1, len(self.dials)
        result = condition.copy()
        for name, value in dials.items():
            place = first + self.dials.index(name)
            result[place : place + 3 * count : count] = self.dial_scale * value, 1, 0
        return result


def _one_hot(index: NDArray[np.integer], count: int, scale: float) -> NDArray[np.float64]:
    """Return rows (B, count + 1): `scale` at each index (B,) and 1 at the end; zeros where the index is -1."""
    rows, given = np.zeros((len(index), count + 1)), index >= 0
    rows[np.flatnonzero(given), index[given]] = scale
    rows[:, -1] = given
    return rows
