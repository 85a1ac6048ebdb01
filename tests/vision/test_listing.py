import pytest
from PIL import Image

from imagemusic.vision.listing import find_pictures


@pytest.fixture
def album(tmp_path):
    for name in ("b.jpg", "a.PNG", "inner/c.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_gives_the_pictures_directly_inside_in_order(album):
    assert find_pictures([str(album)]) == ([album / "a.PNG", album / "b.jpg"], [])


def test_a_glob_may_reach_into_folders(album):
    assert find_pictures([f"{album}/**/*.jpg"]) == ([album / "b.jpg", album / "inner" / "c.jpg"], [])


def test_a_picture_named_twice_is_taken_once_where_it_was_named_first(album):
    pictures, _ = find_pictures([f"{album}/b.jpg", str(album), f"{album}/inner/../b.jpg"])
    assert pictures == [album / "b.jpg", album / "a.PNG"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "[1].png")
    assert find_pictures([f"{tmp_path}/[1].png"]) == ([tmp_path / "[1].png"], [])


def test_names_without_a_picture_are_returned_with_the_reason(album):
    (album / "empty").mkdir()
    pictures, failures = find_pictures([f"{album}/empty", f"{album}/b.jpg", f"{album}/*.bmp", "x" * 400])
    assert pictures == [album / "b.jpg"]
    messages = [str(error) for _, error in failures]
    assert [message.partition(": ")[2].partition(";")[0] for message in messages] == [
        "no pictures in this folder",
        "matches no file",
        "cannot be read (File name too long)",
    ]


def test_links_in_a_circle_do_not_stop_the_others(album):
    (album / "d.jpg").symlink_to(album / "e.jpg")
    (album / "e.jpg").symlink_to(album / "d.jpg")
    found, failures = find_pictures([str(album)])
    assert {path.name for path in found} >= {"a.PNG", "b.jpg", "d.jpg"} and not failures
