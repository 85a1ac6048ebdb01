"""Measure what each backend costs in bits per note on held-out music, against the first of them.

    imagemusic study run engines --set prepared=runs/prepared --out docs/results/engines.json

All backends score the same notes with teacher forcing: the beginnings of held-out pieces in one batch, with the null
condition and what is left to play hidden.  Then each composes pieces, in one batch and one by one: how many are the
same, note for note, as those of the first backend, and how many do not change when composed alone.
"""

import argparse
from collections.abc import Mapping
from operator import eq
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import DataError
from imagemusic.events import codec
from imagemusic.events.memory.pointers import Proposal
from imagemusic.events.memory.proposals import propose
from imagemusic.events.memory.running import NO_PLAN
from imagemusic.events.vocabulary import FIELDS, GAP, INPUTS, STAGES, interval_indices
from imagemusic.generation.backends import BACKENDS
from imagemusic.generation.stepper import Stepper
from imagemusic.research.study import Context, Figures, Study
from imagemusic.training.batches import event_rows, window_columns

SECONDS = 8.0  # of a piece
SHIPS_BELOW = 0.005  # share by which bits per note may rise
Columns = dict[str, NDArray[np.int64]]


def read_columns(prepared: PreparedSet, pieces: list[PreparedPiece], events: int) -> tuple[Columns, Columns, Columns]:
    """Return columns (P, T) of the events before, of the target events and of their weights, for the first T events."""
    parts = []
    for piece in pieces:
        rows = prepared.rows[piece.start : piece.start + piece.rows]
        memory = propose(event_rows(rows))
        parts.append(window_columns(rows, piece.end, 0, events, hide_remaining=True, memory=memory))
    before, target, weights = ({name: np.stack([part[k][name] for part in parts]) for name in parts[0][k]}
                               for k in range(3))  # fmt: skip
    interval = interval_indices(before["pitch"], before["last_pitch"], before["program"])
    return before | {"interval": interval}, target, weights


def score(stepper: Stepper, before: Columns, target: Columns, condition_size: int) -> dict[str, NDArray[np.float64]]:
    """Compute log-probabilities (P, T, V) of every field with teacher forcing, on the backend of a stepper."""
    pieces, events = before["part"].shape
    state, conditioning = stepper.start(np.zeros((pieces, condition_size), np.float32))
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in FIELDS}
    for event in range(events):
        rows = np.stack([before[name][:, event] for name in INPUTS], axis=1).tolist()
        if stepper.has_memory:
            levels = before["memory_levels"][:, event].tolist()
            rows = [[*row, *level, *NO_PLAN] for row, level in zip(rows, levels, strict=True)]
        heads, state = stepper.step(state, conditioning, rows)
        for column, name in enumerate(FIELDS):
            if stepper.has_memory:
                proposed = (target[f"memory_{what}"][:, event, column].tolist() for what in ("values", "levels"))
                heads.propose([Proposal(*one) for one in zip(*proposed, strict=True)])
            logits = heads.logits(column).astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            found[name].append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
            if column < len(STAGES):
                known = np.stack([target[known][:, event] for known in STAGES[column]], axis=1).tolist()
                plan = NO_PLAN if stepper.has_memory and column == GAP else ()
                heads.condition_on(column, [[*row, *plan] for row in known])
    return {name: np.stack(scores, axis=1) for name, scores in found.items()}


def bits(scores: dict[str, NDArray[np.float64]], target: Columns, weights: Columns) -> float:
    """Return bits per note from log-probabilities (P, T, V), over all fields."""
    nats = 0.0
    for name in FIELDS:
        chosen = np.take_along_axis(scores[name], target[name][..., None], axis=2)[..., 0]
        nats -= float((chosen * weights[name]).sum())
    notes = (weights["gap"] * (target["part"] < codec.SLOTS)).sum()
    return nats / float(np.log(2)) / float(notes)


def compose(model: ImageMusic, numbers: range, *, together: bool) -> list[Any]:
    """Compose short pieces from one picture; return the notes of every track with its program."""
    features = model.encode(Image.linear_gradient("L").convert("RGB"))
    requests = [(features, ComposeOptions(seconds=SECONDS, variation=number + 1)) for number in numbers]
    parts = [requests] if together else [[request] for request in requests]
    made = [piece for part in parts for piece in model.compose_batch(part)]
    return [[(track.program, track.notes.tolist()) for track in piece.score.tracks] for piece in made]


def agreement(models: Mapping[str, ImageMusic], sampled: int, alone: int) -> dict[str, dict[str, int]]:
    """Count by backend the pieces equal to those of the first, and those that do not change when composed alone."""
    found: dict[str, dict[str, int]] = {}
    expected: list[Any] = []
    for name, model in models.items():
        together = compose(model, range(sampled), together=True)
        expected = expected or together
        one_by_one = compose(model, range(min(alone, sampled)), together=False)
        found[name] = {
            "sampled": sampled,
            "same_as_the_first": sum(map(eq, together, expected)),
            "written_alone": len(one_by_one),
            "same_alone": sum(map(eq, together, one_by_one)),
        }
    return found


class Engines(Study):
    """Scores held-out pieces and composes on every chosen backend; the first is the reference."""

    needs = ("prepared",)
    quick = {"pieces": 4, "events": 64, "sampled": 2, "alone": 1}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--engines", nargs="+", default=["onnx", "int8", "torch"], choices=BACKENDS)
        add("--split", default="test", choices=("validation", "test"))
        add("--pieces", type=int, default=96, metavar="N", help="evenly spaced by id (%(default)s)")
        add("--events", type=int, default=192, metavar="N", help="of each piece, from its beginning (%(default)s)")
        add("--sampled", type=int, default=100, metavar="N", help="pieces that each composes (%(default)s)")
        add("--alone", type=int, default=64, metavar="N", help="of those, once more one by one (%(default)s)")

    def run(self, context: Context) -> Figures:
        options = context.options
        prepared = PreparedSet.open(context.data.path("prepared"))
        models = {name: ImageMusic.from_pretrained(options.checkpoint, backend=name) for name in options.engines}
        held_out = sorted((piece for piece in prepared if piece.split == options.split), key=lambda piece: piece.id)
        chosen = held_out[:: max(1, len(held_out) // options.pieces)][: options.pieces]
        if not chosen:
            raise DataError(f"{context.data.path('prepared')}: no piece of the split {options.split}")
        before, target, weights = read_columns(prepared, chosen, options.events)
        context.sources = sorted({piece.corpus for piece in chosen})
        costs = compare(models, before, target, weights)
        return {
            "engines": costs,
            "composed": agreement(models, options.sampled, options.alone),
            "names": {name: model.stepper.backend.name for name, model in models.items()},
            "ships": {name: measured["rise"] < SHIPS_BELOW for name, measured in costs.items()},
            "pieces": len(chosen),
            "events": int(weights["gap"].sum()),
            "checkpoint": models[options.engines[0]].checkpoint.id,
            "condition": "null; what is left to play is hidden",
            "split": options.split,
        }


def compare(
    models: Mapping[str, ImageMusic], before: Columns, target: Columns, weights: Columns
) -> dict[str, dict[str, float]]:
    """Score the same events (P, T) on every backend; `rise` is against the first."""
    costs: dict[str, dict[str, float]] = {}
    expected: dict[str, NDArray[np.float64]] = {}
    for name, model in models.items():
        scores = score(model.stepper, before, target, model.checkpoint.layout.size)
        expected = expected or scores
        cost = bits(scores, target, weights)
        first = next(iter(costs.values()))["bits_per_note"] if costs else cost
        costs[name] = {
            "bits_per_note": cost,
            "rise": cost / first - 1,
            "largest_difference": max(
                float((np.abs(scores[field] - expected[field]) * weights[field][..., None]).max()) for field in FIELDS
            ),
        }
    return costs


STUDY = Engines()
