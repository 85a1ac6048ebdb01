import numpy as np
import pytest

from imagemusic.data.build.splits import HELD_OUT, DisjointSets, group_name, hash_key, name_key, split_of_group


def test_a_chain_of_pairs_is_one_group_named_by_its_least():
    union = DisjointSets(6)
    union.join([(4, 3), (5, 4)])
    union.join(np.array([[3, 1]]))
    assert union.roots().tolist() == [0, 1, 2, 1, 1, 1]


@pytest.mark.parametrize("other", ["beyonce", "BEYONCÉ", "Beyonce\N{COMBINING ACUTE ACCENT}", "The Beyoncé!"])
def test_one_name_in_many_spellings_is_one_key(other):
    assert name_key(other) == name_key("Beyoncé")


def test_other_names_have_other_keys():
    assert len({name_key("Abba"), name_key("Abba", "Gold"), name_key("Abba", "Waterloo"), name_key("ABC")}) == 4


@pytest.mark.parametrize("unnamed", ["", "Various Artists", "unknown", "Trad."])
def test_a_name_that_is_no_artists_joins_nothing(unnamed):
    assert name_key(unnamed, "Greatest Hits") == 0
    assert group_name(unnamed, "ab12", "x.mid") == "midi/ab12"


def test_a_group_is_named_by_its_artist_where_there_is_one():
    assert group_name("The Beatles", "ab12", "x.mid") == "artist/beatles"
    assert group_name("", "", "x.mid") == "file/x.mid"


def test_splits_have_their_shares_and_stay():
    splits = [split_of_group(f"artist/{number}") for number in range(4000)]
    for split, share in HELD_OUT.items():
        assert splits.count(split) / 4000 == pytest.approx(share, abs=0.012)
    assert splits[:400] == [split_of_group(f"artist/{number}") for number in range(400)]
    assert split_of_group("artist/beatles") == "train"  # a change here would mix what was held out with the rest


def test_nothing_has_the_key_nothing():
    assert hash_key("") == 0
    assert hash_key("a") != hash_key("b") != 0
