import pytest

from imagemusic.data.gather.artist_matching import artist_similarity
from imagemusic.data.gather.matching import THRESHOLD
from imagemusic.data.gather.string_similarity import similarity


def test_artists_are_compared_more_strictly_than_titles():
    assert artist_similarity("Maluma", (), "Maloma", ()) < similarity("Maluma", "Maloma")


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        ("Tom Petty", "Tom Petty and the Heartbreakers", 0.95),
        ("Joel, Billy", "Billy Joel", 0.95),
        ("J.S. Bach", "Johann Sebastian Bach", 0.9),
        ("Beethoven", "Ludwig van Beethoven", THRESHOLD),
        ("Marshmello feat. Bastille", "Marshmello", 0.95),
    ],
)
def test_two_credits_of_one_artist_are_similar(one, other, least):
    assert artist_similarity(one, (), other, ()) >= least
    assert artist_similarity(other, (), one, ()) >= least


def test_pairs_that_share_the_first_name_alone_are_not_similar():
    assert artist_similarity("Diego & Victor", (), "Diego & Arnaldo", ()) < THRESHOLD
