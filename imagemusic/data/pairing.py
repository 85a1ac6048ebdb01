"""Which picture goes with which piece, where no real pair exists: the ones whose dials agree.

Pictures are labelled for valence and arousal (rated photos) or for tempo (jackets of songs), never for all three.
A piece draws a kind of label by a coin, then a picture of that kind with probability
exp(-d^2 / (2 temperature^2)), where d is the distance between their dials.  Both sides are percentiles, so that the
whole range of pictures meets the whole range of music.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DataError

SHARED_DIALS = ("valence", "arousal", "tempo")


@dataclass(frozen=True, slots=True)
class Pictures:
    """Embedded pictures with their labels; views are the same picture flipped, cropped or compressed."""

    ids: NDArray[np.str_]  # (P,)
    embeddings: NDArray[np.float16]  # (P, A, E)
    labels: NDArray[np.float64]  # (P, 3): valence, arousal, tempo in -1..1, NaN where not labelled

    @classmethod
    def open(cls, path: Path, split: str) -> "Pictures":
        """Read the pictures of one split from the file that scripts/train_encoder.py wrote.

        Raises:
            DataError: the file is missing, damaged, or holds no picture of that split.
        """
        try:
            with open(path, "rb") as file, np.load(file) as table:
                chosen = table["split"] == split
                labels = np.column_stack([table[name] for name in SHARED_DIALS]).astype(np.float64)
                made = cls(table["id"][chosen], table["embedding"][chosen], labels[chosen])
        except OSError as error:
            raise DataError(f"{path}: no embedded pictures here; make them with scripts/train_encoder.py") from error
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(f"{path}: damaged, or not embedded pictures ({error})") from error
        if not len(made.ids):
            raise DataError(f"{path}: no picture of split {split!r}")
        return made


def pair(
    dials: NDArray[np.floating],
    pictures: Pictures,
    rng: np.random.Generator,
    *,
    temperature: float = 0.25,
    contrary: float = 0.0,
) -> NDArray[np.int64]:
    """Draw a picture index for each piece with dials (B, 3); any picture where nothing is known or, with probability
    `contrary`, on purpose."""
    by_affect = ~np.isnan(pictures.labels[:, 0])
    coins = rng.random(len(dials)) < 0.5
    anything = rng.random(len(dials)) < contrary
    kinds = np.where(coins[:, None], by_affect, ~by_affect)  # (B, P)
    both = ~np.isnan(dials)[:, None] & ~np.isnan(pictures.labels)[None]  # (B, P, 3)
    gaps = np.where(both, dials[:, None] - pictures.labels[None], 0)
    distance = (gaps**2).sum(axis=2) / np.maximum(both.sum(axis=2), 1)
    score = np.where(anything[:, None], 0, -distance / (2 * temperature**2))
    score = np.where(kinds, score, -np.inf) if by_affect.any() and not by_affect.all() else score
    return np.argmax(score + rng.gumbel(size=score.shape), axis=1)
