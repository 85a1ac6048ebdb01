import numpy as np
import pytest

from imagemusic.compose.feedback import Feedback, FeedbackOptions
from imagemusic.events.codec import DRUMS, HOLD, MAX_DURATION, REST, SLOT, SLOTS
from imagemusic.events.context import AddedNote
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.music.dials import CUES, DialNormalizer

SCALE = DialNormalizer.fit(
    [dict.fromkeys(CUES) | {"onset_rate": 2.0, "register": float(r), "mode": (r - 60) / 100} for r in range(40, 81)]
)


LIMITS = FeedbackOptions()


def feed(feedback, event):
    """Append an event to a piece that feedback follows, as the grammar would."""
    gap, part, pitch, duration, velocity = event
    piece = vars(feedback).setdefault("piece", {"tick": 0, "programs": [], "held": {}})
    piece["tick"] += gap
    if part == SLOT:
        piece["programs"].append(pitch)
    if part >= SLOTS:
        feedback.update(None)
        return
    tick, ticks = piece["tick"], min(duration + 1, MAX_DURATION)
    tied = piece["held"].pop((part, pitch), None) == tick
    if duration == HOLD:
        piece["held"][part, pitch] = tick + ticks
    feedback.update(AddedNote(tick, part, piece["programs"][part], pitch, ticks, 4 * velocity, tied))


def moved_by(feedback):
    found = {}
    feedback.condition_of = lambda moved: found.update(moved)
    feedback.condition()
    return found


def update(feedback, pitches, program=0):
    feed(feedback, (0, SLOT, program, 0, 0))
    for pitch in pitches:
        feed(feedback, (12, 0, pitch, 11, 16))


def make(gain=1.0, **wanted):
    return Feedback(wanted, SCALE, lambda moved: None, gain)


def test_a_piece_that_lies_too_low_is_told_to_go_higher():
    feedback = make(register=0.2)
    update(feedback, [50, 52, 54] * 20)
    assert 0.2 < moved_by(feedback)["register"] <= LIMITS.max_target


def test_a_piece_on_its_way_is_told_what_was_wanted():
    feedback = make(register=0.0)
    update(feedback, [58, 60, 62] * 20)
    assert moved_by(feedback)["register"] == pytest.approx(0, abs=0.03)


def test_few_notes_count_for_little():
    few, many = make(register=0.5), make(register=0.5)
    update(few, [50] * 2)
    update(many, [50] * 60)
    assert 0.5 < moved_by(few)["register"] < moved_by(many)["register"]


def test_dials_that_were_not_wanted_or_cannot_be_measured_are_left_alone():
    feedback = make(register=0.5, loudness=0.5)
    update(feedback, [60] * 20)
    assert moved_by(feedback).keys() == {"register"}  # this scale knows no loudness


def test_nothing_is_told_before_the_first_note():
    feedback = make(register=0.5, mode=0.5)
    assert moved_by(feedback) == {}
    assert feedback.pitch_bias is None


def test_a_piece_in_minor_that_should_be_in_major_is_drawn_there():
    feedback = make(mode=1.0)
    update(feedback, [60, 62, 63, 65, 67, 68, 70, 72, 67, 63, 60] * 4)  # C minor
    nats = feedback.pitch_bias
    assert nats is not None and nats.shape == (129,) and nats[DRUMS] == 0 and np.array_equal(nats[:12], nats[60:72])
    before = feedback.cues.mode()[0]
    feedback.cues.profile += 10 * np.clip(nats[:12], 0, None)
    assert feedback.cues.mode()[0] > before + 0.02


def test_a_mode_that_is_met_moves_no_pitch():
    feedback = make(mode=0.0)
    update(feedback, [60, 62, 64, 65, 67, 69, 71] * 8)
    feedback.mode = feedback.cues.mode()[0]
    assert np.abs(feedback.pitch_bias).max() > 0.01
    for _ in range(FeedbackOptions().update_every):
        feed(feedback, (MAX_DURATION, REST, 0, 0, 0))
    assert np.abs(feedback.pitch_bias).max() < 1e-9


def test_the_gain_says_how_firmly():
    soft, firm = make(0.1, mode=0.5), make(0.4, mode=0.5)
    for feedback in (soft, firm):
        update(feedback, [60, 63, 67] * 8)
    assert np.allclose(firm.pitch_bias, 4 * soft.pitch_bias)


def test_a_note_of_several_rows_is_heard_once():
    feedback = make(register=0.5)
    feed(feedback, (0, SLOT, 0, 0, 0))
    for gap, duration in ((0, HOLD), (MAX_DURATION, HOLD), (MAX_DURATION, 23)):
        feed(feedback, (gap, 0, 60, duration, 16))
    feed(feedback, (24, 0, 60, 23, 16))  # struck again
    assert feedback.cues.pitched == 2
    assert feedback.cues.profile[0] == 2 * MAX_DURATION + 48


def test_notes_that_are_too_short_gain_with_their_length():
    played = dict.fromkeys(CUES) | {"onset_rate": 1.0, "register": 60.0}
    scale = DialNormalizer.fit([played | {"articulation": share / 20} for share in range(21)])
    feedback = Feedback({"articulation": 1.0}, scale, lambda moved: None, 1.0)
    feed(feedback, (0, SLOT, 0, 0, 0))
    for _ in range(20):
        feed(feedback, (24, 0, 60, 5, 16))
    nats = feedback.duration_bias
    assert nats is not None and nats.shape == (HOLD + 1,)
    assert nats[TICKS_PER_BEAT - 1] == 0 < nats[2 * TICKS_PER_BEAT - 1] < nats[-1] == nats[-2]
    assert nats[47] == pytest.approx(-nats[11]) and nats[0] == nats[5]


def test_no_pitch_is_as_good_as_forbidden():
    feedback = make(5.0, mode=1.0)
    update(feedback, [60, 62, 63, 65, 67, 68, 70, 72, 67, 63, 60] * 4)
    assert np.abs(feedback.pitch_bias).max() == LIMITS.max_mode_bias


def test_a_dial_that_is_not_told_is_leaned_on_alone():
    played = dict.fromkeys(CUES) | {"onset_rate": 1.0, "register": 60.0}
    scale = DialNormalizer.fit([played | {"loudness": 40.0 + level} for level in range(60)])
    told, feedback_only = (
        Feedback({"loudness": 0.9}, scale, lambda moved: None, 1.0, feedback_only=hidden)
        for hidden in ((), ("loudness",))
    )
    for feedback in (told, feedback_only):
        update(feedback, [60] * 20)
    assert told.velocity_bias is None and moved_by(told).keys() == {"loudness"}
    assert feedback_only.velocity_bias is not None and moved_by(feedback_only) == {}
    assert (np.diff(feedback_only.velocity_bias) > 0).all() and abs(feedback_only.velocity_bias.sum()) < 1e-9


@pytest.mark.parametrize(("wanted", "sign"), [(1.0, 1), (-1.0, -1)])
def test_notes_together_gain_while_too_few_sound_at_once(wanted, sign):
    played = dict.fromkeys(CUES) | {"onset_rate": 1.0, "register": 60.0}
    scale = DialNormalizer.fit([played | {"polyphony": 1 + share / 10} for share in range(21)])
    feedback = Feedback({"polyphony": wanted}, scale, lambda moved: None, 1.0)
    assert feedback.chord_bias == 0
    feed(feedback, (0, SLOT, 0, 0, 0))
    for pitch in (60, 64) * 10:  # two at a time
        feed(feedback, (0 if pitch == 64 else 24, 0, pitch, 23, 16))
    assert 0 < sign * feedback.chord_bias <= LIMITS.max_chord_bias
