import numpy as np
import pytest

from imagemusic.data.build.note_store import BlockArray, open_array, write_array
from imagemusic.data.prepared import ROW
from imagemusic.errors import DataError


def rows(count, first=0):
    made = np.zeros(count, ROW)
    made["tick"] = np.arange(first, first + count)
    return made


@pytest.fixture
def blocks(tmp_path):
    for number, (first, count) in enumerate(((0, 5), (5, 0), (5, 3))):
        write_array(tmp_path / f"{number}.arrow", rows(count, first))
    return BlockArray([tmp_path / f"{number}.arrow" for number in range(3)], [5, 0, 3], ROW)


def test_rows_come_back_as_they_were_without_a_copy(tmp_path):
    write_array(tmp_path / "a.arrow", rows(7))
    again = open_array(tmp_path / "a.arrow", ROW)
    np.testing.assert_array_equal(again, rows(7))
    assert not again.flags.writeable
    assert not again.flags.owndata


def test_arrow_itself_reads_the_file(tmp_path):
    import pyarrow as pa

    write_array(tmp_path / "a.arrow", rows(4))
    with pa.memory_map(str(tmp_path / "a.arrow")) as file:
        table = pa.ipc.open_file(file).read_all()
        assert (table.num_rows, str(table.schema.field("row").type)) == (4, "fixed_size_binary[17]")


def test_a_slice_is_a_view_of_its_block(blocks):
    assert len(blocks) == 8
    assert blocks[1:4]["tick"].tolist() == [1, 2, 3]
    assert blocks[5:8]["tick"].tolist() == [5, 6, 7]
    assert not blocks[5:8].flags.owndata


def test_rows_are_fetched_by_their_numbers_from_any_block(tmp_path):
    for number in range(2):
        write_array(tmp_path / f"{number}.arrow", (number + np.full((3, 2), np.arange(3)[:, None] / 10)).astype("f4"))
    both = BlockArray([tmp_path / "0.arrow", tmp_path / "1.arrow"], [3, 3], np.dtype("f4"), (2,))
    found = both[np.array([[5, 0], [2, 3]])]
    assert found.shape == (2, 2, 2)
    np.testing.assert_allclose(found[..., 0], [[1.2, 0.0], [0.2, 1.0]], rtol=1e-6)


def test_notes_that_are_gone_damaged_or_of_another_layout_are_refused(tmp_path):
    write_array(tmp_path / "a.arrow", rows(4))
    with pytest.raises(DataError, match="notes of another version; run imagemusic data build again"):
        open_array(tmp_path / "a.arrow", np.dtype("f4"))
    (tmp_path / "a.arrow").write_bytes((tmp_path / "a.arrow").read_bytes()[:100])
    with pytest.raises(DataError, match="missing or damaged notes"):
        open_array(tmp_path / "a.arrow", ROW)
    with pytest.raises(DataError, match="missing or damaged notes"):
        open_array(tmp_path / "b.arrow", ROW)
