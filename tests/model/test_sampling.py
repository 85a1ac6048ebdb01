import numpy as np
import pytest

from imagemusic.errors import ConfigError
from imagemusic.model.sampling import RepetitionGuard, SamplingOptions, draw, guide, log_softmax, write_piece
from imagemusic.model.stepping import ENGINES
from imagemusic.music.canonical import nearest_tempo
from imagemusic.music.codec import METERS, decode, meter_index
from imagemusic.music.context import context
from imagemusic.music.ensembles import SCORINGS
from imagemusic.music.grammar import Plan, Writer
from imagemusic.music.score import Meter
from tests import tiny


@pytest.fixture(scope="module")
def decoder():
    return tiny.decoder()


@pytest.fixture(scope="module", params=ENGINES)
def stepper(request, decoder, tmp_path_factory):
    return tiny.stepper(decoder, request.param, tmp_path_factory.mktemp("step"))


@pytest.fixture(scope="module")
def onnx_stepper(decoder, tmp_path_factory):
    return tiny.stepper(decoder, "onnx", tmp_path_factory.mktemp("onnx"))


def conditions(decoder, seed=0):
    row = np.random.default_rng(seed).normal(size=decoder.config.condition_size)
    return np.stack([row, np.zeros_like(row)]).astype(np.float32)


def compose(stepper, rows, seed=0, beats=32, plan=None, **options):
    writer = Writer(Plan(end=beats * 24, tempo=nearest_tempo(100), **plan or {}))
    write_piece(stepper, rows, writer, SamplingOptions(**options), np.random.default_rng(seed))
    return writer


def nucleus(scores, allowed, temperature, top_p):
    """The distribution that `draw` should draw from, with a sort."""
    probabilities = np.where(allowed, np.exp(scores / temperature), 0)
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities)
    kept = order[: int(np.searchsorted(probabilities[order].cumsum(), top_p)) + 1]
    result = np.zeros_like(probabilities)
    result[kept] = probabilities[kept]
    return result / result.sum()


@pytest.mark.parametrize("top_p", [0.02, 0.5, 0.9, 1.0])
def test_draws_follow_the_nucleus(top_p):
    rng = np.random.default_rng(0)
    scores, allowed = rng.normal(size=12) * 2, rng.random(12) < 0.8
    expected = nucleus(scores, allowed, 0.8, top_p)
    counts = np.bincount([draw(scores, allowed, 0.8, top_p, rng) for _ in range(20_000)], minlength=12)
    # Five standard deviations of each share; what has no share is never drawn.
    assert (np.abs(counts / 20_000 - expected) <= 5 * np.sqrt(expected * (1 - expected) / 20_000)).all()


def test_the_sorted_way_out_draws_from_the_same_nucleus(monkeypatch):
    monkeypatch.setattr("imagemusic.model.sampling.MAX_REDRAWS", 0)
    rng = np.random.default_rng(0)
    scores, allowed = rng.normal(size=12) * 2, np.ones(12, bool)
    expected = nucleus(scores, allowed, 1.0, 0.7)
    counts = np.bincount([draw(scores, allowed, 1.0, 0.7, rng) for _ in range(20_000)], minlength=12)
    assert (np.abs(counts / 20_000 - expected) <= 5 * np.sqrt(expected * (1 - expected) / 20_000)).all()


def test_the_nucleus_by_hand():
    scores = np.log([0.5, 0.3, 0.2])
    rng = np.random.default_rng(0)
    assert {draw(scores, np.ones(3, bool), 1.0, 0.6, rng) for _ in range(200)} == {0, 1}


def test_the_likeliest_value_always_stays():
    rng = np.random.default_rng(0)
    assert {draw(np.array([0.0, 9.0]), np.ones(2, bool), 1.0, 1e-9, rng) for _ in range(50)} == {1}


def test_what_is_forbidden_is_never_drawn_however_likely():
    scores = np.array([50.0, 0.0, -50.0])
    rng = np.random.default_rng(0)
    assert {draw(scores, np.array([False, False, True]), 1.0, 0.9, rng) for _ in range(50)} == {2}


def test_cold_sampling_takes_the_likeliest():
    scores, rng = np.array([0.0, 1.0, 0.5]), np.random.default_rng(0)
    assert {draw(scores, np.ones(3, bool), 0.05, 1.0, rng) for _ in range(100)} == {1}


def test_guidance_of_one_gives_the_conditional_scores():
    logits = np.random.default_rng(0).normal(size=(2, 9)).astype(np.float32)
    np.testing.assert_allclose(guide(logits, 1.0), log_softmax(logits[0]), atol=1e-12)
    np.testing.assert_array_equal(guide(logits[:1], 7.0), log_softmax(logits[0]))


def test_guidance_moves_away_from_the_null_row_by_hand():
    logits = np.log([[0.5, 0.5], [0.8, 0.2]])
    np.testing.assert_allclose(guide(logits, 2.0), np.log([0.5 * 0.5 / 0.8, 0.5 * 0.5 / 0.2]))
    np.testing.assert_allclose(guide(logits, 0.0), np.log([0.8, 0.2]))


def test_log_probabilities_are_finite_for_any_logits():
    assert np.isfinite(log_softmax(np.array([1e30, 0.0, -1e30]))).all()


def test_a_pitch_that_loops_is_held_back_and_a_scale_is_not():
    guard, scores = RepetitionGuard(memory=8, share=0.25, strength=1.0), np.zeros(128)
    for _ in range(8):
        guard.note(0, 60)
    held = guard.hold_back(0, scores)
    assert held[60] == -(8 + 1 - 2)
    assert held[61] == 0
    assert not guard.hold_back(1, scores).any()  # another part
    for pitch in range(70, 78):
        guard.note(0, pitch)
    assert not guard.hold_back(0, scores).any()


def test_a_few_notes_are_no_loop():
    guard = RepetitionGuard(memory=8)
    for _ in range(3):
        guard.note(0, 60)
    assert not guard.hold_back(0, np.zeros(128)).any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "plan",
    [
        pytest.param({}, id="free"),
        pytest.param({"meter": meter_index(Meter(0, 3, 4))}, id="waltz"),
        pytest.param({"meter": METERS.index((12, 8)) + 1, "ending_slack": 24}, id="twelve eight"),
        pytest.param({"scoring": SCORINGS["drums"]}, id="drums"),
    ],
)
def test_an_untrained_decoder_writes_a_valid_piece_that_ends_on_time(onnx_stepper, decoder, plan, seed):
    writer = compose(onnx_stepper, conditions(decoder, seed), seed, plan=plan)
    score = decode(np.array(writer.events))
    assert writer.finished
    assert score.note_count
    assert writer.plan.end - writer.plan.ending_slack <= score.end <= writer.plan.end


def test_what_the_decoder_was_told_is_what_training_would_tell(onnx_stepper, decoder):
    writer = compose(onnx_stepper, conditions(decoder))
    events = np.array(writer.events, np.int16)
    for (told, row), table in zip(tiny.written(events, writer.plan.end), context(events).tolist(), strict=True):
        told._now.extend(row[:2])
        assert told.known(1) == (row[1], table[3], table[4])
        told._now.clear()


def test_same_seed_same_piece(stepper, decoder):
    first, second = (compose(stepper, conditions(decoder), 7).events for _ in range(2))
    assert first == second
    assert first != compose(stepper, conditions(decoder), 8).events


def test_engines_write_the_same_pieces(decoder, tmp_path):
    steppers = [tiny.stepper(decoder, engine, tmp_path) for engine in ENGINES]
    for seed in range(4):
        first, second = (compose(one, conditions(decoder), seed, guidance_scale=2.0).events for one in steppers)
        assert first == second


def test_guidance_of_one_writes_what_the_condition_alone_writes(onnx_stepper, decoder):
    rows = conditions(decoder)
    guided = compose(onnx_stepper, rows, guidance_scale=1.0).events
    assert guided == compose(onnx_stepper, rows[:1], guidance_scale=1.0).events


def test_progress_counts_events(onnx_stepper, decoder):
    heard = []
    writer = Writer(Plan(end=200 * 24, tempo=1))
    write_piece(
        onnx_stepper, conditions(decoder), writer, SamplingOptions(), np.random.default_rng(0), progress=heard.append
    )
    assert heard == list(range(16, len(writer.events) + 1, 16))
    assert heard


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0}, r"temperature must be in 0\.05\.\.5, got 0"),
        ({"temperature": float("nan")}, "temperature must be in"),
        ({"top_p": 0}, "top_p must be above 0 and at most 1, got 0"),
        ({"top_p": 1.01}, "top_p must be above 0"),
        ({"guidance_scale": -1}, r"guidance must be in 0\.\.10, got -1"),
    ],
)
def test_a_setting_out_of_range_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        SamplingOptions(**change)
