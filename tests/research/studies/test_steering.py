"""The list of held-out pairs is read with what groups its pictures and what groups its music."""

from pathlib import Path

import pytest

from imagemusic.data.corpora.held_out import read_heldout
from imagemusic.data.corpora.piece import make_piece
from imagemusic.errors import DataError
from imagemusic.research.studies import steering
from tests import tiny
from tests.evaluation.steering.conftest import write_picture
from tests.research.studies.conftest import labelled

PIECE = next(name for ids in read_heldout()["splits"]["test"].values() for name in ids)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A function that reads two pairs of one album, their pictures being of the given groups."""
    path = tmp_path / "pairs.csv"
    path.write_text(f'image,midi,album,genre\notoge/a,"{PIECE}",the album,piano\notoge/b,"{PIECE}",the album,piano\n')
    (piece,) = make_piece(tiny.tune(), corpus="mutopia", path="a", group="a", title="a", licence="")

    def read(model, *groups):
        pictures = [
            labelled(write_picture(tmp_path / f"{name}.png", (9, 9, 9), seed), name, group)
            for seed, (name, group) in enumerate(zip("ab", groups, strict=True))
        ]
        monkeypatch.setattr(steering, "read_pictures", lambda folder: pictures)
        monkeypatch.setattr(steering, "find_pieces", lambda corpora, wanted: dict.fromkeys(wanted, piece))
        monkeypatch.setattr(steering, "split_of", lambda name: "test")
        return steering.read_heldout_pairs(model, path, tmp_path, tmp_path).pairs

    return read


def of_split(split):
    """Groups of pictures that are in a split."""
    names = (f"otoge/song {number}" for number in range(1000))
    return [name for name in names if labelled(Path(), "a", name).split == split]


def test_pictures_are_grouped_by_their_own_song_and_music_by_its_album(tiny_model, listed):
    one, two, *_ = of_split("test")
    pairs = listed(tiny_model, one, two)
    assert {pair.group for pair in pairs} == {"album  / the album"}
    assert [pair.picture_group for pair in pairs] == [f"theme {one}", f"theme {two}"]


def test_a_picture_that_was_trained_on_is_refused(tiny_model, listed):
    with pytest.raises(DataError, match="row 2: otoge/a or .* was trained on"):
        listed(tiny_model, of_split("train")[0], of_split("test")[0])
