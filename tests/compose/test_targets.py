"""What a picture and a person settle before a note is written."""

from dataclasses import replace

import numpy as np
import pytest

from imagemusic.compose.composition import ComposeOptions, Dial
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.targets import FEEDBACK_ONLY, composing_condition, feedback_for, picture_condition, settle
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.midi import midi_bytes
from imagemusic.vision.encoder import IMAGE_DIALS

PICTURE = "data/examples/meadow.jpg"


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return ImageMusic.from_pretrained(tiny_checkpoint)


@pytest.fixture(scope="module", params=["sure", "blind"])
def reading(model, request):
    """What is seen of a picture, by an encoder that knows something of the dials, and by one that knows nothing."""
    sds = {"sure": (0.49, 0.51, 0.57), "blind": (0.6, 0.6, 0.6)}
    return replace(model.look(PICTURE), dial_sd=np.array(sds[request.param], np.float32))


def settled(model, reading, **options):
    return settle(model.checkpoint, model.prior, reading, ComposeOptions(**options))


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_every_ensemble_can_be_asked_for_and_has_a_tempo(model, reading, ensemble):
    dials = settled(model, reading, ensemble=ensemble)
    assert (dials["ensemble"].value, dials["ensemble"].source) == (ensemble, "you")
    assert -1 <= dials["tempo"].value <= 1


def test_a_dial_that_was_set_wins(model, reading):
    dials = settled(model, reading, dials={"arousal": -0.75, "density": 0.5})
    assert {name: dials[name].value for name in ("arousal", "density")} == {"arousal": -0.75, "density": 0.5}
    assert {dial.source for name, dial in dials.items() if name in ("arousal", "density")} == {"you"}
    assert dials["valence"].source == "picture"


def test_the_tempo_follows_an_arousal_that_was_set(model, reading):
    seen = settled(model, reading)["tempo"]
    slower, faster = (settled(model, reading, dials={"arousal": level})["tempo"] for level in (-1.0, 1.0))
    assert seen.source == "picture" and {slower.source, faster.source} == {"implied"}
    assert slower.value < seen.value < faster.value
    asked = settled(model, reading, dials={"arousal": 1.0, "tempo": -0.5})["tempo"]
    assert (asked.value, asked.source) == (-0.5, "you")


@pytest.mark.parametrize("seed", range(4))
def test_a_dial_set_to_the_value_that_it_had_changes_no_note(model, reading, seed):
    plain = model.compose_features(reading, ComposeOptions(seconds=6, seed=seed))
    for name in DIALS:
        if name in plain.dials:
            options = ComposeOptions(seconds=6, seed=seed, dials={name: plain.dials[name].value})
            assert midi_bytes(model.compose_features(reading, options).score) == midi_bytes(plain.score), name


def test_sums_of_other_dials_are_not_told_twice(model, reading):
    dials, layout = settled(model, reading), model.checkpoint.layout
    told = composing_condition(model.checkpoint, reading, dials)
    given = told[layout.embedding_size + 1 + len(DIALS) :][: len(DIALS)]
    assert not given[[DIALS.index("valence"), DIALS.index("arousal")]].any()
    assert given[DIALS.index("density")]


def test_a_picture_alone_tells_what_it_shows_and_how_sure_that_is(model, reading):
    layout = model.checkpoint.layout
    start = layout.embedding_size + 1
    for sure in (True, False):
        told = picture_condition(model.checkpoint, model.prior, reading, sure=sure)
        given, unsure = told[start + len(DIALS) :][: len(DIALS)], told[start + 2 * len(DIALS) :][: len(DIALS)]
        np.testing.assert_array_equal(given > 0, np.isin(DIALS, IMAGE_DIALS))
        assert (unsure > 0).any() != sure


@pytest.mark.parametrize(
    ("options", "free"), [({}, {"mode", "polyphony"}), ({"key": "C"}, {"polyphony"}), ({"polyphony": 2}, {"mode"})]
)
def test_what_is_asked_for_exactly_is_not_fed_back(model, reading, options, free):
    options = ComposeOptions(**options)
    dials = settle(model.checkpoint, model.prior, reading, options)
    condition = composing_condition(model.checkpoint, reading, dials)
    feedback = feedback_for(model.checkpoint, condition, dials, options)
    held = {"polyphony"} & feedback.wanted.keys() | ({"mode"} if feedback.mode is not None else set())
    assert held == free & dials.keys()


def test_loudness_that_is_guessed_is_held_to_and_not_told(model, reading):
    dials = settled(model, reading)
    told = composing_condition(model.checkpoint, reading, dials)
    guessed = dials | {"loudness": Dial(0.9, FEEDBACK_ONLY)}
    without = {name: dial for name, dial in dials.items() if name != "loudness"}
    np.testing.assert_array_equal(
        composing_condition(model.checkpoint, reading, guessed), composing_condition(model.checkpoint, reading, without)
    )
    feedback = feedback_for(model.checkpoint, told, guessed, ComposeOptions())
    assert feedback.wanted["loudness"] == 0.9 and feedback.feedback_only == {"loudness"}
