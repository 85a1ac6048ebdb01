"""The data of the decoder benchmark: the same pieces for every decoder, without velocities.

Only pieces that note events and REMI tokens both reproduce exactly take part, in training too, so that all decoders see
the same pieces.  Velocities are left out, because the cost of a byte-pair token cannot be split into velocity and the
rest.  The remaining time is never an input: bits per note are measured without it.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imagemusic.data.pairing import Pictures
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.events.vocabulary import DRUMS, NO_VELOCITY
from imagemusic.files import write_atomically
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.music.dials import CUES
from imagemusic.research.decoders.tokens import RemiTokens
from imagemusic.training.settings import BatchOptions, TrainConfig, layout_for

BPE_TOKENS, BPE_PIECES = 2000, 400  # size of the byte-pair vocabulary, and training pieces from which it is learned
LONGEST = 8192  # rows of a held-out piece: pieces are scored in batches, and the longest decides how long one takes

Progress = Callable[[Iterable[PreparedPiece], int], Iterable[PreparedPiece]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Pieces by split, and how batches of them are sampled."""

    prepared: PreparedSet  # rows without velocities
    training: tuple[PreparedPiece, ...]
    validation: tuple[PreparedPiece, ...]
    test: tuple[PreparedPiece, ...]
    pictures: Pictures
    layout: ConditionLayout
    conditional: BatchOptions  # conditions as in the training of the shipped model
    unconditional: BatchOptions  # null conditions, and no state reset
    tokens: dict[str, RemiTokens]
    coverage: float  # share of held-out notes in pieces that both codecs reproduce

    @classmethod
    def open(
        cls, config: TrainConfig, folder: Path, *, batch_size: int, window: int, notes: tuple[int, int],
        progress: Progress,
    ) -> "Benchmark":  # fmt: skip
        """Prepare the benchmark; results of long computations are kept in `folder`.

        notes: approximate numbers of validation and of test notes to score.
        """
        prepared = without_velocities(PreparedSet.open(Path(config.training.prepared)))
        corpora = config.training.corpora
        pieces = [piece for piece in prepared if not corpora or piece.corpus in corpora]
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
        conditional = replace(
            config.batches, batch_size=batch_size, window=window, drop_remaining=1.0, header_weight=1.0,
            velocity_dropout=0.0,
        )  # fmt: skip
        unconditional = replace(conditional, drop_condition=1.0, piece_level=0.0, noisy=0.0, drop_state=0.0)
        tokens = {"remi": RemiTokens(), "remi-bpe": _bpe_tokens(prepared, training, folder / "pairs.json")}
        layout = layout_for(pictures.embeddings.shape[-1])
        return cls(prepared, training, validation, test, pictures, layout, conditional, unconditional, tokens, coverage)


def without_velocities(prepared: PreparedSet) -> PreparedSet:
    """Copy a prepared set as if no velocity were known."""
    rows, segments = np.array(prepared.rows), np.array(prepared.segments)
    rows["velocity"] = 0
    rows["last_velocity"][rows["last_velocity"] != NO_VELOCITY] = 0
    segments[:, CUES.index("loudness")] = np.nan
    pieces = tuple(replace(piece, cues={**piece.cues, "loudness": None}) for piece in prepared)
    return replace(prepared, rows=rows, segments=segments, pieces=pieces)


def has_drums(prepared: PreparedSet, piece: PreparedPiece) -> bool:
    """Return whether a piece has drums."""
    return bool((prepared.rows[piece.start : piece.start + piece.rows]["program"] == DRUMS).any())


def _some(pieces: list[PreparedPiece], notes: int) -> tuple[PreparedPiece, ...]:
    """Choose pieces in a fixed random order until they have `notes` notes."""
    order = np.random.default_rng(0).permutation(len(pieces))
    before = np.cumsum([0, *(pieces[i].notes for i in order[:-1])])
    return tuple(pieces[i] for i, count in zip(order, before, strict=False) if count < notes)


def _exact(prepared: PreparedSet, pieces: list[PreparedPiece], path: Path, progress: Progress) -> list[str]:
    """List the ids of pieces that REMI tokens reproduce; kept in a file, with the ids that were tried."""
    known = json.loads(path.read_text()) if path.exists() else {"tried": [], "exact": []}
    tried, tokens = set(known["tried"]), RemiTokens()
    left = [piece for piece in pieces if piece.id not in tried]
    if left:
        found = [piece.id for piece in progress(left, len(left)) if tokens.is_exact(prepared.events(piece))]
        known = {"tried": sorted(tried | {piece.id for piece in left}), "exact": sorted({*known["exact"], *found})}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(known))
    return list(known["exact"])


def _bpe_tokens(prepared: PreparedSet, training: tuple[PreparedPiece, ...], path: Path) -> RemiTokens:
    """Read byte-pair tokens, or learn them from a sample of the training pieces."""
    if path.exists():
        return RemiTokens(path)
    chosen = np.random.default_rng(0).permutation(len(training))[:BPE_PIECES]
    return RemiTokens().train_bpe([prepared.events(training[i]) for i in chosen], BPE_TOKENS, path)
