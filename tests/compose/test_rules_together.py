"""The rules of music together: random requests on an untrained decoder, and what must hold of every written score."""

import warnings

import numpy as np
import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.rules.cadence import final_downbeat
from imagemusic.compose.rules.harmony import dominant_steps, harmony_of, substitute_for_dominant
from imagemusic.compose.session import Session
from imagemusic.errors import ConfigError, ImageMusicWarning
from imagemusic.generation.generate import generate
from imagemusic.music.midi import midi_bytes
from imagemusic.music.theory import MODES, parse_scale

REQUESTS = [
    {"meter": "3/4", "instruments": "violin,violin,viola,cello", "polyphony": 3, "bars": 14},
    {"meter": "4/4", "ensemble": "strings", "pitch_range": "C4-D4", "seconds": 30},
    {"meter": "3/8", "key": "D whole tone", "instruments": "electric bass (finger),drums", "seconds": 12},
    {"ensemble": "piano", "polyphony": 1, "bars": 3, "tempo_bpm": 90},
    {"meter": "6/8", "key": "A locrian", "instruments": "flute,flute", "seconds": 9},
    {"meter": "5/4", "key": "C blues", "instruments": "contrabass", "bars": 7},
    {"meter": "12/8", "ensemble": "orchestra", "seconds": 20},
    {"meter": "2/4", "key": "G chromatic", "ensemble": "band", "seconds": 15, "form": "AB"},
]


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return ImageMusic.from_pretrained(tiny_checkpoint)


@pytest.fixture(scope="module")
def features(model):
    return model.encode("data/examples/meadow.jpg")


def written(model, features, prefix=(), seed=0, **request):
    session = Session(model, features, ComposeOptions(**request, seed=seed), prefix=prefix)
    generate(model.stepper, [session.request])
    return session


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_a_piece_ends_on_its_last_downbeat_on_the_tonic(model, features, request_, seed):
    session = written(model, features, seed=seed, **request_)
    score, downbeat = session.score(), session.cadence.downbeat
    notes = np.concatenate([track.notes for track in score.tracks if not track.is_drum]).astype(int)
    final = notes[notes[:, 0] == downbeat]
    assert score.end == session.grammar.plan.end
    assert max(track.notes[:, 0].max() for track in score.tracks if len(track)) == downbeat
    assert (downbeat - session.grammar.running.origin) % session.grammar.running.bar == 0
    assert final[:, 1].min() % 12 == session.cadence.harmony.tonic
    assert (final[:, 0] + final[:, 2] == score.end).all()
    before = notes[notes[:, 0] < downbeat]
    assert (before[:, 0] + before[:, 2] <= downbeat).all()
    if "polyphony" in request_:
        sounding = [((notes[:, 0] <= tick) & (notes[:, 0] + notes[:, 2] > tick)).sum() for tick in notes[:, 0]]
        assert max(sounding) <= request_["polyphony"]


@pytest.mark.parametrize("number", [2, 3, 7])
def test_a_session_goes_on_alike_from_any_event(model, features, number):
    whole = written(model, features, **REQUESTS[number])
    events = whole.snapshot()
    for kept in sorted({*range(4, len(events), max(len(events) // 8, 1)), *range(len(events) - 8, len(events))}):
        again = written(model, features, prefix=events[:kept], **REQUESTS[number])
        assert again.snapshot() == events


@pytest.mark.parametrize(("bars", "change"), [(1, {}), (15, {"dials": {"density": -1}})])
def test_an_open_end_keeps_its_length_with_winds_and_timpani(model, features, bars, change):
    for instruments in ("flute", "timpani"):
        score = written(model, features, instruments=instruments, bars=bars, meter="4/4", ending="open", **change)
        assert score.score().end == bars * 96


def test_a_replayed_take_has_the_same_bytes_and_a_batch_the_pieces_alone(model, features):
    options = [ComposeOptions(seconds=8, seed=seed) for seed in range(2)]
    together = model.compose_batch([(features, one) for one in options])
    for piece, one in zip(together, options, strict=True):
        assert midi_bytes(model.compose_features(features, one).score) == midi_bytes(piece.score)
        assert model.replay(piece).identical


def test_the_final_downbeat_leaves_the_chord_its_length_and_a_bar_before_the_dominant():
    assert final_downbeat(0, 96, 4 * 96) == 3 * 96
    assert final_downbeat(0, 96, 4 * 96 + 24) == 3 * 96  # a beat is too short for the final chord
    assert final_downbeat(0, 96, 2 * 96) is None
    assert final_downbeat(0, 36, 4 * 36) == 3 * 36


@pytest.mark.parametrize(
    ("mode", "chord"),
    [("major", (7, 11, 2, 5)), ("dorian", (7, 10, 2, 5)), ("locrian", (5, 8, 0)), ("major pentatonic", (2, 4, 7, 9))],
)
def test_the_chord_before_the_last_is_the_first_that_a_scale_has(mode, chord):
    assert dominant_steps(MODES[mode]) == chord


def test_an_estimated_tonic_can_be_played():
    profile = np.zeros(12)
    profile[[0, 2, 4, 5, 7, 9, 11]] = np.array([8, 3, 5, 3, 6, 3, 2]) * 200
    assert harmony_of(profile, None, {4, 5}).tonic in (4, 5)


def test_a_mode_without_a_dominant_is_noticed_once(model, features):
    assert substitute_for_dominant(parse_scale("A minor")) is None
    assert substitute_for_dominant(parse_scale("A locrian")) == "D minor"
    options = ComposeOptions(key="A locrian", ending="cadence", seconds=8, takes=2, tempo_bpm=120)
    with pytest.warns(ImageMusicWarning, match="A locrian has no chord on its fifth degree; D minor takes") as caught:
        model.compose_batch([(features, options)] * 2)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ComposeOptions(key="A locrian").notice is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ending": "cadence", "bars": 1}, "ending cadence: 1 bars cannot hold one"),
        ({"ending": "cadence", "instruments": "drums"}, "ending cadence: drums alone play no harmony"),
        ({"form": "AABA", "bars": 8}, "form A A B A: 4 phrases of 4 bars need 16 bars, not 8"),
        ({"form": "A1"}, "form: unexpected '1'"),
        ({"ending": "bang"}, "unknown ending 'bang'"),
        ({"takes": 17}, r"takes must be in 1\.\.16, got 17"),
    ],
)
def test_a_form_or_ending_that_cannot_be_kept_is_refused_in_one_line(change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        ComposeOptions(**change)
    assert "\n" not in str(caught.value)


def test_a_time_too_short_for_the_form_is_refused_before_anything_is_composed(model, features):
    with pytest.raises(ConfigError, match="4 phrases of 4 bars need 16 bars"):
        Session(model, features, ComposeOptions(form="AABA", seconds=5, meter="4/4", tempo_bpm=60))
