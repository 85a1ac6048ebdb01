"""What every decoder of the bench learns from and is scored on: the same pieces, without loudness.

Only pieces that note events and REMI tokens both reproduce exactly take part, in training too, so that no decoder sees
others than the next.  Loudness is left out, because tokens joined by byte-pair encoding do not tell what of their cost
is loudness.  What is left to play is never told, either: bits per note are measured without it.
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imagemusic.data.pairing import Pictures
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.events.vocabulary import DRUMS, NO_VELOCITY
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.music.dials import CUES
from imagemusic.research.decoders.tokens import RemiTokens
from imagemusic.training.batches import BatchOptions
from imagemusic.training.settings import TrainConfig, layout_for

PAIRS, PAIR_PIECES = 2000, 400  # tokens after byte-pair encoding, and training pieces from which it is learned
LONGEST = 8192  # rows of a held-out piece: pieces are scored side by side, and the longest keeps the others waiting

Progress = Callable[[Iterable[PreparedPiece], int], Iterable[PreparedPiece]]


@dataclass(frozen=True, slots=True)
class Bench:
    """Pieces by split, and how batches of them are drawn."""

    prepared: PreparedSet  # rows without loudness
    training: tuple[PreparedPiece, ...]
    validation: tuple[PreparedPiece, ...]
    test: tuple[PreparedPiece, ...]
    pictures: Pictures
    layout: ConditionLayout
    told: BatchOptions  # the condition as in the training of what ships
    unconditional: BatchOptions  # never a condition, and no state dropped
    tokens: dict[str, RemiTokens]
    coverage: float  # share of held-out notes in pieces that both codecs reproduce

    @classmethod
    def open(
        cls, config: TrainConfig, folder: Path, *, batch_size: int, window: int, notes: tuple[int, int],
        progress: Progress,
    ) -> "Bench":  # fmt: skip
        """Set the bench up; what takes long is kept in `folder`.

        notes: how many of the validation and of the test music are scored, about.
        """
        prepared = without_loudness(PreparedSet.open(Path(config.training.prepared)))
        wanted = config.training.corpora
        pieces = [piece for piece in prepared if not wanted or piece.corpus in wanted]
        exact = set(_exact(prepared, pieces, folder / "exact.json", progress))
        kept = [piece for piece in pieces if piece.id in exact]
        training = tuple(piece for piece in kept if piece.split == "train")
        validation, test = (
            _some([piece for piece in kept if piece.split == split and piece.rows <= LONGEST], count)
            for split, count in zip(("validation", "test"), notes, strict=True)
        )
        held_out = [piece for piece in pieces if piece.split != "train"]
        coverage = sum(p.notes for p in held_out if p.id in exact) / max(sum(p.notes for p in held_out), 1)
        pictures = Pictures.open(Path(config.training.pictures), "train")
        told = replace(
            config.batches, batch_size=batch_size, window=window, drop_remaining=1.0, header_weight=1.0,
            velocity_dropout=0.0,
        )  # fmt: skip
        unconditional = replace(told, drop_condition=1.0, piece_level=0.0, noisy=0.0, drop_state=0.0)
        tokens = {"remi": RemiTokens(), "remi-bpe": _pairs(prepared, training, folder / "pairs.json")}
        layout = layout_for(pictures.embeddings.shape[-1])
        return cls(prepared, training, validation, test, pictures, layout, told, unconditional, tokens, coverage)


def without_loudness(prepared: PreparedSet) -> PreparedSet:
    """Copy a prepared set as if no loudness were known."""
    rows, segments = np.array(prepared.rows), np.array(prepared.segments)
    rows["velocity"] = 0
    rows["last_velocity"][rows["last_velocity"] != NO_VELOCITY] = 0
    segments[:, CUES.index("loudness")] = np.nan
    pieces = tuple(replace(piece, cues={**piece.cues, "loudness": None}) for piece in prepared)
    return replace(prepared, rows=rows, segments=segments, pieces=pieces)


def has_drums(prepared: PreparedSet, piece: PreparedPiece) -> bool:
    """Say whether drums play in a piece."""
    return bool((prepared.rows[piece.start : piece.start + piece.rows]["program"] == DRUMS).any())


def _some(pieces: list[PreparedPiece], notes: int) -> tuple[PreparedPiece, ...]:
    """Choose pieces at random, once and for all, until there are notes enough."""
    order = np.random.default_rng(0).permutation(len(pieces))
    before = np.cumsum([0, *(pieces[i].notes for i in order[:-1])])
    return tuple(pieces[i] for i, seen in zip(order, before, strict=False) if seen < notes)


def _exact(prepared: PreparedSet, pieces: list[PreparedPiece], path: Path, progress: Progress) -> list[str]:
    """List the pieces that REMI tokens reproduce; remembered, together with those that were tried."""
    known = json.loads(path.read_text()) if path.exists() else {"tried": [], "exact": []}
    tried, tokens = set(known["tried"]), RemiTokens()
    left = [piece for piece in pieces if piece.id not in tried]
    if left:
        found = [piece.id for piece in progress(left, len(left)) if tokens.is_exact(prepared.events(piece))]
        known = {"tried": sorted(tried | {piece.id for piece in left}), "exact": sorted({*known["exact"], *found})}
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = path.with_name(path.name + ".partial")
        waiting.write_text(json.dumps(known))
        os.replace(waiting, path)
    return list(known["exact"])


def _pairs(prepared: PreparedSet, training: tuple[PreparedPiece, ...], path: Path) -> RemiTokens:
    """Read byte-pair tokens, or learn them from some of the training pieces."""
    if path.exists():
        return RemiTokens(path)
    chosen = np.random.default_rng(0).permutation(len(training))[:PAIR_PIECES]
    return RemiTokens().train_pairs([prepared.events(training[i]) for i in chosen], PAIRS, path)
