from pathlib import Path

import pytest
from PIL import Image

from imagemusic import batch
from imagemusic.errors import ConfigError, OutputError


@pytest.fixture
def album(tmp_path):
    for name in ("b.jpg", "a.PNG", "inner/c.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_gives_the_pictures_directly_inside_in_order(album):
    assert batch.find_pictures([str(album)]) == ([album / "a.PNG", album / "b.jpg"], [])


def test_a_glob_may_reach_into_folders(album):
    assert batch.find_pictures([f"{album}/**/*.jpg"]) == ([album / "b.jpg", album / "inner" / "c.jpg"], [])


def test_a_picture_named_twice_is_taken_once_where_it_was_named_first(album):
    pictures, _ = batch.find_pictures([f"{album}/b.jpg", str(album), f"{album}/inner/../b.jpg"])
    assert pictures == [album / "b.jpg", album / "a.PNG"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "[1].png")
    assert batch.find_pictures([f"{tmp_path}/[1].png"]) == ([tmp_path / "[1].png"], [])


def test_names_that_lead_nowhere_are_told_apart_from_the_pictures(album):
    (album / "empty").mkdir()
    pictures, failures = batch.find_pictures([f"{album}/empty", f"{album}/b.jpg", f"{album}/*.bmp", "x" * 400])
    assert pictures == [album / "b.jpg"]
    messages = [str(failure.error) for failure in failures]
    assert [message.partition(": ")[2].partition(";")[0] for message in messages] == [
        "no pictures in this folder",
        "matches no file",
        "cannot be read (File name too long)",
    ]


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
    assert batch.name_outputs([Path("/covers") / picture for picture in pictures], variations) == names


def test_the_second_variation_ends_with_two():
    assert [batch.variation_name("a", number) for number in (1, 2, 3)] == ["a", "a-2", "a-3"]


def test_a_folder_is_made_with_its_parents(tmp_path):
    assert batch.make_folder(tmp_path / "x" / "y").is_dir()


def test_a_file_is_no_folder_to_write_to(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(OutputError, match="x: a file, not a folder"):
        batch.make_folder(tmp_path / "x")
    with pytest.raises(OutputError, match="cannot write there"):
        batch.make_folder(tmp_path / "x" / "y")


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match="unknown format 'aiff'; choose from mid, wav, mp3"):
        batch.OutputOptions(formats=("aiff",))
