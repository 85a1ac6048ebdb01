import numpy as np
import pytest
from PIL import Image

from imagemusic.compose.explain import describe, how_sure, occlusion_maps, report_image
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import ImageError

NAVY = Image.new("RGB", (20, 20), (0, 0, 102))


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return ImageMusic.from_pretrained(tiny_checkpoint)


def test_what_the_encoder_reads_is_told_as_it_is(model):
    # The tiny encoder reads a colour's red, green and blue, 0..1, as dials -1..1.
    look = report_image(model, NAVY)
    assert [dial.predicted for dial in look.seen.values()] == pytest.approx([-1, -1, -0.2], abs=0.01)
    assert list(look.seen) == ["valence", "arousal", "tempo"]
    assert look.hash == model.encode(NAVY).hash
    assert look.palette[0].hex == "#000066"


def test_the_other_dials_are_implied_with_a_range(model):
    look = report_image(model, NAVY)
    assert "density" in look.implied
    assert not look.implied.keys() & look.seen.keys()
    assert all(-1 <= dial.low <= dial.mean <= dial.high <= 1 for dial in look.implied.values())
    assert sum(look.ensembles.values()) == pytest.approx(1)


def test_looking_twice_sees_the_same(model):
    assert report_image(model, NAVY) == report_image(model, NAVY)


def test_a_bright_part_raises_what_brightness_raises(model):
    half_white = Image.new("RGB", (40, 40))
    half_white.paste("white", (0, 0, 20, 40))
    for cells in occlusion_maps(model, half_white).values():
        assert (cells[:, :3] > 0).all()
        assert (cells[:, -3:] < 0).all()


@pytest.mark.parametrize(
    ("dial", "value", "words"),
    [
        ("valence", 0.1, "neither sad nor happy"),
        ("valence", 0.4, "rather happy"),
        ("arousal", -0.9, "very calm"),
        ("register", -0.4, "rather low"),
    ],
)
def test_a_value_has_words(dial, value, words):
    assert describe(dial, value) == words


def test_uncertainty_has_words():
    # Of the variance of a number anywhere in -1..1, 1/3, a deviation of 0.3 leaves 27 % open, 0.57 nearly all.
    assert [how_sure(sd) for sd in (0.3, 0.45, 0.57, 2)] == [
        "fairly sure", "unsure", "hardly more than a guess", "hardly more than a guess",
    ]  # fmt: skip


def test_what_is_no_picture_is_refused(model, tmp_path):
    (tmp_path / "poem.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"poem\.png: not a picture"):
        report_image(model, tmp_path / "poem.png")


def test_cells_are_a_square_of_numbers(model):
    assert {cells.shape for cells in occlusion_maps(model, NAVY).values()} == {(8, 8)}
    assert not any(np.abs(cells).max() > 1e-6 for cells in occlusion_maps(model, NAVY).values())
