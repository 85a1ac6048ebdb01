"""Fine-tuning on real pairs: may a decoder, or the encoder with it, learn what an unseen cover says of its music?

groups of albums ──> fold ──> trained on | watched, to stop in time | tested
step ──> windows of pieces, what their covers tell, some of it hidden ──> gradient ──> the layers of a variant
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imagemusic.data.prepared import PreparedPiece
from imagemusic.errors import ConfigError
from imagemusic.evaluation.steering.conditional import Music, Scorer, cut
from imagemusic.evaluation.steering.pairs import Pair
from imagemusic.model.decoder import NoteDecoder
from imagemusic.research.cover_conditions import CoverConditions
from imagemusic.training.batches import window_columns
from imagemusic.training.encoder.heads import group_folds
from imagemusic.training.evaluation import to_tensors

READERS = ("condition", "to_hidden", "to_cell", "to_input", "condition_to_heads")  # what reads the condition

Rows = NDArray[np.int64]


class Variant(NamedTuple):
    """Which layers learn."""

    whole_decoder: bool
    encoder: bool  # its last linear layers; the backbone stays


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
    readers_rate: float = 1e-3  # learning rate of what reads the condition
    decoder_rate: float = 3e-4  # of the rest of the decoder
    encoder_rate: float = 3e-5  # of the encoder's last layers
    check_every: int = 20  # steps, after each of which the watched albums are scored
    notes: int = 256  # scored, from the start of a piece
    transpose: int = 5  # semitones up or down at most
    first_windows: float = 0.5  # share of windows that are the first of a piece, where the scored notes are
    tell_nothing: float = 0.1  # so that the null condition keeps its meaning
    drop_embedding: float = 0.15
    drop_dials: float = 0.15

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.window, self.check_every, self.notes) < 1:
            raise ConfigError("steps, batch_size, window, check_every and notes must be above 0")


class Split(NamedTuple):
    """Rows of the pairs, no group in two of the three."""

    train: Rows
    watch: Rows
    test: Rows


def album_groups(pairs: Sequence[Pair]) -> list[str]:
    """Name for each pair the artist, else the album, so that nobody and no album stands in two folds.

    Artists who share a picture count as one.
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
    """Strip case and characters that are not seen."""
    return "".join(c for c in name.casefold() if unicodedata.category(c) != "Cf").strip()


def split_of_fold(groups: Sequence[str], fold: int, folds: int, seed: int) -> Split:
    """Hold out the groups of a fold; watch a sixth of the others."""
    names = np.array(groups)
    held_out = group_folds(names, folds, seed) == fold
    left = np.flatnonzero(~held_out)
    watched = group_folds(names[left], 6, seed + 1 + fold) == 0
    return Split(left[~watched], left[watched], np.flatnonzero(held_out))


def shuffled_covers(groups: Sequence[str], among: Rows, rng: np.random.Generator) -> Rows:
    """Give each group of the pairs `among` the covers of another group: which pair's cover each pair (N,) gets.

    Pairs that share a cover go on to share one.
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
    """Train decoder and conditions in place, and go back to the step where the watched albums cost least; return it.

    features (N, F) are those of the covers that the pairs are trained with.
    """
    learned = trainable(decoder, conditions, variant, options)
    optimizer = torch.optim.AdamW(learned, weight_decay=0.01, betas=(0.9, 0.98))
    warmup = max(1, options.steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, warmup, options.steps))
    parameters = [parameter for group in learned for parameter in group["params"]]
    pieces = [music.prepared.pieces[i] for i in split.train]
    covers = features[split.train]
    watcher = scorer_for(decoder, music, split.watch, options.notes)
    best, kept, best_step = float("inf"), [parameter.detach().clone() for parameter in parameters], 0
    for step in range(options.steps + 1):
        if step % options.check_every == 0 or step == options.steps:
            with torch.no_grad():
                nats = watcher.nats(conditions(features[split.watch]).numpy()).sum()
            if nats < best:
                best, kept, best_step = nats, [parameter.detach().clone() for parameter in parameters], step
            report(f"step {step}: {nats / np.log(2) / watcher.notes().sum():.4f} bits a note of the watched")
        if step == options.steps:
            break
        torch.manual_seed(seed * 1_000_003 + step)  # dropout
        decoder.train()
        rng = np.random.default_rng((seed, step))
        chosen = rng.choice(len(pieces), options.batch_size, replace=len(pieces) < options.batch_size)
        before, target, weights = _windows(music, [pieces[i] for i in chosen], options, rng)
        told = conditions(covers[chosen], _told(options, rng))
        heads, _ = decoder(before, told, decoder.initial_state(told))
        nats_by_field, _ = decoder.loss(heads, target, weights)
        loss = torch.stack(list(nats_by_field.values())).sum() / weights["gap"].sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.copy_(value)
    return best_step


def trainable(
    decoder: NoteDecoder, conditions: CoverConditions, variant: Variant, options: TransferOptions
) -> list[dict]:
    """Freeze all but the layers of a variant; return those with their learning rates."""
    decoder.requires_grad_(variant.whole_decoder)
    conditions.requires_grad_(variant.encoder)
    readers = [part for name in READERS for part in decoder.get_submodule(name).parameters()]
    for parameter in readers:
        parameter.requires_grad_(True)
    known = {id(parameter) for parameter in readers}
    rest = [part for part in decoder.parameters() if part.requires_grad and id(part) not in known]
    groups = [(readers, options.readers_rate), (rest, options.decoder_rate)]
    groups.append(([part for part in conditions.parameters() if part.requires_grad], options.encoder_rate))
    return [{"params": parameters, "lr": rate} for parameters, rate in groups if parameters]


def scorer_for(decoder: NoteDecoder, music: Music, rows: Rows, notes: int) -> Scorer:
    """Score the first notes of some of the pairs."""
    pieces = cut(music.prepared, notes)
    return Scorer(decoder, music, tuple(pieces[i] for i in rows))


def _rate(step: int, warmup: int, steps: int) -> float:
    """Share of the learning rate at a step: up in a line, down along a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return float(0.02 + 0.49 * (1 + np.cos(np.pi * min(1.0, (step - warmup) / max(1, steps - warmup)))))


def _windows(
    music: Music, pieces: Sequence[PreparedPiece], options: TransferOptions, rng: np.random.Generator
) -> list[dict[str, Tensor]]:
    """Draw a window of every piece: columns (B, T) before, target and weights.

    What is left to play is hidden, as it is where bits per note are measured.
    """
    parts = []
    for piece in pieces:
        count = -(-piece.rows // options.window)
        window = 0 if rng.random() < options.first_windows else int(rng.integers(count))
        rows = music.prepared.rows[piece.start : piece.start + piece.rows]
        shift = int(rng.integers(-options.transpose, options.transpose + 1))
        parts.append(window_columns(rows, piece.end, window, options.window, shift=shift, hide_remaining=True))
    return [to_tensors({name: np.stack([part[k][name] for part in parts]) for name in parts[0][k]}) for k in range(3)]


def _told(options: TransferOptions, rng: np.random.Generator) -> Tensor:
    """Draw whether the embedding and the dials are told, (B, 2)."""
    told = rng.random((options.batch_size, 2)) >= (options.drop_embedding, options.drop_dials)
    told &= rng.random((options.batch_size, 1)) >= options.tell_nothing
    return torch.from_numpy(told.astype(np.float32))
