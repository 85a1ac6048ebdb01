"""Many pictures on a whole, if untrained, model; tests/commands/test_compose.py has the rest."""

import pytest
from PIL import Image

from imagemusic import ImageMusic
from imagemusic.batch import BatchOptions, compose_files
from imagemusic.compose.options import ComposeOptions
from imagemusic.errors import ConfigError
from imagemusic.export.formats import ExportOptions


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return ImageMusic.from_pretrained(tiny_checkpoint)


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / "in" / name for name in ("a.png", "b.png")]
    paths[0].parent.mkdir()
    for path in paths:
        Image.new("RGB", (8, 8), "navy").save(path)
    return paths


def options(**more):
    return BatchOptions(compose=ComposeOptions(seconds=4), export=ExportOptions(formats=("mid",)), **more)


def test_each_picture_has_an_outcome_with_the_files_of_all_its_variations(model, pictures, tmp_path):
    reports = []
    outcomes = list(
        compose_files(model, pictures, tmp_path, options(variations=2), lambda done, message: reports.append(done))
    )
    assert [outcome.picture for outcome in outcomes] == pictures
    assert [path.name for path in outcomes[1].files] == ["b.mid", "b.json", "b-2.mid", "b-2.json"]
    assert all(path.is_file() for outcome in outcomes for path in outcome.files)
    assert reports == sorted(reports) and reports[-1] <= 1


def test_a_picture_whose_files_cannot_be_written_does_not_stop_the_others(model, pictures, tmp_path):
    (tmp_path / "a.mid").mkdir()
    first, second = compose_files(model, pictures, tmp_path, options())
    assert "a.mid: is there already and is no ordinary file" in str(first.error)
    assert second.error is None and not (tmp_path / "a.json").exists()


def test_variations_are_limited():
    with pytest.raises(ConfigError, match=r"variations must be in 1\.\.1000, got 0"):
        BatchOptions(variations=0)


def test_the_piece_of_another_picture_of_that_name_is_not_replaced(model, pictures, tmp_path):
    (first,) = compose_files(model, pictures[:1], tmp_path, options())
    before = first.files[0].read_bytes()
    other = tmp_path / "elsewhere" / "a.png"
    other.parent.mkdir()
    Image.new("RGB", (8, 8), "gold").save(other)
    (second,) = compose_files(model, [other], tmp_path, options())
    assert "a.json: is there already, of another picture" in str(second.error)
    assert first.files[0].read_bytes() == before
    (again,) = compose_files(model, pictures[:1], tmp_path, options())  # its own may be replaced
    assert again.error is None


def test_a_size_that_the_encoder_cannot_read_does_not_stop_a_batch(pictures, tmp_path):
    small = BatchOptions(compose=ComposeOptions(seconds=4, size=32), export=ExportOptions(formats=("mid",)))
    outcomes = list(compose_files(ImageMusic.from_pretrained(), pictures, tmp_path, small))
    assert [str(outcome.error) for outcome in outcomes] == [
        "size 32: the encoder of this model cannot read 32 x 32 pixels"
    ] * 2
