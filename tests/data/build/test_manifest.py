import pytest

from imagemusic.data.build.build import build
from imagemusic.data.build.manifest import MANIFEST, Manifest
from imagemusic.errors import DataError
from tests.gathered import gather


def test_chosen_columns_are_read_in_the_order_of_the_journal(built):
    rows = list(Manifest.open(built.folder).rows(("key", "notes", "first_segment")))
    assert [row["key"] for row in rows[:2]] == ["Artist 0/Tune 0-0.mid", "Artist 0/Tune 0-1.mid"]
    assert set(rows[0]) == {"key", "notes", "first_segment"}


def test_a_manifest_of_a_newer_version_is_not_overwritten(tmp_path, monkeypatch):
    made = gather(tmp_path / "set", albums=1)
    with monkeypatch.context() as patch:
        patch.setattr("imagemusic.data.build.manifest.FORMAT_VERSION", 3)
        build(made.folder, workers=1)
    with pytest.raises(
        DataError, match=r"manifest\.parquet: version 3, this imagemusic reads up to 2; update imagemusic"
    ):
        build(made.folder, workers=1)


def test_a_folder_without_a_manifest_and_a_damaged_one_are_refused(tmp_path):
    with pytest.raises(DataError, match="no manifest here; make it with imagemusic data build"):
        Manifest.open(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="damaged, or not a manifest"):
        Manifest.open(tmp_path)
