import pytest

from imagemusic.data.gather.title_parsing import album_versions, parse_title, read_remark


def test_a_title_is_split_into_song_version_and_guests():
    title = parse_title("I Don't Care (with Justin Bieber) - Loud Luxury Remix")
    assert (title.base, title.guests, title.version) == ("I Don't Care", ("Justin Bieber",), "remix")
    assert title.details == {"loud", "luxury"}


def test_other_brackets_are_part_of_the_title():
    title = parse_title("Escape (The Piña Colada Song)")
    assert (title.base, title.full, title.remarks) == ("Escape", "Escape (The Piña Colada Song)", ())


@pytest.mark.parametrize(
    ("remark", "versions"),
    [("Live at Wembley", {"live"}), ("Remasterd 2011", set()), ("The Second Part of It", set())],
)
def test_a_remark_marks_another_recording_or_none(remark, versions):
    assert read_remark(remark).versions == versions


def test_a_typo_in_a_common_remark_is_corrected():
    assert read_remark("Remasterred 2011").same == {"remastered", "2011"}


def test_an_album_implies_the_version_of_its_tracks():
    assert album_versions("Unplugged in New York", "Nirvana") == {"live"}
    assert album_versions("Nevermind", "Nirvana") == frozenset()


def test_a_title_of_remarks_alone_is_a_title():
    assert parse_title("(Live)").base == "(Live)"
    assert parse_title("Intro").version is None
