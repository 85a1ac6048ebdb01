"""Which picture goes with which piece: its own cover, one of the same label, or one whose dials agree.

    exact    a piece that has a picture of its own draws it in most epochs
    label    else, one that is labelled draws among the pictures of its label
    dials    the others, and sometimes these, draw among all, with the odds exp(-d^2 / (2 temperature^2)), where d is
             the distance between their dials

Pictures are labelled for valence and arousal (rated photos) or for tempo (jackets of songs), or by what an encoder says
of them; never for more than these three.  Where both kinds are there, a piece draws the kind by a coin.  Both sides are
percentiles, so that the whole range of pictures meets the whole range of music.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DataError
from imagemusic.music.dials import IMAGE_DIALS

EXACT_SHARE = 0.85  # of the epochs in which a piece meets its own picture; in the others it learns to do without
NO_PICTURE = -1


@dataclass(frozen=True, slots=True)
class Pictures:
    """Embedded pictures with their labels; views are the same picture flipped, cropped or compressed."""

    ids: NDArray[np.str_]  # (P,)
    embeddings: NDArray[np.float16]  # (P, A, E)
    labels: NDArray[np.float64]  # (P, 3): valence, arousal, tempo in -1..1, NaN where not labelled
    own: Mapping[str, int] = field(default_factory=dict)  # id of a piece -> its picture
    kinds: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)  # id of a piece -> pictures of its label

    @classmethod
    def open(cls, path: Path, split: str) -> "Pictures":
        """Read the pictures of one split from the file that scripts/train_encoder.py wrote.

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
        """Choose for each piece its own picture, or one of its label, drawn afresh; NO_PICTURE where there is none."""
        chosen = np.full(len(pieces), NO_PICTURE)
        for place, piece in enumerate(pieces if self.own or self.kinds else ()):
            if piece in self.own:
                chosen[place] = self.own[piece]
            elif len(alike := self.kinds.get(piece, ())):
                chosen[place] = rng.choice(alike)
        return chosen


def pair(
    dials: NDArray[np.floating],
    pictures: Pictures,
    rng: np.random.Generator,
    *,
    temperature: float = 0.25,
    contrary: float = 0.0,
    exact: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Draw a picture index for each piece with dials (B, 3); any picture where nothing is known or, with probability
    `contrary`, on purpose.

    Args:
        exact: (B,) the picture that a piece has, or NO_PICTURE; it wins in EXACT_SHARE of the draws.
    """
    by_affect = ~np.isnan(pictures.labels[:, 0])
    coins = rng.random(len(dials)) < 0.5
    anything = rng.random(len(dials)) < contrary
    kinds = np.where(coins[:, None], by_affect, ~by_affect)  # (B, P)
    both = ~np.isnan(dials)[:, None] & ~np.isnan(pictures.labels)[None]  # (B, P, 3)
    gaps = np.where(both, dials[:, None] - pictures.labels[None], 0)
    distance = (gaps**2).sum(axis=2) / np.maximum(both.sum(axis=2), 1)
    score = np.where(anything[:, None], 0, -distance / (2 * temperature**2))
    score = np.where(kinds, score, -np.inf) if by_affect.any() and not by_affect.all() else score
    drawn = np.argmax(score + rng.gumbel(size=score.shape), axis=1)
    if exact is None or (exact == NO_PICTURE).all():
        return drawn  # and no number drawn: what was trained on such pictures goes on to the same ones
    kept = (exact != NO_PICTURE) & (rng.random(len(dials)) < EXACT_SHARE) & ~anything
    return np.where(kept, exact, drawn)
