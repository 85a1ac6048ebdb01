"""The dominant colours of a picture, with the share of its area that each fills.

k-means in CIELAB, where Euclidean distances approximate perceived differences.  It is written out here, so that
composing does not need scikit-learn.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imagemusic.errors import ConfigError

SIDE = 64  # pixels a side at which colours are clustered
ROUNDS = 30  # of k-means, at most
SAME = 8.0  # distance in CIELAB below which clusters are merged

# sRGB primaries and white point D65, IEC 61966-2-1.
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _TO_XYZ.sum(axis=1)


class Colour(NamedTuple):
    """One colour of a picture."""

    red: int  # 0..255
    green: int
    blue: int
    share: float  # of the picture, 0..1

    @property
    def hex(self) -> str:
        """The colour as #rrggbb."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


def dominant_colours(image: Image.Image, count: int = 5) -> list[Colour]:
    """Return at most `count` colours of an RGB image, in order of decreasing share.

    Raises:
        ConfigError: `count` is not in 1..16.
    """
    if not 1 <= count <= 16:
        raise ConfigError(f"count of colours must be in 1..16, got {count}")
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    rgb = np.asarray(small, dtype=np.float64).reshape(-1, 3)
    lab = to_lab(rgb)
    nearest = _merge(lab, _cluster(lab, count))
    groups, sizes = np.unique(nearest, return_counts=True)
    means = [rgb[nearest == group].mean(axis=0).tolist() for group in groups]
    found = [
        Colour(round(red), round(green), round(blue), int(size) / len(rgb))
        for (red, green, blue), size in zip(means, sizes, strict=True)
    ]
    return sorted(found, key=lambda colour: -colour.share)


def draw_palette(colours: Sequence[Colour], *, width: int = 640, height: int = 96) -> Image.Image:
    """Return a strip of `width` x `height` pixels, each colour as wide as its share, labelled where there is room."""
    strip = Image.new("RGB", (width, height))
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(15)
    edges = np.rint(np.cumsum([0.0, *(colour.share for colour in colours)]) * width).astype(int).tolist()
    for colour, left, right in zip(colours, edges, edges[1:], strict=False):
        rgb = colour[:3]
        draw.rectangle((left, 0, right - 1, height), rgb)
        name = f"{colour.hex}\n{colour.share:.0%}"
        if draw.multiline_textbbox((0, 0), name, font)[2] + 10 <= right - left:
            lightness = to_lab(np.array([rgb], np.float64))[0, 0]
            draw.multiline_text((left + 6, 6), name, "black" if lightness > 55 else "white", font)
    return strip


def to_lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert sRGB colours (N, 3) in 0..255 to CIELAB (N, 3): L* 0..100, a* green to red, b* blue to yellow.

    CIE 15:2004 with the white point D65.
    """
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _TO_XYZ.T / _WHITE
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def _cluster(points: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return the cluster (N,) of points (N, 3) by Lloyd's algorithm, with `count` centres, first the farthest apart."""
    centres = points.mean(axis=0, keepdims=True)
    centres = points[[int(_distances(points, centres)[:, 0].argmin())]]
    while len(centres) < count:
        farthest = int(_distances(points, centres).min(axis=1).argmax())
        centres = np.concatenate([centres, points[[farthest]]])
    nearest = _distances(points, centres).argmin(axis=1)
    for _ in range(ROUNDS):
        centres = np.stack(
            [points[nearest == k].mean(axis=0) if (nearest == k).any() else centre for k, centre in enumerate(centres)]
        )
        before, nearest = nearest, _distances(points, centres).argmin(axis=1)
        if np.array_equal(before, nearest):
            break
    return nearest


def _merge(points: NDArray[np.float64], nearest: NDArray[np.int64]) -> NDArray[np.int64]:
    """Merge clusters (N,) of points (N, 3) whose means are closer than SAME, the closest first."""
    while len(groups := np.unique(nearest)) > 1:
        means = np.stack([points[nearest == group].mean(axis=0) for group in groups])
        apart = _distances(means, means) + np.diag(np.full(len(groups), np.inf))
        one, other = np.unravel_index(int(apart.argmin()), apart.shape)
        if apart[one, other] >= SAME**2:
            break
        nearest = np.where(nearest == groups[other], groups[one], nearest)
    return nearest


def _distances(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared distances (N, K) between points (N, 3) and centres (K, 3)."""
    squared: NDArray[np.float64] = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    return squared
