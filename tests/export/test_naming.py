from pathlib import Path

import pytest

from imagemusic.export.naming import name_outputs, variation_name


@pytest.mark.parametrize(
    ("pictures", "variations", "names"),
    [
        pytest.param(["a.jpg", "b.jpg"], 1, ["a", "b"], id="plain"),
        pytest.param(["x/cover.jpg", "y/cover.jpg"], 1, ["x_cover", "y_cover"], id="folder in front"),
        pytest.param(["x/cover.jpg", "x/Cover.png"], 1, ["x_cover", "x_Cover_2"], id="same folder, upper case"),
        pytest.param(["a.jpg", "a-2.jpg"], 2, ["a", "a-2_2"], id="named like a variation"),
        pytest.param(["a.jpg", "a-2.jpg"], 1, ["a", "a-2"], id="no variation to be taken for"),
    ],
)
def test_no_two_pictures_write_the_same_file(pictures, variations, names):
    assert name_outputs([Path("/covers") / picture for picture in pictures], variations) == names


def test_the_second_variation_ends_with_two():
    assert [variation_name("a", number) for number in (1, 2, 3)] == ["a", "a-2", "a-3"]
