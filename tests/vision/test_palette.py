"""A picture to the few colours that a person would name."""

import numpy as np
import pytest
from PIL import Image

from imagemusic.errors import ConfigError
from imagemusic.vision.palette import Colour, dominant_colours, draw_palette, to_lab


def striped(*colours):
    """Draw stripes of equal width."""
    rows = np.repeat(np.array(colours, dtype=np.uint8), 128 // len(colours), axis=0)
    return Image.fromarray(np.broadcast_to(rows[:, None], (len(rows), 128, 3)).copy())


def test_three_quarters_red_and_one_quarter_blue():
    image = striped((200, 0, 0), (200, 0, 0), (200, 0, 0), (0, 0, 200))
    assert dominant_colours(image) == [Colour(200, 0, 0, 0.75), Colour(0, 0, 200, 0.25)]


def test_colours_that_look_the_same_are_told_once():
    assert len(dominant_colours(striped((100, 100, 100), (104, 102, 100)))) == 1


def test_one_colour_is_found_in_a_plain_picture():
    assert dominant_colours(Image.new("RGB", (3, 500), (1, 2, 3))) == [Colour(1, 2, 3, 1.0)]


def test_no_more_than_count_are_told_and_their_shares_sum_to_one():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    colours = dominant_colours(Image.fromarray(noise), 4)
    assert len(colours) == 4
    assert sum(colour.share for colour in colours) == pytest.approx(1)


def test_a_colour_is_written_as_a_page_does():
    assert Colour(255, 128, 0, 1.0).hex == "#ff8000"


def test_lab_of_white_black_and_red_by_the_book():
    expected = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]]
    np.testing.assert_allclose(to_lab(np.array([[255.0] * 3, [0.0] * 3, [255.0, 0, 0]])), expected, atol=0.1)


@pytest.mark.parametrize("count", [0, 17])
def test_an_impossible_count_is_refused(count):
    with pytest.raises(ConfigError, match=rf"count of colours must be in 1\.\.16, got {count}"):
        dominant_colours(Image.new("RGB", (8, 8)), count)


def test_a_strip_gives_each_colour_its_share():
    strip = draw_palette([Colour(255, 0, 0, 0.75), Colour(0, 0, 255, 0.25)], width=200, height=40)
    assert [strip.getpixel((x, 39)) for x in (0, 149, 150, 199)] == [(255, 0, 0)] * 2 + [(0, 0, 255)] * 2
