import pytest

from imagemusic.data.gather.pairs_table import normal_path, read_pairs
from imagemusic.errors import DataError


def table(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_pair_has_paths_from_the_folder_of_the_table(tmp_path):
    pairs = read_pairs(table(tmp_path / "pairs.csv", "MIDI, Image ,artist,license_url", "a.mid,b.jpg, Ann ,CC0"))
    ((pair,),) = pairs.values()
    assert list(pairs) == [normal_path(tmp_path / "a.mid")]
    assert (pair.image, pair.artist, pair.title, pair.licence) == (tmp_path / "b.jpg", "Ann", "", "CC0")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["midi,cover", "a,b"], "no column 'image'; a table of pairs has midi and image"),
        ([], "no column 'midi'"),
        (["midi,image", "a.mid,"], r"pairs\.csv:2: a pair needs both midi and image"),
        (["midi,image", "a.mid"], r"pairs\.csv:2: a pair needs both midi and image"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        read_pairs(table(tmp_path / "pairs.csv", *lines))
