import pytest

from imagemusic.compose.options import ComposeOptions, parse_dials
from imagemusic.errors import ConfigError


def test_words_are_kept_in_their_standard_spelling_and_views_agree():
    options = ComposeOptions(key="d DORIAN", instruments="piano, 42", top_p=0.5)
    assert (options.key, options.instruments) == ("D dorian", options.constraints.instruments)
    assert (options.sampling.top_p, options.requested_ensemble) == (0.5, options.constraints.inferred_ensemble)
    assert ComposeOptions(**options.to_json()) == options


@pytest.mark.parametrize("seconds", [4, 600])
def test_the_ends_of_a_range_are_in_it(seconds):
    assert ComposeOptions(seconds=seconds).seconds == seconds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 3.9}, r"seconds must be in 4\.\.600, got 3\.9"),
        ({"seconds": float("nan")}, "seconds must be in"),
        ({"seconds": float("inf")}, "seconds must be in"),
        ({"tempo_bpm": 20}, r"tempo must be in 30\.\.300, got 20"),
        ({"size": 16}, r"size must be in 32\.\.1024, got 16"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"seed": 2**63}, "seed must be 0 or more and below"),
        ({"variation": 0}, "variation must be 1 or more, got 0"),
        ({"temperature": 9}, "temperature must be in"),
        ({"seed": 1.5}, r"seed must be a whole number, got 1\.5"),
        ({"seed": True}, "seed must be a whole number, got True"),
        ({"variation": 1.5}, r"variation must be a whole number, got 1\.5"),
        ({"size": 100.5}, r"size must be a whole number, got 100\.5"),
        ({"repetition_bonus": "2"}, "repetition_bonus must be a number, got '2'"),
        ({"repetition_guard": "no"}, "repetition_guard must be True or False, got 'no'"),
        ({"repetition_share": 0}, "repetition_share must be above 0 and at most 1, got 0"),
        ({"feedback": 6}, r"feedback must be in 0\.\.5, got 6"),
        ({"dials": {"arousal": "x"}}, "dial arousal must be a number, got 'x'"),
        ({"dials": ["arousal=1"]}, r"dials must be a table of names and numbers, got \['arousal=1'\]"),
    ],
)
def test_an_option_out_of_range_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        ComposeOptions(**change)


def test_dials_are_read_as_names_and_numbers():
    assert parse_dials(["arousal=0.8", " mode = -1", "arousal=.5"]) == {"arousal": 0.5, "mode": -1.0}
    assert parse_dials([]) == {}


@pytest.mark.parametrize("setting", ["arousal", "arousal=", "arousal=high", "0.5"])
def test_what_is_no_dial_and_number_is_refused(setting):
    with pytest.raises(ConfigError, match=f"dial '{setting}' is not a name and a number, such as arousal=0.8"):
        parse_dials([setting])
