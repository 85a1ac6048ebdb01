"""Measure how fast notes are generated: every backend, alone and in batches, beside a lower bound and other recipes.

    imagemusic study run speed --out docs/results/speed.json

Absolute times belong to the machine and to its load.  The ratios come from one run, in turn, so that a slow moment
changes all alike.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.session import Session
from imagemusic.errors import ConfigError
from imagemusic.events.grammar import GrammarState
from imagemusic.events.vocabulary import FIELDS, INPUTS, SLOTS
from imagemusic.generation.backends import DEFAULT, Backend, make_backend
from imagemusic.generation.generate import MAX_BATCH, generate
from imagemusic.generation.sampling import SamplingOptions
from imagemusic.generation.step_graph import BLOCK, write_step_graphs
from imagemusic.generation.stepper import Stepper
from imagemusic.graphs.external_data import WEIGHTS
from imagemusic.research.studies.timing import seconds_each
from imagemusic.research.study import Context, Figures, Study
from imagemusic.vision.features import ImageFeatures

WINDOW = 100  # events that the window recipe reads for each note
FEW_HEADS = 8  # of the hundreds of numbers that all heads start from
GUIDANCE = {"plain": 1.0, "guided": SamplingOptions().guidance_scale}
BYTES = {"onnx": 4.0, "int8": 1 + 4 / BLOCK, "torch": 4.0}  # of a weight as a backend stores it, its scale included

Batches = Mapping[int, tuple[int, float]]  # batch size -> pieces, and the seconds of music in each
# Slots that fall empty are filled, so 64 at a time takes more pieces.
BATCHES: Batches = {1: (1, 60.0), 8: (8, 15.0), MAX_BATCH: (2 * MAX_BATCH, 6.0)}
QUICK_BATCHES: Batches = {1: (1, 4.0), 8: (3, 4.0), MAX_BATCH: (9, 4.0)}


def notes_per_second(
    model: ImageMusic, features: ImageFeatures, amount: tuple[int, float], guidance: float, seed: int
) -> float:
    """Compose `amount`, pieces and seconds of each, from encoded features; everything but the encoder counts."""
    pieces, seconds = amount
    options = ComposeOptions(seconds=seconds, guidance_scale=guidance, seed=seed)
    requests = [(features, replace(options, variation=number + 1)) for number in range(pieces)]
    started = time.perf_counter()
    made = model.compose_batch(requests)
    return sum(piece.score.note_count for piece in made) / (time.perf_counter() - started)


def throughput(
    models: dict[str, ImageMusic], features: ImageFeatures, batches: Batches, repeats: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure notes a second by backend, batch size and guidance, all of them in turn."""
    taken: dict[tuple[str, int, str], list[float]] = {}
    for repeat in range(repeats):
        for name, model in models.items():
            for batch, amount in batches.items():
                for kind, guidance in GUIDANCE.items():
                    if name != "torch" or repeat == 0:  # for comparison only, and slow
                        rate = notes_per_second(model, features, amount, guidance, repeat)
                        taken.setdefault((name, batch, kind), []).append(rate)
    return {
        name: {str(batch): {kind: median(taken[name, batch, kind]) for kind in GUIDANCE} for batch in batches}
        for name in models
    }


def read_bandwidth(size: int) -> float:
    """Measure bytes a second that one thread reads from a buffer of `size` bytes: the fastest of three ways."""
    buffer = np.ones(size // 4, np.float32)
    ways: list[Callable[[], object]] = [lambda: buffer @ buffer, buffer.max, buffer.sum]
    fastest = float("inf")
    for _ in range(40):
        for way in ways:
            started = time.perf_counter()
            way()
            fastest = min(fastest, time.perf_counter() - started)
    return buffer.nbytes / fastest


def without_heads(stepper: Stepper, name: str) -> Backend:
    """Make a backend of the same step with the smallest heads that the graph allows."""
    shape = replace(stepper.shape, heads_size=FEW_HEADS)
    weights = {
        weight: stepper.weights[weight][: size[0]].astype(np.float16) for weight, size in shape.weights().items()
    }
    with TemporaryDirectory() as folder:
        save_file({f"decoder.{weight}": values for weight, values in weights.items()}, Path(folder) / WEIGHTS)
        write_step_graphs(Path(folder), shape)
        return make_backend(
            name, Path(folder), {key: value.astype(np.float32) for key, value in weights.items()}, shape
        )


def floor(stepper: Stepper, name: str, bytes_each: float, repeats: int) -> dict[str, float]:
    """Time the step of the LSTM alone for one row, and reading its recurrent weights once, which is its lower bound.

    `with_heads_ms` is the step as it is used, with the first layer of the heads.
    """
    shape = stepper.shape
    hidden, layers = shape.hidden_size, shape.layers
    weights = int((2 * layers - 1) * 4 * hidden * hidden * bytes_each)
    gates, *state = (np.zeros((1, size), np.float32) for size in (shape.input_size, *[hidden] * (2 * layers)))
    bandwidth = read_bandwidth(weights)

    def seconds(backend: Backend) -> float:
        return min(seconds_each(lambda: backend.run(gates, tuple(state)), 200) for _ in range(repeats))

    step, whole = seconds(without_heads(stepper, name)), seconds(stepper.backend)
    return {
        "step_ms": 1000 * step,
        "with_heads_ms": 1000 * whole,
        "recurrent_bytes": weights,
        "read_bytes_per_second": bandwidth,
        "floor_ms": 1000 * weights / bandwidth,
        "ratio": step * bandwidth / weights,
    }


def first_note_ms(model: ImageMusic, features: ImageFeatures) -> float:
    """Measure milliseconds from encoded features to the first note."""
    options = ComposeOptions()

    def generated(most: int) -> GrammarState:
        session = Session(model, features, options)
        generate(model.stepper, [session.request], max_events=most)
        return session.grammar

    events = generated(100).events
    first = next(number for number, event in enumerate(events) if event[1] < SLOTS)
    return 1000 * seconds_each(lambda: generated(first + 1), 10)


def with_torch(model: ImageMusic) -> dict[str, float] | None:
    """Measure seconds a note of other recipes with the same net; None where torch is not installed."""
    try:
        import torch

        from imagemusic.training.loading import load_decoder
    except ImportError:
        return None
    torch.set_num_threads(2)
    decoder = load_decoder(model.checkpoint)
    sizes = decoder.config.sizes | {"interval": 50, "chroma": 4096, "last_pitch": 128}
    known = ("place", "chroma", "program", "last_pitch", "last_duration", "last_velocity")
    window = {name: torch.randint(0, sizes[name], (1, WINDOW)) for name in (*INPUTS, "last_pitch")}
    note = {name: torch.zeros(1, 1, dtype=torch.long) for name in (*FIELDS, *known)}
    condition = torch.zeros(1, decoder.config.condition_size)
    hidden, layers = decoder.config.hidden_size, decoder.config.layers
    inputs, state = torch.zeros(1, 1, hidden), tuple(torch.zeros(layers, 1, hidden) for _ in range(2))
    plain = torch.nn.LSTM(hidden, hidden, layers, batch_first=True)

    def window_note() -> None:
        heads, _ = decoder(window, condition, decoder.initial_state(condition))
        decoder.logits(heads[:, -1:], note)

    with torch.inference_mode():
        recipes = {"window": seconds_each(window_note, 20)}
        torch.set_num_threads(1)
        recipes["nn_lstm_step"] = seconds_each(lambda: plain(inputs, state), 100)
    return recipes


class Speed(Study):
    """Measures all backends that run on this machine."""

    quick = {"repeats": 1, "batches": QUICK_BATCHES}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--repeats", type=int, default=3, metavar="N", help="of each measurement (%(default)s)")
        parser.set_defaults(batches=BATCHES)

    def run(self, context: Context) -> Figures:
        repeats, batches = context.options.repeats, context.options.batches
        started = time.perf_counter()
        models: dict[str, ImageMusic] = {}
        for backend in BYTES:
            try:
                models[backend] = ImageMusic.from_pretrained(context.options.checkpoint, backend=backend)
            except ConfigError as error:
                context.report(f"{backend} left out: {error}")
        default = models[DEFAULT]
        features = default.encode(Image.linear_gradient("L").convert("RGB"))
        for model in models.values():
            notes_per_second(model, features, batches[8], 1.0, 0)  # not counted: it does what is done once
        latency = first_note_ms(default, features)
        rates = throughput(models, features, batches, repeats)
        steps = {
            name: floor(model.stepper, name, BYTES[name], repeats) for name, model in models.items() if name != "torch"
        }
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        recipes = with_torch(default)
        backends = {name: model.stepper.backend for name, model in models.items()}
        figures = {
            "notes_per_second": rates,
            "batches": {str(batch): {"pieces": count, "seconds": each} for batch, (count, each) in batches.items()},
            "steps": steps,
            "seconds_per_note": recipes,
            "engines": {name: [type(one).__name__, one.name] for name, one in backends.items()},
            "checkpoint": default.checkpoint.id,
            "busy": [round(load, 1) for load in os.getloadavg()],  # processes that wanted the cores meanwhile
            "measured_in_seconds": time.perf_counter() - started,
        }
        return figures | headlines(rates, steps, recipes) | {"first_note_ms": latency, "peak_bytes": peak}

    def report(self, figures: Figures) -> str:
        return super().report({name: value for name, value in figures.items() if not isinstance(value, dict)})


def headlines(
    rates: dict[str, dict[str, dict[str, float]]],
    steps: dict[str, dict[str, float]],
    recipes: dict[str, float] | None,
) -> dict[str, Any]:
    """Take the figures of the default backend that are quoted."""
    alone, guided, together = (
        rates[DEFAULT][batch][kind] for batch, kind in (("1", "plain"), ("1", "guided"), (str(MAX_BATCH), "plain"))
    )
    return {
        "batch1_notes_per_second": alone,
        "guided_notes_per_second": guided,
        "batch64_notes_per_second": together,
        "batch64_ratio": together / alone,
        "step_ms": steps[DEFAULT]["step_ms"],
        "floor_ratio": steps[DEFAULT]["ratio"],
        "window_ratio": recipes and recipes["window"] * alone,
    }


STUDY = Speed()
