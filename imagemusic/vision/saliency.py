"""Which parts of a picture say what: hide one patch after another, and read the picture again.

    pixels (3, S, S) ─┬──────────────────────────> read ──> (K,) ─┐
                      └─ a patch hidden ──────────> read ──> (K,) ─┴─ difference ──> one cell of (K, N, N)

A cell above zero is a part that raises what is read, one below zero a part that lowers it (Zeiler & Fergus 2014,
doi:10.1007/978-3-319-10590-1_53).  What hides a patch is the picture's mean colour, behind soft edges, as hard ones
would be seen as objects.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imagemusic.errors import ConfigError

GRID = (2, 32)  # fewest and most patches a side
EDGE = 0.25  # share of a patch's spacing from its middle to where its edge begins; it ends at three times that

PARTS = (("upper left", "top", "upper right"), ("left", "middle", "right"), ("lower left", "bottom", "lower right"))

# What raises is orange and what lowers is blue: colour-blind people tell the two apart.
RAISES, LOWERS = (255, 140, 0), (20, 110, 255)
STRONGEST = 0.75  # opacity of the strongest part
SIDE = 640  # of the drawn picture, in pixels
MARGIN, BAR_HEIGHT, TEXT = 16, 14, 17
PAPER, INK = (22, 24, 30), (228, 230, 236)


def occlude(
    read: Callable[[NDArray[np.float32]], NDArray[np.floating]], pixels: NDArray[np.float32], *, grid: int = 8
) -> NDArray[np.float64]:
    """Tell by how much each part (K, grid, grid), from the top left, raises what is read (K,) of pixels (3, S, S).

    Pictures are read one at a time: a batch of an encoder's feature maps leaves the processor's cache, and is slower.

    Raises:
        ConfigError: more patches than there are pixels, or too few or too many to be of use.
    """
    side = pixels.shape[-1]
    if not GRID[0] <= grid <= min(GRID[1], side):
        raise ConfigError(f"grid must be in {GRID[0]}..{min(GRID[1], side)} patches a side, got {grid}")
    seen = np.asarray(read(pixels), np.float64)
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    strips = patch_strips(side, grid)
    cells = np.empty((len(seen), grid, grid))
    for row, down in enumerate(strips):
        for column, across in enumerate(strips):
            patch = np.outer(down, across).astype(np.float32)
            cells[:, row, column] = seen - read(pixels + patch * (mean - pixels))
    return cells


def patch_strips(side: int, grid: int) -> NDArray[np.float64]:
    """Spread `grid` patches over `side` pixels, with soft edges: (grid, side), which add up to 1 at each pixel."""
    spacing = side / grid
    centres = (np.arange(grid) + 0.5) * spacing
    corners = np.stack([centres - EDGE * spacing, centres + EDGE * spacing], axis=1).reshape(-1)
    at = np.arange(side) + 0.5
    return np.stack([np.interp(at, corners, np.repeat(np.eye(grid)[index], 2)) for index in range(grid)])


def name_part(cells: NDArray[np.floating]) -> str:
    """Name the ninth of a picture in which the middle of the highest of the cells (N, N) lies: "the upper left"."""
    row, column = ((2 * place + 1) * 3 // (2 * len(cells)) for place in divmod(int(np.argmax(cells)), len(cells)))
    return f"the {PARTS[row][column]}"


def draw_saliency(image: Image.Image, cells: NDArray[np.floating], title: str, ends: tuple[str, str]) -> Image.Image:
    """Draw cells (N, N) over a picture, in grey, with a legend: orange parts raise, blue ones lower.

    Args:
        ends: what low and high mean, "sad" and "happy".
    """
    scale = SIDE / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    grey = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC).convert("L"), np.float64)[..., None]
    strongest = float(np.abs(cells).max())
    share = _stretch(cells, width, height) / strongest if strongest else np.zeros((height, width))
    opacity = STRONGEST * np.abs(share)[..., None]
    colour = np.where(share[..., None] > 0, RAISES, LOWERS)
    mixed = grey * (1 - opacity) + colour * opacity  # (H, W, 3)
    canvas = Image.new("RGB", (SIDE + 2 * MARGIN, height + 2 * MARGIN + 5 * TEXT), PAPER)
    canvas.paste(Image.fromarray(np.rint(mixed).astype(np.uint8)), ((canvas.width - width) // 2, MARGIN))
    _draw_legend(ImageDraw.Draw(canvas), height + 2 * MARGIN, canvas.width, title, ends, strongest)
    return canvas


def _stretch(cells: NDArray[np.floating], width: int, height: int) -> NDArray[np.float64]:
    """Enlarge cells (N, N) to (height, width), smoothly."""
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
    draw.text((middle, below), "no matter", INK, font, anchor="ma")
    draw.text((right, below), f"{strongest:+.3f}  {ends[1]}", INK, font, anchor="ra")
