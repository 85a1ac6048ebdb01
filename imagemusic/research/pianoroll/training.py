"""Training on one piano-roll set, and its test.

RUN/last.pt      weights, their average, the best average for each head, optimizer and update: where to go on from
RUN/result.json  nats a frame of the test rolls, under the weights that were best on validation rolls
"""

import json
import math
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

from imagemusic.errors import DataError
from imagemusic.research.pianoroll.data import KEYS, Batch, Roll, draw, gather
from imagemusic.research.pianoroll.model import RollConfig, RollLSTM, State
from imagemusic.training.precision import cpu_autocast, cpu_dtype

HEADS = ("independent", "autoregressive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a net is trained: the same for all sets."""

    updates: int = 1000
    rows: int = 4
    length: int = 96  # frames of a stretch
    learning_rate: float = 6e-3
    weight_decay: float = 0.01
    warmup_updates: int = 50
    clip_norm: float = 1.0
    average: float = 0.99  # of the weights, an update
    transpose: int = 6  # keys up or down at most
    silent_share: float = 0.15  # of the keys that are silent in a stretch, those which are trained on
    validate_every: int = 200
    validation_frames: int = 12_000  # of whole rolls, the same every time


def train(
    run: Path,
    rolls: dict[str, list[Roll]],
    config: RollConfig,
    recipe: Recipe,
    seed: int,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train both heads on the training rolls and test them; go on from RUN/last.pt, do nothing where RUN is done.

    Raises:
        DataError: RUN was begun with another recipe.
    """
    asked = {"config": asdict(config), "recipe": asdict(recipe), "seed": seed}
    if (run / "result.json").exists():
        result: dict[str, Any] = json.loads((run / "result.json").read_text())
        _refuse_other(run, result["asked"], asked)
        return result
    torch.manual_seed(seed)
    model = RollLSTM(config)
    average = deepcopy(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98)
    )
    first, best = 0, {}
    if (run / "last.pt").exists():
        last = torch.load(run / "last.pt", weights_only=True)
        _refuse_other(run, last["asked"], asked)
        model.load_state_dict(last["model"])
        average.load_state_dict(last["average"])
        optimizer.load_state_dict(last["optimizer"])
        first, best = last["update"], last["best"]
    judges = some_of(rolls["validation"], recipe.validation_frames)
    run.mkdir(parents=True, exist_ok=True)
    for update in range(first, recipe.updates):
        loss = _update(model, optimizer, rolls["train"], recipe, seed, update)
        with torch.no_grad():
            kept = min(recipe.average, (1 + update) / (10 + update))
            for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
                mean.lerp_(weight, 1 - kept)
        done = update + 1
        if done % recipe.validate_every and done < recipe.updates:
            continue
        judged = per_frame(nats_of(average, judges))
        for head in HEADS:
            if head not in best or judged[head] < best[head]["nats"]:
                best[head] = {"nats": judged[head], "update": done, "weights": deepcopy(average.state_dict())}
        state = {"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state | {"best": best, "update": done, "asked": asked}, run / "last.pt.partial")
        os.replace(run / "last.pt.partial", run / "last.pt")
        scores = ", ".join(f"{head} {judged[head]:.3f}" for head in HEADS)
        tell(f"{run.name} {done}/{recipe.updates}: training {loss:.2f} in all; validation {scores}")
    result = _test(model, best, rolls["test"])
    result |= {"parameters": sum(weight.numel() for weight in model.parameters()), "asked": asked}
    (run / "result.json.partial").write_text(json.dumps(result, indent=1) + "\n")
    os.replace(run / "result.json.partial", run / "result.json")
    return result


def _refuse_other(run: Path, begun: dict[str, Any], asked: dict[str, Any]) -> None:
    if begun != asked:
        raise DataError(f"{run}: was begun with another recipe; move it away to begin afresh")


def _update(
    model: RollLSTM, optimizer: torch.optim.Optimizer, rolls: Sequence[Roll], recipe: Recipe, seed: int, update: int
) -> float:
    """Take one step, a function of the weights, the seed and the number of the update; return nats a frame."""
    torch.manual_seed(seed * 1_000_003 + update)
    model.train()
    done = update / recipe.updates
    for group in optimizer.param_groups:
        warm = min(1.0, (update + 1) / recipe.warmup_updates)
        group["lr"] = recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
    batch = draw(np.random.default_rng((seed, update)), rolls, recipe.rows, recipe.length, recipe.transpose)
    piece, key, weight = choose_keys(batch.frames, recipe.silent_share)
    rounded = Batch(*(part if part is batch.place else part.to(cpu_dtype()) for part in batch))
    with cpu_autocast():
        logits, _ = model(rounded, piece, key)
    counts = batch.real.T[:, piece] * weight  # (T, R)
    loss = (_nats(logits.float(), batch, piece, key) * counts).sum() / batch.real.sum()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
    optimizer.step()
    return loss.item()


def choose_keys(frames: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Choose what to train on in frames (B, T, 88): keys that sound and those beside them, and a share of the others.

    Returns piece, key and weight (R,); weighted sums over these rows are on average those over all keys.
    """
    sounds = functional.max_pool1d(frames.amax(1), 3, stride=1, padding=1) > 0
    piece, key = torch.nonzero(sounds | (torch.rand(sounds.shape) < share), as_tuple=True)
    return piece, key, torch.where(sounds[piece, key], 1.0, 1 / share)


def _nats(logits: Tensor, batch: Batch, piece: Tensor, key: Tensor) -> Tensor:
    """Price keys (R,) of pieces (R,) in every frame, given logits (2, T, R): (2, T, R)."""
    target = batch.frames.transpose(0, 1)[:, piece, key].expand_as(logits)
    return functional.binary_cross_entropy_with_logits(logits, target, reduction="none")


def _test(model: RollLSTM, best: dict[str, dict[str, Any]], rolls: Sequence[Roll]) -> dict[str, Any]:
    """Score the test rolls with the weights that were chosen for each head."""
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
    """Score every frame of whole rolls, `rows` side by side: nats (2, T) of each, by head, all 88 keys added up."""
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
    """Average over all frames of all rolls, by head."""
    return dict(zip(HEADS, np.concatenate(nats, 1).mean(1).tolist(), strict=True))


def some_of(rolls: Sequence[Roll], frames: int) -> list[Roll]:
    """Take whole rolls until they have so many frames, in an order that is the same every time."""
    taken: list[Roll] = []
    for number in np.random.default_rng(0).permutation(len(rolls)):
        if sum(map(len, taken)) < frames:
            taken.append(rolls[number])
    return taken
