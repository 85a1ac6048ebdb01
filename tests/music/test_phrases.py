import numpy as np
import pytest

from imagemusic.music.phrases import (
    bar_likeness,
    first_full_bar,
    form_of,
    kept_bars,
    label_phrases,
    phrase_likeness,
)  # fmt: skip
from imagemusic.music.score import Note, Score, Track
from imagemusic.music.timeline import timeline


def piece(letters, pickup=0):
    """Spell a bar of eight eighths for each letter; a capital letter changes half of the bar."""
    rng = np.random.default_rng(0)
    kinds = {letter: rng.integers(48, 84, 8) for letter in "abcdefghijklmnop"}
    notes = [Note(96 - 12 * k, 60, 12) for k in range(pickup, 0, -1)]
    for bar, letter in enumerate(letters, start=bool(pickup)):
        for i, pitch in enumerate(kinds[letter.lower()]):
            notes.append(Note(96 * bar + 12 * i, int(pitch) + (letter.isupper() and i > 5), 12))
    return timeline(Score([Track(notes)]))


def form(letters, size=4):
    return form_of(label_phrases(phrase_likeness(bar_likeness(piece(letters)), size)))


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("abcdefghabcdijkl", "A B A C"),
        ("abcdabcdefghabcd", "A A B A"),
        ("abcdabcDefghabCD", "A A' B A'"),
        ("abcdefghijklmnop", "A B C D"),
        ("abcdabcDabcD", "A A' A'"),
    ],
)
def test_phrases_get_letters_and_varied_answers_a_prime(letters, expected):
    assert form(letters) == expected


def test_bars_left_over_are_no_phrase():
    assert form("abcdefghab") == "A B"


def test_an_answer_says_what_it_keeps_of_each_bar():
    alike = bar_likeness(piece("abcdabiD"))
    answer = label_phrases(phrase_likeness(alike, 4))[1]
    kept = kept_bars(alike, 4, 1, answer.model)
    assert (answer.kind, answer.model) == ("varied", 0)
    assert kept[:2].tolist() == [1, 1]
    assert kept[2] < 0.3 < kept[3] < 1


def test_a_new_phrase_is_its_own_model():
    first, second = label_phrases(phrase_likeness(bar_likeness(piece("abcdefgh")), 4))
    assert (first.kind, second.kind, second.model) == ("new", "new", 1)


def test_two_empty_bars_are_alike():
    notes = timeline(Score([Track([Note(0, 60, 24), Note(3 * 96, 60, 24)])]))
    alike = bar_likeness(notes)
    assert alike[1, 2] == 1
    assert alike[0, 1] == 0


@pytest.mark.parametrize(("pickup", "first"), [(0, 0), (1, 1)])
def test_phrases_begin_after_a_pickup(pickup, first):
    assert first_full_bar(piece("abcd", pickup)) == first


def test_a_piece_without_notes_has_no_phrases():
    assert label_phrases(phrase_likeness(bar_likeness(timeline(Score([]))), 4)) == []
