"""Measure what each pointer of the decoder's memory brings: bits a note without it.

    imagemusic study run memory --set prepared=runs/prepared --out docs/results/memory.json

A pointer that is switched off proposes nothing anywhere; the decoder was trained with all of them, so this tells what
it relies on, not how well one trained without would do.  Condition and remaining time are hidden.  The pointer to the
bar that is answered needs a plan, so it is measured with the plan that the analysis of the piece finds, beside the plan
alone.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imagemusic.checkpoint import open_checkpoint, resolve
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import ratio_of
from imagemusic.events.memory.pointers import ANSWER, NOTHING, POINTERS
from imagemusic.events.memory.proposals import Proposals, propose
from imagemusic.events.vocabulary import FIELDS
from imagemusic.plan.columns import PlanColumns
from imagemusic.research.study import Context, Figures, Study
from imagemusic.training.batches import HasMemory, event_rows
from imagemusic.training.evaluation import piece_nats
from imagemusic.training.loading import load_decoder

ALL = tuple(range(len(POINTERS)))
# Name -> the pointers that are off, and whether the plan is known.
SETTINGS: dict[str, tuple[tuple[int, ...], bool]] = {
    "all on": ((), False),
    **{f"without {POINTERS[one]}": ((one,), False) for one in ALL if one != ANSWER},
    "all off": (ALL, False),
    "plan, all on": ((), True),
    f"plan, without {POINTERS[ANSWER]}": ((ANSWER,), True),
    "plan, all off": (ALL, True),
}
BITS = 1 / np.log(2)


def switched_off(memory: Proposals, pointers: Sequence[int]) -> Proposals:
    """Return the proposals without those of some pointers."""
    values, levels = memory.values.copy(), memory.levels.copy()
    values[..., list(pointers)] = NOTHING
    levels[..., list(pointers)] = 0
    return Proposals(values, levels)


def choose(prepared: PreparedSet, split: str, most: int, seed: int) -> list[PreparedPiece]:
    """Choose pieces of every corpus at random, at most `most` of each."""
    by_corpus: dict[str, list[PreparedPiece]] = {}
    for piece in prepared.select(split):
        by_corpus.setdefault(piece.corpus, []).append(piece)
    rng = np.random.default_rng(seed)
    return [
        by_corpus[name][i] for name in sorted(by_corpus) for i in sorted(rng.permutation(len(by_corpus[name]))[:most])
    ]


class Memory(Study):
    """Scores held-out pieces with one pointer off at a time."""

    needs = ("prepared",)
    variants = tuple(SETTINGS)
    quick = {"pieces": 1}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--split", default="validation", choices=("validation", "test"))
        parser.add_argument("--pieces", type=int, default=12, metavar="N", help="of a corpus at most (%(default)s)")

    def run(self, context: Context) -> Figures:
        options = context.options
        prepared = PreparedSet.open(context.data.path("prepared"))
        checkpoint = open_checkpoint(resolve(options.checkpoint))
        torch.set_num_threads(2)
        decoder = load_decoder(checkpoint)
        pieces = choose(prepared, options.split, options.pieces, options.seed)
        if not pieces:
            raise DataError(f"{context.data.path('prepared')}: it has no pieces of the split {options.split}")
        context.sources = sorted({piece.corpus for piece in pieces})
        metrical = {prepared.rows[piece.start : piece.start + piece.rows].tobytes(): piece.metrical for piece in pieces}
        bits: dict[str, NDArray[np.float64]] = {}
        for name in options.only:
            context.report(name)
            off, planned = SETTINGS[name]

            def tell(
                rows: NDArray[np.void],
                decoder: HasMemory,
                off: tuple[int, ...] = off,
                planned: bool = planned,
            ) -> Mapping[str, Any]:
                if not decoder.config.memory:
                    return {"memory": None}
                events = event_rows(rows)
                plan = (
                    PlanColumns.of(events, chords=True, answers=True) if planned and metrical[rows.tobytes()] else None
                )
                memory = propose(events, plan.answers if plan else None)
                return {"memory": switched_off(memory, off), "plan": plan}

            found = {
                piece.id: BITS * sum(nats[field] for field in FIELDS if field != "velocity")
                for piece, nats, _ in piece_nats(decoder, prepared, pieces, tell=tell)
            }
            bits[name] = np.array([found[piece.id] for piece in pieces])
        return {
            "split": options.split,
            "pieces": len(pieces),
            "notes": sum(piece.notes for piece in pieces),
            "has_memory": decoder.config.memory,
            "checkpoint": checkpoint.id,
            "bits_per_note": table_of(bits, pieces),
            "by_corpus": {
                corpus: {name: figures["bits"] for name, figures in table_of(bits, pieces, corpus).items()}
                for corpus in context.sources
            },
        }

    def finding(self, figures: Figures) -> str:
        table = figures["bits_per_note"]
        lost = {name: row["lost"]["value"] for name, row in table.items() if name.startswith("without ")}
        if not lost or not figures["has_memory"]:
            return "This decoder has no memory."
        most = max(lost, key=lambda name: lost[name])
        return f"The pointer that brings most is {most.removeprefix('without ')}: {lost[most]:.3f} bits a note."


def table_of(
    bits: dict[str, NDArray[np.float64]], pieces: Sequence[PreparedPiece], corpus: str | None = None
) -> dict[str, dict[str, Any]]:
    """Return bits a note of every setting, and those lost against all pointers with the same knowledge of the plan."""
    chosen = np.array([corpus in (None, piece.corpus) for piece in pieces])
    notes = np.array([piece.notes for piece in pieces], float)[chosen]
    groups = [piece.group for piece, here in zip(pieces, chosen, strict=True) if here]
    table = {}
    for name, total in bits.items():
        row = {"bits": ratio_of(total[chosen], notes, groups).to_json()}
        base = "plan, all on" if name.startswith("plan") else "all on"
        if base in bits and name != base:
            row["lost"] = ratio_of((total - bits[base])[chosen], notes, groups).to_json()
        table[name] = row
    return table


STUDY = Memory()
