import random
from dataclasses import replace

import numpy as np

from imagemusic.data.build.fingerprint import fingerprint, join, near_duplicates
from imagemusic.music.score import Note, Score, Track


def melody(seed, notes=120, *, shift=0, stretch=1, drums=False):
    chance = random.Random(seed)
    rows, now, pitch = [], 0, 60
    for _ in range(notes):
        pitch = min(max(pitch + chance.choice([-7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7]), 40), 80)
        rows.append(Note(now * stretch, pitch + shift, 6 * stretch))
        now += chance.choice([6, 12, 24])
    return Track(rows, is_drum=drums)


def test_another_key_and_tempo_leave_the_fingerprint_alone():
    prints = [fingerprint(Score([melody(1, shift=shift, stretch=stretch)])) for shift, stretch in ((0, 1), (5, 3))]
    assert len(prints[0]) > 90
    np.testing.assert_array_equal(*prints)


def test_a_melody_is_found_in_another_arrangement():
    chords = Track([Note(24 * beat, 84 + beat % 3, 24) for beat in range(60)])
    alone, arranged = fingerprint(Score([melody(1)])), fingerprint(Score([chords, melody(1, shift=2)]))
    assert np.isin(alone, arranged).all()


def test_drums_short_pieces_and_scales_have_no_fingerprint():
    scale = Track([Note(12 * step, 40 + step, 12) for step in range(40)])
    for track in (melody(1, drums=True), melody(1, notes=8), scale, Track([])):
        assert len(fingerprint(Score([track]))) == 0


def test_near_duplicates_are_found_across_groups_only():
    pieces = [melody(1), melody(2), melody(1, shift=3, notes=80), melody(1), melody(3)]
    prints = [fingerprint(Score([track])) for track in pieces]
    matches = near_duplicates(prints, ["a", "b", "c", "a", "d"])
    assert [(match.first, match.second) for match in matches] == [(0, 2), (2, 3)]
    assert matches[0].share == 1.0


def test_a_tune_that_all_pieces_quote_joins_none():
    quote = melody(0, notes=40)
    pieces = []
    for seed in range(1, 13):
        own = melody(seed, notes=60)
        later = [replace(note, onset=note.onset + 10_000) for note in quote]
        pieces.append(fingerprint(Score([Track([*own, *later])])))
    assert near_duplicates(pieces, [str(number) for number in range(12)]) == []


def test_nothing_to_compare_gives_no_matches():
    assert near_duplicates([], []) == []
    assert near_duplicates([np.zeros(0, np.uint64)] * 2, ["a", "b"]) == []


def test_chains_of_pairs_join_into_one_name():
    joined = join([("d", "c"), ("b", "c"), ("x", "y")])
    assert joined == {"b": "b", "c": "b", "d": "b", "x": "x", "y": "x"}
    assert join([]) == {}
