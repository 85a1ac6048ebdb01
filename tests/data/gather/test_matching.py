"""Comparing names with releases."""

from pathlib import PurePath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imagemusic.data.gather.file_names import Name, parse_name
from imagemusic.data.gather.matching import REVIEW_THRESHOLD, THRESHOLD, rank, score
from imagemusic.data.gather.releases import Release
from imagemusic.data.gather.text_normalization import fold
from imagemusic.data.gather.title_parsing import parse_title


def release(artist, title, **more):
    return Release(source="test", id="1", artist=artist, title=title, **more)


def scored(path, artist, title, length=None, **more):
    return score(parse_name(PurePath(path)), length, release(artist, title, **more))


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
def test_another_recording_with_a_similar_name_is_not_accepted(path, artist, title):
    assert scored(path, artist, title) < THRESHOLD


def test_the_album_marks_versions_that_its_titles_do_not():
    assert scored("Styx/Lady.mid", "Styx", "Lady", album="Styx II") == 1
    assert scored("Styx/Lady.mid", "Styx", "Lady", album="Live in Concert") < THRESHOLD
    assert scored("Styx/Lady.mid", "Styx", "Lady", album="Karaoke Hits, Vol. 3") < REVIEW_THRESHOLD
    assert scored("Hole/Violet.mid", "Hole", "Violet", album="Live Through This") == 1


def test_a_live_recording_or_a_title_without_an_artist_goes_to_review():
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
