import pytest

from imagemusic.music.instruments import GM_DRUMS, GM_PROGRAMS, drum_name, instrument_name


def test_there_are_128_programs_and_47_drums_with_names_of_their_own():
    assert len(set(GM_PROGRAMS)) == 128
    assert len(set(GM_DRUMS)) == 47
    assert all(name and name == name.strip() for name in GM_PROGRAMS + GM_DRUMS)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (0, "Acoustic Grand Piano"),
        (32, "Acoustic Bass"),
        (40, "Violin"),
        (73, "Flute"),
        (104, "Sitar"),
        (127, "Gunshot"),
    ],
)
def test_programs_stand_at_their_numbers(program, name):
    assert instrument_name(program) == name


def test_a_drum_track_is_drums_whatever_its_kit():
    assert instrument_name(25, is_drum=True) == "Drums"


@pytest.mark.parametrize(
    ("pitch", "name"),
    [(35, "Low Kick"), (36, "Kick"), (38, "Snare"), (49, "Crash"), (81, "Open Triangle"), (82, "Drum 82")],
)
def test_drums_stand_at_their_keys(pitch, name):
    assert drum_name(pitch) == name
