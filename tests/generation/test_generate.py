from collections import deque
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import imagemusic.generation.generate as generation
from imagemusic.compose.repetition import PhraseRepetition
from imagemusic.events.codec import GAP, METERS, SIZES, SLOTS, decode, meter_index
from imagemusic.events.context import context
from imagemusic.events.grammar import GrammarState, Plan
from imagemusic.events.memory.running import PlannedMemory
from imagemusic.events.quantize import nearest_tempo
from imagemusic.generation.backends import BACKENDS
from imagemusic.generation.generate import BatchScheduler, generate
from imagemusic.generation.processors import EndingHold, NextEvent, RepetitionPenalty
from imagemusic.generation.sampling import SamplingOptions
from imagemusic.generation.slots import GenerationRequest
from imagemusic.music.distributions import bar_similarities
from imagemusic.music.ensembles import INSTRUMENTATIONS
from imagemusic.music.score import Meter
from tests import tiny


@pytest.fixture(scope="module", params=[False, True], ids=["", "memory"])
def decoder(request):
    return tiny.decoder(memory=request.param)


@pytest.fixture(scope="module", params=BACKENDS)
def stepper(request, decoder, tmp_path_factory):
    return tiny.stepper(decoder, request.param, tmp_path_factory.mktemp("step"))


@pytest.fixture(scope="module")
def onnx_stepper(decoder, tmp_path_factory):
    return tiny.stepper(decoder, "onnx", tmp_path_factory.mktemp("onnx"))


def conditions(decoder, seed=0):
    row = np.random.default_rng(seed).normal(size=decoder.config.condition_size)
    return np.stack([row, np.zeros_like(row)]).astype(np.float32)


def plan_at(tick):
    """Bars of all kinds, with chords that change on the beat."""
    return tick // 96 % 4, 1 + tick // 24 % 120, 1 + (tick // 24 + 1) % 120


def job(
    decoder, seed=0, beats=32, plan=None, rows=2, repetition_guard=True, repetition_bonus=0.0, prefix=(), **options
):
    memory = PlannedMemory(plan_at) if decoder.config.memory else None
    grammar = GrammarState(Plan(end=beats * 24, tempo=nearest_tempo(100), **plan or {}), memory=memory)
    processors = [EndingHold()]
    if repetition_bonus:
        processors.append(PhraseRepetition(grammar.running, repetition_bonus))
    if repetition_guard:
        processors.append(RepetitionPenalty(0.4))
    return GenerationRequest(
        conditions(decoder, seed)[:rows], grammar, SamplingOptions(**options), np.random.default_rng(seed), processors,
        prefix=prefix,
    )  # fmt: skip


def compose(stepper, decoder, seed=0, **changes):
    made = job(decoder, seed, **changes)
    generate(stepper, [made])
    return made.grammar


def mixed(decoder, count):
    """Jobs that differ in everything: length, plan, guidance, temperature, sampler."""
    rng = np.random.default_rng(count)
    plans = [
        None,
        {"meter": meter_index(Meter(0, 3, 4))},
        {"instrumentation": INSTRUMENTATIONS["drums"]},
        {"ending_slack": 24},
    ]
    return [
        job(
            decoder, seed, beats=int(rng.integers(2, 12)), plan=plans[seed % 4], rows=1 + seed % 2,
            temperature=float(rng.uniform(0.7, 1.3)), top_p=float(rng.choice([0.5, 0.9, 1.0])),
            sampler=("nucleus", "typical")[seed % 3 == 0], guidance_scale=float(rng.choice([1.0, 1.5, 3.0])),
            repetition_guard=seed % 5 > 0, repetition_bonus=2.0 * (seed % 2),
            temperatures={"velocity": 0.5} if seed % 7 == 0 else {},
        )
        for seed in range(count)
    ]  # fmt: skip


def written(stepper, jobs):
    generate(stepper, jobs)
    return [one.grammar.events for one in jobs]


def test_a_piece_of_a_batch_is_the_piece_alone(stepper, decoder):
    together = written(stepper, mixed(decoder, 20))
    for number, alone in enumerate(mixed(decoder, 20)):
        assert written(stepper, [alone]) == [together[number]]


@pytest.mark.parametrize("some", [[3], [0, 19], [5, 4, 11], list(range(2, 15)), list(range(19, -1, -1))], ids=len)
def test_any_part_of_a_batch_in_any_order_gives_the_same_pieces(onnx_stepper, decoder, some):
    together, jobs = written(onnx_stepper, mixed(decoder, 20)), mixed(decoder, 20)
    assert written(onnx_stepper, [jobs[number] for number in some]) == [together[number] for number in some]


def test_more_pieces_than_seats_are_all_written(onnx_stepper, decoder, monkeypatch):
    together = written(onnx_stepper, mixed(decoder, 20))
    monkeypatch.setattr(generation, "MAX_BATCH", 6)
    assert written(onnx_stepper, mixed(decoder, 20)) == together


def test_threads_do_not_change_a_piece(onnx_stepper, decoder, monkeypatch):
    together = written(onnx_stepper, mixed(decoder, 20))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert written(onnx_stepper, mixed(decoder, 20)) == together


@pytest.mark.parametrize("broken", [0, 13])
def test_what_fails_in_any_thread_is_raised(onnx_stepper, decoder, broken):
    class Broken(GrammarState):
        def forced_value(self, column):
            raise RuntimeError("broken grammar")

    jobs = mixed(decoder, 20)
    jobs[broken] = replace(jobs[broken], grammar=Broken(Plan(end=96, tempo=1), memory=jobs[broken].grammar.memory))
    with pytest.raises(RuntimeError, match="broken grammar"):
        generate(onnx_stepper, jobs)


def test_with_recurrence_phrases_come_back(onnx_stepper, decoder):
    def likeness(repetition_bonus):
        made = [compose(onnx_stepper, decoder, seed, beats=64, repetition_bonus=repetition_bonus) for seed in range(4)]
        return np.mean([bar_similarities(decode(np.array(writer.events)), 4).mean() for writer in made])

    assert likeness(5.0) > likeness(0.0) + 0.1


def test_no_pieces_are_soon_written(onnx_stepper):
    generate(onnx_stepper, [])


def test_a_piece_that_does_not_end_is_left_at_the_most_events(onnx_stepper, decoder):
    jobs = [job(decoder, seed, beats=400) for seed in range(3)]
    generate(onnx_stepper, jobs, max_events=25)
    assert [(one.grammar.finished, len(one.grammar.events)) for one in jobs] == [(False, 25)] * 3


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "plan",
    [
        pytest.param({}, id="free"),
        pytest.param({"meter": meter_index(Meter(0, 3, 4))}, id="waltz"),
        pytest.param({"meter": METERS.index((12, 8)) + 1, "ending_slack": 24}, id="twelve eight"),
        pytest.param({"instrumentation": INSTRUMENTATIONS["drums"]}, id="drums"),
    ],
)
def test_an_untrained_decoder_writes_a_valid_piece_that_ends_on_time(onnx_stepper, decoder, plan, seed):
    writer = compose(onnx_stepper, decoder, seed, plan=plan)
    score = decode(np.array(writer.events))
    assert writer.finished
    assert score.note_count
    assert writer.plan.end - writer.plan.ending_slack <= score.end <= writer.plan.end


def test_what_the_decoder_was_told_is_what_training_would_tell(onnx_stepper, decoder):
    writer = compose(onnx_stepper, decoder)
    events = np.array(writer.events, np.int16)
    for (told, row), table in zip(tiny.written(events, writer.plan.end), context(events).tolist(), strict=True):
        told._now.extend(row[:2])
        assert told.context_of(1) == (row[1], table[3], table[4])
        told._now.clear()


def test_same_seed_same_piece(stepper, decoder):
    first, second = (compose(stepper, decoder, 7).events for _ in range(2))
    assert first == second
    assert first != compose(stepper, decoder, 8).events


def test_engines_of_the_same_precision_write_the_same_pieces(decoder, tmp_path):
    one, other = (
        written(tiny.stepper(decoder, engine, tmp_path), [job(decoder, seed, beats=8) for seed in range(100)])
        for engine in ("onnx", "torch")
    )
    assert sum(map(list.__eq__, one, other)) >= 99  # a draw at the very edge of two values may go either way


def test_guidance_of_one_writes_what_the_condition_alone_writes(onnx_stepper, decoder):
    guided = compose(onnx_stepper, decoder, guidance_scale=1.0).events
    assert guided == compose(onnx_stepper, decoder, guidance_scale=1.0, rows=1).events
    assert guided != compose(onnx_stepper, decoder, guidance_scale=3.0).events


def test_a_field_may_have_a_temperature_of_its_own(onnx_stepper, decoder):
    def spread(column, **options):
        rows = compose(onnx_stepper, decoder, beats=160, top_p=1.0, **options).events
        return len({row[column] for row in rows if row[1] < SLOTS})

    for one in ({"temperatures": {"velocity": 0.05}}, {"top_ps": {"velocity": 1e-9}}):
        assert spread(4, **one) < 0.7 * spread(4)
        assert spread(0, **one) > spread(0) / 2


def test_events_of_a_prefix_are_kept_and_the_rest_is_generated(stepper, decoder):
    whole = compose(stepper, decoder, 3).events
    again = compose(stepper, decoder, 3, prefix=whole[:20]).events
    assert again == whole  # the random numbers of an event are its own, so the piece goes on as it did
    other = compose(stepper, decoder, 4, prefix=whole[:20]).events
    assert other[:20] == whole[:20] and other != whole


def test_a_prefix_is_kept_beside_other_pieces_too(onnx_stepper, decoder):
    whole = compose(onnx_stepper, decoder, 3).events
    made = [job(decoder, 4, prefix=whole[:20]), job(decoder, 5), job(decoder, 3, prefix=whole[:9])]
    first, _, third = written(onnx_stepper, made)
    assert first == compose(onnx_stepper, decoder, 4, prefix=whole[:20]).events
    assert third == whole


def test_progress_counts_events(onnx_stepper, decoder):
    heard = []
    made = job(decoder, beats=200)
    generate(onnx_stepper, [made], progress=heard.append)
    assert heard == list(range(16, len(made.grammar.events) + 1, 16))
    assert heard


def test_near_an_end_that_must_wait_the_gap_0_counts_for_what_it_may_mean(stepper, decoder):
    made = job(decoder, beats=12)
    batch = BatchScheduler(stepper, deque([made]), 1, 1000)
    near = []
    while batch.admit():
        heads, state = batch.step()
        event = NextEvent(made.grammar)
        event.part_logits_given = partial(batch._part_logits_given, heads, 0)
        logits = np.zeros(SIZES[GAP])
        EndingHold().apply(GAP, logits, event)
        near.append((made.grammar.notes_before_end(), logits[0]))
        assert not logits[1:].any()
        batch.append_events(heads, state)
    assert all((waits is None) == (nats == 0.0) and nats <= 0 for waits, nats in near)
    assert any(waits is not None for waits, _ in near) and any(waits is None for waits, _ in near)
