import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.errors import ConfigError
from imagemusic.music.score import Key
from imagemusic.music.theory import MODES, Scale, parse_meter, parse_range, parse_scale, pitch_name


@pytest.mark.parametrize(
    ("text", "name", "classes"),
    [
        ("D dorian", "D dorian", {2, 4, 5, 7, 9, 11, 0}),
        ("Bb", "Bb major", {10, 0, 2, 3, 5, 7, 9}),
        ("f# minor", "F# minor", {6, 8, 9, 11, 1, 2, 4}),
        ("Am", "A minor", {9, 11, 0, 2, 4, 5, 7}),
        ("a harmonic minor", "A harmonic minor", {9, 11, 0, 2, 4, 5, 8}),
        ("E♭-Pentatonic", "Eb major pentatonic", {3, 5, 7, 10, 0}),
        ("C blues", "C blues", {0, 3, 5, 6, 7, 10}),
        ("b", "B major", {11, 1, 3, 4, 6, 8, 10}),
        ("bb minor", "Bb minor", {10, 0, 1, 3, 5, 6, 8}),
        ("Cb", "Cb major", {11, 1, 3, 4, 6, 8, 10}),
        ("chromatic", "C chromatic", set(range(12))),
    ],
)
def test_a_key_is_read_as_musicians_write_it(text, name, classes):
    scale = parse_scale(text)
    assert str(scale) == name
    assert scale.pitch_classes == classes


@given(
    st.sampled_from("CDEFGAB"), st.sampled_from(["", "#", "b"]), st.sampled_from(sorted(MODES)), st.sampled_from(" -_:")
)
def test_every_tonic_and_mode_comes_back_from_its_name(letter, accidental, mode, between):
    scale = Scale(letter + accidental, mode)
    assert parse_scale(str(scale).replace(" ", between)) == scale
    assert len(scale.pitch_classes) == len(MODES[mode])


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        ("C major", Key(0, 0)),
        ("A minor", Key(0, 0, True)),
        ("D dorian", Key(0, 0, True)),
        ("F lydian", Key(0, 0)),
        ("E phrygian", Key(0, 0, True)),
        ("B locrian", Key(0, 0, True)),
        ("G mixolydian", Key(0, 0)),
        ("D harmonic minor", Key(0, -1, True)),
        ("Eb major", Key(0, -3)),
        ("C# major", Key(0, 7)),
        ("G# major", Key(0, -4)),  # eight sharps are none of MIDI's: Ab
        ("Fb major", Key(0, 4)),
        ("C chromatic", None),
        ("C whole tone", None),
    ],
)
def test_a_key_has_the_signature_of_its_notes(text, signature):
    assert parse_scale(text).signature == signature


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown tonic in ''"),
        ("H dur", "unknown tonic in 'H dur'; say a key like 'D dorian'"),
        ("D blue", "unknown mode 'blue'; choose from major, minor"),
        ("major", "unknown tonic in 'major'"),
    ],
)
def test_what_is_no_key_is_refused(text, message):
    with pytest.raises(ConfigError, match=f"key: {message}"):
        parse_scale(text)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("C3-C6", (48, 84)), ("48-84", (48, 84)), ("C-1-G9", (0, 127)), ("c4..C4", (60, 60)), ("Bb2 - F#5", (46, 78)),
        ("B#3-C##4", (60, 62)), ("Cb4 to D4", (59, 62)),
    ],
)  # fmt: skip
def test_a_range_has_two_ends(text, ends):
    assert parse_range(text) == ends


@given(st.integers(0, 127), st.integers(0, 127))
def test_names_of_pitches_are_read_again(one, other):
    low, high = sorted((one, other))
    assert parse_range(f"{pitch_name(low)}-{pitch_name(high)}") == (low, high)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C3", "must be like C3-C6 or 48-84, got 'C3'"),
        ("C3-H4", "must be like"),
        ("C6-C3", "must go from low to high"),
        ("C3-C10", r"must lie within C-1\.\.G9, MIDI pitches 0\.\.127, got C10"),
        ("0-128", r"must lie within C-1\.\.G9, MIDI pitches 0\.\.127, got 128"),
    ],
)
def test_what_is_no_range_is_refused(text, message):
    with pytest.raises(ConfigError, match=f"range {message}"):
        parse_range(text)


def test_a_meter_is_two_numbers():
    assert parse_meter(" 12/8") == (12, 8)


@pytest.mark.parametrize("text", ["3", "3/5", "0/4", "25/4", "3/32", "-3/4", "waltz", "3/4/4"])
def test_what_is_no_meter_is_refused(text):
    with pytest.raises(ConfigError, match=r"meter must be like 3/4: 1\.\.24 over 1, 2, 4, 8 or 16, got"):
        parse_meter(text)
