"""Fine-tune the shipped model on real pairs of cover and music, and ask what it then hears in covers it never saw.

    python scripts/study_transfer.py --pairs maeve/pairs.csv --prepared runs/prepared --out docs/results/transfer.json

The pairs are held out a fold of albums at a time.  Every variant, and its control that learns from shuffled covers, is
trained on each fold from the checkpoint; what was measured lies in WORK, so a run that was stopped goes on.
"""

import argparse
import os
import sys
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two busy threads on a shared machine wait for each other

import numpy as np
import torch
from torch import Tensor

from imagemusic.checkpoint import Checkpoint, open_checkpoint, resolve
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import ConfigError, ImageMusicError
from imagemusic.evaluation.steering.conditional import Music, cut
from imagemusic.evaluation.steering.pairs import PairList, prepare_pairs, read_pairs
from imagemusic.reports.results import write_result
from imagemusic.research.cover_conditions import CoverConditions, encoder_of
from imagemusic.research.transfer import (
    VARIANTS,
    TransferOptions,
    album_groups,
    shuffled_covers,
    split_of_fold,
    tune,
)
from imagemusic.research.transfer_table import Arrays, joined, measure_fold, table_of
from imagemusic.training.evaluation import banded_nats
from imagemusic.training.loading import load_decoder
from imagemusic.vision.features import ImageFeatures
from imagemusic.vision.image import load_pixels, picture_hash

SHUFFLED = "_shuffled"
NAMES = ("none", *(name + end for end in ("", SHUFFLED) for name in VARIANTS))
NOT_OPEN = ("pianolatron",)  # the shipped model was not trained on it either


def read_with_features(path: Path, base: Checkpoint, work: Path) -> tuple[PairList, Tensor]:
    """Read pairs, and the features of the backbone for each cover, which are kept in `work`.

    Raises:
        DataError: no row can be used.
    """
    kept = work / f"features-{base.id}.npz"
    known: dict[str, Any] = dict(np.load(kept)) if kept.exists() else {}
    encoder = encoder_of(base)

    def look(image: Path) -> ImageFeatures:
        name = picture_hash(image)
        with torch.no_grad():
            if name not in known:
                pixels = torch.from_numpy(load_pixels(image, encoder.config.size))
                known[name] = encoder.features(pixels[None])[0].numpy()
                print(f"\r{len(known)} covers seen", end="", file=sys.stderr, flush=True)
            embedding = encoder.embed(torch.from_numpy(known[name])[None])
            return ImageFeatures(name, embedding[0].numpy(), *(one[0].numpy() for one in encoder.affect(embedding)))

    listed = read_pairs(path, look)
    if not listed.pairs:
        listed.checked(str(path), skip_bad=True)
    np.savez(kept, **known)
    return listed, torch.from_numpy(np.stack([known[pair.reading.hash] for pair in listed.pairs]))


def open_pieces(prepared: PreparedSet, count: int, notes: int) -> list[PreparedPiece]:
    """Choose held-out pieces of the open corpora, cut to their first notes."""
    pieces = [piece for piece in prepared.select("test") if piece.corpus not in NOT_OPEN]
    chosen = np.random.default_rng(0).permutation(len(pieces))[:count]
    return cut(replace(prepared, pieces=tuple(pieces[i] for i in np.sort(chosen))), notes)


def study(
    name: str,
    fold: int,
    base: Checkpoint,
    music: Music,
    features: Tensor,
    opened: tuple[PreparedSet, list[PreparedPiece]],
    options: TransferOptions,
    folds: int,
    seed: int,
) -> Arrays:
    """Train one variant on one fold and measure it."""
    decoder, conditions = load_decoder(base), CoverConditions(base, encoder_of(base))
    split = split_of_fold(music.groups, fold, folds, seed)
    kept_step = 0
    if name != "none":
        covers = np.arange(len(music.pairs))
        if name.endswith(SHUFFLED):
            known = np.concatenate([split.train, split.watch])
            covers = shuffled_covers(music.groups, known, np.random.default_rng((seed, fold)))
        kept_step = tune(
            decoder, conditions, music, features[covers], split, VARIANTS[name.removesuffix(SHUFFLED)], options,
            seed * folds + fold, lambda message: print(f"{name}, fold {fold}: {message}", file=sys.stderr),
        )  # fmt: skip
    decoder.eval()
    found = measure_fold(decoder, conditions, music, features, split, notes=options.notes, seed=seed * folds + fold)
    nats = banded_nats(decoder, *opened, (1 << 30,)).sum(axis=1)
    counts = np.array([piece.notes for piece in opened[1]])
    return found | {"open_nats": nats, "open_notes": counts, "kept_step": np.array(kept_step)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="CSV with the columns image, midi and artist")
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"), help="the open corpora")
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"), help="where what is measured is kept")
    parser.add_argument("--out", type=Path, default=Path("docs/results/transfer.json"))
    parser.add_argument("--only", nargs="+", default=list(NAMES), choices=NAMES, metavar="VARIANT",
                        help=f"some of {', '.join(NAMES)}")  # fmt: skip
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=TransferOptions().steps)
    parser.add_argument("--open-pieces", type=int, default=60, help="of the open corpora, to see what is forgotten")
    parser.add_argument("--notes", type=int, default=TransferOptions().notes, help="scored, from the start of a piece")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        if arguments.folds < 2 or arguments.open_pieces < 1:
            raise ConfigError(f"folds must be 2 or more and open-pieces 1 or more, got {arguments.folds} and "
                              f"{arguments.open_pieces}")  # fmt: skip
        options = TransferOptions(steps=arguments.steps, notes=arguments.notes)
        figures = run(arguments, options)
    except ImageMusicError as error:
        print(f"study_transfer: error: {error}", file=sys.stderr)
        return 1
    for name, row in figures["variants"].items():
        gap = row["gap_swapped"]["overall"]
        print(f"{name}: {row['bits_per_note']['value']} bits a note, gap {gap['value']} [{gap['low']}, {gap['high']}]")
    data = [f"pairs of {arguments.pairs.parent.name}", "open corpora, test split"]
    write_result(arguments.out, figures, data=data, seed=arguments.seed)
    return 0


def run(arguments: argparse.Namespace, options: TransferOptions) -> dict[str, Any]:
    """Study every variant on every fold, but for what is known from before; return the figures."""
    base = open_checkpoint(resolve(arguments.checkpoint))
    arguments.work.mkdir(parents=True, exist_ok=True)
    listed, features = read_with_features(arguments.pairs, base, arguments.work)
    for problem in listed.problems:
        print(f"study_transfer: {problem}", file=sys.stderr)
    prepared, owners = prepare_pairs(listed.pairs, base.scale)
    pairs = tuple(listed.pairs[i] for i in owners)
    music = Music(prepared, pairs, tuple(album_groups(pairs)), tuple(piece.ensemble for piece in prepared))
    corpora = PreparedSet.open(arguments.prepared)
    opened = corpora, open_pieces(corpora, arguments.open_pieces, options.notes)
    asked = [sorted(asdict(options).items()), arguments.folds, arguments.seed]
    told = repr([asked, [(pair.reading.hash, pair.name) for pair in pairs], [piece.id for piece in opened[1]]])
    work = arguments.work / f"{base.id}-{sha256(told.encode()).hexdigest()[:8]}"
    work.mkdir(exist_ok=True)
    found: dict[str, list[Arrays]] = {name: [] for name in arguments.only}
    for fold in range(arguments.folds):
        for name in arguments.only:
            path = work / f"{name}-{fold}.npz"
            if not path.exists():
                arrays = study(
                    name, fold, base, music, features[owners], opened, options, arguments.folds, arguments.seed
                )
                waiting = path.with_name(f".{path.name}.{os.getpid()}.npz")
                np.savez(waiting, **arrays)  # type: ignore[arg-type]
                waiting.replace(path)
                print(f"{name}, fold {fold}: measured", file=sys.stderr)
            found[name].append(dict(np.load(path)))
    table = table_of({name: joined(folds) for name, folds in found.items()}, music.groups, lambda name: name + SHUFFLED)
    return {
        "checkpoint": base.id,
        "pairs": len(pairs),
        "left_out": len(listed.problems),
        "groups": len(set(music.groups)),
        "covers": len({pair.reading.hash for pair in pairs}),
        "ensembles": {kind: music.kinds.count(kind) for kind in sorted(set(music.kinds))},
        "folds": arguments.folds,
        "options": asdict(options),
        "variants": table,
    }


if __name__ == "__main__":
    sys.exit(main())
