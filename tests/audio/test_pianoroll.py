import numpy as np
import pytest

from imagemusic.audio.pianoroll import PAPER, TRACK_COLORS, bar_lines, draw_piano_roll, pitch_range, track_colors
from imagemusic.errors import ConfigError
from imagemusic.music.score import Meter, Note, Score, Track

DUO = Score(
    [
        Track([Note(24 * beat, 60 + beat, 20, 100) for beat in range(16)]),
        Track([Note(48 * beat, 40, 40, 100) for beat in range(8)], program=42, name="Bass line"),
    ],
    meters=[Meter(0)],
)
DRUMS = Track([Note(24 * beat, 36 + beat % 3, 6) for beat in range(16)], is_drum=True)


def has_color(image, color):
    return bool((np.abs(np.asarray(image).astype(int) - color).max(axis=-1) <= 45).any())


def test_the_picture_has_the_size_that_was_asked_for():
    assert draw_piano_roll(DUO, width=640, height=300).size == (640, 300)


def test_every_track_is_drawn_in_its_own_color():
    below_legend = draw_piano_roll(DUO).crop((90, 50, 1600, 700))
    assert all(has_color(below_legend, color) for color in TRACK_COLORS[:2])
    assert not has_color(below_legend, TRACK_COLORS[4])


def test_later_notes_stand_further_right_and_higher_notes_further_up():
    image = np.asarray(
        draw_piano_roll(Score([Track([Note(0, 50, 24, 112), Note(72, 70, 24, 112)])])).crop((90, 60, 1600, 640))
    )
    rows, columns = np.nonzero(np.abs(image.astype(int) - TRACK_COLORS[0]).max(axis=-1) < 10)
    low, high = columns < 500, columns > 1000
    assert (low | high).all()
    assert rows[low].min() > rows[high].max()


def test_louder_notes_are_brighter():
    soft, loud = (
        np.asarray(draw_piano_roll(Score([Track([Note(0, 60, 24, velocity)])])))[70:600, 800].max()
        for velocity in (20, 110)
    )
    assert max(PAPER) < soft < loud - 60


def test_drums_alone_fill_the_picture_and_beside_others_take_a_lane():
    alone = np.asarray(draw_piano_roll(Score([DRUMS])))[100:300, 90:1580]
    beside = np.asarray(draw_piano_roll(Score([*DUO.tracks, DRUMS])))[640:650, 90:1580]
    assert alone.max() > 150 and beside.max() > 150


def test_bars_are_counted_afresh_from_a_change_of_meter():
    score = Score([Track([Note(0, 60, 24 * 11)])], meters=[Meter(0, 3), Meter(72, 4)])
    bars, beats = bar_lines(score)
    assert bars.tolist() == [0, 72, 168]
    assert len(beats) == 11


def test_without_a_meter_there_are_no_bars():
    bars, beats = bar_lines(Score([Track([Note(0, 60, 24)])]))
    assert len(bars) == len(beats) == 0


def test_the_range_holds_all_notes_and_two_octaves_at_least():
    assert pitch_range(Score([Track([Note(0, 40, 1), Note(0, 90, 1)])])) == (38, 92)
    assert pitch_range(Score([Track([Note(0, 60, 1)])])) == (48, 72)


@pytest.mark.parametrize(("pitch", "expected"), [(0, (0, 24)), (127, (103, 127))])
def test_the_range_stays_inside_the_keyboard(pitch, expected):
    low, high = pitch_range(Score([Track([Note(0, pitch, 1)])]))
    assert (low, high) == expected


def test_colors_repeat_after_eight_tracks_and_drums_take_none():
    colors = track_colors(Score([DRUMS, *[Track([Note(0, 60, 1)])] * 9]))
    assert colors[1] == colors[9] == TRACK_COLORS[0]
    assert colors[0] not in TRACK_COLORS


@pytest.mark.parametrize(
    "score",
    [
        Score([]),
        Score([Track([])]),
        Score([Track([Note(0, 60, 1)], name="a name far too long for the room there is")] * 30),
        Score([Track([Note(0, p, 1) for p in range(128)]), Track([Note(0, p, 1) for p in range(128)], is_drum=True)]),
        Score([Track([Note(0, 60, 1)])], meters=[Meter(0), Meter(9_600)]),
    ],
    ids=["no tracks", "no notes", "30 tracks", "every pitch and drum", "meter after the end"],
)
def test_odd_scores_are_drawn_too(score):
    assert draw_piano_roll(score, width=320, height=200).size == (320, 200)


@pytest.mark.parametrize(("width", "height"), [(100, 700), (1600, 50), (100_000, 700)])
def test_a_size_that_nobody_can_read_is_refused(width, height):
    with pytest.raises(ConfigError, match=f"piano roll must be 320..8000 pixels wide .* got {width} x {height}"):
        draw_piano_roll(DUO, width=width, height=height)


def test_a_meter_of_more_beats_than_can_be_seen_has_no_lines():
    score = Score([Track([Note(0, 60, 2**30)])], meters=[Meter(0, 1, 64)], ticks_per_beat=16)
    assert [len(lines) for lines in bar_lines(score)] == [0, 0]


def test_names_of_any_script_are_drawn_on_one_line():
    names = (
        "Right hand\r\nPiano",
        "Flöte",
        "ピアノ",
        "🎹 פסנתר",
        "Line1\nLine2\x1b[31m\x07",
        "a\udcff",
        "very long " * 300,
    )
    score = Score([Track([Note(0, 60, 24)], name=name) for name in names])
    assert draw_piano_roll(score).size == (1600, 700)
