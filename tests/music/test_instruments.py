import pretty_midi
import pytest

from imagemusic.errors import ConfigError
from imagemusic.music.instruments import DRUM_KIT, GM_DRUMS, GM_PROGRAMS, drum_name, find_program, instrument_name


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


@pytest.mark.parametrize("program", range(128))
def test_a_program_is_found_by_either_name_and_by_its_number(program):
    standard = pretty_midi.program_to_instrument_name(program)
    assert [find_program(name) for name in (GM_PROGRAMS[program], standard, program, str(program))] == [program] * 4


@pytest.mark.parametrize(
    ("name", "program"),
    [("piano", 0), (" Violins ", 40), ("double bass", 43), ("SAX", 65), ("strings", 48), ("drums", DRUM_KIT)],
)
def test_everyday_names_are_understood(name, program):
    assert find_program(name) == program


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("celo", "unknown instrument 'celo'; did you mean Cello"),
        ("", "unknown instrument ''; say General MIDI names"),
        (128, r"a program is 0\.\.127, got 128"),
        ("-1", r"a program is 0\.\.127, got -1"),
    ],
)
def test_who_is_not_known_is_refused(name, message):
    with pytest.raises(ConfigError, match=f"instruments: {message}"):
        find_program(name)
