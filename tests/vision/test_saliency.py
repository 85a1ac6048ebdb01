import numpy as np
import pytest
from PIL import Image

from imagemusic.errors import ConfigError
from imagemusic.vision.saliency import LOWERS, RAISES, draw_saliency, name_part, occlude, patch_strips

SIDE = 32


def picture(seed=0):
    return np.random.default_rng(seed).random((3, SIDE, SIDE)).astype(np.float32)


def red_and_minus_blue(pixels):
    """Mean red of the upper left quarter, and minus the mean blue of everything."""
    half = SIDE // 2
    return np.array([pixels[0, :half, :half].mean(), -pixels[2].mean()])


def test_patches_cover_each_pixel_once():
    strips = patch_strips(SIDE, 5)
    assert strips.sum(axis=0) == pytest.approx(np.ones(SIDE))
    assert [int(strip.argmax()) * 5 // SIDE for strip in strips] == [0, 1, 2, 3, 4]


def test_only_the_part_that_is_read_matters():
    pixels = np.zeros((3, SIDE, SIDE), np.float32)
    pixels[0, : SIDE // 2, : SIDE // 2] = 1  # a red quarter; the mean of red is 1/4
    cells = occlude(red_and_minus_blue, pixels, grid=4)[0]
    # Each of the four inner patches hides about a quarter of the quarter, and takes 3/4 of its red away.
    assert cells.argmax() == 0
    assert cells[:2, :2].sum() > 0.7
    assert cells[3].tolist() == [0, 0, 0, 0]
    assert cells[:, 3].tolist() == [0, 0, 0, 0]


def test_the_parts_of_a_sum_add_up_to_the_whole():
    pixels = picture()
    plain = np.broadcast_to(pixels.mean(axis=(1, 2), keepdims=True), pixels.shape)
    cells = occlude(red_and_minus_blue, pixels, grid=6)
    assert cells.sum(axis=(1, 2)) == pytest.approx(red_and_minus_blue(pixels) - red_and_minus_blue(plain), abs=1e-5)


def test_in_a_picture_of_one_colour_no_part_matters():
    grey = np.full((3, SIDE, SIDE), 0.5, np.float32)
    assert not occlude(red_and_minus_blue, grey, grid=4).any()


def test_the_same_picture_gives_the_same_parts():
    assert np.array_equal(*(occlude(red_and_minus_blue, picture(), grid=4) for _ in range(2)))


@pytest.mark.parametrize("grid", [1, 33])
def test_too_few_or_too_many_patches_are_refused(grid):
    with pytest.raises(ConfigError, match=rf"grid must be in 2\.\.32 patches a side, got {grid}"):
        occlude(red_and_minus_blue, picture(), grid=grid)


@pytest.mark.parametrize(
    ("row", "column", "name"),
    [(0, 0, "the upper left"), (7, 7, "the lower right"), (3, 4, "the middle"), (0, 4, "the top"), (4, 7, "the right")],
)
def test_parts_have_names(row, column, name):
    cells = np.zeros((8, 8))
    cells[row, column] = 1
    assert name_part(cells) == name


def test_what_raises_is_orange_and_what_lowers_is_blue():
    cells = np.zeros((4, 4))
    cells[0, 0], cells[3, 3] = 0.2, -0.2
    drawn = np.asarray(draw_saliency(Image.new("RGB", (50, 50), "grey"), cells, "valence", ("sad", "happy")), int)
    first, last = drawn[30, 30], drawn[640, 640]
    assert np.abs(first - RAISES).sum() < np.abs(first - LOWERS).sum()
    assert np.abs(last - LOWERS).sum() < np.abs(last - RAISES).sum()


def test_where_nothing_matters_the_picture_is_grey():
    drawn = np.asarray(draw_saliency(Image.new("RGB", (60, 20), "red"), np.zeros((4, 4)), "x", ("low", "high")))
    assert len(set(drawn[100, 300].tolist())) == 1
