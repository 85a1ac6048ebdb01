"""What music with the dials of a picture is like.

dials of a picture ──► the training pieces with like dials ──► one of them, drawn ──► its other dials, as implied
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.model.conditioning import ConditionLayout
from imagemusic.vision.encoder import AFFECT_DIALS, IMAGE_DIALS

UNIFORM_SD = 3**-0.5  # standard deviation of a dial of which one only knows that it is in -1..1
BANDWIDTH = 0.12  # of a dial: how near is alike
MISSING_PENALTY = 3.0  # bandwidths that a dial which a piece does not have counts as


class Prior:
    """The dials of the training music, from which what a picture leaves open is drawn."""

    def __init__(self, dials: NDArray[np.floating], ensembles: NDArray[np.floating], layout: ConditionLayout) -> None:
        self.dials = dials.astype(np.float64)  # (N, D), NaN where not known
        self.ensembles = ensembles.astype(int)  # (N,)
        self.layout = layout
        self._seen = [layout.dials.index(name) for name in IMAGE_DIALS]
        felt = [layout.dials.index(name) for name in AFFECT_DIALS]
        known = self.dials[~np.isnan(self.dials[:, self._seen]).any(axis=1)]
        around = known - known.mean(axis=0) if len(known) else known
        # tempo on valence and arousal, least squares
        self._tempo_slopes = np.linalg.lstsq(around[:, felt], around[:, layout.dials.index("tempo")], rcond=None)[0]
        together = around[:, self._seen].T @ around[:, self._seen]
        size = np.sqrt(together.diagonal())
        self._correlations = together / np.maximum(np.outer(size, size), 1e-12)  # (3, 3), of SEEN
        # Drums alone answer no picture unless someone asks for them.
        drums = layout.ensembles.index("drums") if "drums" in layout.ensembles else -1
        self._complete = ~np.isnan(self.dials[:, self._seen]).any(axis=1) & (self.ensembles != drums)
        loudness = self.dials[:, layout.dials.index("loudness")]
        told = np.flatnonzero(self._complete & ~np.isnan(loudness))
        arousal = self.dials[told, layout.dials.index("arousal")]
        order = np.argsort(arousal, kind="stable")
        self._arousal, self._loudness = arousal[order], loudness[told][order]

    def loudness_at(self, arousal: float) -> float | None:
        """Tell how loud the training piece is that is nearest in arousal; None where none tells.

        Most engraved music says nothing of loudness, which is much of what makes a piece excited.
        """
        if not len(self._arousal):
            return None
        place = int(np.searchsorted((self._arousal[1:] + self._arousal[:-1]) / 2, arousal))
        return float(self._loudness[place])

    def spread(self, mean: NDArray[np.floating], pictures: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """Rank predicted dials (3,) among those of pictures not trained on, so that they span -1..1 as music's do.

        A regression shrinks what it predicts towards the middle; its ranks are what is matched between the two sides.
        """
        result = {}
        for name, value in zip(IMAGE_DIALS, mean.tolist(), strict=True):
            table = pictures[name]
            result[name] = float(np.interp(value, table, np.linspace(-1, 1, len(table))))
        return result

    def told(
        self,
        mean: NDArray[np.floating],
        sd: NDArray[np.floating],
        pictures: Mapping[str, Sequence[float]],
        given: Mapping[str, float] | None = None,
    ) -> dict[str, float]:
        """Say what a picture with predicted dials (3,) and their deviations (3,) asks of the music.

        Valence and arousal are `spread`.  Of the tempo the prediction knows little, and music that feels like the
        picture has one too: each of the three counts for as much as it tells of the tempo of music.  The sum is spread
        over -1..1 again, as if the three went together in pictures as they do in music, and normal.  So a tempo moves
        with the feelings that a person has `given`, which take the place of the picture's.  Where a prediction tells
        nothing, it moves with what was given instead as in music.
        """
        seen = self.spread(mean, pictures)
        result = seen | {name: value for name, value in (given or {}).items() if name in AFFECT_DIALS}
        explained = np.clip(1 - np.square(sd.astype(np.float64) / UNIFORM_SD), 0, 1)
        weights = np.sqrt(explained) * np.append(self._tempo_slopes, 1.0)
        size = UNIFORM_SD * math.sqrt(max(float(weights @ self._correlations @ weights), 0.0))
        if size:
            told = float(weights @ [result[name] for name in IMAGE_DIALS])
            result["tempo"] = math.erf(told / (size * math.sqrt(2)))
        moved = np.array([result[name] - seen[name] for name in AFFECT_DIALS]) * (explained[: len(AFFECT_DIALS)] == 0)
        result["tempo"] = float(np.clip(result["tempo"] + self._tempo_slopes @ moved, -1, 1))
        return result

    def draw(
        self,
        pictured: Mapping[str, float],
        rng: np.random.Generator,
        *,
        given: Mapping[str, float] | None = None,
        ensemble: str | None = None,
    ) -> dict[str, Any]:
        """Draw a training piece with like dials; return its dials, and its ensemble, as what is implied.

        What a person has given takes the place of what the picture says, and `ensemble` leaves only the pieces that it
        plays.  To give a dial the value that it had anyway changes nothing.
        """
        wanted = dict(pictured) | dict(given or {})
        rows = np.flatnonzero(self._complete)
        if ensemble is not None:
            timed = ~np.isnan(self.dials[:, self.layout.dials.index("tempo")])
            played = np.flatnonzero(timed & (self.ensembles == self.layout.ensembles.index(ensemble)))
            rows = played if len(played) else rows
        distance = np.zeros(len(rows))
        for name, value in wanted.items():
            gap = (self.dials[rows, self.layout.dials.index(name)] - value) / BANDWIDTH
            distance += np.where(np.isnan(gap), MISSING_PENALTY, gap) ** 2
        # A piece has the same noise in every draw, so that turning a dial changes only what it must.
        noise = rng.gumbel(size=len(self.dials))[rows]
        row = rows[int(np.argmax(noise - distance / 2))]
        implied: dict[str, Any] = {
            name: float(value)
            for name, value in zip(self.layout.dials, self.dials[row], strict=True)
            if not np.isnan(value)
        }
        return implied | {"ensemble": self.layout.ensembles[self.ensembles[row]]}
