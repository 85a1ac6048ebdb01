import numpy as np

from imagemusic.compose.options import ComposeOptions
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.research.studies.form_kept import auc_of, draw_request, pairs_of


def piece(*letters):
    """Four bars for each letter, its own broken chord in each."""
    notes = [
        Note(96 * (4 * phrase + bar) + 24 * beat, 60 + ord(letter) % 12 + (0, 4, 7, bar)[beat], 24)
        for phrase, letter in enumerate(letters)
        for bar in range(4)
        for beat in range(4)
    ]
    return Score([Track(notes)], [Tempo(0, 120)], [Meter(0, 4, 4)])


def test_every_request_can_be_met():
    for number in range(60):
        request = draw_request(np.random.default_rng(number), number)
        ComposeOptions(**request)
        assert 12 <= request["bars"] <= 32


def test_letters_that_return_are_told_from_others():
    likeness, same, primed = pairs_of(piece(*"ABAB"), ["A", "B", "A'", "B"])
    assert auc_of(likeness, same) == 1
    assert set(likeness[same]) == {1.0}
    assert primed.sum() == 2 * 4 + 2  # the last phrase has lost two bars to the ending


def test_music_of_another_form_is_not():
    likeness, same, _ = pairs_of(piece(*"AABB"), ["A", "B", "A", "B"])
    assert auc_of(likeness, same) < 0.5


def test_a_piece_of_one_letter_has_no_auc():
    likeness, same, _ = pairs_of(piece(*"AA"), ["A", "A"])
    assert same.all() and np.isnan(auc_of(likeness, same))
