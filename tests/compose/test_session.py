from dataclasses import replace

import numpy as np
import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.session import Session, Switches
from imagemusic.errors import CodecError
from imagemusic.events.codec import decode
from imagemusic.generation.generate import generate


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return ImageMusic.from_pretrained(tiny_checkpoint)


@pytest.fixture(scope="module")
def features(model):
    return model.encode("data/examples/meadow.jpg")


def finished(session):
    generate(session.model.stepper, [session.request])
    return session


def test_a_session_restored_from_a_snapshot_goes_on_as_it_did(model, features):
    options = ComposeOptions(seconds=12, seed=2)
    session = Session(model, features, options)
    generate(model.stepper, [session.request], max_events=12)
    snapshot = session.snapshot()
    assert 0 < session.progress < 1 and len(snapshot) == 12
    whole = finished(Session(model, features, options))
    session.restore(snapshot)
    assert finished(session).score() == whole.score() and session.progress == 1


def test_a_prefix_is_kept_and_another_seed_goes_on_otherwise(model, features):
    whole = finished(Session(model, features, ComposeOptions(seconds=12, seed=2)))
    other = Session(model, features, ComposeOptions(seconds=12, seed=3))
    other.targets = whole.targets
    other.prefix(whole.snapshot()[:12])
    finished(other)
    assert other.snapshot()[:12] == whole.snapshot()[:12]
    assert other.score() != whole.score()


def test_an_unfinished_session_has_no_score(model, features):
    session = Session(model, features, ComposeOptions(seconds=12))
    generate(model.stepper, [session.request], max_events=10)
    with pytest.raises(CodecError, match="not finished after 10 events; ask for fewer seconds"):
        session.score()


def test_the_nats_of_a_piece_are_those_of_its_choices(model, features):
    session = finished(Session(model, features, ComposeOptions(seconds=12, guidance_scale=1, feedback=0)))
    nats = session.nats()
    assert nats.shape == (len(session.snapshot()), 5)
    assert (nats >= 0).all() and nats[2:, 1:4].any()
    assert not nats[:3, 0].any()  # the header begins at tick 0
    shuffled = replace(session.request, rng=np.random.default_rng(9))
    assert shuffled.grammar is session.grammar


def test_switches_leave_rules_out(model, features):
    free = Session(
        model, features, ComposeOptions(ensemble="voice", seconds=8),
        switches=Switches(instrumentation=False, silence=False, repetition_penalty=False),
    )  # fmt: skip
    assert free.grammar.plan.instrumentation is None
    assert free.grammar.plan.longest_silence == free.grammar.plan.end
    kept = Session(model, features, ComposeOptions(ensemble="voice", seconds=8))
    assert len(kept.request.processors) == len(free.request.processors) + 2  # the line-up and the penalty
    assert decode(np.array(finished(free).snapshot())).note_count
