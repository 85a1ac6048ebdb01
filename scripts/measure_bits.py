"""Measure bits per note of a checkpoint on the held-out music, beside the unigram and the Markov baseline.

python scripts/measure_bits.py --prepared runs/prepared --out docs/results/bits_per_note.json
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from imagemusic.checkpoint import open_checkpoint, resolve
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import ImageMusicError
from imagemusic.events import codec
from imagemusic.events.vocabulary import FIELDS
from imagemusic.reports.results import write_result
from imagemusic.training.baselines import Baseline, Columns, with_previous
from imagemusic.training.evaluation import bits_per_note, piece_nats
from imagemusic.training.loading import load_decoder


def columns_of(prepared: PreparedSet, pieces: list[PreparedPiece]) -> Columns:
    made = []
    for piece in pieces:
        rows = prepared.rows[piece.start : piece.start + piece.rows]
        made.append(with_previous(prepared.events(piece), rows["program"]))
    return {name: np.concatenate([columns[name] for columns in made]) for name in made[0]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--skip", nargs="*", default=["pianolatron"], help="corpora left out, in training and test")
    parser.add_argument("--out", type=Path, default=Path("docs/results/bits_per_note.json"))
    arguments = parser.parse_args()
    try:
        prepared = PreparedSet.open(arguments.prepared)
        checkpoint = open_checkpoint(resolve(arguments.checkpoint))
    except ImageMusicError as error:
        print(f"measure_bits: error: {error}", file=sys.stderr)
        return 1
    torch.set_num_threads(2)
    kept = [piece for piece in prepared if piece.corpus not in arguments.skip]
    held_out = [piece for piece in kept if piece.split == arguments.split]
    training = [piece for piece in kept if piece.split == "train"]
    decoder = load_decoder(checkpoint)
    scored = list(tqdm(piece_nats(decoder, prepared, held_out), total=len(held_out), desc="model", unit="piece"))
    nats = {"model": {piece.id: by_field for piece, by_field, _ in scored}}
    right = {name: sum(hits[name] for _, _, hits in scored) for name in FIELDS}
    joined = columns_of(prepared, training)
    for name, markov in (("markov", True), ("unigram", False)):
        baseline = Baseline(codec.SIZES, markov=markov)
        baseline.fit(joined)
        nats[name] = {piece.id: baseline.nats(columns_of(prepared, [piece])) for piece in tqdm(held_out, desc=name)}

    def table(pieces: list[PreparedPiece]) -> dict[str, dict[str, float]]:
        return {name: bits_per_note([by_id[piece.id] for piece in pieces], pieces) for name, by_id in nats.items()}

    overall = table(held_out)
    figures = {
        "bits_per_note": overall,
        "ratio_to_markov": overall["model"]["total"] / overall["markov"]["total"],
        "by_corpus": {
            corpus: table([piece for piece in held_out if piece.corpus == corpus])
            for corpus in sorted({piece.corpus for piece in held_out})
        },
        "right_guesses": right,
        "pieces": len(held_out),
        "notes": sum(piece.notes for piece in held_out),
        "training_notes": sum(piece.notes for piece in training),
        "checkpoint": checkpoint.id,
        "condition": "null; what is left to play is hidden",
        "split": arguments.split,
    }
    for name, values in overall.items():
        print(name, " ".join(f"{field} {value:.3f}" for field, value in values.items()))
    print(f"model / Markov: {figures['ratio_to_markov']:.3f}")
    write_result(arguments.out, figures, data=sorted({piece.corpus for piece in held_out}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
