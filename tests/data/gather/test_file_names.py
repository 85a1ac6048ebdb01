"""Reading the names of MIDI files."""

from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.data.gather.file_names import parse_name


def read(path):
    name = parse_name(PurePath(path))
    return name.artist, name.title


@pytest.mark.parametrize(
    ("path", "artist", "title"),
    [
        ("ABBA/Dancing Queen.mid", "ABBA", "Dancing Queen"),
        ("ABBA/Dancing_Queen.MIDI", "ABBA", "Dancing Queen"),
        ("LedZeppelin/StairwayToHeaven.mid", "Led Zeppelin", "Stairway To Heaven"),
        ("ABBA - Dancing Queen.kar", "ABBA", "Dancing Queen"),
        ("ABBA_-_Dancing_Queen.mid", "ABBA", "Dancing Queen"),
        ("ABBA/ABBA - Dancing Queen.mid", "ABBA", "Dancing Queen"),
        ("MIDI files/ABBA - Dancing Queen.mid", "ABBA", "Dancing Queen"),
        ("Pop/80s/ABBA/Dancing Queen.mid", "ABBA", "Dancing Queen"),
        ("ABBA/Arrival/02 - Dancing Queen.mid", "ABBA", "Dancing Queen"),
        ("ABBA - Arrival - 02 - Dancing Queen.mid", "ABBA", "Dancing Queen"),
        ("02. ABBA - Dancing Queen.mid", "ABBA", "Dancing Queen"),
        ("ABBA/02 Dancing Queen.mid", "ABBA", "Dancing Queen"),
        ("ABBA/1-02 Dancing Queen.mid", "ABBA", "Dancing Queen"),
        ("a-ha/Take on Me.mid", "a-ha", "Take on Me"),
        ("AC%2FDC/T.N.T.mid", "AC/DC", "T.N.T"),
        ("Various/Jonathan Coulton - Re- Your Brains/melody.mid", "Jonathan Coulton", "Re- Your Brains"),
        ("Little Venice/Melody.mid", "Little Venice", "Melody"),
        ("Best of/U2 - With or Without You.mid", "U2", "With or Without You"),
        ("dont-stop-me-now.mid", None, "dont stop me now"),
    ],
)
def test_artist_and_title_are_read_however_they_are_arranged(path, artist, title):
    assert read(path) == (artist, title)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("Jay-Z/99 Problems.mid", "99 Problems"),
        ("Blur/Song 2.mid", "Song 2"),
        ("Prince/1999.mid", "1999"),
        ("Beethoven/Symphony No.5.mid", "Symphony No.5"),
        ("Ashanti/Foolish 2.0.mid", "Foolish 2.0"),
        ("Musiq Soulchild - 143.mid", "143"),
        ("Taylor Swift/Long Live.mid", "Long Live"),
        ("Jeff Lynne/Mr. Blue Sky", "Mr. Blue Sky"),
    ],
)
def test_a_number_or_a_word_of_the_title_stays_in_it(path, title):
    name = parse_name(PurePath(path))
    assert (name.title, name.version, name.copy) == (title, None, 0)


@pytest.mark.parametrize(
    ("path", "copy"),
    [
        ("Queen/Bohemian Rhapsody.1.mid", 1),
        ("Queen/Bohemian_Rhapsody.12.mid", 12),
        ("Queen/Bohemian Rhapsody (2).mid", 2),
        ("Queen/Bohemian Rhapsody - Copy.mid", 1),
        ("Queen/Bohemian Rhapsody - Copy (3).mid", 3),
        ("Queen/Bohemian Rhapsody_v2.mid", 2),
    ],
)
def test_copies_are_counted_and_called_like_the_first(path, copy):
    name = parse_name(PurePath(path))
    assert (name.title, name.copy) == ("Bohemian Rhapsody", copy)


def test_a_copy_of_a_title_that_is_a_number_keeps_the_number():
    name = parse_name(PurePath("Prince/1999.1.mid"))
    assert (name.title, name.copy) == ("1999", 1)


@pytest.mark.parametrize(
    ("file", "version"),
    [
        ("Hello (Live).mid", "live"),
        ("Hello - Live at the Royal Albert Hall.mid", "live"),
        ("Hello [Karaoke].mid", "karaoke"),
        ("Hello_karaoke.mid", "karaoke"),
        ("Hello (Some DJ Remix).mid", "remix"),
        ("Hello (Instrumental).mid", "instrumental"),
        ("Hello - Acústico.mid", "acoustic"),
        ("Hello (cover).mid", "cover"),
        ("Hello (demo).mid", "demo"),
        ("Hello (Spanish Version).mid", "language"),
        ("Hello (piano).mid", "arrangement"),
        ("Hello (Lvie).mid", "live"),
        ("Hello (2011 Remaster).mid", None),
        ("Hello - Radio Edit.mid", None),
        ("Hello feat. Somebody.mid", None),
    ],
)
def test_a_version_is_recognised_and_taken_out_of_the_title(file, version):
    name = parse_name(PurePath("Adele") / file)
    assert (name.artist, name.title, name.version) == ("Adele", "Hello", version)


def test_brackets_that_are_part_of_the_title_stay():
    assert read("Rupert Holmes/Escape (The Piña Colada Song).mid") == ("Rupert Holmes", "Escape (The Piña Colada Song)")
    assert read("Otis/(Sittin' On) The Dock.mid") == ("Otis", "(Sittin' On) The Dock")


@pytest.mark.parametrize("path", ["yesterday.mid", "MIDI/yesterday.mid", "Unknown Artist/yesterday.mid"])
def test_a_name_without_an_artist_has_none(path):
    assert read(path) == (None, "yesterday")


def test_other_readings_follow_the_likeliest():
    name = parse_name(PurePath("Oldies/Yesterday - Beatles.mid"))
    assert ("Beatles", "Yesterday") in [(other.artist, other.title) for other in name.also]
    glued = parse_name(PurePath("queen-bohemian_rhapsody.mid"))
    assert [(other.artist, other.title) for other in glued.also] == [("queen", "bohemian rhapsody")]
    assert all(not other.also for other in (*name.also, *glued.also))


def test_a_file_called_by_its_suffix_alone_has_a_title():
    assert parse_name(PurePath("Queen/.mid")).title


WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=30
)


@given(folder=WORDS, file=WORDS)
def test_any_path_is_read(folder, file):
    name = parse_name(PurePath(folder) / (file + ".mid"))
    assert isinstance(name.title, str) and name.copy >= 0
    assert all(isinstance(other.title, str) for other in name.also)
