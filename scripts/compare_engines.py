"""Measure what each engine costs in bits per note on held-out music, against the first of them.

    python scripts/compare_engines.py --prepared runs/prepared --out docs/results/engines.json

The engines read the same notes, which are not their own (teacher forcing): the beginnings of held-out pieces, side by
side, the condition null and what is left to play hidden.  Then each composes pieces of its own, side by side and one by
one: how many are the same, note for note, as those of the first engine, and how many do not change when written alone.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from operator import eq
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import ImageMusicError
from imagemusic.events import codec
from imagemusic.events.vocabulary import FIELDS, INPUTS, STAGES, interval_indices
from imagemusic.generation.backends import BACKENDS
from imagemusic.generation.stepper import Stepper
from imagemusic.reports.results import write_result
from imagemusic.training.batches import window_columns

SECONDS = 8.0  # of a piece
SHIPS_BELOW = 0.005  # share by which bits per note may rise
Columns = dict[str, NDArray[np.int64]]


def read_columns(prepared: PreparedSet, pieces: list[PreparedPiece], events: int) -> tuple[Columns, Columns, Columns]:
    """Columns (P, T) of the rows before, of the rows to guess and of their weights, for the first T events."""
    parts = [
        window_columns(prepared.rows[piece.start : piece.start + piece.rows], piece.end, 0, events, hide_remaining=True)
        for piece in pieces
    ]
    before, target, weights = ({name: np.stack([part[k][name] for part in parts]) for name in parts[0][k]}
                               for k in range(3))  # fmt: skip
    interval = interval_indices(before["pitch"], before["last_pitch"], before["program"])
    return before | {"interval": interval}, target, weights


def teach(stepper: Stepper, before: Columns, target: Columns, condition_size: int) -> dict[str, NDArray[np.float64]]:
    """Log-probabilities (P, T, V) of every field, as an engine gives them."""
    pieces, events = before["part"].shape
    state, reminder = stepper.start(np.zeros((pieces, condition_size), np.float32))
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in FIELDS}
    for event in range(events):
        rows = np.stack([before[name][:, event] for name in INPUTS], axis=1).tolist()
        heads, state = stepper.step(state, reminder, rows)
        for column, name in enumerate(FIELDS):
            logits = heads.logits(column).astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            found[name].append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
            if column < len(STAGES):
                heads.condition_on(
                    column, np.stack([target[known][:, event] for known in STAGES[column]], axis=1).tolist()
                )
    return {name: np.stack(scores, axis=1) for name, scores in found.items()}


def bits(scores: dict[str, NDArray[np.float64]], target: Columns, weights: Columns) -> float:
    """Bits of all fields, over the notes."""
    nats = 0.0
    for name in FIELDS:
        chosen = np.take_along_axis(scores[name], target[name][..., None], axis=2)[..., 0]
        nats -= float((chosen * weights[name]).sum())
    notes = (weights["gap"] * (target["part"] < codec.SLOTS)).sum()
    return nats / float(np.log(2)) / float(notes)


def compose(model: ImageMusic, numbers: range, *, together: bool) -> list[Any]:
    """Notes of short pieces from one picture, of every track with its program."""
    reading = model.encode(Image.linear_gradient("L").convert("RGB"))
    requests = [(reading, ComposeOptions(seconds=SECONDS, variation=number + 1)) for number in numbers]
    parts = [requests] if together else [[wish] for wish in requests]
    made = [piece for part in parts for piece in model.compose_batch(part)]
    return [[(track.program, track.notes.tolist()) for track in piece.score.tracks] for piece in made]


def agreement(models: Mapping[str, ImageMusic], sampled: int, alone: int) -> dict[str, dict[str, int]]:
    """Count, for every engine, the pieces that are the first engine's, and those that do not change when alone."""
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--engines", nargs="+", default=["onnx", "int8", "torch"], choices=BACKENDS)
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--pieces", type=int, default=96, help="as many of each length, drawn evenly")
    parser.add_argument("--events", type=int, default=192, help="of each piece, from its beginning")
    parser.add_argument("--sampled", type=int, default=100, help="pieces that each engine composes")
    parser.add_argument("--alone", type=int, default=64, help="of those, once more one by one")
    parser.add_argument("--out", type=Path, default=Path("docs/results/engines.json"))
    arguments = parser.parse_args()
    try:
        prepared = PreparedSet.open(arguments.prepared)
        models = {name: ImageMusic.from_pretrained(arguments.checkpoint, backend=name) for name in arguments.engines}
    except ImageMusicError as error:
        print(f"compare_engines: error: {error}", file=sys.stderr)
        return 1
    first = arguments.engines[0]
    checkpoint, steppers = models[first].checkpoint, {name: model.stepper for name, model in models.items()}
    held_out = sorted((piece for piece in prepared if piece.split == arguments.split), key=lambda piece: piece.id)
    chosen = held_out[:: max(1, len(held_out) // arguments.pieces)][: arguments.pieces]
    before, target, weights = read_columns(prepared, chosen, arguments.events)
    size = checkpoint.layout.size
    expected = teach(steppers[first], before, target, size)
    engines: dict[str, dict[str, float]] = {}
    for name, stepper in steppers.items():
        scores = expected if name == first else teach(stepper, before, target, size)
        cost = bits(scores, target, weights)
        engines[name] = {
            "bits_per_note": cost,
            "rise": cost / engines.get(first, {}).get("bits_per_note", cost) - 1,
            "largest_difference": max(
                float((np.abs(scores[field] - expected[field]) * weights[field][..., None]).max()) for field in FIELDS
            ),
        }
    figures = {
        "engines": engines,
        "composed": agreement(models, arguments.sampled, arguments.alone),
        "names": {name: stepper.backend.name for name, stepper in steppers.items()},
        "ships": {name: measured["rise"] < SHIPS_BELOW for name, measured in engines.items()},
        "pieces": len(chosen),
        "events": int(weights["gap"].sum()),
        "checkpoint": checkpoint.id,
        "condition": "null; what is left to play is hidden",
        "split": arguments.split,
    }
    print(json.dumps(figures, indent=1))
    write_result(arguments.out, figures, data=sorted({piece.corpus for piece in chosen}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
