import pytest

from imagemusic.compose.repetition import PhraseMemory
from imagemusic.events.context import Running

BAR = 96


@pytest.fixture
def form():
    """Two parts that have played one phrase: an onset a beat, the second part on every other."""
    made = PhraseMemory(Running())
    for beat in range(16):
        made.add(24 * beat, 0, 60 + beat)
        if beat % 2 == 0:
            made.add(24 * beat, 1, 40)
    made.running.tick = 15 * 24
    return made


def at(form, tick):
    form.running.tick = tick
    return form


def test_the_first_phrase_answers_none(form):
    assert at(form, 48).repeat_gap() is None
    assert form.repeat_pitches(48, 0) == []


def test_the_second_phrase_would_say_what_the_first_said(form):
    form.add(4 * BAR, 0, 60)
    assert at(form, 4 * BAR).repeat_gap() == 0  # the second part's note is still to come
    assert form.repeat_pitches(4 * BAR, 1) == [40]
    assert form.repeat_pitches(4 * BAR, 0) == []  # has been said
    form.add(4 * BAR, 1, 55)
    assert at(form, 4 * BAR).repeat_gap() == 24
    assert form.repeat_pitches(4 * BAR + 24, 0) == [61]
    assert form.repeat_pitches(4 * BAR + 24, 1) == []
    assert form.repeat_pitches(4 * BAR + 12, 0) == []


def test_a_note_that_can_no_longer_be_written_is_not_waited_for(form):
    form.add(4 * BAR, 1, 45)  # above the second part's note, and after the first part's
    assert at(form, 4 * BAR).repeat_gap() == 24


def test_at_the_end_of_an_answer_the_next_phrase_is_free_or_begins_as_its_own_source_did(form):
    form.add(4 * BAR + 15 * 24, 0, 80)
    assert at(form, 4 * BAR + 15 * 24).repeat_gap() is None  # the third phrase answers none
    form.add(15 * BAR + 3 * 24, 0, 80)
    assert at(form, 15 * BAR + 3 * 24).repeat_gap() == 24  # the fifth answers the first


@pytest.mark.parametrize(("bar", "answered"), [(0, None), (4, 0), (8, None), (12, 4), (16, 0), (20, 16), (24, 8)])
def test_phrases_follow_each_other_as_a_a_b_a(bar, answered):
    form = PhraseMemory(Running(origin=10))
    for start in range(0, 28, 4):
        form.add(10 + start * BAR, 0, start)
    assert form.repeat_pitches(10 + bar * BAR, 0) == ([] if answered is None else [answered])
