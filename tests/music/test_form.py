import math

import numpy as np
import pytest

from imagemusic.music.form import likeness, measure_form, segment_fitness, upper_line
from imagemusic.music.score import Note, Score, Track
from imagemusic.music.timeline import timeline


def bars_of(letters, seed=0):
    """Spell a bar of eight eighths for each letter, the same for the same letter."""
    rng = np.random.default_rng(seed)
    kinds = {letter: rng.integers(48, 84, 8) for letter in sorted(set(letters))}
    return Score(
        [Track([Note(96 * bar + 12 * i, int(p), 12) for bar, x in enumerate(letters) for i, p in enumerate(kinds[x])])]
    )


def form_of(letters):
    return measure_form(timeline(bars_of(letters)))


def test_two_bars_are_as_alike_as_the_notes_they_share():
    bar, code = np.array([0, 0, 0, 1, 1, 1, 2]), np.array([1, 2, 3, 2, 3, 4, 9])
    assert likeness(bar, code, 3).tolist() == [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]


def test_a_note_twice_counts_once():
    assert likeness(np.array([0, 0, 1]), np.array([5, 5, 5]), 2)[0, 1] == 1


def test_bars_that_another_bar_equals_are_counted():
    form = form_of("abcdabefghij")  # a and b come back: 4 of 12 bars
    assert form["bars_repeated_exactly"] == form["bars_repeated_nearly"] == pytest.approx(4 / 12)
    assert form["longest_run_of_equal_bars"] == 1


def test_a_run_of_equal_bars_is_as_long_as_it_is():
    assert form_of("abcccccdefgh")["longest_run_of_equal_bars"] == 5


@pytest.mark.parametrize(("letters", "returns"), [("abcdefghabcd", 1), ("abcdefghijkl", 0)])
def test_the_opening_phrase_returns_or_not(letters, returns):
    assert form_of(letters)["opening_phrase_returns"] == returns


def test_a_piece_that_repeats_its_phrases_has_structure_and_its_shuffle_less():
    form = form_of("abcdabcdefghabcd" * 2)
    other = form_of("abcdefghijklmnopqrstuvwxyz012345")
    for name in ("si_mid", "si_long"):
        assert form[name] > 0.3 > other[name]


def test_too_few_bars_have_no_form():
    assert all(math.isnan(value) for value in form_of("abcdefg").values())


def test_breath_is_high_where_every_fourth_bar_holds_its_last_note():
    notes = []
    for bar in range(20):
        count = 5 if bar % 4 == 3 else 8
        notes += [Note(96 * bar + 12 * i, 60 + i, 12) for i in range(count)]
    assert measure_form(timeline(Score([Track(notes)])))["breath4"] > 0.8


def brute_force_fitness(alike, size):
    """Try every segment, with the best set of others found by dynamic programming over plain lists."""
    score = np.where(alike >= 0.4, (alike - 0.4) / 0.6, -2.0)
    np.fill_diagonal(score, 1)
    count, best = len(alike), 0.0
    for start in range(count - size + 1):
        value, cover = [0.0], [0]
        for end in range(1, count + 1):
            value.append(value[-1])
            cover.append(cover[-1])
            if end >= size:
                gain = sum(score[start + k, end - size + k] for k in range(size))
                if value[end - size] + gain > value[end] + 1e-9:
                    value[end], cover[end] = value[end - size] + gain, cover[end - size] + size
        gain, reach = max(value[-1] - size, 0) / max(cover[-1], 1), max(cover[-1] - size, 0) / count
        best = max(best, 2 * gain * reach / max(gain + reach, 1e-6))
    return best


@pytest.mark.parametrize("seed", range(3))
def test_the_fitness_of_all_sizes_at_once_is_that_of_each(seed):
    rng = np.random.default_rng(seed)
    alike = rng.random((14, 14)) ** 2
    alike = np.maximum(alike, alike.T)
    alike[0:4, 6:10] += 0.6 * np.eye(4)
    alike = np.clip(np.maximum(alike, alike.T), 0, 1)
    sizes = np.array([1, 2, 4, 7])
    expected = [brute_force_fitness(alike, int(size)) for size in sizes]
    assert segment_fitness(alike, sizes) == pytest.approx(expected)


def test_the_upper_line_leaves_out_what_a_held_note_covers():
    notes = [Note(0, 72, 48), Note(0, 60, 24), Note(24, 64, 24), Note(48, 67, 24)]
    line = upper_line(timeline(Score([Track(notes)])))
    assert timeline(Score([Track(notes)])).pitch[line].tolist() == [72, 67]
