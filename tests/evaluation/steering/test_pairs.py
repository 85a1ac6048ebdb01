import csv

import numpy as np
import pytest

from imagemusic.errors import DataError
from imagemusic.evaluation.steering.pairs import Pair, distinct_pictures, prepare_pairs, read_folder, read_pairs
from tests.evaluation.steering.conftest import write_pairs, write_picture


def test_a_list_is_read_with_all_that_is_known(tiny_model, tmp_path):
    found = read_pairs(write_pairs(tmp_path / "a", 3, row_4={"album": "", "valence": ""}), tiny_model.encode)
    assert found.problems == ()
    first, _, last = found.pairs
    assert (first.name, first.genre, first.arousal, first.tempo_bpm) == ("row 2", "rock", 0, 80)
    assert first.piece.score.note_count > 0
    assert (first.group, last.group) == ("album someone / album 0", "artist someone")
    assert np.isnan(last.valence)


def test_without_album_and_artist_a_pair_stands_for_itself(tiny_model, tmp_path):
    path = write_pairs(tmp_path / "a", 2, row_2={"album": "", "artist": ""})
    assert read_pairs(path, tiny_model.encode).pairs[0].group == "pair row 2"


def test_a_picture_counts_by_its_theme_else_its_album_or_artist_else_alone(tiny_model, tmp_path):
    reading, image = tiny_model.encode(write_picture(tmp_path / "one.png", (9, 9, 9))), tmp_path / "one.png"
    about = [{"theme": "dogs", "album": "a"}, {"album": "a", "artist": "b"}, {"artist": "b"}, {}]
    pairs = [Pair(name="row 2", image=image, reading=reading, **known) for known in about]
    assert [pair.picture_group for pair in pairs] == ["theme dogs", "album b / a", "artist b", f"image {image}"]
    assert pairs[0].group == "album  / a"  # the music knows nothing of the theme


def test_pictures_are_drawn_from_all_of_the_list_and_the_same_ones_each_time(tiny_model, tmp_path):
    pairs = read_pairs(write_pairs(tmp_path / "a", 20), tiny_model.encode, music=False).pairs
    chosen = distinct_pictures([*pairs, *pairs], 8)
    places = [pairs.index(pair) for pair in chosen]
    assert places == sorted(set(places)) and len(places) == 8
    assert places != list(range(8)) and max(places) >= 10
    assert distinct_pictures([*pairs, *pairs], 8) == chosen


def test_bad_rows_are_named_by_number_and_the_rest_goes_on(tiny_model, tmp_path):
    path = write_pairs(
        tmp_path / "a", 7, row_3={"image": "gone.png"}, row_4={"midi": "gone.mid"}, row_5={"image": "broken.png"},
        row_6={"midi": "broken.mid"}, row_7={"valence": "high"},
    )  # fmt: skip
    (tmp_path / "a" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "a" / "broken.mid").write_bytes(b"no music")
    found = read_pairs(path, tiny_model.encode)
    assert [problem[:6] for problem in found.problems] == ["row 3:", "row 4:", "row 5:", "row 6:", "row 7:"]
    assert "gone.png" in found.problems[0]
    assert "valence must be a number, got 'high'" in found.problems[4]
    assert [pair.name for pair in found.checked("x", skip_bad=True).pairs] == ["row 2", "row 8"]
    with pytest.raises(DataError, match=r"^x: row 3: .*gone.png.*row 7.*--skip-bad goes on without them$"):
        found.checked("x", skip_bad=False)


def test_blank_lines_count_as_lines(tiny_model, tmp_path):
    path = write_pairs(tmp_path / "a", 3, row_4={"midi": "gone.mid"})
    header, first, *others = path.read_text().splitlines()
    path.write_text("\n".join([header, "", first, "", "", *others]))
    found = read_pairs(path, tiny_model.encode)
    assert [pair.name for pair in found.pairs] == ["row 3", "row 6"]
    assert found.problems[0].startswith("row 7:")


def test_pictures_alone_need_no_music(tiny_model, tmp_path):
    path = write_pairs(tmp_path / "a", 2, row_2={"midi": "gone.mid"})
    found = read_pairs(path, tiny_model.encode, music=False)
    assert [pair.piece for pair in found.pairs] == [None, None]


def test_a_folder_is_searched_through_and_a_damaged_picture_is_a_problem(tiny_model, tmp_path):
    (tmp_path / "deep").mkdir()
    write_picture(tmp_path / "deep" / "one.png", (9, 9, 9))
    (tmp_path / "two.jpg").write_bytes(b"no picture")
    found = read_folder(tmp_path, tiny_model.encode)
    assert [pair.name for pair in found.pairs] == ["deep/one.png"]
    assert "two.jpg" in found.problems[0]


@pytest.mark.parametrize("column", ["image", "midi"])
def test_a_missing_column_is_named(tiny_model, tmp_path, column):
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerow([name for name in ("image", "midi") if name != column])
    with pytest.raises(DataError, match=f"no column '{column}'; needs image, midi"):
        read_pairs(path, tiny_model.encode)


def test_all_missing_columns_are_named(tiny_model, tmp_path):
    (tmp_path / "pairs.csv").write_text("picture,music\n")
    with pytest.raises(DataError, match="no column 'image', 'midi'; needs image, midi"):
        read_pairs(tmp_path / "pairs.csv", tiny_model.encode)


def test_a_list_that_is_missing_empty_or_of_nothing_usable_is_refused(tiny_model, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_pairs(tmp_path / "none.csv", tiny_model.encode)
    (tmp_path / "empty.csv").write_text("image,midi\n")
    with pytest.raises(DataError, match="no pair can be used"):
        read_pairs(tmp_path / "empty.csv", tiny_model.encode).checked("empty.csv", skip_bad=True)
    (tmp_path / "latin.csv").write_bytes("image,midi\n\xe9.png,a.mid\n".encode("latin-1"))
    with pytest.raises(DataError, match="not a CSV file in UTF-8"):
        read_pairs(tmp_path / "latin.csv", tiny_model.encode)
    with pytest.raises(DataError, match="no pictures"):
        read_folder(tmp_path, tiny_model.encode)


def test_music_of_pairs_lies_in_one_set_in_their_order(tiny_model, tmp_path):
    pairs = read_pairs(write_pairs(tmp_path / "a", 3), tiny_model.encode).pairs
    prepared, owners = prepare_pairs(pairs, tiny_model.checkpoint.scale)
    assert owners == [0, 1, 2]
    assert [piece.id for piece in prepared.pieces] == ["row 2", "row 3", "row 4"]
    assert [piece.notes for piece in prepared.pieces] == [pair.piece.score.note_count for pair in pairs]
    assert len(prepared.rows) == sum(piece.rows for piece in prepared.pieces)
