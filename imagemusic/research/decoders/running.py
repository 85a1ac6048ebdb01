"""One run of the bench: train a variant on so many notes, validate on the way, score it on the test pieces.

RUNS/NAME-SEED/last.pt      weights, optimizer, step and carried states: where to go on from
RUNS/NAME-SEED/result.json  what came of it
"""

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imagemusic.data.prepared import PreparedPiece
from imagemusic.errors import ConfigError
from imagemusic.research.decoders.bench import Bench
from imagemusic.research.decoders.conditioned import dial_savings
from imagemusic.research.decoders.learners import Learner, NoteLearner, make_learner
from imagemusic.research.decoders.variants import VARIANTS, parameters_of
from imagemusic.training.precision import cpu_autocast

SAVE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What all runs of a bench share."""

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

    def rate(self, seen: int) -> float:
        """Learning rate after so many notes: up in a line, down as a cosine."""
        done = seen / self.notes
        if done < self.warmup:
            return self.learning_rate * (done + 0.01) / (self.warmup + 0.01)
        falling = min(1.0, (done - self.warmup) / (1 - self.warmup))
        return self.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * falling)))


def bits(nats: dict[str, float], pieces: Sequence[PreparedPiece]) -> float:
    """Bits per note of some pieces whose nats are known."""
    return sum(nats[piece.id] for piece in pieces) / math.log(2) / sum(piece.notes for piece in pieces)


def run_variant(
    bench: Bench, name: str, seed: int, options: RunOptions, folder: Path, report: Callable[[str], None]
) -> dict[str, Any]:
    """Train and score a variant, or go on with it; return what result.json says.

    Raises:
        ConfigError: the folder holds a run with other options.
    """
    folder = folder / f"{name}-{seed}"
    settings = json.loads(json.dumps(asdict(options) | VARIANTS[name].training))
    if (folder / "result.json").exists():
        result: dict[str, Any] = json.loads((folder / "result.json").read_text())
        _check(result["options"], settings, folder)
        return result
    learner = make_learner(bench, VARIANTS[name], parameters=options.parameters, seed=seed)
    curve, seconds = _train(bench, learner, seed, options, settings, folder, report)
    result = {
        "name": name, "seed": seed, "options": settings, "parameters": parameters_of(learner.net),
        "width": learner.width, "cpu_seconds": round(seconds, 1), "curve": curve,
        "validation": learner.nats(bench.validation), "test": learner.nats(bench.test),
    }  # fmt: skip
    if isinstance(learner, NoteLearner) and VARIANTS[name].told:
        result["dials"] = dial_savings(learner.net, bench)
    _write(folder / "result.json", json.dumps(result).encode())
    return result


def _train(
    bench: Bench,
    learner: Learner,
    seed: int,
    options: RunOptions,
    settings: dict[str, Any],
    folder: Path,
    report: Callable[[str], None],
) -> tuple[list[list[float]], float]:
    """Train to the end; return (notes, bits per note of the validation pieces) on the way, and processor seconds."""
    net = learner.net
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, betas=(0.9, 0.98)
    )
    step, seen, seconds, curve, carried = 0, 0, 0.0, [], []
    if (folder / "last.pt").exists():
        last = torch.load(folder / "last.pt", weights_only=True)
        _check(last["options"], settings, folder)
        net.load_state_dict(last["net"])
        optimizer.load_state_dict(last["optimizer"])
        learner.go_to(last["position"])
        step, seen, seconds, curve, carried = (last[key] for key in ("step", "seen", "seconds", "curve", "carried"))

    def save() -> None:
        torch.save(
            {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "options": settings, "step": step,
             "seen": seen, "seconds": seconds, "curve": curve, "carried": carried, "position": learner.position()},
            folder / "next.pt",
        )  # fmt: skip
        os.replace(folder / "next.pt", folder / "last.pt")

    folder.mkdir(parents=True, exist_ok=True)
    saved = time.monotonic()
    while seen < options.notes:
        begun = time.process_time()
        net.train()
        torch.manual_seed(seed * 1_000_003 + step)  # dropout is a function of the step, or a resumed run would differ
        for group in optimizer.param_groups:
            group["lr"] = learner.rate * options.rate(seen)
        with cpu_autocast():
            loss, carried, notes = learner.loss(step, carried)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), options.clip_norm)
        optimizer.step()
        seconds += time.process_time() - begun
        step, seen = step + 1, seen + notes
        if not np.isfinite(loss.item()):
            raise ConfigError(f"{folder.name}: the loss is {loss.item()} at step {step}; lower the learning rate")
        if seen * options.validations // options.notes > len(curve):
            curve.append([seen, bits(learner.nats(bench.validation), bench.validation)])
            report(f"{folder.name}: {seen:,} notes, {seconds:.0f} s, validation {curve[-1][1]:.3f} bits per note")
        if time.monotonic() - saved > SAVE_SECONDS or seen >= options.notes:
            save()
            saved = time.monotonic()
    return curve, seconds


def _check(had: dict[str, Any], wanted: dict[str, Any], folder: Path) -> None:
    for name, value in wanted.items():
        if had.get(name) != value:
            raise ConfigError(f"{folder}: a run with {name} {had.get(name)}, asked for {value}; name another --runs")


def _write(path: Path, data: bytes) -> None:
    waiting = path.with_name(path.name + ".partial")
    waiting.write_bytes(data)
    os.replace(waiting, path)
