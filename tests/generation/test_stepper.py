import numpy as np
import pytest
import torch

from imagemusic.events.codec import encode
from imagemusic.events.memory.proposals import propose
from imagemusic.events.memory.running import NO_PLAN, PlannedMemory
from imagemusic.events.vocabulary import FIELDS, INPUTS
from imagemusic.generation.backends import BACKENDS
from imagemusic.generation.memory_heads import STEP_TABLES
from imagemusic.generation.stepper import GAP, PART, times
from imagemusic.plan.columns import PlanColumns
from imagemusic.training.batches import event_rows, memory_of, window_columns
from tests import tiny

CLOSE = {"onnx": 1e-4, "torch": 1e-4, "int8": 0.02}  # logits of a tiny net are within 1 or so of 0


@pytest.fixture(
    scope="module", params=[{}, tiny.WINNER, {**tiny.WINNER, "memory": True}], ids=["plain", "winner", "memory"]
)
def decoder(request):
    return tiny.decoder(hidden_size=24, **request.param)


@pytest.fixture(scope="module", params=BACKENDS)
def stepper(request, decoder, tmp_path_factory):
    return tiny.stepper(decoder, request.param, tmp_path_factory.mktemp("step"))


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    """Events of a tune, where it ends, and the rows that training would read."""
    from imagemusic.data.corpora.piece import Piece
    from imagemusic.data.prepared import prepare_piece

    score = tiny.tune(3, bars=8)
    made = prepare_piece(
        Piece(id="x/y", corpus="x", group="x/y", title="", score=score, licence="", velocity_known=True,
              metrical=True, off_grid=0.0)
    )  # fmt: skip
    assert made is not None
    return encode(score), score.end, made[0]


@pytest.fixture(scope="module")
def conditions(decoder):
    rng = np.random.default_rng(0)
    return np.stack([rng.normal(size=decoder.config.condition_size), np.zeros(decoder.config.condition_size)]).astype(
        np.float32
    )


def taught(decoder, piece, conditions):
    """The module's logits of every event, as in training: fields of (R, T, V)."""
    events, end, rows = piece
    memory = memory_of(rows, decoder)
    plan = PlanColumns.of(event_rows(rows), chords=True, answers=True) if memory else None
    if memory:
        memory = propose(event_rows(rows), plan.answers)
    before, target, _ = window_columns(rows, end, 0, len(rows), memory=memory, plan=plan)
    both = [{name: torch.from_numpy(np.stack([c] * len(conditions))) for name, c in part.items()}
            for part in (before, target)]  # fmt: skip
    condition = torch.from_numpy(conditions)
    with torch.no_grad():
        hidden, _ = decoder(both[0], condition, decoder.initial_state(condition))
        return {name: score.numpy() for name, score in decoder.logits(hidden, both[1]).items()}


def planned_memory(rows):
    """A memory that knows the plan which `taught` reads."""
    events = event_rows(rows)
    plan = PlanColumns.of(events, chords=True, answers=True)
    ticks = np.cumsum(events[:, 0])
    at = dict(zip(ticks.tolist(), np.stack(list(plan.now.values()), axis=1).tolist(), strict=True))
    memory = PlannedMemory(lambda tick: tuple(at[tick]))
    memory.answer_bars(plan.answers)
    return memory


def stepped(stepper, piece, conditions):
    """The stepper's logits of the same events, told by a grammar."""
    events, end, rows = piece
    state, conditioning = stepper.start(conditions)
    found = {name: [] for name in FIELDS}
    for grammar, row in tiny.written(events, end, planned_memory(rows) if stepper.has_memory else None):
        heads, state = stepper.step(state, conditioning, [grammar.previous])
        for column, name in enumerate(FIELDS):
            if stepper.has_memory:
                heads.propose([grammar.proposal(column)])
            found[name].append(heads.logits(column))
            grammar._now.append(row[column])
            if column < len(FIELDS) - 1:
                heads.condition_on(column, [grammar.context_of(column)])
        grammar._now.clear()
    return {name: np.stack(scores, axis=1) for name, scores in found.items()}


def test_the_stepper_equals_the_model(decoder, stepper, piece, conditions):
    one_pass, steps = taught(decoder, piece, conditions), stepped(stepper, piece, conditions)
    close = CLOSE["int8" if "int8" in stepper.backend.name else "onnx"]
    for name in FIELDS:
        np.testing.assert_allclose(steps[name], one_pass[name], atol=close)


@pytest.mark.parametrize("changes", [{}, tiny.WINNER], ids=["plain", "winner"])
def test_without_a_reminder_the_stepper_still_equals_the_model(piece, conditions, tmp_path, changes):
    module = tiny.decoder(condition_every_step=False, layers=1, **changes)
    one_pass = taught(module, piece, conditions)
    for engine, close in CLOSE.items():
        steps = stepped(tiny.stepper(module, engine, tmp_path), piece, conditions)
        np.testing.assert_allclose(steps["velocity"], one_pass["velocity"], atol=close)


def test_a_row_does_not_depend_on_the_others_to_the_bit(stepper, piece, conditions):
    many = stepped(stepper, piece, np.concatenate([conditions[1:], conditions, conditions[::-1], conditions[:1]]))
    alone = stepped(stepper, piece, conditions[:1])
    for name in FIELDS:
        for row in (1, 4, 5):
            np.testing.assert_array_equal(many[name][row], alone[name][0])


def test_rows_of_several_pieces_are_told_apart(stepper, conditions):
    if stepper.has_memory:
        pytest.skip("its rows hold no memory")
    # Two pieces: one declares a flute, the other plays a note; a third row is the second piece's null row.
    before = (0, 19, 5, 0, 0, 0, 0, 129, 0, 20, 0b101), (12, 0, 60, 11, 20, 48, 2, 40, 27, 20, 0b1001)
    told = [((0, 0, 0b101), (16, 129, 128), (73, 193), (1, 32)), ((6, 54, 0), (0, 40, 60), (64, 11), (11, 20))]
    state, conditioning = stepper.start(conditions[[0, 1, 1]])
    heads, _ = stepper.step(state, conditioning, [before[0], before[1], before[1]])
    for column in range(len(FIELDS)):
        every, some = heads.logits(column), heads.logits(column, np.array([2, 0]))
        np.testing.assert_array_equal(some, every[[2, 0]])
        for row, piece in ((0, 0), (1, 1), (2, 1)):
            state, conditioning = stepper.start(conditions[[0, 1, 1]][[row]])
            own, _ = stepper.step(state, conditioning, [before[piece]])
            for done in range(column):
                own.condition_on(done, [told[piece][done]])
            np.testing.assert_array_equal(own.logits(column)[0], every[row])
        if column < len(FIELDS) - 1:
            heads.condition_on(column, [told[0][column], told[1][column], told[1][column]])


def test_parts_after_a_gap_are_those_that_are_scored_once_it_is_told(stepper, conditions):
    state, conditioning = stepper.start(conditions)
    plan = NO_PLAN if stepper.has_memory else ()
    heads, _ = stepper.step(state, conditioning, [[0] * (len(INPUTS) + bool(plan) * len(STEP_TABLES))] * 2)
    known = [(0, 3, 0b1001, *plan), (5, 7, 0b100000000001, *plan)]
    told = heads.part_logits_given(np.array([0, 1]), known), heads.part_logits_given(np.array([1]), known[1:])
    heads.condition_on(GAP, known)
    np.testing.assert_array_equal(told[0], heads.logits(PART))
    np.testing.assert_array_equal(told[1], heads.logits(PART)[1:])


def test_a_stepper_keeps_no_state(stepper, piece, conditions):
    np.testing.assert_array_equal(
        stepped(stepper, piece, conditions)["pitch"], stepped(stepper, piece, conditions)["pitch"]
    )


def test_rows_are_multiplied_each_by_itself():
    rng = np.random.default_rng(0)
    rows, weight = rng.normal(size=(9, 160)).astype(np.float32), rng.normal(size=(160, 129)).astype(np.float32)
    alone = np.concatenate([times(row[None], weight) for row in rows])
    np.testing.assert_array_equal(times(rows, weight), alone)
    np.testing.assert_allclose(times(rows, weight), rows @ weight, atol=1e-4)


def test_a_weight_that_is_missing_is_named(decoder, tmp_path):
    from dataclasses import asdict

    from imagemusic.generation.stepper import Stepper

    weights = tiny.weights_of(decoder)
    del weights["to_input.bias"]
    with pytest.raises(KeyError, match="to_input"):
        Stepper("torch", tmp_path, weights, asdict(decoder.config))
