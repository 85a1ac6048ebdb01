import csv
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from imagemusic.data.corpora.held_out import split_of

ROOT = Path(__file__).parents[2]


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows():
    with (ROOT / "data" / "heldout_pairs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_pair_is_held_out_on_both_sides_and_used_once(rows):
    pictures = json.loads((ROOT / "data" / "heldout_pictures.json").read_text())["pictures"]
    assert {pictures[row["image"]][1] for row in rows} == {"test"}
    assert {split_of(row["midi"]) for row in rows} == {"test"}
    assert len({row["image"] for row in rows}) == len({row["midi"] for row in rows}) == len(rows) > 300


def test_there_are_albums_enough_for_intervals_and_kinds_to_swap_within(rows):
    assert len({row["album"] for row in rows}) >= 100
    assert len({row["genre"] for row in rows}) >= 4


def test_matching_is_by_rank_each_used_once():
    match = script("freeze_pairs").match
    ours, theirs = np.array([[0.9], [-0.8], [0.1]]), np.array([[-0.7], [0.0], [0.95], [0.2]])
    assert match(ours, theirs).tolist() == [2, 0, 1]
    rng = np.random.default_rng(0)
    many, more = rng.uniform(-1, 1, (40, 2)), rng.uniform(-1, 1, (60, 2))
    chosen = match(many, more)
    assert len(set(chosen.tolist())) == 40
    assert np.linalg.norm(many - more[chosen], axis=1).mean() < 0.3


def test_a_picture_is_ranked_among_those_of_its_source():
    freeze = script("freeze_pairs")
    from imagemusic.training.encoder.labels import LabelledPicture

    def picture(source, name, valence):
        return LabelledPicture(
            id=f"{source}/{name}", path=Path(name), source=source, group=f"{source}/{name}", valence=valence
        )

    pictures = [picture("oasis", "a", 6.0), picture("bass", "b", 1.0), picture("oasis", "c", 2.0)]
    assert freeze.ranked(pictures, ("valence",))[:, 0].tolist() == [0.5, 0.0, -0.5]


def test_a_frozen_list_is_not_written_again(capsys, tmp_path, monkeypatch):
    freeze = script("freeze_pairs")
    out = tmp_path / "pairs.csv"
    out.write_text("image,midi\n")
    monkeypatch.setattr("sys.argv", ["freeze_pairs", "--pictures", "a", "--corpora", "b", "--out", str(out)])
    assert freeze.main() == 1
    assert "frozen" in capsys.readouterr().err
