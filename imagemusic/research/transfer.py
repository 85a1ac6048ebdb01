"""Fine-tuning on real pairs: can a decoder, and the encoder, learn to predict music from unseen covers?

groups of albums ──> fold ──> training | validation, for early stopping | test
step ──> windows of pieces, conditions of their covers with dropout ──> gradient ──> the layers of a variant
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagemusic.data.prepared import PreparedPiece
from imagemusic.errors import ConfigError
from imagemusic.evaluation.steering.conditional import Music, Scorer, cut
from imagemusic.evaluation.steering.pairs import Pair
from imagemusic.events.memory.proposals import propose
from imagemusic.model.decoder import NoteDecoder
from imagemusic.research.cover_conditions import CoverConditions
from imagemusic.training.batches import event_rows, window_columns
from imagemusic.training.encoder.heads import group_folds
from imagemusic.training.evaluation import to_tensors
from imagemusic.training.loop import Groups, LoopOptions, TrainingLoop

CONDITION_LAYERS = ("condition", "to_hidden", "to_cell", "to_input", "condition_to_heads")

Rows = NDArray[np.int64]


class Variant(NamedTuple):
    """The layers that are trained."""

    whole_decoder: bool  # else its CONDITION_LAYERS
    encoder: bool  # its last linear layers; the backbone is frozen


VARIANTS = {
    "condition": Variant(whole_decoder=False, encoder=False),
    "decoder": Variant(whole_decoder=True, encoder=False),
    "encoder": Variant(whole_decoder=True, encoder=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOptions:
    """How a variant is trained."""

    steps: int = 80
    batch_size: int = 16
    window: int = 128  # events
    readers_rate: float = 1e-3  # learning rate of CONDITION_LAYERS
    decoder_rate: float = 3e-4  # of the rest of the decoder
    encoder_rate: float = 3e-5  # of the encoder's last layers
    check_every: int = 20  # steps between two validations
    notes: int = 256  # scored, from the start of a piece
    transpose: int = 5  # semitones up or down at most
    first_windows: float = 0.5  # share of windows that are the first of a piece, where the scored notes are
    tell_nothing: float = 0.1  # share of null conditions, so that the null condition keeps its meaning
    drop_embedding: float = 0.15
    drop_dials: float = 0.15

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.window, self.check_every, self.notes) < 1:
            raise ConfigError("steps, batch_size, window, check_every and notes must be above 0")


class Split(NamedTuple):
    """Numbers of pairs (N,); no group is in two of the three."""

    train: Rows
    validation: Rows
    test: Rows


def album_groups(pairs: Sequence[Pair]) -> list[str]:
    """Return the group of each pair: its artist, else its album, so that neither is in two folds.

    Artists who share a picture are one group.
    """
    plain = [_plain(pair.artist) or _plain(pair.album) or pair.name for pair in pairs]
    owner: dict[str, str] = {}  # of a picture: the first artist that has it
    joined = {name: name for name in plain}

    def root(name: str) -> str:
        while joined[name] != name:
            name = joined[name]
        return name

    for name, pair in zip(plain, pairs, strict=True):
        joined[root(name)] = root(owner.setdefault(pair.reading.hash, name))
    return [root(name) for name in plain]


def _plain(name: str) -> str:
    """Remove case and invisible characters."""
    return "".join(c for c in name.casefold() if unicodedata.category(c) != "Cf").strip()


def split_of_fold(groups: Sequence[str], fold: int, folds: int, seed: int) -> Split:
    """Return the split of a fold: its groups are the test part, a sixth of the others the validation part."""
    names = np.array(groups)
    held_out = group_folds(names, folds, seed) == fold
    left = np.flatnonzero(~held_out)
    is_validation = group_folds(names[left], 6, seed + 1 + fold) == 0
    return Split(left[~is_validation], left[is_validation], np.flatnonzero(held_out))


def shuffled_covers(groups: Sequence[str], among: Rows, rng: np.random.Generator) -> Rows:
    """Return for each of N pairs the pair (N,) whose cover it gets: of another group, for the pairs `among` (M,).

    Pairs that share a cover still share one.
    """
    names = np.array(groups)
    kinds = rng.permutation(np.unique(names[among]))
    covers = np.arange(len(names))
    for name, other in zip(kinds, np.roll(kinds, 1), strict=True):
        mine, theirs = (among[names[among] == one] for one in (name, other))
        covers[mine] = theirs[np.arange(len(mine)) % len(theirs)]
    return covers


def tune(
    decoder: NoteDecoder,
    conditions: CoverConditions,
    music: Music,
    features: Tensor,
    split: Split,
    variant: Variant,
    options: TransferOptions,
    seed: int,
    report: Callable[[str], None] = lambda message: None,
) -> int:
    """Train decoder and conditions in place, restore the weights of the best validation, and return its step.

    features (N, F) are those of the covers that the pairs are trained with.

    Raises:
        ConfigError: the loss is not finite.
    """
    pieces = [music.prepared.pieces[i] for i in split.train]
    covers = features[split.train]
    scorer = scorer_for(decoder, music, split.validation, options.notes)
    loop = TrainingLoop(
        {"decoder": decoder}, trainable(decoder, conditions, variant, options),
        LoopOptions(end=options.steps, warmup=max(1, options.steps // 10), learning_rate=options.decoder_rate),
        seed=seed,
    )  # fmt: skip

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((seed, step))
        chosen = rng.choice(len(pieces), options.batch_size, replace=len(pieces) < options.batch_size)
        before, target, weights = _windows(music, [pieces[i] for i in chosen], options, rng)
        condition = conditions(covers[chosen], _kept_parts(options, rng))
        heads, _ = decoder(before, condition, decoder.initial_state(condition))
        nats, _ = decoder.loss(heads, target, weights)
        return torch.stack(list(nats.values())).sum() / weights["gap"].sum()

    best, kept, best_step = float("inf"), [], 0
    while True:
        if loop.step % options.check_every == 0 or loop.finished:
            with torch.no_grad():
                nats = scorer.nats(conditions(features[split.validation]).numpy()).sum()
            if nats < best:
                best, best_step = nats, loop.step
                kept = [parameter.detach().clone() for parameter in loop.parameters]
            bits = nats / np.log(2) / scorer.notes().sum()
            report(f"step {loop.step}: {bits:.4f} bits a note of the validation pairs")
        if loop.finished:
            break
        loop.update(loss)
    with torch.no_grad():
        for parameter, value in zip(loop.parameters, kept, strict=True):
            parameter.copy_(value)
    return best_step


def trainable(decoder: NoteDecoder, conditions: CoverConditions, variant: Variant, options: TransferOptions) -> Groups:
    """Freeze all but the layers of a variant; return the parameter groups of those, with their learning rates."""
    decoder.requires_grad_(variant.whole_decoder)
    conditions.requires_grad_(variant.encoder)
    readers = [part for name in CONDITION_LAYERS for part in decoder.get_submodule(name).parameters()]
    for parameter in readers:
        parameter.requires_grad_(True)
    known = {id(parameter) for parameter in readers}
    rest = [part for part in decoder.parameters() if part.requires_grad and id(part) not in known]
    groups = [(readers, options.readers_rate), (rest, options.decoder_rate)]
    groups.append(([part for part in conditions.parameters() if part.requires_grad], options.encoder_rate))
    return [{"params": parameters, "lr": rate} for parameters, rate in groups if parameters]


def scorer_for(decoder: NoteDecoder, music: Music, rows: Rows, notes: int) -> Scorer:
    """Return a scorer of the first `notes` notes of the pairs `rows` (N,)."""
    pieces = cut(music.prepared, notes)
    return Scorer(decoder, music, tuple(pieces[i] for i in rows))


def _windows(
    music: Music, pieces: Sequence[PreparedPiece], options: TransferOptions, rng: np.random.Generator
) -> list[dict[str, Tensor]]:
    """Sample a window of every piece: columns (B, T) before, target and weights.

    The remaining time is hidden, as where bits per note are measured.
    """
    parts = []
    for piece in pieces:
        count = -(-piece.rows // options.window)
        window = 0 if rng.random() < options.first_windows else int(rng.integers(count))
        rows = music.prepared.rows[piece.start : piece.start + piece.rows]
        shift = int(rng.integers(-options.transpose, options.transpose + 1))
        parts.append(
            window_columns(
                rows, piece.end, window, options.window, shift=shift, hide_remaining=True,
                memory=propose(event_rows(rows)),
            )
        )  # fmt: skip
    return [to_tensors({name: np.stack([part[k][name] for part in parts]) for name in parts[0][k]}) for k in range(3)]


def _kept_parts(options: TransferOptions, rng: np.random.Generator) -> Tensor:
    """Sample (B, 2) whether the embedding and the dials are kept: 1, or 0 where dropped."""
    kept = rng.random((options.batch_size, 2)) >= (options.drop_embedding, options.drop_dials)
    kept &= rng.random((options.batch_size, 1)) >= options.tell_nothing
    return torch.from_numpy(kept.astype(np.float32))
