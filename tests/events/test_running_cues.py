import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.running_cues import RunningCues
from imagemusic.events.vocabulary import DRUMS
from imagemusic.music.dials import measure
from imagemusic.music.score import Note, Score, Track

tunes = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 1), st.integers(30, 90), st.integers(1, 60), st.integers(1, 127)),
    min_size=1,
    max_size=40,
)


def listened(tune):
    heard, tracks, tick = RunningCues(), ([], []), 0
    for gap, part, pitch, length, velocity in tune:
        tick += gap
        heard.add(tick, part, 0, pitch, length, velocity)
        tracks[part].append(Note(tick, pitch, length, velocity))
    return heard, [notes for notes in tracks if notes]


@given(tunes)
def test_tells_what_measuring_the_notes_so_far_tells(tune):
    heard, tracks = listened(tune)
    cues = heard.cues()
    measured = measure(Score([Track(notes) for notes in tracks]))
    for name in ("register", "loudness", "polyphony"):
        assert cues[name] == pytest.approx(measured[name])
    if "density" in cues:  # up to the last onset: a piece that is being written has no end yet
        first, last = (choose(note.onset for notes in tracks for note in notes) for choose in (min, max))
        assert cues["density"] == pytest.approx(len(tune) * TICKS_PER_BEAT / (last - first))


def test_articulation_is_the_share_of_the_wait_that_sounds():
    heard = RunningCues()
    for tick in range(0, 96, 24):
        heard.add(tick, 0, 0, 60, 6, 80)
        heard.add(tick, 0, 0, 64, 12, 80)
    assert heard.cues()["articulation"] == pytest.approx((6 / 24 + 12 / 24) / 2)


def test_a_note_that_is_tie_continuation_is_one_note():
    heard, whole = RunningCues(), RunningCues()
    for made, rows in ((heard, (192, 192, 100)), (whole, (484,))):
        made.add(0, 0, 0, 40, rows[0], 80)
        made.add(0, 1, 0, 60, 24, 40)
        for number, length in enumerate(rows[1:], start=1):
            made.prolong(192 * number, 0, 40, length)
        made.add(484, 0, 0, 45, 24, 80)
    assert heard.cues() == whole.cues()
    assert heard.mode()[0] == whole.mode()[0]


def test_drums_are_heard_for_their_loudness_alone():
    heard = RunningCues()
    heard.add(0, 0, 0, 60, 24, 40)
    heard.add(12, 1, DRUMS, 36, 1, 120)
    assert heard.pitched == 1
    assert heard.cues() == {"loudness": 80, "register": 60, "polyphony": 1, "density": 2}


def test_silence_tells_nothing():
    assert RunningCues().cues() == {}
    assert RunningCues().mode()[0] == 0


@given(tunes)
def test_the_mode_is_that_of_the_notes_so_far(tune):
    heard, tracks = listened(tune)
    mode, major, minor = heard.mode()
    assert mode == pytest.approx(measure(Score([Track(notes) for notes in tracks]))["mode"])
    centred = heard.profile - heard.profile.mean()
    if (length := np.linalg.norm(centred)) > 1e-9:
        assert mode == pytest.approx((major - minor) @ centred / length)
