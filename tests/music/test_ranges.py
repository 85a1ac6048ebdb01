import pytest

from imagemusic.errors import ConfigError
from imagemusic.music.ranges import HAND_SPAN, PIANO_RANGE, is_monophonic, playable_range


@pytest.mark.parametrize(
    ("program", "lowest", "highest"),
    [
        (0, 21, 108),  # piano, A0 to C8
        (24, 40, 83),  # guitar, from its low E
        (32, 24, 67),  # double bass
        (40, 55, 100),  # violin, from its G string
        (42, 36, 81),  # cello, from its C string
        (70, 34, 75),  # bassoon, from B flat 1
        (73, 59, 98),  # flute, from B3
        (81, 21, 108),  # a synthesizer has the compass of the piano
        (127, 0, 127),  # an effect has no pitch
    ],
)
def test_an_instrument_has_its_sounding_range(program, lowest, highest):
    pitches = playable_range(program)
    assert (pitches[0], pitches[-1]) == (lowest, highest)


@pytest.mark.parametrize("program", range(128))
def test_every_program_has_at_least_an_octave(program):
    assert len(playable_range(program)) > 12


def test_every_pitched_program_lies_within_the_piano():
    for program in range(113):
        assert playable_range(program).start >= PIANO_RANGE.start
        assert playable_range(program).stop <= PIANO_RANGE.stop


@pytest.mark.parametrize("program", [56, 60, 68, 73, 79, 111])
def test_a_wind_plays_one_note_at_a_time(program):
    assert is_monophonic(program)


@pytest.mark.parametrize("program", [0, 24, 33, 40, 48, 61, 62, 109])
def test_keyboards_strings_and_sections_play_chords(program):
    assert not is_monophonic(program)


def test_a_choir_plays_chords_but_the_voice_of_a_song_is_one_singer():
    assert not is_monophonic(52)
    assert not is_monophonic(52, ensemble="orchestra")
    assert is_monophonic(52, ensemble="voice")
    assert not is_monophonic(0, ensemble="voice")


def test_a_hand_spans_a_tenth():
    assert HAND_SPAN == 16


@pytest.mark.parametrize("program", [-1, 128])
@pytest.mark.parametrize("function", [playable_range, is_monophonic])
def test_a_program_outside_general_midi_is_refused(function, program):
    with pytest.raises(ConfigError, match=f"program must be in 0..127, got {program}"):
        function(program)
