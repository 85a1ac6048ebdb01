import pytest

from imagemusic.data.gather.user_table import read_table
from imagemusic.errors import DataError
from tests.datasets import put

TABLE = 'Midi{0}image\na.mid{0}"x{0} y.jpg"\n\nb.mid\n'


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_commas_semicolons_and_tabs_separate_cells(tmp_path, separator, encoding):
    path = put(tmp_path / "t.csv", TABLE.format(separator).encode(encoding))
    columns, rows = read_table(path)
    assert columns == ["midi", "image"]
    assert list(rows) == [
        (f"{path}:2", {"midi": "a.mid", "image": f"x{separator} y.jpg"}),
        (f"{path}:4", {"midi": "b.mid", "image": ""}),
    ]


def test_other_bytes_are_windows_1252(tmp_path):
    _, rows = read_table(put(tmp_path / "t.csv", "key;choice\r\ncaf\u00e9 \u2013 x.mid;1\r\n".encode("cp1252")))
    assert next(rows)[1] == {"key": "caf\u00e9 \u2013 x.mid", "choice": "1"}


def test_an_empty_table_has_no_columns(tmp_path):
    columns, rows = read_table(put(tmp_path / "t.csv"))
    assert (columns, list(rows)) == ([], [])


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match="not a table that can be read"):
        read_table(put(tmp_path / "t.csv", b"\x81\x8d"))
    with pytest.raises(DataError, match="not a table that can be read"):
        list(read_table(put(tmp_path / "t.csv", b'a,b\n"' + b"x" * 200_000))[1])
