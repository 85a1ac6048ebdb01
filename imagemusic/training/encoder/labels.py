"""Labels of rated pictures and song jackets, and a frozen split.

| source | labels | group: never in two splits |
|---|---|---|
| oasis | valence and arousal of photographs | theme |
| bass | valence and arousal of silhouettes | word, the name without its trailing digits |
| otoge | tempo of the song behind a jacket, and its category | same title or same picture |

The split is a hash of the group, so a picture that is added later does not move the others.
"""

import csv
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagemusic.errors import DataError

SPLITS = ("train", "validation", "test")
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2  # of the groups


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPicture:
    """A picture and its labels; nan where unknown."""

    id: str  # source/name
    path: Path
    source: str
    group: str  # source/group
    valence: float = float("nan")  # on the source's own scale
    arousal: float = float("nan")
    tempo_bpm: float = float("nan")
    category: str = ""

    @property
    def split(self) -> str:
        """The split, a function of the group alone."""
        share = int.from_bytes(hashlib.sha256(self.group.encode()).digest()[:8]) / 2**64
        return "test" if share < TEST_SHARE else "validation" if share < TEST_SHARE + VALIDATION_SHARE else "train"


def read_pictures(data: Path) -> list[LabelledPicture]:
    """Read the three sources below `data`: affect/oasis, affect/bass and covers/otoge.

    Raises:
        DataError: a table is missing or lacks a column.
    """
    return [*_read_oasis(data / "affect/oasis"), *_read_bass(data / "affect/bass"), *_read_otoge(data / "covers/otoge")]


def _read_oasis(folder: Path) -> Iterable[LabelledPicture]:
    for row in _rows(folder / "oasis.csv", ("file", "theme", "valence", "arousal")):
        yield LabelledPicture(
            id=f"oasis/{Path(row['file']).stem}",
            path=folder / row["file"],
            source="oasis",
            group=f"oasis/{row['theme']}",
            valence=float(row["valence"]),
            arousal=float(row["arousal"]),
        )


def _read_bass(folder: Path) -> Iterable[LabelledPicture]:
    for row in _rows(folder / "BASS_data.csv", ("file_name", "val_mean_us", "aro_mean_us")):
        name = Path(row["file_name"]).stem
        yield LabelledPicture(
            id=f"bass/{name}",
            path=folder / "images" / row["file_name"],
            source="bass",
            group=f"bass/{re.sub(r'[0-9]+$', '', name)}",
            valence=float(row["val_mean_us"]),
            arousal=float(row["aro_mean_us"]),
        )


def _read_otoge(folder: Path) -> Iterable[LabelledPicture]:
    for row in _rows(folder / "metadata.csv", ("file", "group", "tempo_bpm", "category")):
        yield LabelledPicture(
            id=f"otoge/{Path(row['file']).with_suffix('')}",
            path=folder / row["file"],
            source="otoge",
            group=f"otoge/{row['group']}",
            tempo_bpm=float(row["tempo_bpm"] or "nan"),
            category=row["category"],
        )


def _rows(path: Path, columns: tuple[str, ...]) -> Iterable[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := sorted(set(columns) - set(reader.fieldnames or ())):
                raise DataError(f"{path}: no column {missing[0]!r}; needs {', '.join(columns)}")
            yield from reader
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


class Ranks:
    """Rank normalisation: values to signed percentiles, 2 x percentile - 1, among the values it was made from."""

    def __init__(self, values: ArrayLike) -> None:
        known = np.asarray(values, dtype=np.float64)
        self.ordered = np.sort(known[~np.isnan(known)])
        if not self.ordered.size:
            raise DataError("no value is known, so none can be ranked")

    def to_percentile(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the percentiles (N,) of values (N,) in -1..1; equal values share their middle rank; nan stays nan."""
        asked = np.asarray(values, dtype=np.float64)
        below = np.searchsorted(self.ordered, asked, side="left")
        up_to = np.searchsorted(self.ordered, asked, side="right")
        return np.where(np.isnan(asked), np.nan, (below + up_to) / self.ordered.size - 1)

    def quantiles(self, count: int = 101) -> list[float]:
        """Return `count` values at equal steps of percentile, the inverse of `to_percentile`."""
        return [round(float(value), 3) for value in np.quantile(self.ordered, np.linspace(0, 1, count))]
