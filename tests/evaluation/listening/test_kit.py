import json
import re

import numpy as np
import pytest
from PIL import Image

from imagemusic.audio.synthesis import has_sound
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import ConfigError, DataError, OutputError
from imagemusic.evaluation.listening.kit import KitOptions, key_path, make_kit, plan_trials

needs_sound = pytest.mark.skipif(not has_sound(), reason="no synthesizer is installed")

COLOURS = ("navy", "orange", "green", "white")
OPTIONS = KitOptions(trials=2, seconds=4)


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return ImageMusic.from_pretrained(tiny_checkpoint)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("covers")
    for colour in COLOURS:
        Image.new("RGB", (40, 30), colour).save(folder / f"{colour}.jpg", comment=b"made by hand")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def kit(model, pictures, tmp_path_factory):
    """A kit of two trials, and its key as a table."""
    out = tmp_path_factory.mktemp("tests") / "kit"
    key = make_kit(model, pictures, out, OPTIONS, secret=b"0123456789abcdef")
    return out, json.loads(key.read_text())


def drawn(number, trials):
    return plan_trials(number, trials, np.random.default_rng(0))


def test_where_pictures_abound_none_is_seen_twice():
    trials = drawn(10, 5)
    assert len({number for trial in trials for number in (trial.right, trial.other)}) == 10
    assert {trial.variation for trial in trials} == {1}


@pytest.mark.parametrize(("pictures", "trials"), [(2, 1), (2, 5), (9, 5), (7, 24)])
def test_in_a_round_no_picture_is_seen_twice(pictures, trials):
    planned = drawn(pictures, trials)
    assert len(planned) == trials
    for variation in {trial.variation for trial in planned}:
        shown = [number for t in planned if t.variation == variation for number in (t.right, t.other)]
        assert len(shown) == len(set(shown)) <= pictures


def test_that_a_picture_was_right_does_not_tell_whether_it_is_again():
    rights = [trial.right for trial in drawn(2, 40)]
    again = sum(one == next_ for one, next_ in zip(rights, rights[1:], strict=False))
    assert 10 < again < 30


def test_of_three_pictures_one_is_left_out_in_each_round():
    assert [trial.variation for trial in drawn(3, 3)] == [1, 2, 3]


@needs_sound
def test_a_kit_is_a_page_with_sounds_and_pictures(kit):
    folder, key = kit
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "index.html", "pictures", "sounds"]
    assert len(list((folder / "sounds").glob("*.mp3"))) == 2
    assert len(list((folder / "pictures").glob("*.jpg"))) == 4
    page = (folder / "index.html").read_text()
    for row in key["trials"]:
        assert page.count(row["sound"]) == page.count(row["left"]["file"]) == page.count(row["right"]["file"]) == 1
        assert all((folder / name).is_file() for name in (row["sound"], row["left"]["file"], row["right"]["file"]))


@needs_sound
def test_the_right_side_shows_what_the_piece_was_made_from(kit, model, pictures):
    folder, key = kit
    for row in key["trials"]:
        right = row[row["correct"]]
        path = next(path for path in pictures if path.name == right["picture"])
        with Image.open(folder / right["file"]) as shown, Image.open(path) as original:
            gap = np.abs(np.subtract(shown.getpixel((5, 5)), original.getpixel((5, 5)), dtype=int))
        assert gap.max() < 6
        assert right["hash"] == model.encode(path).hash


@needs_sound
def test_nothing_in_the_folder_tells_the_answers(kit):
    folder, key = kit
    text = (folder / "index.html").read_text() + (folder / "README.md").read_text()
    hashes = [row[side]["hash"] for row in key["trials"] for side in ("left", "right")]
    names = [*COLOURS, key["secret"], "correct", *hashes]
    assert not [name for name in names if re.search(rf'"[^"]*{name}[^"]*"', text)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert all(re.fullmatch(r"[0-9a-f]{16}\.(jpg|mp3)", path.name) for path in files if path.parent != folder)
    assert len({path.stat().st_mtime for path in files}) == 1
    assert not any(b"made by hand" in path.read_bytes() for path in files)


@needs_sound
def test_the_page_asks_nothing_of_another_place(kit):
    assert not re.search(r"https?:|//[a-z]+\.|url\(", (kit[0] / "index.html").read_text())


@needs_sound
def test_another_secret_gives_other_names_and_the_same_pieces(kit, model, pictures, tmp_path):
    first = kit[1]
    second = json.loads(make_kit(model, pictures, tmp_path / "again", OPTIONS).read_text())
    assert first["kit"] != second["kit"]
    assert not {row["trial"] for row in first["trials"]} & {row["trial"] for row in second["trials"]}
    asked = [{row[row["correct"]]["picture"] for row in key["trials"]} for key in (first, second)]
    assert asked[0] == asked[1]


def test_the_key_lies_beside_the_folder(tmp_path):
    assert key_path(tmp_path / "kit") == tmp_path / "kit-key.json"


@pytest.mark.parametrize("name", ["kit", "kit-key.json"])
def test_a_kit_or_key_is_never_written_over(model, pictures, tmp_path, name):
    (tmp_path / name).write_text("dear to somebody")
    with pytest.raises(OutputError, match=rf"{name}: exists already"):
        make_kit(model, pictures, tmp_path / "kit", OPTIONS)
    assert (tmp_path / name).read_text() == "dear to somebody"


def test_the_same_picture_twice_is_one_picture(model, pictures, tmp_path):
    with pytest.raises(DataError, match=r"two different pictures or more, got 1"):
        make_kit(model, [pictures[0], pictures[0]], tmp_path / "kit", OPTIONS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, r"trials must be in 1\.\.200, got 0"),
        ({"seconds": 1}, "seconds must be in"),
        ({"format": "wav"}, "unknown sound format 'wav'; choose from mp3, ogg"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        KitOptions(**changes)
