"""Edits of a picture that change nothing a person would call its mood."""

import numpy as np
import pytest
from PIL import Image

from imagemusic.vision.image import load_pixels
from imagemusic.vision.null_edits import NULL_EDITS, crop, recompress, shrink


@pytest.fixture
def picture():
    """Draw a smooth picture, red to the right and green downwards."""
    down, across = np.mgrid[0:100, 0:200]
    return Image.fromarray(np.stack([across, 2 * down, np.full_like(down, 90)], axis=-1).astype(np.uint8))


def test_a_crop_keeps_the_window_it_was_asked_for(picture):
    assert crop(picture, 0.1).size == (180, 90)
    assert crop(picture, 0.1).getpixel((0, 0)) == (10, 10, 90)
    assert crop(picture, 0.1, across=1.0, down=0.0).getpixel((0, 0)) == (20, 0, 90)


def test_nothing_is_cropped_or_shrunk_to_nothing():
    dot = Image.new("RGB", (1, 1))
    assert crop(dot, 0.9).size == shrink(dot, 0.1).size == (1, 1)


def test_shrinking_halves_both_sides(picture):
    assert shrink(picture, 0.5).size == (100, 50)


def test_recompressing_keeps_the_size_and_changes_little(picture):
    again = recompress(picture, 70)
    assert again.size == picture.size
    assert 0 < np.abs(np.asarray(again, dtype=int) - np.asarray(picture, dtype=int)).mean() < 5


@pytest.mark.parametrize("name", NULL_EDITS)
def test_a_null_edit_is_hardly_seen_by_the_encoder(name, picture):
    change = np.abs(load_pixels(NULL_EDITS[name](picture)) - load_pixels(picture))
    assert 0 < change.mean() < 0.05
