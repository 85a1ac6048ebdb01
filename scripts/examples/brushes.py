"""Brushes that make_examples.py paints with: noise, gradients, light, outlines, trees, towers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

SIDE = 1024  # pixels
Plane = NDArray[np.floating[Any]]  # (SIDE, SIDE)
Picture = NDArray[np.floating[Any]]  # (SIDE, SIDE, 3) in 0..1

DOWN, ACROSS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE


def noise(rng: np.random.Generator, rows: int, columns: int, octaves: int = 6) -> Plane:
    """Draw cloudy noise in 0..1, coarse to fine; unequal rows and columns stretch it."""
    total = np.zeros((SIDE, SIDE), dtype=np.float32)
    for octave in range(octaves):
        shape = min(rows << octave, SIDE) + 1, min(columns << octave, SIDE) + 1
        grid = Image.fromarray(rng.random(shape, dtype=np.float32))
        total += np.asarray(grid.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 2**octave
    low, high = np.quantile(total, [0.005, 0.995])
    return np.clip((total - low) / (high - low), 0, 1).astype(np.float32)


def colours(value: Plane, stops: ArrayLike) -> Picture:
    """Paint values in 0..1 with a gradient; a stop is (value, red, green, blue) with colours in 0..255."""
    table = np.asarray(stops, dtype=np.float32)
    return np.stack([np.interp(value, table[:, 0], table[:, channel] / 255) for channel in (1, 2, 3)], axis=-1).astype(
        np.float32
    )


def mix(below: Picture, above: ArrayLike, cover: Plane) -> Picture:
    """Lay a colour or picture over another where `cover` is 1."""
    mixed: Picture = below + (np.asarray(above, dtype=np.float32) - below) * np.clip(cover, 0, 1)[..., None]
    return mixed


def glow(x: float, y: float, size: float) -> Plane:
    """Fall from 1 at a point as a Gaussian does."""
    light: Plane = np.exp(-((ACROSS - x) ** 2 + (DOWN - y) ** 2) / (2 * size**2))
    return light


def shape(draw: Callable[[ImageDraw.ImageDraw], None], blur: float = 0.0) -> Plane:
    """Draw white on black with Pillow and take it as a cover."""
    canvas = Image.new("L", (SIDE, SIDE))
    draw(ImageDraw.Draw(canvas))
    if blur:
        canvas = canvas.filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(canvas, dtype=np.float32) / 255


def ridge(rng: np.random.Generator, height: float, rough: float, peaks: int, octaves: int = 6) -> Plane:
    """Cover everything below a hilly line, `height` down the picture."""
    line = noise(rng, 1, peaks, octaves)[0] - 0.5
    cover: Plane = np.clip((DOWN - height - rough * line[None, :]) * SIDE / 2, 0, 1)
    return cover


def tree(rng: np.random.Generator, picture: Picture, x: int, foot: int) -> Picture:
    """Plant a round tree whose trunk stands at (x, foot)."""
    trunk = [(x - 11, foot), (x - 7, foot - 120), (x + 7, foot - 120), (x + 11, foot)]
    picture = mix(
        picture, (0.12, 0.34, 0.10), shape(lambda d: d.ellipse([x - 20, foot - 14, x + 190, foot + 14], fill=90), 6)
    )
    picture = mix(picture, (0.36, 0.24, 0.16), shape(lambda draw: draw.polygon(trunk, fill=255), 1))
    leaves = [(rng.normal(0, 46), rng.normal(0, 38), rng.uniform(22, 44)) for _ in range(60)]
    for shift, colour in ((8, (0.16, 0.42, 0.16)), (0, (0.28, 0.58, 0.20)), (-14, (0.52, 0.76, 0.28))):
        size = 1.0 if shift >= 0 else 0.62

        def crown(draw: ImageDraw.ImageDraw, shift: int = shift, size: float = size) -> None:
            for across, down, radius in leaves:
                cx, cy, r = x + across * size + shift, foot - 175 + down * size + shift, radius * size
                draw.ellipse([cx - r, cy - r, cx + r, cy + r], fill=255)

        picture = mix(picture, colour, shape(crown, 2) * (0.75 + 0.25 * noise(rng, 60, 60, 2)))
    return picture


def building(
    rng: np.random.Generator, picture: Picture, box: tuple[int, int, int, int], shade: ArrayLike, layer: int
) -> Picture:
    """Build a tower with lit windows and, now and then, a neon edge."""
    left, top, right, foot = box
    picture = mix(picture, shade, shape(lambda draw: draw.rectangle(box, fill=255)))
    if layer == 0:
        return picture
    neon = [(0.15, 0.95, 1.0), (1.0, 0.25, 0.75), (1.0, 0.85, 0.35)]
    for colour in neon:

        def windows(draw: ImageDraw.ImageDraw) -> None:
            for y in range(top + 16, foot - 10, 18):
                for x in range(left + 9, right - 12, 16):
                    if rng.random() < 0.16:
                        draw.rectangle([x, y, x + 7, y + 9], fill=int(rng.integers(130, 255)))

        picture = mix(picture, colour, shape(windows, 0.7))
    if rng.random() < 0.5:
        colour = neon[int(rng.integers(2))]
        line = [(left + 2, foot), (left + 2, top + 2), (right - 2, top + 2), (right - 2, foot)]
        picture = mix(picture, colour, shape(lambda draw: draw.line(line, fill=255, width=4), 1.5))
    return picture
