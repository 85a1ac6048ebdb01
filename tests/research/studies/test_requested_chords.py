"""Chords and forms are read off the written file; a wrong note is noticed."""

import numpy as np
import pytest

from imagemusic.music.midi import midi_bytes
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.plan.lead_sheet import parse_lead_sheet
from imagemusic.research.studies import controls
from imagemusic.research.studies.requested_chords import ALL, QUALITIES, chord_classes, draw_chords

BAR = 96  # ticks


def kept(notes, request):
    """Say whether the one control of a request, beside the ending, is kept by notes of (tick, pitch, ticks)."""
    track = Track([Note(tick, pitch, length) for tick, pitch, length in notes])
    data = midi_bytes(Score([track], [Tempo(0, 120)], [Meter(0, 4, 4)]))
    (name,) = request
    return controls.measure(data, request | {"ending": "open"})[name]


@pytest.mark.parametrize("symbol", ["C", "Dbm7", "F#m7b5/E", "Ab/Bb", "B7sus4", "Eb6"])
def test_a_symbol_means_what_it_means_to_the_composer(symbol):
    assert chord_classes(symbol) == parse_lead_sheet(symbol)[0][0].pitch_classes


def test_no_chord_holds_every_note():
    assert chord_classes("N.C.") == ALL


def test_every_drawn_sheet_can_be_read_and_lies_in_the_scale():
    dorian = controls.pitch_classes("D dorian")
    for seed in range(30):
        sheet = draw_chords(np.random.default_rng(seed), dorian, dorian)
        assert all(chord.pitch_classes <= dorian for bar in parse_lead_sheet(sheet) for chord in bar)


def test_no_sheet_is_drawn_where_no_chord_fits():
    assert draw_chords(np.random.default_rng(0), {0, 1}, {0, 1}) is None
    assert len(QUALITIES) > 10


@pytest.mark.parametrize(
    ("notes", "good"),
    [
        ([(0, 60, 24), (24, 62, 24), (BAR, 65, 48)], True),  # a passing note
        ([(0, 62, 24)], False),  # not of the chord with which it starts
        ([(0, 60, 24), (24, 61, 24), (48, 62, 24), (72, 63, 12)], False),  # no scale has C#, D and Eb
        ([(0, 64, 2 * BAR)], True),  # E is held into F, in C major
        ([(0, 64, 24), (24, 63, 24), (BAR, 65, 24), (BAR + 24, 64, 24), (BAR + 48, 62, 24)], False),  # D, Eb, E
    ],
)
def test_a_note_outside_chord_and_scale_is_noticed(notes, good):
    assert kept(notes, {"chords": "C | F"}) == good


def test_what_an_ending_writes_is_no_chord_of_the_sheet():
    notes = [Note(0, 60, 24), Note(BAR, 62, BAR)]
    data = midi_bytes(Score([Track(notes)], [Tempo(0, 120)], [Meter(0, 4, 4)]))
    assert controls.measure(data, {"chords": "C"})["chords"]
    assert not controls.measure(data, {"chords": "C", "ending": "open"})["chords"]


def phrases(*firsts):
    """Phrases of four bars, each a broken chord upon a pitch."""
    return [
        (BAR * (4 * number + bar) + 24 * beat, first + (0, 4, 7, 2 * bar)[beat], 24)
        for number, first in enumerate(firsts)
        for bar in range(4)
        for beat in range(4)
    ]


def test_a_letter_that_does_not_return_is_noticed():
    assert kept(phrases(60, 61, 60), {"form": "ABA"})
    assert not kept(phrases(60, 61, 62), {"form": "ABA"})


def test_a_prime_may_change_half_of_the_notes():
    varied = phrases(60, 60)
    varied[20] = varied[20][0], 61, 24
    assert kept(varied, {"form": "AA'"}) and not kept(varied, {"form": "AA"})
    assert not kept(phrases(60, 61), {"form": "AA'"})
