"""Occlusion saliency (Zeiler & Fergus 2014, doi:10.1007/978-3-319-10590-1_53): outputs with one patch hidden at a time.

    pixels (3, S, S) ─┬──────────────────────────> read ──> (K,) ─┐
                      └─ a patch hidden ──────────> read ──> (K,) ─┴─ difference ──> one cell of (K, N, N)

A cell above zero raises an output, one below zero lowers it.  A patch is replaced by the picture's mean colour, with
soft edges, since a network responds to hard edges.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imagemusic.errors import ConfigError

GRID = (2, 32)  # fewest and most patches a side
EDGE = 0.25  # distance from a patch's centre to the start of its soft edge, in spacings; the edge ends at 3 x EDGE

PARTS = (("upper left", "top", "upper right"), ("left", "middle", "right"), ("lower left", "bottom", "lower right"))

# Orange raises and blue lowers, a pair that colour-blind readers can tell apart.
RAISES, LOWERS = (255, 140, 0), (20, 110, 255)
STRONGEST = 0.75  # opacity of the cell with the largest absolute value
SIDE = 640  # longer side of the drawn picture, in pixels
MARGIN, BAR_HEIGHT, TEXT = 16, 14, 17
PAPER, INK = (22, 24, 30), (228, 230, 236)


def occlude(
    read: Callable[[NDArray[np.float32]], NDArray[np.floating]], pixels: NDArray[np.float32], *, grid: int = 8
) -> NDArray[np.float64]:
    """Return how much each patch raises the outputs of `read`: (K, grid, grid), from the top left.

    Pictures are read one at a time: a batch of feature maps exceeds the processor's cache, which is slower.

    Args:
        read: pixels (3, S, S) to outputs (K,).
        pixels: (3, S, S) in 0..1.
        grid: patches a side.

    Raises:
        ConfigError: `grid` is not in 2..32, or larger than S.
    """
    side = pixels.shape[-1]
    if not GRID[0] <= grid <= min(GRID[1], side):
        raise ConfigError(f"grid must be in {GRID[0]}..{min(GRID[1], side)} patches a side, got {grid}")
    whole = np.asarray(read(pixels), np.float64)
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    strips = patch_strips(side, grid)
    cells = np.empty((len(whole), grid, grid))
    for row, down in enumerate(strips):
        for column, across in enumerate(strips):
            patch = np.outer(down, across).astype(np.float32)
            cells[:, row, column] = whole - read(pixels + patch * (mean - pixels))
    return cells


def patch_strips(side: int, grid: int) -> NDArray[np.float64]:
    """Return the weights (grid, side) of `grid` patches along `side` pixels; they have soft edges and sum to 1."""
    spacing = side / grid
    centres = (np.arange(grid) + 0.5) * spacing
    corners = np.stack([centres - EDGE * spacing, centres + EDGE * spacing], axis=1).reshape(-1)
    at = np.arange(side) + 0.5
    return np.stack([np.interp(at, corners, np.repeat(np.eye(grid)[index], 2)) for index in range(grid)])


def name_part(cells: NDArray[np.floating]) -> str:
    """Return the ninth of a picture that holds the centre of the highest of cells (N, N), as in "the upper left"."""
    row, column = ((2 * place + 1) * 3 // (2 * len(cells)) for place in divmod(int(np.argmax(cells)), len(cells)))
    return f"the {PARTS[row][column]}"


def draw_saliency(image: Image.Image, cells: NDArray[np.floating], title: str, ends: tuple[str, str]) -> Image.Image:
    """Return a grey picture with cells (N, N) in colour over it and a legend; orange raises, blue lowers.

    Args:
        ends: names of a low and a high value, "sad" and "happy".
    """
    scale = SIDE / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    grey = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC).convert("L"), np.float64)[..., None]
    strongest = float(np.abs(cells).max())
    share = _enlarge(cells, width, height) / strongest if strongest else np.zeros((height, width))
    opacity = STRONGEST * np.abs(share)[..., None]
    colour = np.where(share[..., None] > 0, RAISES, LOWERS)
    mixed = grey * (1 - opacity) + colour * opacity  # (H, W, 3)
    canvas = Image.new("RGB", (SIDE + 2 * MARGIN, height + 2 * MARGIN + 5 * TEXT), PAPER)
    canvas.paste(Image.fromarray(np.rint(mixed).astype(np.uint8)), ((canvas.width - width) // 2, MARGIN))
    _draw_legend(ImageDraw.Draw(canvas), height + 2 * MARGIN, canvas.width, title, ends, strongest)
    return canvas


def _enlarge(cells: NDArray[np.floating], width: int, height: int) -> NDArray[np.float64]:
    """Interpolate cells (N, N) to (height, width), within their range."""
    image = Image.fromarray(cells.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), np.float64).clip(
        cells.min(), cells.max()
    )


def _draw_legend(
    draw: ImageDraw.ImageDraw, top: int, width: int, title: str, ends: tuple[str, str], strongest: float
) -> None:
    font, left, right = ImageFont.load_default(TEXT), MARGIN, width - MARGIN
    draw.text((left, top), title, INK, font)
    bar = top + TEXT + 10
    for x in range(left, right):
        share = 2 * (x - left) / (right - 1 - left) - 1
        end, opacity = RAISES if share > 0 else LOWERS, STRONGEST * abs(share)
        grey = 128
        colour = tuple(round(grey + (value - grey) * opacity) for value in end)
        draw.line((x, bar, x, bar + BAR_HEIGHT), colour)
    below, middle = bar + BAR_HEIGHT + 6, (left + right) // 2
    draw.text((left, below), f"{ends[0]}  {-strongest:+.3f}", INK, font)
    draw.text((middle, below), "no effect", INK, font, anchor="ma")
    draw.text((right, below), f"{strongest:+.3f}  {ends[1]}", INK, font, anchor="ra")
