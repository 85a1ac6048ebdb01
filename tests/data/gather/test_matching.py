"""Comparing names with releases."""

from pathlib import PurePath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imagemusic.data.gather.artist_matching import artist_likeness
from imagemusic.data.gather.file_names import Name, parse_name
from imagemusic.data.gather.matching import REVIEW_THRESHOLD, THRESHOLD, rank, score
from imagemusic.data.gather.releases import Release
from imagemusic.data.gather.string_similarity import likeness
from imagemusic.data.gather.text_normalization import fold, normalise
from imagemusic.data.gather.title_parsing import parse_title


def release(artist, title, **more):
    return Release(source="test", id="1", artist=artist, title=title, **more)


def scored(path, artist, title, heard=None, **more):
    return score(parse_name(PurePath(path)), heard, release(artist, title, **more))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Rolling Stones", "rolling stones"),
        ("Beatles, The", "The Beatles"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
        ("Guns N' Roses", "Guns 'n' Roses"),
        ("P!nk", "Pink"),
        ("A$AP Rocky", "ASAP Rocky"),
        ("Beyoncé", "BEYONCE"),
        ("Y.M.C.A.", "YMCA"),
        ("Part II", "Pt. 2"),
        ("Twenty One Pilots", "21 Pilots"),
        ("Livin' on a Prayer", "Living on a Prayer"),
        ("Сарума", "Saruma"),
        ("Κωνσταντίνος", "Konstantinos"),
        ("キャンディ", "kyandi"),
        ("숙녀", "sugnyeo"),
        ("Ｗｉｄｅ", "wide"),
    ],
)
def test_spellings_of_one_name_become_equal(one, other):
    assert normalise(one) == normalise(other)


def test_names_of_punctuation_alone_stay_different():
    assert normalise("!!!") == "!!!"
    assert normalise("???") != normalise("!!!")
    assert normalise("") == ""


def test_names_without_latin_letters_stay_as_they_are():
    assert normalise("光線") == "光線"
    assert likeness("光線", "留学生") < 0.5


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text):
    once = normalise(text)
    assert normalise(once) == once


@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_is_symmetric_and_a_share(one, other):
    assert 0 <= likeness(one, other) <= 1
    assert likeness(one, other) == pytest.approx(likeness(other, one))
    assert likeness(one, one) == 1


def test_a_slip_costs_little_another_word_or_number_much():
    assert likeness("Stairway to Heaven", "Stairway to Haeven") > 0.9
    assert likeness("Come with Me", "Come to Me") < 0.7
    assert likeness("Part 1", "Part 2") < 0.5
    assert likeness("One", "One More Time") < 0.5
    assert likeness("Lovesong", "Love Song") > 0.95
    assert likeness("Five Finger Death Punch", "Fve Finger Death Punch") > 0.9
    assert likeness("Motörhead", "Motoerhead") > 0.9


def test_artists_are_strangers_sooner_than_titles():
    assert artist_likeness("Maluma", (), "Maloma", ()) < likeness("Maluma", "Maloma")


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
def test_ways_to_credit_one_artist_are_alike(one, other, least):
    assert artist_likeness(one, (), other, ()) >= least
    assert artist_likeness(other, (), one, ()) >= least


def test_pairs_that_share_the_first_name_alone_are_not_alike():
    assert artist_likeness("Diego & Victor", (), "Diego & Arnaldo", ()) < THRESHOLD


@pytest.mark.parametrize(
    ("path", "artist", "title"),
    [
        ("Beatles/Hey Jude.mid", "The Beatles", "Hey Jude"),
        ("Beatles/Hey Jude.mid", "The Beatles", "Hey Jude - Remastered 2015"),
        ("Hey Jude - Beatles.mid", "The Beatles", "Hey Jude"),
        ("Hey Jude/Beatles.mid", "The Beatles", "Hey Jude"),
        ("BEATLES/hey_jude.1.mid", "The Beatles", "Hey Jude"),
        ("beatles_hey_jude.mid", "The Beatles", "Hey Jude"),
        ("beatles-hey-jude.mid", "The Beatles", "Hey Jude"),
        ("Beetles/Hey Jude.mid", "The Beetles", "Hey Jude"),
        ("Ed Sheeran/I Dont Care.mid", "Ed Sheeran", "I Don't Care (with Justin Bieber)"),
        ("Ed Sheeran & Justin Bieber/I Dont Care.mid", "Ed Sheeran", "I Don't Care (with Justin Bieber)"),
        ("Ed Sheeran/Dont Care Loud Luxury Remix.mid", "Ed Sheeran", "Don't Care - Loud Luxury Remix"),
        ("Pink Floyd/Another Brick in the Wall Part 1.mid", "Pink Floyd", "Another Brick in the Wall, Pt. 1"),
        ("Rupert Holmes/Escape.mid", "Rupert Holmes", "Escape (The Piña Colada Song)"),
        ("Queen/Love of My Life (Live).mid", "Queen", "Love of My Life - Live"),
        ("Queen/Love of My Life (Live).mid", "Queen", "Love of My Life (Live at the Rainbow)"),
        ("Taylor Swift/Long Live.mid", "Taylor Swift", "Long Live"),
        ("Basta/Gorod dorog.mid", "Баста", "Город дорог"),
        ("Styx/Come Sail Away (ensemble).mid", "Styx", "Come Sail Away"),
    ],
)
def test_the_right_recording_is_accepted(path, artist, title):
    assert scored(path, artist, title) >= THRESHOLD


@pytest.mark.parametrize(
    ("path", "artist", "title"),
    [
        ("Beatles/Hey Jude.mid", "The Beatles", "Hey Jude (Karaoke Version)"),
        ("Beatles/Hey Jude.mid", "Karaoke Stars", "Hey Jude"),
        ("Beatles/Hey Jude.mid", "The Beatles", "Hey Jude - Live At The BBC"),
        ("Beatles/Hey Jude.mid", "The Beatles", "Hey Jude (Some DJ Remix)"),
        ("Beatles/Hey Jude.mid", "The Beatles", "Hey Jude [Instrumental]"),
        ("Beatles/Hey Jude (Live).mid", "The Beatles", "Hey Jude"),
        ("Beatles/Hey Jude.mid", "Wilson Pickett", "Hey Jude"),
        ("Beatles/Hey Jude.mid", "The Beatles", "Hey Bulldog"),
        ("Metallica/One.mid", "Metallica", "One More Time"),
        ("Ed Sheeran/Care - Loud Luxury Remix.mid", "Ed Sheeran", "Care - Other Person Remix"),
        ("Pink Floyd/Another Brick in the Wall Part 1.mid", "Pink Floyd", "Another Brick in the Wall, Pt. 2"),
        ("Pink Floyd/Another Brick in the Wall.mid", "Pink Floyd", "Another Brick in the Wall, Pt. 2"),
        ("Ariana Grande/7 rings.mid", "Ariana Grande", "8 rings"),
        ("Taylor Swift/Long Live.mid", "Taylor Swift", "Long Live (Live)"),
        ("yesterday.mid", "The Beatles", "Yesterday"),
    ],
)
def test_what_only_looks_like_it_is_not_accepted(path, artist, title):
    assert scored(path, artist, title) < THRESHOLD


def test_an_album_gives_away_what_its_titles_do_not_say():
    assert scored("Styx/Lady.mid", "Styx", "Lady", album="Styx II") == 1
    assert scored("Styx/Lady.mid", "Styx", "Lady", album="Live in Concert") < THRESHOLD
    assert scored("Styx/Lady.mid", "Styx", "Lady", album="Karaoke Hits, Vol. 3") < REVIEW_THRESHOLD
    assert scored("Hole/Violet.mid", "Hole", "Violet", album="Live Through This") == 1


def test_a_live_recording_or_a_title_without_an_artist_is_for_a_person_to_decide():
    assert REVIEW_THRESHOLD <= scored("Styx/Lady.mid", "Styx", "Lady - Live") < THRESHOLD
    assert REVIEW_THRESHOLD <= scored("Lady.mid", "Styx", "Lady") < THRESHOLD


def test_durations_far_apart_cost_and_unknown_ones_do_not():
    alike = scored("Styx/Lady.mid", "Styx", "Lady", 178.0, seconds=180.0)
    apart = scored("Styx/Lady.mid", "Styx", "Lady", 60.0, seconds=180.0)
    assert alike == scored("Styx/Lady.mid", "Styx", "Lady", None, seconds=180.0) == 1
    assert THRESHOLD <= apart < alike


def test_candidates_come_best_first_with_reasons():
    name = parse_name(PurePath("Queen/Love of My Life.mid"))
    found = rank(
        name,
        None,
        [
            release("Queen", "Love of My Life - Live"),
            release("Somebody", "Other Song"),
            release("Queen", "Love of My Life", kind="compilation"),
            release("Queen", "Love of My Life", kind="album", release_date="1975-11-21"),
            release("Queen", "Love of My Life", kind="album", release_date="2011"),
        ],
    )
    assert [match.release.release_date for match in found[:2]] == ["1975-11-21", "2011"]
    assert found[2].release.kind == "compilation"
    assert "plain wanted, live found" in found[3].why
    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)


def test_nothing_found_and_releases_without_names_are_no_match():
    name = parse_name(PurePath("Queen/Love of My Life.mid"))
    assert rank(name, None, []) == []
    assert rank(name, None, [Release(source="test", id="1")])[0].score == 0


def test_a_title_of_remarks_alone_is_a_title():
    assert parse_title("(Live)").base == "(Live)"
    assert parse_title("Intro").version is None


NAMES = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz éöñàß'"), min_size=3, max_size=25)


@given(artist=NAMES, title=NAMES)
def test_a_release_fits_its_own_name_perfectly_whatever_its_case_and_accents(artist, title):
    assume(artist.strip() and title.strip())
    assume(parse_title(title).version is None and not parse_title(title).remarks)
    own = release(artist, title)
    assert score(Name(artist=artist, title=title), None, own) == 1
    assert score(Name(artist=artist.upper(), title=title.upper()), None, own) == pytest.approx(1, abs=0.05)
    assert score(Name(artist=fold(artist), title=fold(title)), None, own) == pytest.approx(1, abs=0.05)


TEXT = st.text(min_size=1, max_size=25)


@given(artist=TEXT, title=TEXT, other_artist=TEXT, other_title=TEXT, album=TEXT)
def test_any_score_is_a_share(artist, title, other_artist, other_title, album):
    found = score(Name(artist=artist, title=title), 100.0, release(other_artist, other_title, album=album, seconds=9.0))
    assert 0 <= found <= 1
