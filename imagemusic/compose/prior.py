"""The dials of the training music: what they say of the dials that a picture leaves open.

dials of a picture ──► training pieces with near dials, weighted by a kernel ──► one, sampled ──► its other dials
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.model.conditioning import ConditionLayout
from imagemusic.music.dials import AFFECT_DIALS, IMAGE_DIALS

UNIFORM_SD = 3**-0.5  # standard deviation of a uniform distribution over -1..1
BANDWIDTH = 0.12  # of the kernel over dials
MISSING_PENALTY = 3.0  # bandwidths that a missing dial counts as


class Completion(NamedTuple):
    """What a training piece says of what a picture leaves open."""

    dials: dict[str, float]
    ensemble: str
    style: str | None  # None where its corpus does not tell


class Prior:
    """The dials (N, D) and ensembles (N,) of the training pieces."""

    def __init__(
        self,
        dials: NDArray[np.floating],
        ensembles: NDArray[np.floating],
        layout: ConditionLayout,
        styles: NDArray[np.floating] | None = None,
    ) -> None:
        self.dials = dials.astype(np.float64)  # (N, D), NaN where not known
        self.ensembles = ensembles.astype(int)  # (N,)
        self.styles = np.full(len(dials), -1) if styles is None else styles.astype(int)  # (N,), -1 where not known
        self.layout = layout
        self._image_columns = [layout.dials.index(name) for name in IMAGE_DIALS]
        affect = [layout.dials.index(name) for name in AFFECT_DIALS]
        known = self.dials[~np.isnan(self.dials[:, self._image_columns]).any(axis=1)]
        around = known - known.mean(axis=0) if len(known) else known
        # tempo on valence and arousal, least squares
        self._tempo_slopes = np.linalg.lstsq(around[:, affect], around[:, layout.dials.index("tempo")], rcond=None)[0]
        together = around[:, self._image_columns].T @ around[:, self._image_columns]
        size = np.sqrt(together.diagonal())
        self._correlations = together / np.maximum(np.outer(size, size), 1e-12)  # (3, 3), of IMAGE_DIALS
        # Drums alone are sampled for no picture, only on request.
        drums = layout.ensembles.index("drums") if "drums" in layout.ensembles else -1
        self._complete = ~np.isnan(self.dials[:, self._image_columns]).any(axis=1) & (self.ensembles != drums)
        loudness = self.dials[:, layout.dials.index("loudness")]
        loud = np.flatnonzero(self._complete & ~np.isnan(loudness))
        arousal = self.dials[loud, layout.dials.index("arousal")]
        order = np.argsort(arousal, kind="stable")
        self._arousal, self._loudness = arousal[order], loudness[loud][order]

    def loudness_at(self, arousal: float) -> float | None:
        """Return the loudness of the training piece that is nearest in arousal; None where none has any.

        Most engraved music has no loudness, which is a large part of arousal.
        """
        if not len(self._arousal):
            return None
        place = int(np.searchsorted((self._arousal[1:] + self._arousal[:-1]) / 2, arousal))
        return float(self._loudness[place])

    def rank_normalize(self, mean: NDArray[np.floating], pictures: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """Return the ranks in -1..1 of predicted dials (3,) among the predictions for held-out pictures (quantiles).

        A regression shrinks its predictions towards the mean; ranks span -1..1, as the dials of music do.
        """
        result = {}
        for name, value in zip(IMAGE_DIALS, mean.tolist(), strict=True):
            table = pictures[name]
            result[name] = float(np.interp(value, table, np.linspace(-1, 1, len(table))))
        return result

    def image_targets(
        self,
        mean: NDArray[np.floating],
        sd: NDArray[np.floating],
        pictures: Mapping[str, Sequence[float]],
        overrides: Mapping[str, float] | None = None,
    ) -> dict[str, float]:
        """Return the valence, arousal and tempo targets of a picture with predicted dials (3,) of deviations (3,).

        Valence and arousal are `rank_normalize`d; `overrides` replace them.  The encoder predicts tempo poorly, so the
        tempo target is a sum of predicted tempo, valence and arousal, each weighted by its explained standard deviation
        and by its regression slope on the tempo of music.  The sum is mapped to -1..1 by its normal distribution
        function, with the correlations of the three in music.  Where the encoder explains nothing of an affect dial,
        an override of it moves the tempo by its slope in music.
        """
        predicted = self.rank_normalize(mean, pictures)
        result = predicted | {name: value for name, value in (overrides or {}).items() if name in AFFECT_DIALS}
        explained = np.clip(1 - np.square(sd.astype(np.float64) / UNIFORM_SD), 0, 1)
        weights = np.sqrt(explained) * np.append(self._tempo_slopes, 1.0)
        size = UNIFORM_SD * math.sqrt(max(float(weights @ self._correlations @ weights), 0.0))
        if size:
            total = float(weights @ [result[name] for name in IMAGE_DIALS])
            result["tempo"] = math.erf(total / (size * math.sqrt(2)))
        moved = np.array([result[name] - predicted[name] for name in AFFECT_DIALS]) * (
            explained[: len(AFFECT_DIALS)] == 0
        )
        result["tempo"] = float(np.clip(result["tempo"] + self._tempo_slopes @ moved, -1, 1))
        return result

    def sample_completion(
        self,
        targets: Mapping[str, float],
        rng: np.random.Generator,
        *,
        overrides: Mapping[str, float] | None = None,
        ensemble: str | None = None,
        style: str | None = None,
        excluded: Collection[str] = (),
    ) -> Completion:
        """Sample a training piece whose dials are near the targets.

        Pieces are weighted by a Gaussian kernel of BANDWIDTH.  `overrides` replace targets.  `ensemble` keeps only
        the pieces that it plays; those of `excluded` are sampled only where they are asked for.  `style` keeps only
        the pieces of that style, where there are some for the ensemble.
        To override a dial by the value that it has changes nothing.
        """
        wanted = dict(targets) | dict(overrides or {})
        rows = np.flatnonzero(self._complete)
        if ensemble is None and style is not None and not self._of_style(rows, style).any():
            ensemble = "band"  # styles that only drummers played
        if ensemble is not None:
            timed = ~np.isnan(self.dials[:, self.layout.dials.index("tempo")])
            played = np.flatnonzero(timed & (self.ensembles == self.layout.ensembles.index(ensemble)))
            rows = played if len(played) else rows
        else:
            left_out = [index for index, name in enumerate(self.layout.ensembles) if name in excluded]
            kept = rows[~np.isin(self.ensembles[rows], left_out)]
            rows = kept if len(kept) else rows
        if style is not None and (chosen := self._of_style(rows, style)).any():
            rows = rows[chosen]
        distance = np.zeros(len(rows))
        for name, value in wanted.items():
            gap = (self.dials[rows, self.layout.dials.index(name)] - value) / BANDWIDTH
            distance += np.where(np.isnan(gap), MISSING_PENALTY, gap) ** 2
        # A piece has the same noise in every draw, so that turning a dial changes only what it must.
        noise = rng.gumbel(size=len(self.dials))[rows]
        row = rows[int(np.argmax(noise - distance / 2))]
        dials = zip(self.layout.dials, self.dials[row].tolist(), strict=True)
        known = {name: value for name, value in dials if not math.isnan(value)}
        if style is None and self.styles[row] >= 0:
            style = self.layout.styles[self.styles[row]]
        return Completion(known, self.layout.ensembles[self.ensembles[row]], style)

    def _of_style(self, rows: NDArray[np.int64], style: str) -> NDArray[np.bool_]:
        """Tell which of some pieces are of a style."""
        found = self.layout.styles.index(style) if style in self.layout.styles else -2
        is_of: NDArray[np.bool_] = self.styles[rows] == found
        return is_of
