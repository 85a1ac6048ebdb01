"""The targets of a piece: from the picture, from the caller, sampled."""

from dataclasses import replace

import numpy as np
import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.session import Session
from imagemusic.compose.targets import Dial, condition_of, image_condition
from imagemusic.music.dials import DIALS, IMAGE_DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.midi import midi_bytes

PICTURE = "data/examples/meadow.jpg"


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return ImageMusic.from_pretrained(tiny_checkpoint)


@pytest.fixture(scope="module", params=["sure", "blind"])
def reading(model, request):
    """What is seen of a picture, by an encoder that knows something of the dials, and by one that knows nothing."""
    sds = {"sure": (0.49, 0.51, 0.57), "blind": (0.6, 0.6, 0.6)}
    return replace(model.encode(PICTURE), dial_sd=np.array(sds[request.param], np.float32))


def resolved(model, reading, **options):
    return model.targets(reading, ComposeOptions(**options))


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_every_ensemble_can_be_asked_for_and_has_a_tempo(model, reading, ensemble):
    targets = resolved(model, reading, ensemble=ensemble)
    assert (targets.ensemble, targets.ensemble_source) == (ensemble, "you")
    assert -1 <= targets.dials["tempo"].value <= 1


def test_a_dial_that_was_set_wins(model, reading):
    dials = resolved(model, reading, dials={"arousal": -0.75, "density": 0.5}).dials
    assert {name: dials[name].value for name in ("arousal", "density")} == {"arousal": -0.75, "density": 0.5}
    assert {dial.source for name, dial in dials.items() if name in ("arousal", "density")} == {"you"}
    assert dials["valence"].source == "picture"


def test_the_tempo_follows_an_arousal_that_was_set(model, reading):
    seen = resolved(model, reading).dials["tempo"]
    slower, faster = (resolved(model, reading, dials={"arousal": level}).dials["tempo"] for level in (-1.0, 1.0))
    assert seen.source == "picture" and {slower.source, faster.source} == {"sampled"}
    assert slower.value < seen.value < faster.value
    asked = resolved(model, reading, dials={"arousal": 1.0, "tempo": -0.5}).dials["tempo"]
    assert (asked.value, asked.source) == (-0.5, "you")


@pytest.mark.parametrize("seed", range(4))
def test_a_dial_set_to_the_value_that_it_had_changes_no_note(model, reading, seed):
    plain = model.compose_features(reading, ComposeOptions(seconds=6, seed=seed))
    for name in DIALS:
        if name in plain.dials:
            options = ComposeOptions(seconds=6, seed=seed, dials={name: plain.dials[name].value})
            assert midi_bytes(model.compose_features(reading, options).score) == midi_bytes(plain.score), name


def test_the_decoder_is_not_conditioned_on_sums_of_other_dials(model, reading):
    layout = model.checkpoint.layout
    condition = condition_of(model.checkpoint, reading, resolved(model, reading))
    given = condition[layout.embedding_size + 1 + len(DIALS) :][: len(DIALS)]
    assert not given[[DIALS.index("valence"), DIALS.index("arousal")]].any()
    assert given[DIALS.index("density")]


def test_the_condition_of_a_picture_alone_has_its_dials_and_deviations(model, reading):
    layout = model.checkpoint.layout
    start = layout.embedding_size + 1
    for exact in (True, False):
        condition = image_condition(model.checkpoint, model.prior, reading, exact=exact)
        given, sd = condition[start + len(DIALS) :][: len(DIALS)], condition[start + 2 * len(DIALS) :][: len(DIALS)]
        np.testing.assert_array_equal(given > 0, np.isin(DIALS, IMAGE_DIALS))
        assert (sd > 0).any() != exact


@pytest.mark.parametrize(
    ("options", "free"), [({}, {"mode", "polyphony"}), ({"key": "C"}, {"polyphony"}), ({"polyphony": 2}, {"mode"})]
)
def test_what_a_constraint_decides_has_no_feedback(model, reading, options, free):
    session = Session(model, reading, ComposeOptions(**options))
    feedback = session.request.conditioner
    held = {"polyphony"} & feedback.targets.keys() | ({"mode"} if feedback.mode is not None else set())
    assert held == free & session.targets.dials.keys()


def test_estimated_loudness_is_a_target_of_feedback_and_not_of_the_condition(model, reading):
    session = Session(model, reading, ComposeOptions())
    dials = dict(session.targets.dials)
    estimated = replace(session.targets, dials=dials | {"loudness": Dial(0.9, "estimated", conditioned=False)})
    without = replace(session.targets, dials={name: dial for name, dial in dials.items() if name != "loudness"})
    np.testing.assert_array_equal(
        condition_of(model.checkpoint, reading, estimated), condition_of(model.checkpoint, reading, without)
    )
    session.targets = estimated
    session.prefix(())
    feedback = session.request.conditioner
    assert feedback.targets["loudness"] == 0.9 and "loudness" in feedback.feedback_only
