from dataclasses import fields

import numpy as np
import pytest

from imagemusic.compose.constraints import Constraints
from imagemusic.compose.options import ComposeOptions
from imagemusic.errors import ConfigError
from imagemusic.events.codec import DRUMS, METERS
from imagemusic.events.voices import COMPASS, SIMPLE_METERS
from imagemusic.music.dials import DIALS
from imagemusic.music.score import Key

STRANGE = ("hot", 1.5, True, -1, pytest.param(10**400, id="10**400"), [], {}, {1: 2}, object(), np.int64(7))


def test_nothing_asked_for_leaves_everything_open():
    options = Constraints()
    assert (options.scale, options.keys, options.programs, options.inferred_ensemble) == (None, (), (), None)
    assert options.pitches == frozenset(COMPASS)
    assert options.meters == SIMPLE_METERS


def test_words_are_kept_as_the_standard_spells_them():
    options = Constraints(key="d DORIAN", meter=" 3 / 4", instruments="piano, 42 ,drums", pitch_range="48..84")
    assert (options.key, options.meter, options.pitch_range) == ("D dorian", "3/4", "C3-C6")
    assert options.instruments == ("Acoustic Grand Piano", "Cello", "Drums")
    assert options.programs == (0, 42, DRUMS)
    assert options == Constraints(
        key="D dorian", meter="3/4", instruments=["piano", 42, "Drums"], pitch_range=("C3", 84)
    )


def test_a_key_and_a_range_leave_the_pitches_of_both():
    options = Constraints(key="D dorian", pitch_range="C4-F4")
    assert options.pitches == {60, 62, 64, 65}
    assert options.keys == (Key(0, 0, minor=True),)


def test_a_range_goes_beyond_the_piano_only_where_it_must():
    assert Constraints(pitch_range="C8-G9").pitches == {108}
    assert Constraints(pitch_range="C9-D9").pitches == {120, 121, 122}


@pytest.mark.parametrize(
    ("instruments", "ensemble"),
    [("piano", "piano"), ("violin,violin,viola,cello", "strings"), ("piano,cello,drums", "band"), ("drums", "drums")],
)
def test_instruments_make_an_ensemble(instruments, ensemble):
    assert ComposeOptions(instruments=instruments).requested_ensemble == ensemble
    assert ComposeOptions(instruments=instruments, ensemble=ensemble).requested_ensemble == ensemble


def test_bars_leave_the_meters_and_tempos_in_which_they_last_long_enough():
    options = Constraints(bars=1, tempo_bpm=60)
    meters = [METERS[meter - 1] for meter in options.meters]
    assert (4, 4) in meters
    assert (3, 4) not in meters
    assert Constraints(bars=2).tempos(METERS.index((3, 4)) + 1) == (30, 90)
    assert Constraints(bars=600).tempos(METERS.index((3, 4)) + 1) == (180, 300)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "H"}, "key: unknown tonic in 'H'"),
        ({"key": 5}, "key: unknown tonic in '5'"),
        ({"meter": "4/5"}, "meter must be like 3/4"),
        ({"pitch_range": "C3"}, "range must be like C3-C6"),
        ({"pitch_range": (84, 48)}, "range must go from low to high"),
        ({"key": "D", "pitch_range": "C4-C4"}, "range C4-C4 has no note of D major; widen it or choose another key"),
        ({"instruments": "kazoo"}, "instruments: unknown instrument 'kazoo'"),
        ({"instruments": ""}, "instruments: unknown instrument ''"),
        ({"instruments": []}, "instruments: 1 to 15 of them and drums once can play together, got 0"),
        ({"instruments": range(17)}, "instruments: 1 to 15 of them and drums once can play together, got 17"),
        ({"instruments": "drums,drums"}, "got 0 and drums 2 times"),
        ({"polyphony": 0}, r"polyphony must be in 1\.\.64, got 0"),
        ({"polyphony": 2.5}, r"polyphony must be a whole number, got 2\.5"),
        ({"tempo_bpm": 301}, r"tempo must be in 30\.\.300, got 301"),
        ({"bars": 0}, r"bars must be in 1\.\.12000, got 0"),
        ({"bars": True}, "bars must be a whole number, got True"),
        ({"bars": 8, "seconds": 30}, "bars and seconds both say how long: leave out 8 bars or 30 s"),
        ({"bars": 1, "meter": "1/4"}, r"1 bars of 1/4 cannot last 4\.\.600 s"),
        ({"bars": 200, "meter": "4/4", "tempo_bpm": 60}, "200 bars of 4/4 at 60 bpm cannot last"),
        ({"bars": 10_000}, "10000 bars cannot last"),
        ({"seconds": "60"}, "seconds must be a number, got '60'"),
        ({"tempo_bpm": False}, "tempo must be a number, got False"),
        ({"instruments": 0}, "instruments must be a text or a list, got 0"),
        ({"pitch_range": 60}, "pitch_range must be a text or a list, got 60"),
        ({"ensemble": "piano", "instruments": "cello"}, "ensemble piano: Cello make strings; leave out one of the two"),
        ({"tempo_bpm": 60, "dials": {"tempo": 1}}, "dial tempo: tempo_bpm 60 decides it; leave out one of the two"),
        ({"key": "Dm", "dials": {"mode": 1}}, "dial mode: key D minor decides it; leave out one of the two"),
        ({"polyphony": 1, "dials": {"polyphony": 1}}, "dial polyphony: polyphony 1 decides it; leave out one of the"),
    ],
)
def test_what_cannot_be_met_is_refused_in_one_line(change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        ComposeOptions(**change)
    assert "\n" not in str(caught.value)


def test_a_dial_may_be_set_beside_what_does_not_decide_it():
    options = ComposeOptions(tempo_bpm=60, key="D minor", polyphony=1, dials={"arousal": 1, "density": 1})
    assert options.dials == {"arousal": 1, "density": 1}
    assert ComposeOptions(dials=dict.fromkeys(DIALS, 1)).tempo_bpm is None


@pytest.mark.parametrize("name", [field.name for field in fields(ComposeOptions) if field.init])
@pytest.mark.parametrize("value", STRANGE)
def test_whatever_is_given_is_taken_or_refused_in_one_line(name, value):
    try:
        ComposeOptions(**{name: value})
    except ConfigError as error:
        assert "\n" not in str(error)
