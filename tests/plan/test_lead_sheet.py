import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.errors import ConfigError
from imagemusic.plan.chords import CHORDS, chord_name
from imagemusic.plan.lead_sheet import (
    _ALIASES,
    _WRITTEN,
    NO_CHORD_SYMBOL,
    bars_of,
    chord_at,
    chord_spans,
    half_bars,
    parse_chord,
    parse_lead_sheet,
    write_lead_sheet,
)

ROOTS = [letter + sign for letter in "ABCDEFG" for sign in ("", "#", "b")]
SYMBOLS = st.one_of(
    st.builds(
        lambda root, quality, bass: root + quality + bass,
        st.sampled_from(ROOTS),
        st.sampled_from([*_WRITTEN, *_ALIASES]),
        st.sampled_from(["", *(f"/{root}" for root in ROOTS)]),
    ),
    st.just("N.C."),
)


@pytest.mark.parametrize(
    ("text", "root", "classes", "bass", "name"),
    [
        ("C", 0, {0, 4, 7}, 0, "C"),
        ("Am", 9, {9, 0, 4}, 9, "Am"),
        ("Bb-", 10, {10, 1, 5}, 10, "Bbm"),
        ("F#min", 6, {6, 9, 1}, 6, "F#m"),
        ("Gbmaj7", 6, {6, 10, 1, 5}, 6, "F#maj7"),
        ("EbM7", 3, {3, 7, 10, 2}, 3, "Ebmaj7"),
        ("G7", 7, {7, 11, 2, 5}, 7, "G7"),
        ("Dm7", 2, {2, 5, 9, 0}, 2, "Dm7"),
        ("Bdim", 11, {11, 2, 5}, 11, "Bdim"),
        ("B°", 11, {11, 2, 5}, 11, "Bdim"),
        ("Bdim7", 11, {11, 2, 5, 8}, 11, "Bdim"),
        ("Cb", 11, {11, 3, 6}, 11, "B"),
        ("Caug", 0, {0, 4, 8}, 0, "Caug"),
        ("C+", 0, {0, 4, 8}, 0, "Caug"),
        ("Asus2", 9, {9, 11, 4}, 9, "Asus2"),
        ("Asus4", 9, {9, 2, 4}, 9, "Asus4"),
        ("F6", 5, {5, 9, 0, 2}, 5, "F"),
        ("Fm6", 5, {5, 8, 0, 2}, 5, "Fm"),
        ("D9", 2, {2, 4, 6, 9, 0}, 2, "D7"),
        ("Dadd9", 2, {2, 4, 6, 9}, 2, "D"),
        ("Em7b5", 4, {4, 7, 10, 2}, 4, "Em7b5"),
        ("Eø", 4, {4, 7, 10, 2}, 4, "Em7b5"),
        ("E5", 4, {4, 11}, 4, "E"),
        ("C/E", 0, {0, 4, 7}, 4, "C"),
        ("C/Bb", 0, {0, 4, 7, 10}, 10, "C"),
        ("C6/9", 0, {0, 4, 7, 9, 2}, 0, "C"),
        ("B♭m7/A♭", 10, {10, 1, 5, 8}, 8, "Bbm7"),
        ("N.C.", -1, set(), -1, "N.C."),
    ],
)
def test_symbols(text, root, classes, bass, name):
    chord = parse_chord(text)
    assert (chord.root, chord.pitch_classes, chord.bass, chord_name(chord.index)) == (root, classes, bass, name)


@given(SYMBOLS)
def test_a_symbol_comes_back(text):
    chord = parse_chord(text)
    assert parse_chord(chord.symbol) == chord


@given(st.lists(st.lists(SYMBOLS, min_size=1, max_size=4), min_size=1, max_size=8))
def test_a_lead_sheet_comes_back(bars):
    sheet = parse_lead_sheet(" | ".join(" ".join(bar) for bar in bars))
    assert parse_lead_sheet(write_lead_sheet(sheet)) == sheet
    assert [len(bar) for bar in sheet] == [len(bar) for bar in bars]


@given(st.integers(0, CHORDS - 1))
def test_every_chord_of_the_vocabulary_has_a_symbol(index):
    assert chord_at(index).index == index


@given(st.text(alphabet="ABCGHm#b7/|% .N()dimsu49+-°", max_size=20))
def test_whatever_is_written_is_read_or_refused_in_one_line(text):
    try:
        sheet = parse_lead_sheet(text)
    except ConfigError as error:
        assert str(error).startswith("chords: ")
        assert "\n" not in str(error)
    else:
        assert parse_lead_sheet(write_lead_sheet(sheet)) == sheet


def test_bars():
    sheet = parse_lead_sheet("| Am F | C/E | % | N.C. |")
    assert write_lead_sheet(sheet) == "Am F | C/E | C/E | N.C."
    assert sheet[3] == (NO_CHORD_SYMBOL,)
    assert write_lead_sheet(bars_of(sheet, 6)) == "Am F | C/E | C/E | N.C. | Am F | C/E"


def test_chords_share_a_bar():
    two, three, four, one = parse_lead_sheet("C G | C F G | C D E F | Am")
    assert chord_spans(two, 96) == [(0, 48), (48, 96)]
    assert chord_spans(three, 96) == [(0, 32), (32, 64), (64, 96)]
    assert [tuple(chord_name(c) for c in bar) for bar in half_bars([two, three, four, one])] == [
        ("C", "G"),
        ("C", "F"),
        ("C", "E"),
        ("Am", "Am"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C | Hx7", "chords: bar 2: unknown chord 'Hx7'; write a root A-G with # or b"),
        ("C | c", "chords: bar 2: unknown chord 'c'"),
        ("C | C/H", "chords: bar 2: unknown chord 'C/H'"),
        ("C#b", "chords: bar 1: unknown chord 'C#b'"),
        ("", "chords: no chord"),
        (" | | ", "chords: no chord"),
        ("C |  | G", "chords: bar 2: empty"),
        ("% | C", "chords: bar 1: % stands alone"),
        ("C | % G", "chords: bar 2: % stands alone"),
        ("C D E F G", "chords: bar 1: 5 chords; at most 4"),
    ],
)
def test_what_cannot_be_read(text, message):
    with pytest.raises(ConfigError) as error:
        parse_lead_sheet(text)
    assert str(error.value).startswith(message)
