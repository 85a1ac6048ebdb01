"""Rated pictures and jackets to labels and a frozen split."""

import json
from pathlib import Path

import numpy as np
import pytest

from imagemusic.errors import DataError
from imagemusic.training.encoder.labels import LabelledPicture, Ranks, read_pictures

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path):
    for name, text in {
        "affect/oasis/oasis.csv": "file,theme,valence,arousal\nimages/Beach 1.jpg,beach,6.0,3.5\n",
        "affect/bass/BASS_data.csv": "file_name,val_mean_us,aro_mean_us\ncat12.png,7.5,4\n",
        "covers/otoge/metadata.csv": "file,group,tempo_bpm,category\nmaimai/a.jpg,7,180,POPS\nmaimai/b.jpg,8,,POPS\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_three_sources_are_read_with_their_groups_and_labels(data):
    beach, cat, fast, unknown = read_pictures(data)
    assert (beach.id, beach.group, beach.valence, beach.arousal) == ("oasis/Beach 1", "oasis/beach", 6.0, 3.5)
    assert beach.path == data / "affect/oasis/images/Beach 1.jpg"
    assert np.isnan(beach.tempo_bpm)
    assert (cat.id, cat.group, cat.valence) == ("bass/cat12", "bass/cat", 7.5)
    assert (fast.id, fast.group, fast.tempo_bpm, fast.category) == ("otoge/maimai/a", "otoge/7", 180.0, "POPS")
    assert np.isnan(unknown.tempo_bpm) and np.isnan(unknown.valence)


def test_a_missing_table_or_column_is_refused(data):
    (data / "affect/oasis/oasis.csv").write_text("file,theme,valence\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"oasis\.csv: no column 'arousal'; needs file, theme, valence, arousal"):
        read_pictures(data)
    (data / "affect/oasis/oasis.csv").unlink()
    with pytest.raises(DataError, match=r"oasis\.csv: cannot be read \(No such file"):
        read_pictures(data)


def test_the_split_is_that_of_the_group_and_near_its_shares():
    def split(group):
        return LabelledPicture(id="x", path=Path("x"), source="s", group=group).split

    assert split("oasis/beach") == split("oasis/beach")
    splits = [split(f"s/{number}") for number in range(4000)]
    assert splits.count("test") / 4000 == pytest.approx(0.2, abs=0.02)
    assert splits.count("validation") / 4000 == pytest.approx(0.1, abs=0.02)


def test_the_committed_split_is_that_of_the_rule():
    table = json.loads((ROOT / "data/heldout_pictures.json").read_text(encoding="utf-8"))
    for name, (group, split) in table["pictures"].items():
        assert LabelledPicture(id=name, path=Path(name), source="", group=group).split == split


def test_ranks_are_signed_percentiles_with_ties_in_the_middle():
    ranks = Ranks([10, 20, 20, 30, float("nan")])
    assert ranks.to_percentile([10, 20, 30, 5, 99]).tolist() == [-0.75, 0.0, 0.75, -1.0, 1.0]
    assert np.isnan(ranks.to_percentile([float("nan")])[0])
    assert ranks.quantiles(3) == [10.0, 20.0, 30.0]


def test_nothing_known_cannot_be_ranked():
    with pytest.raises(DataError, match="no value is known"):
        Ranks([float("nan")])
