"""Fine-tune a model on real pairs of cover and music, and measure what covers that it never saw then predict.

    imagemusic study run transfer --data DATA --set prepared=runs/prepared --out docs/results/transfer.json

The pairs are held out a fold of albums at a time.  Every variant, and its control that learns from shuffled covers, is
trained on each fold from the checkpoint; what was measured is kept in --work, so a run that was stopped goes on.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagemusic.checkpoint import Checkpoint, open_checkpoint, resolve
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import ConfigError
from imagemusic.evaluation.steering.conditional import Music, cut
from imagemusic.evaluation.steering.pairs import PairList, prepare_pairs, read_pairs
from imagemusic.reports.markdown import cell, table
from imagemusic.research.cover_conditions import CoverConditions, encoder_of
from imagemusic.research.study import Context, Figures, Study
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


def read_with_features(
    path: Path, base: Checkpoint, work: Path, report: Callable[[str], None]
) -> tuple[PairList, Tensor]:
    """Read pairs, and the backbone features (N, F) of their covers, which are kept in `work`.

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
                if len(known) % 50 == 0:
                    report(f"{len(known)} covers encoded")
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


@dataclass(frozen=True, slots=True)
class Experiment:
    """What all variants and folds share."""

    base: Checkpoint
    music: Music
    features: Tensor  # (N, F) of the cover of each piece
    opened: tuple[PreparedSet, list[PreparedPiece]]  # held-out pieces of the open corpora
    options: TransferOptions
    folds: int
    seed: int

    def measure(self, name: str, fold: int, report: Callable[[str], None]) -> Arrays:
        """Train one variant on one fold and measure it."""
        decoder, conditions = load_decoder(self.base), CoverConditions(self.base, encoder_of(self.base))
        groups, seed = self.music.groups, self.seed * self.folds + fold
        split = split_of_fold(groups, fold, self.folds, self.seed)
        kept_step = 0
        if name != "none":
            covers = np.arange(len(self.music.pairs))
            if name.endswith(SHUFFLED):
                known = np.concatenate([split.train, split.validation])
                covers = shuffled_covers(groups, known, np.random.default_rng((self.seed, fold)))
            kept_step = tune(
                decoder, conditions, self.music, self.features[covers], split, VARIANTS[name.removesuffix(SHUFFLED)],
                self.options, seed, report,
            )  # fmt: skip
        decoder.eval()
        notes = self.options.notes
        found = measure_fold(decoder, conditions, self.music, self.features, split, notes=notes, seed=seed)
        nats = banded_nats(decoder, *self.opened, (1 << 30,)).sum(axis=1)
        counts = np.array([piece.notes for piece in self.opened[1]])
        return found | {"open_nats": nats, "open_notes": counts, "kept_step": np.array(kept_step)}

    def key(self) -> str:
        """Name all that the measures depend on."""
        sizes = [sorted(asdict(self.options).items()), self.folds, self.seed]
        pairs = [(pair.reading.hash, pair.name) for pair in self.music.pairs]
        about = repr([sizes, pairs, [piece.id for piece in self.opened[1]]])
        return f"{self.base.id}-{sha256(about.encode()).hexdigest()[:8]}"


class Transfer(Study):
    """Trains every variant on every fold of the pairs, and measures each on the albums held out."""

    needs = ("pairs", "prepared")
    variants = NAMES
    quick = {"folds": 2, "steps": 1, "notes": 4, "open_pieces": 1, "only": ["none", "condition"]}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add, sizes = parser.add_argument, TransferOptions()
        add("--folds", type=int, default=5, metavar="N", help="(%(default)s)")
        add("--steps", type=int, default=sizes.steps, metavar="N", help="of training (%(default)s)")
        add("--open-pieces", type=int, default=60, metavar="N", help="of the open corpora, to see what is forgotten")
        add("--notes", type=int, default=sizes.notes, metavar="N", help="scored, from the start of a piece")

    def run(self, context: Context) -> Figures:
        options = context.options
        torch.set_num_threads(1)
        if options.folds < 2 or options.open_pieces < 1:
            lowest = "folds must be 2 or more and open-pieces 1 or more"
            raise ConfigError(f"{lowest}, got {options.folds} and {options.open_pieces}")
        sizes = TransferOptions(steps=options.steps, notes=options.notes)
        base = open_checkpoint(resolve(options.checkpoint))
        path = context.data.path("pairs")
        context.sources = [f"pairs of {path.parent.name}", "open corpora, test split"]
        listed, features = read_with_features(path, base, context.work, context.report)
        for problem in listed.problems:
            context.report(f"left out: {problem}")
        prepared, owners = prepare_pairs(listed.pairs, base.scale)
        pairs = tuple(listed.pairs[i] for i in owners)
        music = Music(prepared, pairs, tuple(album_groups(pairs)), tuple(piece.ensemble for piece in prepared))
        corpora = PreparedSet.open(context.data.path("prepared"))
        opened = corpora, open_pieces(corpora, options.open_pieces, sizes.notes)
        experiment = Experiment(base, music, features[owners], opened, sizes, options.folds, options.seed)
        work = context.work / experiment.key()
        work.mkdir(exist_ok=True)
        found: dict[str, list[Arrays]] = {name: [] for name in options.only}
        for fold in range(options.folds):
            for name in options.only:
                kept = work / f"{name}-{fold}.npz"
                if not kept.exists():
                    arrays = experiment.measure(name, fold, partial(report_fold, context.report, name, fold))
                    save_arrays(kept, arrays)
                found[name].append(dict(np.load(kept)))
        measured = {name: joined(folds) for name, folds in found.items()}
        return {
            "checkpoint": base.id,
            "pairs": len(pairs),
            "left_out": len(listed.problems),
            "groups": len(set(music.groups)),
            "covers": len({pair.reading.hash for pair in pairs}),
            "ensembles": {kind: music.kinds.count(kind) for kind in sorted(set(music.kinds))},
            "folds": options.folds,
            "options": asdict(sizes),
            "variants": table_of(measured, music.groups, lambda name: name + SHUFFLED),
        }

    def report(self, figures: Figures) -> str:
        rows = [
            [name, cell(row["bits_per_note"]["value"]), cell(row["gap_swapped"]["overall"])]
            for name, row in figures["variants"].items()
        ]
        return table(("variant", "bits a note", "gap of a swapped cover"), rows)


def report_fold(report: Callable[[str], None], name: str, fold: int, message: str) -> None:
    """Report progress with the variant and the fold."""
    report(f"{name}, fold {fold}: {message}")


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays as a whole or not at all."""
    partial_path = path.with_name(f".{path.name}.{os.getpid()}.npz")
    np.savez(partial_path, **arrays)  # type: ignore[arg-type]
    partial_path.replace(path)


STUDY = Transfer()
