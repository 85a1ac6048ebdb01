import numpy as np
import pytest

from imagemusic.events.codec import encode
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.vocabulary import GAP
from imagemusic.music.score import Meter, Score, Track, note_array
from imagemusic.plan.analysis import NEW, NOWHERE, REACH, SAME, VARIED, analyse, bar_grid
from imagemusic.plan.chords import chord_name
from imagemusic.plan.columns import PlanColumns

BAR = 4 * TICKS_PER_BEAT
C, AM, F, G = (48, 60, 64, 67), (45, 57, 60, 64), (41, 57, 60, 65), (43, 55, 59, 62)
TUNES = ([0, 2, 4, 5], [7, 5, 4, 2], [0, 7, 0, 7], [12, 11, 2, 9])


COMMON = (Meter(0, 4),)


def events_of(notes, meters=COMMON, drums=()):
    """Events of notes (tick, pitch, ticks), on one piano, and of drums."""
    tracks = [Track(note_array(np.array([(t, p, d, 80) for t, p, d in notes])))] if notes else []
    if drums:
        tracks.append(Track(note_array(np.array([(t, p, 6, 80) for t, p in drums])), is_drum=True))
    return encode(Score(tracks, meters=list(meters), ticks_per_beat=TICKS_PER_BEAT))


def block(bar, pitches, half=None, length=BAR):
    start, ticks = (bar * length, length) if half is None else (bar * length + half * length // 2, length // 2)
    return [(start, pitch, ticks) for pitch in pitches]


def tune(bar, steps, base=60):
    return [(bar * BAR + n * TICKS_PER_BEAT, base + step, TICKS_PER_BEAT) for n, step in enumerate(steps)]


def names(analysis):
    return [[chord_name(chord) for chord in bar] for bar in analysis.chords.tolist()]


def test_chords_of_half_bars():
    events = events_of(block(0, C) + block(1, AM, 0) + block(1, F, 1) + block(2, G) + block(3, C))
    assert names(analyse(events)) == [["C", "C"], ["Am", "F"], ["G", "G"], ["C", "C"]]


def test_a_short_bar_has_one_chord():
    length = 2 * TICKS_PER_BEAT
    events = events_of([note for b, chord in enumerate((C, F, G, C)) for note in block(b, chord, length=length)],
                       meters=[Meter(0, 2)])  # fmt: skip
    analysis = analyse(events)
    assert names(analysis) == [["C", "C"], ["F", "F"], ["G", "G"], ["C", "C"]]
    plan = PlanColumns.of(events.astype(np.int64), chords=True, answers=True)
    late_in_second = np.flatnonzero(np.cumsum(events[:, GAP])[:-1] // (length // 2) == 3) + 1
    assert {chord_name(chord) for chord in plan.before["next_chord"][late_in_second].tolist()} <= {"G"}


def test_drums_have_no_chord():
    events = events_of([], drums=[(beat * TICKS_PER_BEAT, 36 + beat % 2 * 2) for beat in range(16)])
    analysis = analyse(events)
    assert (analysis.chords == 0).all()
    assert analysis.kinds.tolist() == [NEW, SAME, SAME, SAME]


def test_bars_that_return():
    bars = [(TUNES[0], 60), (TUNES[1], 60), (TUNES[2], 60), (TUNES[3], 60), (TUNES[0], 60), (TUNES[1], 60),
            (TUNES[2], 62), (TUNES[3], 60)]  # fmt: skip
    analysis = analyse(events_of([note for bar, one in enumerate(bars) for note in tune(bar, *one)]))
    assert analysis.answers.tolist() == [NOWHERE] * 4 + [0, 1, 2, 3]
    assert analysis.kinds.tolist() == [NEW] * 4 + [SAME, SAME, VARIED, SAME]


def test_a_bar_with_some_other_notes_is_varied():
    notes = tune(0, TUNES[0]) + tune(1, TUNES[3], 40) + tune(2, [0, 2, 4, 11])
    analysis = analyse(events_of(notes))
    assert analysis.kinds.tolist() == [NEW, NEW, VARIED]
    assert analysis.answers.tolist() == [NOWHERE, NOWHERE, 0]


def test_a_phrase_is_answered_as_a_phrase():
    """Bars 0 and 2 are equal, so bar 4 could answer either, but it goes on like bar 0."""
    order = [0, 1, 0, 2, 0, 1, 0, 2]
    analysis = analyse(events_of([note for bar, n in enumerate(order) for note in tune(bar, TUNES[n])]))
    assert analysis.answers[4:].tolist() == [0, 1, 2, 3]


def test_an_answer_lies_within_reach():
    far = REACH + 5
    others = [note for bar in range(1, far) for note in tune(bar, [bar % 7, bar % 11, bar % 5, bar // 8], 40)]
    analysis = analyse(events_of(tune(0, TUNES[3], 80) + others + tune(far, TUNES[3], 80)))
    distance = np.arange(far + 1) - analysis.answers
    assert (distance[analysis.answers >= 0] <= REACH).all()
    assert analysis.answers[far] != 0


def test_the_grid_follows_the_meter():
    events = events_of(block(0, C) + [(BAR, 60, 72), (BAR + 72, 62, 72)], meters=[Meter(0, 4), Meter(BAR, 3)])
    starts, lengths = bar_grid(events)
    assert starts.tolist() == [0, BAR, BAR + 72]
    assert lengths.tolist() == [BAR, 72, 72]


def test_a_meter_within_a_bar_cuts_it():
    starts, lengths = bar_grid(events_of([(0, 60, 48), (48, 62, 96)], meters=[Meter(0, 4), Meter(48, 4)]))
    assert (starts.tolist(), lengths.tolist()) == ([0, 48], [48, BAR])


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_header_alone_is_one_bar(rows):
    analysis = analyse(events_of(block(0, C))[:rows])
    assert analysis.bar_starts.tolist() == [0]
    assert names(analysis) == [["N.C.", "N.C."]]


def test_rows_are_placed_by_the_row_before():
    events = events_of(tune(0, TUNES[0]) + block(1, F, 0) + block(1, G, 1) + tune(2, TUNES[0]))
    analysis = analyse(events)
    plan, ticks = PlanColumns.of(events.astype(np.int64), chords=True, answers=True), np.cumsum(events[:, GAP])
    for row in range(1, len(events)):
        bar, place = divmod(int(ticks[row - 1]), BAR)
        half = int(place >= BAR // 2)
        assert plan.before["chord"][row] == analysis.chords[bar, half]
        assert plan.before["next_chord"][row] == [*analysis.chords.ravel().tolist(), 0][2 * bar + half + 1]
        assert plan.before["bar_kind"][row] == analysis.kinds[bar] + 1
    assert plan.answers.shifts.tolist()[:3] == [0, 0, 2 * BAR]
