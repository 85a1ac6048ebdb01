"""Figure 1: the gap in bits per note between the right picture and wrong ones, or none.

piece, picture ──> nats of its notes, teacher-forced, under the condition of  the right picture
                                                                              another pair's (three draws)
                                                                              another of the same genre or ensemble
                                                                              the mean of all | noise | nothing
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.targets import image_condition, image_targets
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.evaluation.intervals import Estimate, bootstrap, ratio_of, signed_ranks
from imagemusic.evaluation.steering.composing import Report
from imagemusic.evaluation.steering.pairs import RATED, Pair, drawn, prepare_pairs
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.events import codec
from imagemusic.music.dials import DIALS, IMAGE_DIALS, as_row

if TYPE_CHECKING:
    from imagemusic.model.decoder import NoteDecoder

BANDS = (16, 64, 256)  # last notes of the bands; the last band is open
BAND_NAMES = ("notes_1_16", "notes_17_64", "notes_65_256", "notes_after_256")
FEWEST_FOR_BOUND = 30  # pieces whose three dials are known
DIAL_NOTES = 128  # of a piece, scored where a single dial is given

Rows = NDArray[np.float32]  # (P, C) conditions
Nats = NDArray[np.float64]  # (P, 1 + bands), the header first


@dataclass(frozen=True, slots=True, eq=False)
class Music:
    """The music of P pairs as events."""

    prepared: PreparedSet
    pairs: tuple[Pair, ...]  # (P,) in the order of the pieces
    groups: tuple[str, ...]  # (P,) that a bootstrap resamples
    kinds: tuple[str, ...]  # (P,) genre, else ensemble

    @classmethod
    def of(cls, pairs: Sequence[Pair], model: ImageMusic) -> "Music":
        """Return the music of the pairs that have any.

        Raises:
            DataError: no pair has music with notes.
        """
        prepared, owners = prepare_pairs(pairs, model.checkpoint.scale)
        chosen = tuple(pairs[i] for i in owners)
        kinds = [p.genre or piece.ensemble for p, piece in zip(chosen, prepared.pieces, strict=True)]
        return cls(prepared, chosen, tuple(p.group for p in chosen), tuple(kinds))


def cut(prepared: PreparedSet, notes: int) -> list[PreparedPiece]:
    """Return the pieces of a set cut to their first `notes` notes, with all rows up to the last of these notes."""
    result = []
    for piece in prepared.pieces:
        rows = prepared.rows[piece.start : piece.start + piece.rows]
        counted = np.cumsum(rows["part"] < codec.SLOTS)
        length = int(np.searchsorted(counted, notes)) + 1 if counted[-1] > notes else piece.rows
        result.append(replace(piece, rows=length, notes=min(notes, int(counted[-1]))))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """Scores the pairs' music, cut to its first notes, under given conditions."""

    decoder: "NoteDecoder"
    music: Music
    pieces: tuple[PreparedPiece, ...]

    @classmethod
    def of(cls, model: ImageMusic, music: Music, notes: int) -> "Scorer":
        """Return a scorer with the decoder of `model` for the first `notes` notes of every piece."""
        from imagemusic.training.loading import load_decoder

        return cls(load_decoder(model.checkpoint), music, tuple(cut(music.prepared, notes)))

    def nats(self, conditions: Rows) -> Nats:
        """Return the nats (P, 1 + bands) of each piece's header, then of its notes by band, under conditions (P, C)."""
        import torch

        from imagemusic.training.evaluation import banded_nats

        bands = (*BANDS, 1 << 30)
        return banded_nats(
            self.decoder, self.music.prepared, self.pieces, bands, conditions=torch.from_numpy(conditions)
        )

    def notes(self) -> NDArray[np.float64]:
        """Return the number of notes (P, 1 + bands); the header has none."""
        edges = np.array([0, 0, *BANDS, np.inf])
        counts = np.array([piece.notes for piece in self.pieces])[:, None]
        return np.clip(counts, edges[:-1], edges[1:]) - edges[:-1]


def derangement(kinds: Sequence[str], groups: Sequence[str], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return for each row a random other row (P,) of the same kind and another group; itself where there is none."""
    kind, group = (np.unique(np.array(names), return_inverse=True)[1] for names in (kinds, groups))
    result = np.arange(len(kind))
    for row in range(len(kind)):
        others = np.flatnonzero((kind == kind[row]) & (group != group[row]))
        if len(others):
            result[row] = rng.choice(others)
    return result


def conditional_gap(
    model: ImageMusic, pairs: Sequence[Pair], options: SteeringOptions, report: Report
) -> dict[str, Any]:
    """Return figure 1 for pairs that have music."""
    music = Music.of([pairs[i] for i in drawn(len(pairs), options.scored_pairs)], model)
    scorer = Scorer.of(model, music, options.notes)
    result: dict[str, Any] = {"pieces": len(music.pairs), "notes_at_most": options.notes}
    for name, exact in (("as_composed", True), ("calibrated", False)):
        report(f"conditional gap: {name.replace('_', ' ')}")
        readings = [pair.reading for pair in music.pairs]
        right = np.stack([image_condition(model.checkpoint, model.prior, r, exact=exact) for r in readings])
        result[name] = _against_wrong(scorer, right, options, all_wrongs=exact)
    result["most_to_be_had"] = upper_bound(model, music, options)
    report("conditional gap: a dial at a time")
    result["per_dial"] = per_dial(model, music, options)
    return result


def _against_wrong(scorer: Scorer, right: Rows, options: SteeringOptions, *, all_wrongs: bool) -> dict[str, Any]:
    music, notes = scorer.music, scorer.notes()
    ours = scorer.nats(right)
    everything = ["" for _ in music.pairs]
    pictures = [pair.reading.hash for pair in music.pairs]
    wrongs: dict[str, Callable[[np.random.Generator], tuple[Rows, NDArray[np.bool_]]]] = {
        "swapped": lambda rng: _swapped(right, derangement(everything, music.groups, rng), pictures),
        "swapped_within_kind": lambda rng: _swapped(right, derangement(music.kinds, music.groups, rng), pictures),
    }
    if all_wrongs:
        wrongs["noise"] = lambda rng: (_noise(right, rng), np.ones(len(right), bool))
    result: dict[str, Any] = {"bits_per_note": float(ours.sum() / math.log(2) / notes.sum())}
    for number, (name, draw) in enumerate(wrongs.items()):
        gaps, counted = [], []
        for seed in range(options.seeds):
            conditions, is_other = draw(np.random.default_rng((seed, number)))
            gaps.append((scorer.nats(conditions) - ours) * is_other[:, None])
            counted.append(notes * is_other[:, None])
        result[name] = gap_table(np.mean(gaps, axis=0), np.mean(counted, axis=0), music.groups)
    if all_wrongs:
        mean = np.broadcast_to(right.mean(axis=0), right.shape).copy()
        result["mean"] = gap_table(scorer.nats(mean) - ours, notes, music.groups)
    nothing = gap_table(scorer.nats(np.zeros_like(right)) - ours, notes, music.groups)
    result["null"] = nothing
    overall = nothing["overall"]
    costs = overall["value"] is not None and overall["value"] < 0
    result["picture_costs_bits"] = costs and overall["verdict"] == "below zero"
    return result


def _swapped(right: Rows, order: NDArray[np.int64], pictures: Sequence[str]) -> tuple[Rows, NDArray[np.bool_]]:
    """Return conditions (P, C) in another order, and whether each row has another picture's (P,)."""
    names = np.array(pictures)
    return right[order], names[order] != names


def _noise(right: Rows, rng: np.random.Generator) -> Rows:
    """Return conditions (P, C) of independent normal noise with the mean and deviation of each column of `right`."""
    noise = rng.normal(right.mean(axis=0), right.std(axis=0), right.shape)
    return noise.astype(np.float32)


def gap_table(nats: Nats, notes: NDArray[np.float64], groups: Sequence[str]) -> dict[str, Any]:
    """Return gaps in bits per note with their intervals: overall, without the header, and by band of notes.

    Args:
        nats: (P, 1 + bands) that the wrong condition costs more than the right one.
        notes: (P, 1 + bands).
        groups: P names; the bootstrap resamples groups.
    """

    def estimate(columns: slice) -> Estimate:
        return ratio_of(nats[:, columns].sum(axis=1) / math.log(2), notes[:, columns].sum(axis=1), groups)

    table = {"overall": estimate(slice(None)).to_json(), "without_header": estimate(slice(1, None)).to_json()}
    for number, name in enumerate(BAND_NAMES, start=1):
        if notes[:, number].sum():
            table[name] = estimate(slice(number, number + 1)).to_json()
    return table


def upper_bound(model: ImageMusic, music: Music, options: SteeringOptions) -> dict[str, Any] | None:
    """Return the bits a note that a swapped picture would cost a perfect decoder conditioned on the image dials.

    If the dials of picture and music are jointly normal with canonical correlations r, a swapped picture costs the sum
    of r^2 / (1 - r^2) nats a piece in expectation, whatever its number of notes.
    None where fewer than FEWEST_FOR_BOUND pieces have all three dials.
    """
    targets = [image_targets(model.checkpoint, model.prior, pair.reading) for pair in music.pairs]
    pictured = np.array([[dials[name] for name in IMAGE_DIALS] for dials in targets])
    own = model.checkpoint.scale.table(np.array([as_row(piece.cues) for piece in music.prepared.pieces]))
    own = own[:, [DIALS.index(name) for name in IMAGE_DIALS]]
    known = np.flatnonzero(~np.isnan(own).any(axis=1))
    if len(known) < FEWEST_FOR_BOUND:
        return None
    notes = np.array([min(piece.notes, options.notes) for piece in music.prepared.pieces])

    def bits(rows: NDArray[np.int64]) -> float:
        rows = known[rows]
        squared = canonical_correlations(pictured[rows], own[rows]) ** 2
        return float((squared / (1 - squared)).sum() / math.log(2) / notes[rows].mean())

    return bootstrap(bits, [music.groups[i] for i in known]).to_json()


def canonical_correlations(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the canonical correlations (min(F, G),) of rows (N, F) and (N, G); Hotelling 1936."""
    bases = [np.linalg.qr(table - table.mean(axis=0))[0] for table in (one, other)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).clip(0, 0.999)


def per_dial(model: ImageMusic, music: Music, options: SteeringOptions) -> dict[str, Any]:
    """Return the gap between a right and a swapped dial, each given alone: as measured in the music, and as rated."""
    scorer = Scorer.of(model, music, min(options.notes, DIAL_NOTES))
    measured = model.checkpoint.scale
    cues = [measured.dials(piece.cues) for piece in scorer.pieces]
    own = {name: np.array([np.nan if c[name] is None else c[name] for c in cues], np.float64) for name in DIALS}
    rated = {
        name.removesuffix("_bpm"): signed_ranks(np.array([getattr(pair, name) for pair in music.pairs]))
        for name in RATED
    }
    return {
        "measured_in_the_music": {name: _one_dial(model, scorer, name, values) for name, values in own.items()},
        "rated_or_known": {name: _one_dial(model, scorer, name, values) for name, values in rated.items()},
    }


def _one_dial(model: ImageMusic, scorer: Scorer, name: str, values: NDArray[np.float64]) -> dict[str, Any] | None:
    """Return the gap in bits per note between another piece's dial and the right one of values (P,), NaN where unknown.

    None where fewer than two are known.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < 2:
        return None
    groups = [scorer.music.groups[i] for i in known]
    order = derangement(["" for _ in known], groups, np.random.default_rng(0))
    layout = model.checkpoint.layout
    part = Scorer(scorer.decoder, scorer.music, tuple(scorer.pieces[i] for i in known))
    right, wrong = (
        np.stack([layout.vector(None, {name: float(value)}, None) for value in given])
        for given in (values[known], values[known][order])
    )
    moved = order != np.arange(len(known))
    difference = (part.nats(wrong) - part.nats(right)) * moved[:, None]
    return gap_table(difference, part.notes() * moved[:, None], groups)
