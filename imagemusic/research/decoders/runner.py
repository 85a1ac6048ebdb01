"""One run of the benchmark: train a variant on a number of notes, validate on the way, score it on the test pieces.

RUNS/NAME-SEED/last.pt      weights, optimizer, step and carried states, to resume from
RUNS/NAME-SEED/result.json  the result
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from imagemusic.data.prepared import PreparedPiece
from imagemusic.files import write_atomically
from imagemusic.research.decoders.adapters import Adapter, NoteAdapter, make_adapter
from imagemusic.research.decoders.benchmark import Benchmark
from imagemusic.research.decoders.dial_savings import dial_savings
from imagemusic.research.decoders.variants import VARIANTS, parameters_of
from imagemusic.training.loop import LoopOptions, TrainingLoop, check_settings
from imagemusic.training.precision import cpu_autocast

SAVE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Settings that all runs of a benchmark share."""

    notes: int
    parameters: int
    validation_notes: int
    test_notes: int
    batch_size: int = 16
    window: int = 128  # rows
    learning_rate: float = 2e-3
    warmup: float = 0.05  # share of the notes
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    validations: int = 4


def bits(nats: dict[str, float], pieces: Sequence[PreparedPiece]) -> float:
    """Compute the bits per note of pieces from their nats by id."""
    return sum(nats[piece.id] for piece in pieces) / math.log(2) / sum(piece.notes for piece in pieces)


def run_variant(
    benchmark: Benchmark, name: str, seed: int, options: RunOptions, folder: Path, report: Callable[[str], None]
) -> dict[str, Any]:
    """Train and score a variant, or resume it; return the content of result.json.

    Raises:
        ConfigError: the folder holds a run with other options, or the loss is not finite.
    """
    folder = folder / f"{name}-{seed}"
    settings = json.loads(json.dumps(asdict(options) | VARIANTS[name].training))
    if (folder / "result.json").exists():
        result: dict[str, Any] = json.loads((folder / "result.json").read_text())
        check_settings(folder, result["options"], settings)
        return result
    adapter = make_adapter(benchmark, VARIANTS[name], parameters=options.parameters, seed=seed)
    loop_options = LoopOptions(
        end=options.notes, warmup=options.warmup * options.notes, learning_rate=adapter.rate * options.learning_rate,
        weight_decay=options.weight_decay, clip_norm=options.clip_norm,
    )  # fmt: skip
    loop = TrainingLoop(
        {"net": adapter.net}, adapter.net.parameters(), loop_options, seed=seed, path=folder / "last.pt",
        settings=settings,
    )  # fmt: skip
    curve, seconds = _train(benchmark, adapter, loop, options.validations, folder.name, report)
    result = {
        "name": name, "seed": seed, "options": settings, "parameters": parameters_of(adapter.net),
        "width": adapter.width, "cpu_seconds": round(seconds, 1), "curve": curve,
        "validation": adapter.nats(benchmark.validation), "test": adapter.nats(benchmark.test),
    }  # fmt: skip
    if isinstance(adapter, NoteAdapter) and VARIANTS[name].conditioned:
        result["dials"] = dial_savings(adapter.net, benchmark)
    write_atomically(folder / "result.json", json.dumps(result))
    return result


def _train(
    benchmark: Benchmark,
    adapter: Adapter,
    loop: TrainingLoop,
    validations: int,
    name: str,
    report: Callable[[str], None],
) -> tuple[list[list[float]], float]:
    """Train to the end; return pairs of (notes, bits per note of the validation pieces), and CPU seconds."""
    state: dict[str, Any] = {"seconds": 0.0, "curve": [], "carried": [], "position": adapter.position()} | loop.resume()
    adapter.go_to(state["position"])
    curve: list[list[float]] = state["curve"]

    def loss(step: int) -> tuple[Tensor, float]:
        with cpu_autocast():
            value, state["carried"], notes = adapter.loss(step, state["carried"])
        return value, notes

    saved = time.monotonic()
    while not loop.finished:
        begun = time.process_time()
        loop.update(loss)
        state["seconds"] += time.process_time() - begun
        notes = int(loop.progress)
        if notes * validations // int(loop.options.end) > len(curve):
            curve.append([notes, bits(adapter.nats(benchmark.validation), benchmark.validation)])
            report(f"{name}: {notes:,} notes, {state['seconds']:.0f} s, validation {curve[-1][1]:.3f} bits per note")
        if time.monotonic() - saved > SAVE_SECONDS or loop.finished:
            loop.save(state | {"position": adapter.position()})
            saved = time.monotonic()
    return curve, state["seconds"]
