import csv

import pytest

from imagemusic.data.build.build import build
from imagemusic.data.build.held_out_pairs import write_held_out
from imagemusic.data.build.manifest import Manifest
from imagemusic.errors import DataError
from tests import tiny
from tests.gathered import gather


def test_exact_pairs_that_are_held_out_are_listed_with_files_that_are_there(tmp_path):
    made = gather(tmp_path / "set", albums=2, pieces=1)
    for number in (20, 28):  # artists of the splits test and validation
        made.album(number, pieces=1)
    made.midi("Artist 20/no cover.mid", tiny.tune(99))
    made.line("Artist 20/no cover.mid", artist="Artist 20", status="unmatched")
    build(made.folder, workers=1)
    splits = {row["key"]: row["split"] for row in Manifest.open(made.folder).rows() if row["paired"] == "exact"}
    path = write_held_out(made.folder)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [str(made.midi_dir / key) for key, split in splits.items() if split != "train"]
    assert [row["midi"] for row in rows] == expected
    assert len(rows) == 2
    assert all((path.parent / row["image"]).is_file() for row in rows)
    assert all(row["artist"].startswith("Artist ") and row["album"].startswith("Album ") for row in rows)


def test_a_set_that_holds_nothing_out_is_refused(tmp_path):
    made = gather(tmp_path / "set", albums=1)
    build(made.folder, workers=1)
    with pytest.raises(DataError, match="no exact pair is held out; gather more artists"):
        write_held_out(made.folder)
