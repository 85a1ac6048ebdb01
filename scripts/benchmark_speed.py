"""Measure how fast notes are written: every engine, alone and side by side, beside the floor and beside other recipes.

    python scripts/benchmark_speed.py --out docs/results/speed.json

Prints all figures, and on its last line the headlines as one JSON object.  Absolute times belong to the machine and
to what else runs on it; the ratios were measured in one run, in turn, so that a slow moment strikes all alike.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as imagemusic sets it, which is too late after numpy

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from timing import seconds_each

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
from imagemusic.vision.features import ImageFeatures

REPEATS = 3
WINDOW = 100
FEW_HEADS = 8  # of the hundreds of numbers that all heads start from
# Pieces and the seconds of music in each.  Seats that fall empty are filled, so 64 at a time takes more pieces.
BATCHES = {1: (1, 60.0), 8: (8, 15.0), MAX_BATCH: (2 * MAX_BATCH, 6.0)}
GUIDANCE = {"plain": 1.0, "guided": SamplingOptions().guidance_scale}
BYTES = {"onnx": 4.0, "int8": 1 + 4 / BLOCK, "torch": 4.0}  # of a weight as an engine stores it, its scale included


def notes_per_second(model: ImageMusic, reading: ImageFeatures, batch: int, guidance: float, seed: int) -> float:
    """Compose pieces from a picture that was seen, everything but its reading included."""
    pieces, seconds = BATCHES[batch]
    options = ComposeOptions(seconds=seconds, guidance_scale=guidance, seed=seed)
    requests = [(reading, replace(options, variation=number + 1)) for number in range(pieces)]
    started = time.perf_counter()
    made = model.compose_batch(requests)
    return sum(piece.score.note_count for piece in made) / (time.perf_counter() - started)


def throughput(models: dict[str, ImageMusic], reading: ImageFeatures) -> dict[str, dict[str, dict[str, float]]]:
    """Notes a second by engine, batch and guidance, all of them in turn, so that a slow moment strikes all alike."""
    taken: dict[tuple[str, int, str], list[float]] = {}
    for repeat in range(REPEATS):
        for name, model in models.items():
            for batch in BATCHES:
                for kind, guidance in GUIDANCE.items():
                    if name != "torch" or repeat == 0:  # for comparison only, and slow
                        rate = notes_per_second(model, reading, batch, guidance, repeat)
                        taken.setdefault((name, batch, kind), []).append(rate)
    return {
        name: {str(batch): {kind: median(taken[name, batch, kind]) for kind in GUIDANCE} for batch in BATCHES}
        for name in models
    }


def read_bandwidth(size: int) -> float:
    """Bytes a second that one thread reads from a buffer of `size` bytes: the quickest of three ways, best of many."""
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
    """Make the same step with next to nothing of the heads, which cannot be left out."""
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


def floor(stepper: Stepper, name: str, bytes_each: float) -> dict[str, float]:
    """Time the step of the LSTM alone for one row, and how long it takes to read its recurrent weights once.

    The step as it is used also holds the first layer of the heads; it stands beside, as `with_heads_ms`.
    """
    shape = stepper.shape
    hidden, layers = shape.hidden_size, shape.layers
    weights = int((2 * layers - 1) * 4 * hidden * hidden * bytes_each)
    gates, *state = (np.zeros((1, size), np.float32) for size in (shape.input_size, *[hidden] * (2 * layers)))
    bandwidth = read_bandwidth(weights)

    def seconds(engine: Backend) -> float:
        return min(seconds_each(lambda: engine.run(gates, tuple(state)), 200) for _ in range(REPEATS))

    step, whole = seconds(without_heads(stepper, name)), seconds(stepper.backend)
    return {
        "step_ms": 1000 * step,
        "with_heads_ms": 1000 * whole,
        "recurrent_bytes": weights,
        "read_bytes_per_second": bandwidth,
        "floor_ms": 1000 * weights / bandwidth,
        "ratio": step * bandwidth / weights,
    }


def first_note_ms(model: ImageMusic, reading: ImageFeatures) -> float:
    """Milliseconds from a picture that was seen to the first note."""
    options = ComposeOptions()

    def write(most: int) -> GrammarState:
        session = Session(model, reading, options)
        generate(model.stepper, [session.request], max_events=most)
        return session.grammar

    events = write(100).events
    first = next(number for number, event in enumerate(events) if event[1] < SLOTS)
    return 1000 * seconds_each(lambda: write(first + 1), 10)


def with_torch(model: ImageMusic) -> dict[str, float] | None:
    """Seconds a note of other recipes with the same net; None where torch is not installed."""
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures, such as docs/results/speed.json")
    arguments = parser.parse_args()
    started = time.perf_counter()
    models = {}
    for engine in BYTES:
        try:
            models[engine] = ImageMusic.from_pretrained(arguments.checkpoint, backend=engine)
        except ConfigError as error:
            print(f"benchmark_speed: {engine} left out: {error}", file=sys.stderr)
    default = models[DEFAULT]
    reading = default.encode(Image.linear_gradient("L").convert("RGB"))
    for model in models.values():
        notes_per_second(model, reading, 8, 1.0, 0)  # whatever is done once is done
    latency = first_note_ms(default, reading)
    rates = throughput(models, reading)
    steps = {name: floor(model.stepper, name, BYTES[name]) for name, model in models.items() if name != "torch"}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    recipes = with_torch(default)
    alone, guided, together = (rates[DEFAULT][batch][kind] for batch, kind in
                               (("1", "plain"), ("1", "guided"), (str(MAX_BATCH), "plain")))  # fmt: skip
    headlines: dict[str, Any] = {
        "batch1_notes_per_second": alone,
        "guided_notes_per_second": guided,
        "batch64_notes_per_second": together,
        "batch64_ratio": together / alone,
        "step_ms": steps[DEFAULT]["step_ms"],
        "floor_ratio": steps[DEFAULT]["ratio"],
        "window_ratio": recipes and recipes["window"] * alone,
        "first_note_ms": latency,
        "peak_bytes": peak,
    }
    engines = {name: model.stepper.backend for name, model in models.items()}
    figures = {
        "notes_per_second": rates,
        "batches": {str(batch): {"pieces": count, "seconds": each} for batch, (count, each) in BATCHES.items()},
        "steps": steps,
        "seconds_per_note": recipes,
        "engines": {name: [type(engine).__name__, engine.name] for name, engine in engines.items()},
        "checkpoint": default.checkpoint.id,
        "busy": [round(load, 1) for load in os.getloadavg()],  # processes that wanted the cores meanwhile
        "measured_in_seconds": time.perf_counter() - started,
    }
    print(json.dumps(figures, indent=1))
    if arguments.out:
        from imagemusic.reports.results import write_result

        write_result(arguments.out, figures | headlines, seed=0)
    print(json.dumps(headlines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
