import numpy as np
import pytest

from imagemusic.events import codec
from imagemusic.events.codec import decode, encode, meter_index
from imagemusic.events.context import context
from imagemusic.events.grammar import GrammarState, Plan
from imagemusic.events.quantize import ROLES, nearest_tempo
from imagemusic.events.vocabulary import DRUMS, END, HOLD, METER, REST, SLOT, TEMPO
from imagemusic.events.voices import MOST_AT_ONCE, SIMPLE_METERS
from imagemusic.music.ensembles import INSTRUMENTATIONS, ensemble_of
from imagemusic.music.score import Meter, Note, Score, Track
from tests.tiny import written

PIANO = (0, SLOT, 0, 0, 0)
DRUM_SLOT = (0, SLOT, DRUMS, ROLES.index("drums"), 0)
HEADER = ((0, METER, meter_index(Meter(0)), 0, 0), (0, TEMPO, 1, 0, 0))
WHIMS = {
    "at random": lambda values, rng: int(rng.choice(values)),
    "always the most": lambda values, rng: int(values[-1]),
    "either end": lambda values, rng: int(rng.choice(values[[0, -1]])),
}


def plan(**changes):
    return Plan(**{"end": 16 * 24, "tempo": nearest_tempo(100)} | changes)


def writer_of(*events, **changes):
    """A grammar that has written a header and some events."""
    grammar = GrammarState(plan(**changes))
    for event in (*HEADER, *events):
        for value in event:
            grammar.append(value)
    return grammar


def fill(grammar, choose, seed=0, most=5_000):
    """Write a piece at a whim, keeping to what is allowed."""
    rng = np.random.default_rng(seed)
    while not grammar.finished and len(grammar.events) < most:
        for column in range(5):
            value = grammar.forced_value(column)
            if value is None:
                allowed = np.flatnonzero(grammar.mask(column))
                assert len(allowed), (
                    f"nothing is allowed in column {column} after {grammar.events[-3:]}, {grammar._now}"
                )
                value = choose(allowed, rng)
            grammar.append(value)
    assert grammar.finished
    return np.array(grammar.events, np.int16)


def declared(grammar):
    """A score in which every part of the header plays a note."""
    programs = grammar.running.programs
    return Score([Track([Note(0, 60, 24)], program=p % 128, is_drum=p == DRUMS) for p in programs])


@pytest.mark.parametrize("whim", WHIMS)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as planned"),
        pytest.param({"end": 4 * 24}, id="a bar"),
        pytest.param({"end": 400 * 24}, id="long"),
        pytest.param({"ending_slack": 48}, id="with slack"),
        pytest.param({"meter": meter_index(Meter(0, 6, 8))}, id="in six eight"),
        *(
            pytest.param({"instrumentation": instrumentation}, id=name)
            for name, instrumentation in INSTRUMENTATIONS.items()
        ),
        pytest.param({"longest_silence": 48}, id="restless"),
    ],
)
def test_whatever_is_preferred_a_valid_piece_is_written_that_ends_on_time(whim, changes):
    for seed in range(3):
        grammar = GrammarState(plan(**changes))
        events = fill(grammar, WHIMS[whim], seed)
        score = decode(events)
        assert grammar.plan.end - grammar.plan.ending_slack <= score.end <= grammar.plan.end
        assert grammar.plan.end == score.end or score.end % 24 == 0
        assert score.note_count
        if changes.get("meter"):
            assert list(score.meters) == [Meter(0, 6, 8)]
        for name in ("piano", "voice", "strings", "band", "drums"):
            assert (
                changes.get("instrumentation") is not INSTRUMENTATIONS[name] or ensemble_of(declared(grammar)) == name
            )


@pytest.mark.parametrize("seed", range(5))
def test_what_is_written_keeps_its_own_rules(seed):
    grammar = GrammarState(plan(end=64 * 24))
    events = fill(grammar, WHIMS["at random"], seed)
    parts, ticks = events[:, codec.PART], np.cumsum(events[:, codec.GAP])
    assert parts[:2].tolist() == [METER, TEMPO]
    assert (np.diff(np.flatnonzero(parts == SLOT)) == 1).all()
    notes = parts < codec.SLOTS
    keys = [tuple(key) for key in np.column_stack([ticks, parts, events[:, codec.PITCH]])[notes].tolist()]
    assert keys == sorted(set(keys))
    assert (events[notes, codec.VELOCITY] > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_silence_is_longer_than_planned(seed):
    score = decode(fill(GrammarState(plan(end=200 * 24, longest_silence=96)), WHIMS["either end"], seed))
    notes = np.concatenate([track.notes for track in score.tracks if not track.is_drum])
    notes = notes[np.argsort(notes[:, 0])]
    reached = np.maximum.accumulate(np.append(0, notes[:, 0] + notes[:, 2]))
    assert (notes[:, 0] - reached[:-1] <= 96).all()


def test_drums_do_not_break_a_silence():
    strokes = [(24 if beat else 0, 1, 36, 5, 20) for beat in range(8)]
    grammar = writer_of(PIANO, DRUM_SLOT, *strokes)
    grammar.append(24)  # two bars without a pitched note are over
    assert np.flatnonzero(grammar.mask(codec.PART)).tolist() == [0]


def test_a_piece_begins_with_its_header():
    grammar = GrammarState(plan())
    assert [grammar.forced_value(codec.GAP), grammar.in_header] == [0, True]
    grammar.append(0)
    assert grammar.forced_value(codec.PART) == METER
    grammar.append(METER)
    assert grammar.forced_value(codec.PITCH) is None
    assert set(np.flatnonzero(grammar.mask(codec.PITCH))) == set(SIMPLE_METERS)


def test_the_planned_tempo_is_written():
    grammar = GrammarState(plan())
    for value in (*HEADER[0], 0, TEMPO):
        grammar.append(value)
    assert grammar.forced_value(codec.PITCH) == nearest_tempo(100)


def test_drums_come_last_and_not_alone():
    grammar = writer_of()
    grammar.append(0)
    assert grammar.forced_value(codec.PART) == SLOT
    grammar.append(SLOT)
    assert not grammar.mask(codec.PITCH)[DRUMS]
    grammar = writer_of(PIANO, DRUM_SLOT)
    grammar.append(0)
    assert not grammar.mask(codec.PART)[SLOT]


def test_a_piece_for_drums_has_no_other_part():
    grammar = writer_of(instrumentation=INSTRUMENTATIONS["drums"])
    for value in (0, SLOT):
        grammar.append(value)
    assert np.flatnonzero(grammar.mask(codec.PITCH)).tolist() == [DRUMS]


def test_notes_of_one_tick_go_upwards():
    grammar = writer_of(PIANO, PIANO, (0, 0, 60, 23, 20))
    grammar.append(0)
    assert np.flatnonzero(grammar.mask(codec.PART)).tolist() == [0, 1]
    grammar.append(0)
    assert np.flatnonzero(grammar.mask(codec.PITCH)).min() == 61


def test_a_pitch_that_sounds_is_not_struck_again_by_its_part():
    grammar = writer_of(PIANO, PIANO, (0, 0, 60, 23, 20))
    for value in (12, 0):
        grammar.append(value)
    assert not grammar.mask(codec.PITCH)[60]
    grammar = writer_of(PIANO, PIANO, (0, 0, 60, 23, 20))
    for value in (24, 0):
        grammar.append(value)
    assert grammar.mask(codec.PITCH)[60]


def test_no_note_outlasts_the_piece():
    grammar = writer_of(PIANO, (0, 0, 60, 95, 20), end=100)
    for value in (96, 0, 64):
        grammar.append(value)
    assert np.flatnonzero(grammar.mask(codec.DURATION)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("duration", "changes", "may"),
    [
        pytest.param(95, {"end": 96}, True, id="where its last note does"),
        pytest.param(94, {"end": 96}, True, id="less than a beat after it"),
        pytest.param(71, {"end": 96}, False, id="not a beat after it"),
        pytest.param(71, {"end": 96, "ending_slack": 24}, True, id="on a beat before what was asked"),
        pytest.param(60, {"end": 120, "ending_slack": 24}, False, id="no earlier than may be"),
        pytest.param(HOLD - 2, {"end": 192}, True, id="as long as a row can be"),
        pytest.param(HOLD, {"end": 200}, False, id="not in the middle of a note of several rows"),
    ],
)
def test_a_piece_may_end(duration, changes, may):
    grammar = writer_of(PIANO, (0, 0, 60, duration, 20), **changes)
    grammar.append(0)
    assert grammar.mask(codec.PART)[END] == may


def test_the_notes_that_end_last_are_held_to_the_end():
    chord = (0, 0, 60, 11, 20), (12, 0, 48, 5, 20), (0, 0, 52, 8, 20), (0, 0, 64, 8, 20)
    grammar = writer_of(PIANO, *chord, end=36)
    for value in (0, END, 0, 0, 0):
        grammar.append(value)
    assert grammar.finished
    assert [event[codec.DURATION] for event in grammar.events[-5:-1]] == [11, 5, 23, 23]
    assert decode(np.array(grammar.events, np.int16)).end == 36


@pytest.mark.parametrize(("stroke", "may"), [(16, True), (37, False)])
def test_a_piece_does_not_close_before_its_last_stroke(stroke, may):
    strokes = (16, 1, 36, 5, 20), (stroke - 16, 1, 38, 5, 20)
    grammar = writer_of(PIANO, DRUM_SLOT, (0, 0, 60, 20, 20), *strokes, end=72, ending_slack=48)
    grammar.append(0)
    assert grammar.mask(codec.PART)[END] == may


def test_what_may_be_stacked_is_told_only_near_an_end_that_must_wait():
    grammar = writer_of(PIANO, (0, 0, 60, 11, 20), end=72)
    known, parts = grammar.notes_before_end()
    assert parts[0] and not parts[END]
    grammar.append(0)
    assert tuple(grammar.context_of(codec.GAP)) == tuple(known)
    for far in (writer_of(PIANO, (0, 0, 60, 11, 20), end=72 * 24), writer_of(PIANO, (0, 0, 60, 71, 20), end=72)):
        assert far.notes_before_end() is None  # not near, or free to end


def test_a_part_starts_no_more_notes_together_than_hands_can():
    chord = [(0, 0, 40 + 3 * note, 11, 20) for note in range(MOST_AT_ONCE)]
    for count, may in ((MOST_AT_ONCE - 1, True), (MOST_AT_ONCE, False)):
        grammar = writer_of(PIANO, PIANO, *chord[:count])
        grammar.append(0)
        assert grammar.mask(codec.PART)[:2].tolist() == [may, True]  # another part may join
    grammar = writer_of(PIANO, *chord, (12, 0, 60, 11, 20))
    grammar.append(0)
    assert grammar.mask(codec.PART)[0]


def test_a_rest_takes_the_longest_gap():
    grammar = writer_of(PIANO, (0, 0, 60, 95, 20))
    grammar.append(95)
    assert not grammar.mask(codec.PART)[REST]
    grammar = writer_of(PIANO, (0, 0, 60, 95, 20))
    grammar.append(96)
    assert grammar.mask(codec.PART)[REST]


def test_once_the_meter_is_chosen_the_plan_may_change():
    chosen = []

    def replan(meter):
        chosen.append(meter)
        return plan(end=999)

    grammar = GrammarState(plan(), replan=replan)
    for value in (0, METER, 7, 0, 0):
        grammar.append(value)
    assert chosen == [7]
    assert grammar.plan.end == 999


def test_drums_have_no_pitched_part():
    for part, pitched in ((0, 0), (1, None)):
        grammar = writer_of(PIANO, DRUM_SLOT)
        for value in (0, part):
            grammar.append(value)
        assert grammar.pitched_part == pitched


def test_a_note_is_tied_where_a_held_row_of_its_pitch_and_part_stops():
    held = (0, 0, 60, HOLD, 9)
    for rows, tied in (
        ([(192, 0, 60, 23, 9)], True),
        ([(192, 0, 62, 23, 9)], False),
        ([(191, 0, 64, 23, 9), (1, 0, 60, 23, 9)], True),
        ([(192, 1, 60, 23, 9)], False),
    ):
        grammar = writer_of(PIANO, (0, SLOT, 40, 0, 0), held, end=600)
        for gap, *rest in rows:
            grammar_rows = [(96, REST, 0, 0, 0), (gap - 96, *rest)] if gap > 96 else [(gap, *rest)]
            for row in grammar_rows:
                for value in row:
                    grammar.append(value)
        assert grammar.last_note.is_tied == tied


def test_the_last_note_has_its_tick_length_and_loudness():
    grammar = writer_of(PIANO, (0, 0, 60, 23, 20), (12, 0, 64, HOLD, 0))
    assert grammar.last_note == (12, 0, 0, 64, 192, 0, False)
    for value in (96, REST, 0, 0, 0):
        grammar.append(value)
    assert grammar.last_note is None


def test_the_decoder_is_told_of_the_context_as_it_becomes_known():
    score = Score([Track([Note(0, 60, 24), Note(24, 64, 48), Note(36, 60, 12)], 73)], meters=[Meter(0, 3, 4)])
    events = encode(score)
    for (grammar, row), told in zip(written(events, score.end), context(events).tolist(), strict=True):
        place, _, chroma, program, pitch, duration, velocity = told
        known = []
        for column, value in enumerate(row[:-1]):
            grammar._now.append(value)
            known.append(grammar.context_of(column))
        grammar._now.clear()
        gap, part, row_pitch, row_duration, _ = row
        assert known == [(gap, place, chroma), (part, program, pitch), (row_pitch, duration), (row_duration, velocity)]
