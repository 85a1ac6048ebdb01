import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.errors import ConfigError
from imagemusic.web.exact import MAX_BARS, MAX_TAKES, exact_options

EMPTY = {"key": "", "meter": "", "tempo_bpm": "", "bars": "", "instruments": "", "pitch_range": "", "polyphony": ""}
EMPTY |= {"form": "", "ending": "", "takes": ""}


def test_empty_fields_ask_for_nothing():
    assert exact_options(seconds=30, **EMPTY) == {"seconds": 30}
    for nothing in (" ", None):
        assert exact_options(seconds=30, **dict.fromkeys(EMPTY, nothing)) == {"seconds": 30}


def test_what_is_written_is_asked_for():
    asked = EMPTY | {"key": "D dorian", "polyphony": "0", "tempo_bpm": " 96.5 "}
    assert exact_options(seconds=30, **asked) == {"seconds": 30, "key": "D dorian", "polyphony": 0, "tempo_bpm": 96.5}


def test_form_ending_and_takes_are_those_of_composing():
    asked = EMPTY | {"form": "aaba", "ending": "fade", "takes": "2"}
    options = ComposeOptions(**exact_options(seconds=30, **asked))
    assert (options.form, options.ending, options.takes) == ("A A B A", "fade", 2)


@pytest.mark.parametrize("text", ["8", " 8 ", "8.0"])
def test_bars_take_the_place_of_seconds(text):
    assert exact_options(seconds=30, **EMPTY | {"bars": text}) == {"bars": 8}


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("tempo_bpm", "fast", "tempo must be a number, such as 96, got 'fast'"),
        ("bars", "2.5", "bars must be a whole number, such as 4, got '2.5'"),
        ("bars", "0", f"bars must be in 1..{MAX_BARS} on this page, got 0"),
        ("bars", str(MAX_BARS + 1), f"bars must be in 1..{MAX_BARS} on this page, got {MAX_BARS + 1}"),
        ("takes", "0", f"takes must be in 1..{MAX_TAKES} on this page, got 0"),
        ("takes", str(MAX_TAKES + 1), f"takes must be in 1..{MAX_TAKES} on this page, got {MAX_TAKES + 1}"),
        ("takes", "all", "takes must be a number, such as 96, got 'all'"),
        ("polyphony", "many", "notes at once must be a number, such as 96, got 'many'"),
        ("polyphony", "inf", "notes at once must be a whole number, such as 4, got 'inf'"),
    ],
)
def test_what_is_no_number_is_refused(field, text, message):
    with pytest.raises(ConfigError, match=message):
        exact_options(seconds=30, **EMPTY | {field: text})
