"""The bundled example pictures."""

from pathlib import Path

import pytest

from imagemusic.vision.image import load_image, picture_hash
from imagemusic.vision.palette import dominant_colours

FOLDER = Path(__file__).parents[2] / "data/examples"
PICTURES = sorted(FOLDER.glob("*.jpg"))


def test_there_are_six_and_no_two_are_alike():
    assert len({picture_hash(path) for path in PICTURES}) == 6


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_an_example_is_small_square_and_colourful_enough(path):
    assert path.stat().st_size < 100_000
    image = load_image(path)
    assert image.size == (512, 512)
    assert len(dominant_colours(image)) >= 3
