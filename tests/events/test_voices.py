"""Whatever a decoder prefers, the limits of a plan are kept, and there is always a way on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemusic.events import codec
from imagemusic.events.codec import decode
from imagemusic.events.grammar import GrammarState, Plan
from imagemusic.events.quantize import nearest_tempo
from imagemusic.events.vocabulary import DRUMS, METER, METERS, REST, SLOT
from imagemusic.music.ensembles import instrumentation_for

C4, E4, G4 = 60, 64, 67
WHIMS = {
    "at random": lambda values, rng: rng.choice(values),
    "mostly the most": lambda values, rng: values[-1] if rng.random() < 0.7 else rng.choice(values),
    "either end": lambda values, rng: rng.choice(values[[0, -1]]),
}


def plan(**changes):
    return Plan(**{"end": 16 * 24, "tempo": nearest_tempo(100), "meter": codec.METERS.index((4, 4)) + 1} | changes)


def writer_of(*events, **changes):
    """A grammar that has written a header for the instruments of its plan, and some events."""
    grammar = GrammarState(plan(**changes))
    header = [(0, METER, grammar.plan.meter, 0, 0), (0, codec.TEMPO, grammar.plan.tempo, 0, 0)]
    slots = [(0, SLOT, program, 5 if program == DRUMS else 0, 0) for program in grammar.plan.instrumentation.exactly]
    for event in (*header, *slots, *events):
        for value in event:
            grammar.append(value)
    return grammar


def allowed(grammar, *fields):
    """What the field after these, of the next event, may be."""
    for value in fields:
        grammar.append(value)
    return np.flatnonzero(grammar.mask(len(fields))).tolist()


def write(the_plan, whim, seed):
    grammar, rng = GrammarState(the_plan), np.random.default_rng(seed)
    while not grammar.finished:
        for column in range(5):
            value = grammar.forced_value(column)
            if value is None:
                values = np.flatnonzero(grammar.mask(column))
                assert len(values), f"no way on in column {column} after {grammar.events[-3:]}, {grammar._now}"
                value = int(WHIMS[whim](values, rng))
            grammar.append(value)
    return decode(np.array(grammar.events, np.int16))


def most_at_once(score):
    """Pitched notes that sound at once, counted tick by tick."""
    sounding = np.zeros(score.end + 1, int)
    for track in score.tracks:
        for onset, _, duration, _ in [] if track.is_drum else track.notes.tolist():
            sounding[onset : onset + duration] += 1
    return sounding.max()


parts = st.lists(st.integers(0, 127), min_size=1, max_size=15).flatmap(
    lambda pitched: st.sampled_from([pitched, [*pitched, DRUMS]])
)
plans = st.builds(
    lambda programs, **settings: plan(instrumentation=programs and instrumentation_for(programs), **settings),
    st.none() | st.just([DRUMS]) | parts,
    end=st.integers(48, 40 * 24),
    meter=st.integers(1, len(METERS)),
    pitches=st.frozensets(st.integers(0, 127), min_size=1, max_size=12) | st.just(frozenset(range(48, 85))),
    polyphony=st.none() | st.integers(1, 5),
    longest_silence=st.integers(24, 200),
    ending_slack=st.sampled_from([0, 24, 48]),
)


@settings(max_examples=250, deadline=None)
@given(plans, st.sampled_from(sorted(WHIMS)), st.integers(0, 2**32))
def test_whatever_is_preferred_every_limit_is_kept(the_plan, whim, seed):
    score = write(the_plan, whim, seed)
    pitched = [track for track in score.tracks if not track.is_drum]
    assert the_plan.end - the_plan.ending_slack <= score.end <= the_plan.end
    assert {pitch for track in pitched for pitch in track.notes[:, 1].tolist()} <= the_plan.pitches
    assert the_plan.polyphony is None or most_at_once(score) <= the_plan.polyphony
    if the_plan.instrumentation is not None:
        heard = [DRUMS if track.is_drum else track.program for track in score.tracks]
        assert sorted(heard) == sorted(the_plan.instrumentation.exactly)


@pytest.mark.parametrize("polyphony", [1, 2, 16])
def test_sixteen_parts_come_in_within_two_beats(polyphony):
    everybody = instrumentation_for([*range(15), DRUMS])
    for seed in range(5):
        score = write(plan(end=48, instrumentation=everybody, polyphony=polyphony), "mostly the most", seed)
        assert len(score.tracks) == 16
        assert most_at_once(score) <= polyphony


def test_only_the_instruments_that_are_missing_may_join_and_drums_are_last():
    quartet = instrumentation_for([40, DRUMS, 40])
    grammar = GrammarState(plan(instrumentation=quartet))
    for value in (0, METER, 76, 0, 0, 0, codec.TEMPO, 1, 0, 0):
        grammar.append(value)
    for joining in ([40], [40], [DRUMS]):
        assert allowed(grammar, 0, SLOT) == joining
        for value in (joining[0], 0, 0):
            grammar.append(value)
    assert SLOT not in allowed(grammar, 0)


def test_a_note_waits_until_a_voice_is_free():
    grammar = writer_of((0, 0, C4, 29, 20), instrumentation=instrumentation_for([0, 1]), polyphony=1)
    gaps = allowed(grammar)
    assert gaps[0] == 30  # ticks until the note ends; the other part is due much later
    assert 0 not in gaps


def test_drums_and_rests_go_on_while_no_voice_is_free():
    everybody = instrumentation_for([0, DRUMS])
    strokes = [(0, 0, C4, 191, 20), (0, 1, 36, 5, 20)]
    grammar = writer_of(*strokes, instrumentation=everybody, polyphony=1)
    assert allowed(grammar) == list(range(97))
    assert allowed(grammar, 50) == [1]
    grammar = writer_of(*strokes, instrumentation=everybody, polyphony=1)
    assert allowed(grammar, 96) == [1, REST]


def test_who_holds_every_pitch_waits_for_the_first_to_end():
    held = [(0, 0, C4, 19, 20), (0, 0, E4, 39, 20)]
    grammar = writer_of(*held, instrumentation=instrumentation_for([0]), pitches=frozenset({C4, E4}))
    assert allowed(grammar)[0] == 20
    assert allowed(grammar, 25, 0) == [C4]


def test_a_note_leaves_its_voice_to_a_part_that_has_not_played():
    # The second of two parts is due when half of the piece is over.
    grammar = writer_of(instrumentation=instrumentation_for([0, 1]), polyphony=1, end=8 * 24)
    assert max(allowed(grammar, 0, 0, C4)) + 1 == 4 * 24
    grammar = writer_of(instrumentation=instrumentation_for([0, 1]), polyphony=2, end=8 * 24)
    assert max(allowed(grammar, 0, 0, C4)) + 1 >= 8 * 24


def test_a_part_that_is_due_comes_in_and_nobody_else():
    grammar = writer_of(
        (0, 0, C4, 23, 20), (72, 0, C4, 23, 20), instrumentation=instrumentation_for([0, 1]), end=8 * 24
    )
    assert max(allowed(grammar)) == 24
    assert allowed(grammar, 24) == [1]


def test_drums_that_are_due_after_a_silence_follow_a_note():
    silence = {"longest_silence": 48, "end": 8 * 24}
    grammar = writer_of((0, 0, C4, 47, 20), instrumentation=instrumentation_for([0, DRUMS]), **silence)
    assert allowed(grammar) == list(range(97))  # then the drums are due, and the silence has lasted two beats
    assert allowed(grammar, 96) == [0]
    for value in (0, G4, 0, 20):
        grammar.append(value)
    assert allowed(grammar) == [0]
    assert allowed(grammar, 0) == [1]


def test_a_piece_does_not_end_before_everybody_was_heard():
    grammar = writer_of((0, 0, C4, 47, 20), instrumentation=instrumentation_for([0, 1]), end=48)
    assert codec.END not in allowed(grammar, 0)


@given(st.lists(st.integers(40, 52), max_size=6, unique=True), st.integers(-1, 54), st.booleans())
def test_whether_any_pitch_is_open_is_told_as_the_pitches_themselves_tell(held, above, drums):
    programs = (0, DRUMS) if drums else (0, 40)
    grammar = writer_of(instrumentation=instrumentation_for(programs), pitches=frozenset(range(44, 51)))
    voices = grammar._voices
    for pitch in held:
        voices.update(0, pitch, 0, 23)
    for part, tick in ((0, 0), (0, 23), (0, 24), (1, 0)):
        assert voices._is_open(part, tick, above) == voices.open(part, tick, above).any()
