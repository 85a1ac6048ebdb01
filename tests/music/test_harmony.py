import numpy as np
import pytest

from imagemusic.music.harmony import Chord, chord_path, chords_by_bar, estimate_key, without_repeats
from imagemusic.music.score import Meter, Note, Score, Track

MAJOR, MINOR = (0, 4, 7), (0, 3, 7)


def chords(*bars, beats=4):
    """Spell a held triad (root, steps) a bar."""
    size = beats * 24
    notes = [Note(bar * size, root + step, size) for bar, (root, steps) in enumerate(bars) for step in steps]
    return Score([Track(notes)], meters=[Meter(0, beats, 4)])


def test_the_chords_of_each_bar_are_found():
    score = chords((60, MAJOR), (57, MINOR), (53, MAJOR), (55, MAJOR))
    assert [[str(chord) for chord in bar] for bar in chords_by_bar(score)] == [["C"], ["Am"], ["F"], ["G"]]


def test_a_bar_may_have_two_chords():
    notes = [Note(48 * half, root + step, 48) for half, root in enumerate((60, 55, 60, 60)) for step in MAJOR]
    assert chords_by_bar(Score([Track(notes)])) == [[Chord(0, "major"), Chord(7, "major")], [Chord(0, "major")]]


def test_a_silent_bar_has_no_chord():
    notes = [Note(start, 60 + step, 96) for start in (0, 192) for step in MAJOR]
    assert [len(bar) for bar in chords_by_bar(Score([Track(notes)]))] == [1, 0, 1]


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("minor", [False, True])
def test_the_key_of_a_cadence_is_its_tonic(tonic, minor):
    steps = MINOR if minor else MAJOR
    score = chords((48 + tonic, steps), (53 + tonic, steps), (55 + tonic, MAJOR), (48 + tonic, steps))
    key = estimate_key(score)
    assert (key.tonic, key.minor) == (tonic, minor)
    assert 0.5 < key.fit <= 1


def test_a_key_reads_like_a_key():
    assert str(estimate_key(chords((51, MAJOR), (56, MAJOR), (58, MAJOR), (51, MAJOR)))) == "Eb major"


def test_what_is_not_pitched_has_no_key():
    drums = Score([Track([Note(24 * beat, 36, 6) for beat in range(8)], is_drum=True)])
    assert estimate_key(drums).fit == 0
    assert chords_by_bar(drums) == [[], []]


def test_a_short_passing_clash_does_not_change_the_chord():
    chroma = np.zeros((4, 12))
    chroma[:, [0, 4, 7]] = 1
    chroma[1, [0, 4, 9]], chroma[1, 7] = 1, 0.9
    path = chord_path(chroma, np.full(4, 48))
    assert path.tolist() == [0, 0, 0, 0]


def test_repeats_and_what_precedes_the_first_chord_are_dropped():
    assert without_repeats(np.array([-1, -1, 0, 0, 7, 7, 0])).tolist() == [0, 7, 0]
