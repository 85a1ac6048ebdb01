"""Pair pieces with pictures for training: the cover of a piece, one of the same label, or one with similar dials.

    exact    a piece that has its own picture gets it in most epochs
    label    otherwise a labelled piece gets a random picture of its label
    dials    the others, and sometimes these, get any picture, with probability proportional to
             exp(-d^2 / (2 temperature^2)), where d is the distance between their dials

Pictures have labels of valence and arousal (rated photos) or of tempo (covers of songs), or predictions of an encoder
for these three.  Where both kinds of labels exist, each piece draws one kind at random.  Both sides are percentiles, so
the whole range of pictures is paired with the whole range of music.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DataError
from imagemusic.music.dials import IMAGE_DIALS

EXACT_SHARE = 0.85  # of the epochs in which a piece gets its own picture
NO_PICTURE = -1


@dataclass(frozen=True, slots=True)
class Pictures:
    """Embeddings and labels of P pictures in A augmentations: flipped, cropped or compressed."""

    ids: NDArray[np.str_]  # (P,)
    embeddings: NDArray[np.float16]  # (P, A, E)
    labels: NDArray[np.float64]  # (P, 3): valence, arousal, tempo in -1..1, NaN where not labelled
    own: Mapping[str, int] = field(default_factory=dict)  # id of a piece -> its picture
    by_label: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)  # id of a piece -> pictures of its label

    @classmethod
    def open(cls, path: Path, split: str) -> "Pictures":
        """Read the pictures of one split from a file of scripts/train_encoder.py.

        Raises:
            DataError: the file is missing, damaged, or holds no picture of that split.
        """
        try:
            with open(path, "rb") as file, np.load(file) as table:
                chosen = table["split"] == split
                labels = np.column_stack([table[name] for name in IMAGE_DIALS]).astype(np.float64)
                made = cls(table["id"][chosen], table["embedding"][chosen], labels[chosen])
        except OSError as error:
            raise DataError(f"{path}: no embedded pictures here; make them with scripts/train_encoder.py") from error
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(f"{path}: damaged, or not embedded pictures ({error})") from error
        if not len(made.ids):
            raise DataError(f"{path}: no picture of split {split!r}")
        return made

    def preferred(self, pieces: list[str], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return for each piece (B,) its own picture, else a random one of its label, else NO_PICTURE."""
        chosen = np.full(len(pieces), NO_PICTURE)
        for place, piece in enumerate(pieces if self.own or self.by_label else ()):
            if piece in self.own:
                chosen[place] = self.own[piece]
            elif len(candidates := self.by_label.get(piece, ())):
                chosen[place] = rng.choice(candidates)
        return chosen


def pair(
    dials: NDArray[np.floating],
    pictures: Pictures,
    rng: np.random.Generator,
    *,
    temperature: float = 0.25,
    mismatch_prob: float = 0.0,
    exact: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Sample a picture index (B,) for each piece.

    Args:
        dials: IMAGE_DIALS (B, 3) of the pieces in -1..1, NaN where unknown.
        temperature: standard deviation, in units of dials, of the Gaussian kernel.
        mismatch_prob: probability of any picture, whatever its labels.
        exact: (B,) the picture of a piece, or NO_PICTURE; it is taken in EXACT_SHARE of the draws.
    """
    by_affect = ~np.isnan(pictures.labels[:, 0])
    coins = rng.random(len(dials)) < 0.5
    mismatched = rng.random(len(dials)) < mismatch_prob
    kinds = np.where(coins[:, None], by_affect, ~by_affect)  # (B, P)
    both = ~np.isnan(dials)[:, None] & ~np.isnan(pictures.labels)[None]  # (B, P, 3)
    difference = np.where(both, dials[:, None] - pictures.labels[None], 0)
    distance = (difference**2).sum(axis=2) / np.maximum(both.sum(axis=2), 1)
    score = np.where(mismatched[:, None], 0, -distance / (2 * temperature**2))
    score = np.where(kinds, score, -np.inf) if by_affect.any() and not by_affect.all() else score
    drawn = np.argmax(score + rng.gumbel(size=score.shape), axis=1)
    if exact is None or (exact == NO_PICTURE).all():
        return drawn  # without drawing a number, so that seeds of older trainings give the same pictures
    kept = (exact != NO_PICTURE) & (rng.random(len(dials)) < EXACT_SHARE) & ~mismatched
    return np.where(kept, exact, drawn)
