"""Measure bits per note of a checkpoint on held-out music, beside a unigram and a Markov baseline.

imagemusic study run bits_per_note --set prepared=runs/prepared --out docs/results/bits_per_note.json
"""

import argparse

import numpy as np
import torch
from tqdm import tqdm

from imagemusic.checkpoint import open_checkpoint, resolve
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import DataError
from imagemusic.events import codec
from imagemusic.events.vocabulary import FIELDS
from imagemusic.research.study import Context, Figures, Study
from imagemusic.training.baselines import Baseline, Columns, with_previous
from imagemusic.training.evaluation import bits_per_note, piece_nats
from imagemusic.training.loading import load_decoder


def columns_of(prepared: PreparedSet, pieces: list[PreparedPiece]) -> Columns:
    """Return the columns (N,) of all events of pieces, with those of the events before, for the baselines."""
    made = []
    for piece in pieces:
        rows = prepared.rows[piece.start : piece.start + piece.rows]
        made.append(with_previous(prepared.events(piece), rows["program"]))
    return {name: np.concatenate([columns[name] for columns in made]) for name in made[0]}


class BitsPerNote(Study):
    """Scores the held-out pieces of one split by model, Markov and unigram."""

    needs = ("prepared",)
    quick = {"pieces": 4}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--split", default="test", choices=("validation", "test"))
        parser.add_argument("--skip", nargs="*", default=["pianolatron"], help="corpora left out, in training and test")
        parser.add_argument("--pieces", type=int, metavar="N", help="held-out pieces at most (all)")

    def run(self, context: Context) -> Figures:
        options = context.options
        prepared = PreparedSet.open(context.data.path("prepared"))
        checkpoint = open_checkpoint(resolve(options.checkpoint))
        torch.set_num_threads(2)
        kept = [piece for piece in prepared if piece.corpus not in options.skip]
        held_out = [piece for piece in kept if piece.split == options.split][: options.pieces]
        training = [piece for piece in kept if piece.split == "train"]
        if not held_out or not training:
            raise DataError(f"{context.data.path('prepared')}: needs pieces of the splits train and {options.split}")
        decoder = load_decoder(checkpoint)
        scored = list(tqdm(piece_nats(decoder, prepared, held_out), total=len(held_out), desc="model", unit="piece"))
        nats = {"model": {piece.id: by_field for piece, by_field, _ in scored}}
        right = {name: sum(hits[name] for _, _, hits in scored) for name in FIELDS}
        joined = columns_of(prepared, training)
        for name, markov in (("markov", True), ("unigram", False)):
            baseline = Baseline(codec.SIZES, markov=markov)
            baseline.fit(joined)
            nats[name] = {piece.id: baseline.nats(columns_of(prepared, [piece])) for piece in tqdm(held_out, desc=name)}

        def by_model(pieces: list[PreparedPiece]) -> dict[str, dict[str, float]]:
            return {name: bits_per_note([by_id[piece.id] for piece in pieces], pieces) for name, by_id in nats.items()}

        overall = by_model(held_out)
        corpora = sorted({piece.corpus for piece in held_out})
        context.sources = corpora
        return {
            "bits_per_note": overall,
            "ratio_to_markov": overall["model"]["total"] / overall["markov"]["total"],
            "by_corpus": {name: by_model([piece for piece in held_out if piece.corpus == name]) for name in corpora},
            "right_guesses": right,
            "pieces": len(held_out),
            "notes": sum(piece.notes for piece in held_out),
            "training_notes": sum(piece.notes for piece in training),
            "checkpoint": checkpoint.id,
            "condition": "null; what is left to play is hidden",
            "split": options.split,
        }


STUDY = BitsPerNote()
