import numpy as np
import pytest
import torch

from imagemusic.errors import CheckpointError, ConfigError
from imagemusic.model.fields import FIELDS
from imagemusic.model.stepping import ENGINES, OnnxEngine, make_engine
from imagemusic.music.codec import encode
from imagemusic.training.batches import window_columns
from tests import tiny

LAYERS = 2


@pytest.fixture(scope="module")
def decoder():
    return tiny.decoder(hidden_size=24)


@pytest.fixture(scope="module", params=ENGINES)
def stepper(request, decoder, tmp_path_factory):
    return tiny.stepper(decoder, request.param, tmp_path_factory.mktemp("step"))


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    """Events of a tune, where it ends, and the rows that training would read."""
    from imagemusic.data.dataset import prepare_piece
    from imagemusic.data.piece import Piece

    score = tiny.tune(3, bars=8)
    made = prepare_piece(
        Piece(id="x/y", corpus="x", group="x/y", title="", score=score, licence="", velocity_known=True,
              metrical=True, off_grid=0.0)
    )  # fmt: skip
    assert made is not None
    return encode(score), made[2].end, made[0]


@pytest.fixture(scope="module")
def conditions(decoder):
    rng = np.random.default_rng(0)
    return np.stack([rng.normal(size=decoder.config.condition_size), np.zeros(decoder.config.condition_size)]).astype(
        np.float32
    )


def taught(decoder, piece, conditions):
    """The module's logits of every event, as in training: fields of (R, T, V)."""
    events, end, rows = piece
    before, target, _ = window_columns(rows, end, 0, len(rows))
    both = [{name: torch.from_numpy(np.stack([c] * len(conditions))) for name, c in part.items()}
            for part in (before, target)]  # fmt: skip
    condition = torch.from_numpy(conditions)
    with torch.no_grad():
        hidden, _ = decoder(both[0], condition, decoder.initial_state(condition))
        return {name: score.numpy() for name, score in decoder.logits(hidden, both[1]).items()}


def stepped(stepper, piece, conditions):
    """The stepper's logits of the same events, told by a writer."""
    events, end, _ = piece
    state, reminder = stepper.start(conditions)
    found = {name: [] for name in FIELDS}
    for writer, row in tiny.written(events, end):
        heads, state = stepper.step(state, reminder, writer.before)
        for column, name in enumerate(FIELDS):
            found[name].append(heads.logits(column))
            writer._now.append(row[column])
            if column < len(FIELDS) - 1:
                heads.tell(column, writer.known(column))
        writer._now.clear()
    return {name: np.stack(scores, axis=1) for name, scores in found.items()}


def test_the_stepper_equals_the_model(decoder, stepper, piece, conditions):
    one_pass, steps = taught(decoder, piece, conditions), stepped(stepper, piece, conditions)
    for name in FIELDS:
        np.testing.assert_allclose(steps[name], one_pass[name], atol=1e-4)


def test_without_a_reminder_the_stepper_still_equals_the_model(piece, conditions, tmp_path):
    module = tiny.decoder(condition_every_step=False, layers=1)
    one_pass = taught(module, piece, conditions)
    for engine in ENGINES:
        steps = stepped(tiny.stepper(module, engine, tmp_path), piece, conditions)
        np.testing.assert_allclose(steps["velocity"], one_pass["velocity"], atol=1e-4)


def test_a_row_does_not_depend_on_the_other(stepper, piece, conditions):
    both, alone = stepped(stepper, piece, conditions), stepped(stepper, piece, conditions[:1])
    for name in FIELDS:
        np.testing.assert_allclose(both[name][:1], alone[name], atol=1e-5)


def test_a_stepper_keeps_no_state(stepper, piece, conditions):
    np.testing.assert_array_equal(
        stepped(stepper, piece, conditions)["pitch"], stepped(stepper, piece, conditions)["pitch"]
    )


def test_an_unknown_engine_is_refused(decoder, tmp_path):
    with pytest.raises(ConfigError, match="unknown engine 'abacus'; choose from onnx, torch"):
        make_engine("abacus", tmp_path, tiny.weights_of(decoder), LAYERS)


def test_a_damaged_graph_is_refused_in_one_line(tmp_path):
    (tmp_path / "step.onnx").write_bytes(b"not a graph")
    with pytest.raises(CheckpointError, match=r"step\.onnx: not a usable step graph") as caught:
        OnnxEngine(tmp_path / "step.onnx")
    assert "\n" not in str(caught.value)
