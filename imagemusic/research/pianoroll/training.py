"""Training on one piano-roll set, and its test.

RUN/last.pt      weights, their moving average, the best average for each head, optimizer and step, to resume from
RUN/result.json  nats per frame of the test rolls, with the weights that were best on the validation rolls
"""

import json
import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: two spinning threads starve each other

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imagemusic.files import write_atomically
from imagemusic.research.pianoroll.data import KEYS, Batch, Roll, gather, sample_batch
from imagemusic.research.pianoroll.model import RollConfig, RollLSTM, State
from imagemusic.training.loop import LoopOptions, TrainingLoop, check_settings
from imagemusic.training.precision import cpu_autocast, cpu_dtype

HEADS = ("independent", "autoregressive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a net is trained: the same for all sets."""

    updates: int = 1000
    rows: int = 4
    length: int = 96  # frames of a window
    learning_rate: float = 6e-3
    weight_decay: float = 0.01
    warmup_updates: int = 50
    clip_norm: float = 1.0
    average: float = 0.99  # decay of the moving average of the weights, per update
    transpose: int = 6  # keys up or down at most
    silent_share: float = 0.15  # share of the keys silent in a window that are trained on
    validate_every: int = 200
    validation_frames: int = 12_000  # of whole rolls, the same every time


def train(
    run: Path,
    rolls: dict[str, list[Roll]],
    config: RollConfig,
    recipe: Recipe,
    seed: int,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train both heads on the training rolls and test them, resuming from RUN/last.pt; return RUN/result.json.

    Raises:
        ConfigError: RUN was begun with another recipe, or the loss is not finite.
    """
    settings = {"config": asdict(config), "recipe": asdict(recipe), "seed": seed}
    if (run / "result.json").exists():
        result: dict[str, Any] = json.loads((run / "result.json").read_text())
        check_settings(run, result["asked"], settings)
        return result
    torch.manual_seed(seed)
    model = RollLSTM(config)
    average = deepcopy(model)
    options = LoopOptions(
        end=recipe.updates, warmup=recipe.warmup_updates, learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay, clip_norm=recipe.clip_norm,
    )  # fmt: skip
    loop = TrainingLoop(
        {"model": model, "average": average}, model.parameters(), options, seed=seed, path=run / "last.pt",
        settings=settings,
    )  # fmt: skip
    best: dict[str, Any] = loop.resume()  # head -> its best weights
    validation = fixed_sample(rolls["validation"], recipe.validation_frames)
    while not loop.finished:
        loss = loop.update(lambda step: _loss(model, rolls["train"], recipe, np.random.default_rng((seed, step))))
        decay = min(recipe.average, loop.step / (9 + loop.step))
        with torch.no_grad():
            for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
                mean.lerp_(weight, 1 - decay)
        if loop.step % recipe.validate_every and not loop.finished:
            continue
        nats = per_frame(nats_of(average, validation))
        for head in HEADS:
            if head not in best or nats[head] < best[head]["nats"]:
                best[head] = {"nats": nats[head], "update": loop.step, "weights": deepcopy(average.state_dict())}
        loop.save(best)
        scores = ", ".join(f"{head} {nats[head]:.3f}" for head in HEADS)
        report(f"{run.name} {loop.step}/{recipe.updates}: training {loss:.2f} in all; validation {scores}")
    result = _test(model, best, rolls["test"])
    result |= {"parameters": sum(weight.numel() for weight in model.parameters()), "asked": settings}
    write_atomically(run / "result.json", json.dumps(result, indent=1) + "\n")
    return result


def _loss(model: RollLSTM, rolls: Sequence[Roll], recipe: Recipe, rng: np.random.Generator) -> Tensor:
    """Compute the loss (a scalar) of a sampled batch: nats per frame, both heads added."""
    batch = sample_batch(rng, rolls, recipe.rows, recipe.length, recipe.transpose)
    piece, key, weight = choose_keys(batch.frames, recipe.silent_share)
    rounded = Batch(*(part if part is batch.place else part.to(cpu_dtype()) for part in batch))
    with cpu_autocast():
        logits, _ = model(rounded, piece, key)
    counts = batch.real.T[:, piece] * weight  # (T, R)
    return (_nats(logits.float(), batch, piece, key) * counts).sum() / batch.real.sum()


def choose_keys(frames: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the keys to train on in frames (B, T, 88): those that sound, their neighbours, and a share of the others.

    Returns piece, key and weight, (R,) each; a weighted sum over these rows estimates the sum over all keys.
    """
    sounds = functional.max_pool1d(frames.amax(1), 3, stride=1, padding=1) > 0
    piece, key = torch.nonzero(sounds | (torch.rand(sounds.shape) < share), as_tuple=True)
    return piece, key, torch.where(sounds[piece, key], 1.0, 1 / share)


def _nats(logits: Tensor, batch: Batch, piece: Tensor, key: Tensor) -> Tensor:
    """Compute the nats (2, T, R) of keys (R,) of pieces (R,) in every frame, from logits (2, T, R)."""
    target = batch.frames.transpose(0, 1)[:, piece, key].expand_as(logits)
    return functional.binary_cross_entropy_with_logits(logits, target, reduction="none")


def _test(model: RollLSTM, best: dict[str, dict[str, Any]], rolls: Sequence[Roll]) -> dict[str, Any]:
    """Score the test rolls with the best weights of each head."""
    nats = {}
    for chosen in best.values():
        if chosen["update"] not in nats:  # both heads may be best at once
            model.load_state_dict(chosen["weights"])
            nats[chosen["update"]] = nats_of(model, rolls)
    return {
        head: {
            "test": per_frame(nats[chosen["update"]])[head],
            "test_without_first_frames": per_frame([one[:, 1:] for one in nats[chosen["update"]]])[head],
            "validation": chosen["nats"],
            "update": chosen["update"],
        }
        for head, chosen in best.items()
    }


@torch.no_grad()
def nats_of(model: RollLSTM, rolls: Sequence[Roll], rows: int = 8, length: int = 64) -> list[NDArray[np.floating]]:
    """Return the nats (2, T) of every frame of each roll, by head, summed over keys; `rows` rolls are one batch."""
    model.eval()
    result: list[NDArray[np.floating]] = [np.zeros(0)] * len(rolls)
    order = sorted(range(len(rolls)), key=lambda number: len(rolls[number]))
    for begin in range(0, len(order), rows):
        numbers = order[begin : begin + rows]
        together = [rolls[number] for number in numbers]
        piece, key = torch.cartesian_prod(torch.arange(len(together)), torch.arange(KEYS)).T
        state: State | None = None
        parts = []
        for start in range(0, len(together[-1]), length):
            batch = gather([(roll, start, start + length, 0) for roll in together])
            logits, state = model(batch, piece, key, state)
            parts.append(_nats(logits, batch, piece, key).double().unflatten(-1, (-1, KEYS)).sum(-1))
        nats = torch.cat(parts, 1)
        for row, number in enumerate(numbers):
            result[number] = nats[:, : len(rolls[number]), row].numpy()
    return result


def per_frame(nats: Sequence[NDArray[np.floating]]) -> dict[str, float]:
    """Average nats (2, T) over all frames of all rolls, by head."""
    return dict(zip(HEADS, np.concatenate(nats, 1).mean(1).tolist(), strict=True))


def fixed_sample(rolls: Sequence[Roll], frames: int) -> list[Roll]:
    """Return whole rolls in a fixed random order, until they have `frames` frames."""
    sample: list[Roll] = []
    for number in np.random.default_rng(0).permutation(len(rolls)):
        if sum(map(len, sample)) < frames:
            sample.append(rolls[number])
    return sample
