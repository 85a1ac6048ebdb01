"""Fit the judge of takes (compose/judge.py): a logistic regression that tells real music from what it should not be.

    real training pieces ─────────────┐
    composed pieces, share 0.6 ───────┼─> measures of structure ─> z and |z| by ensemble ─> weights, cross-validated AUC
    real bars shuffled, share 0.2 ────┤
    real bars looped, share 0.2 ──────┘

Composed pieces alone would teach that more repetition is always better: a judge fitted on them prefers loops to music.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from imagemusic.compose.judge import ANY, MOST_DEVIATIONS, NATS, VERSION
from imagemusic.compose.options import OPTIONS_OF_0_1, ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.corpora.catalogue import list_pieces, read_piece
from imagemusic.data.corpora.grid import cut
from imagemusic.data.corpora.held_out import read_heldout, split_of
from imagemusic.music.ensembles import ENSEMBLES, ensemble_of
from imagemusic.music.score import Score
from imagemusic.music.structure import MEASURES, measure_structure
from imagemusic.music.timeline import timeline
from imagemusic.research.studies.reordering import equal_bars, reordered
from imagemusic.research.study import Context, Figures, Study
from imagemusic.vision.image import IMAGE_SUFFIXES

CORPORA = (
    "openscore-lieder", "openscore-quartets", "hauptstimme", "mutopia",
    "freedoom", "freedoom-history", "simutrans", "blasphemer",
)  # fmt: skip
REAL, COMPOSED, FREE, SHUFFLED, LOOPED = "real", "composed", "free", "shuffled", "looped"
SHARES = {COMPOSED: 0.6, FREE: 0.6, SHUFFLED: 0.2, LOOPED: 0.2}  # of the weight of what is not real
# What is composed: by the rules of form, or without any, as imagemusic 0.1 did.
SETTINGS: dict[str, dict[str, Any]] = {COMPOSED: {"takes": 1}, FREE: OPTIONS_OF_0_1}
MOST_FILES = 240  # of a corpus, spread evenly over its sorted keys; and every held-out one
MOST_REARRANGED = 60  # real pieces of an ensemble that are shuffled and looped
LEFT_OUT = ("key_holds",)  # composed pieces keep their key; loops alone would teach that keeping it is bad
SECONDS, FEWEST_SECONDS = 60, 30
FEWEST_BARS = 12
FEWEST_PIECES = 10  # of an ensemble, for a reference of its own
INVERSE_PENALTY = 0.1  # C of the regression
FOLDS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A piece as the judge reads it."""

    kind: str  # REAL, COMPOSED, SHUFFLED or LOOPED
    group: str  # examples of one group are in one fold
    split: str  # of real music; those of validation and test only measure
    ensemble: str
    measures: dict[str, float]


def read_real(corpora: Path) -> Iterator[tuple[Example, Score]]:
    """Read whole real pieces on the grid, and those that are held out.

    Raises:
        DataError: a corpus is missing or damaged.
    """
    held_out = {name for groups in read_heldout()["splits"].values() for ids in groups.values() for name in ids}
    for corpus in CORPORA:
        keys = list_pieces(corpora, corpus)
        chosen = {keys[int(i)] for i in np.linspace(0, len(keys) - 1, min(MOST_FILES, len(keys))).round()}
        chosen |= {key for key in keys if f"{corpus}/{key.removesuffix('.mid')}" in held_out}
        for key in sorted(chosen):
            for piece in read_piece(corpora, corpus, key)[-1:]:  # the last part of a quartet has its ending
                if piece.metrical and piece.score.seconds >= FEWEST_SECONDS and timeline(piece.score).is_gridded:
                    yield describe(piece.score, REAL, piece.group, split_of(piece.id)), piece.score


def describe(score: Score, kind: str, group: str, split: str, nats_per_note: float = math.nan) -> Example:
    """Measure a score as an example of a kind."""
    measures = measure_structure(score, SECONDS) | {NATS: nats_per_note}
    return Example(kind, group, split, ensemble_of(score), measures)


def rearranged(real: Sequence[tuple[Example, Score]], rng: np.random.Generator) -> Iterator[Example]:
    """Shuffle and loop the bars of the first minute of training pieces, as many of every ensemble."""
    by_ensemble = defaultdict(list)
    for example, score in real:
        if example.split == "train":
            by_ensemble[example.ensemble].append((example, score))
    for pieces in by_ensemble.values():
        for number in rng.permutation(len(pieces))[:MOST_REARRANGED]:
            example, score = pieces[number]
            score = cut(score, 0, int(np.searchsorted(score.seconds_at(np.arange(score.end + 1)), SECONDS)))
            bars = equal_bars(score)
            if len(bars) < FEWEST_BARS:
                continue
            length = int(rng.choice((1, 2, 4)))
            first = int(rng.integers(1, len(bars) - length))
            loop = np.append(bars[first + np.arange(len(bars) - 1) % length], bars[-1])
            yield describe(reordered(score, rng.permutation(bars)), SHUFFLED, example.group, "train")
            yield describe(reordered(score, loop), LOOPED, example.group, "train")


def fit(examples: Sequence[Example]) -> dict[str, Any]:
    """Fit the judge on training examples; return the table of resources/judge.json with its AUC.

    `auc` compares real music with each other kind, each piece scored by a fold that has no piece of its group;
    `auc_held_out` the same with real pieces of the validation and test splits.
    """
    names = tuple(name for name in MEASURES if name not in LEFT_OUT)
    training = [example for example in examples if example.split not in ("validation", "test")]
    held_out = [example for example in examples if example.split in ("validation", "test")]
    groups = [example.group for example in training]
    totals, held_totals = np.zeros(len(training)), []
    for kept, left in GroupKFold(FOLDS).split(training, groups=groups):
        table = _fitted([training[i] for i in kept], names)
        totals[left] = totals_of(table, [training[i] for i in left])
        held_totals.append(totals_of(table, held_out))
    kinds = np.array([example.kind for example in training])
    weights = _weights(training)
    table = _fitted(training, names)
    _add_nats(table, training)
    result: dict[str, Any] = {"version": VERSION, "examples": _counts(examples), "auc": {}, "auc_held_out": {}}
    for kind in [kind for kind in SHARES if kind in kinds]:
        pair = np.isin(kinds, (REAL, kind))
        result["auc"][kind] = _auc(kinds[pair] == REAL, totals[pair], weights[pair])
        if held_out:
            other = totals[kinds == kind]
            both = np.concatenate([np.mean(held_totals, axis=0), other])
            result["auc_held_out"][kind] = _auc(np.arange(len(both)) < len(held_out), both, np.ones(len(both)))
    return result | table


def totals_of(table: dict[str, Any], examples: Sequence[Example]) -> Floats:
    """Score examples (N,) by a table of weights."""
    z = _deviations(examples, table["reference"], tuple(table["weights"]))
    columns = [(own["z"], own["distance"], own["real"]) for own in table["weights"].values()]
    at_z, at_distance, real = np.array(columns).T
    return np.nansum(at_z * z + at_distance * np.abs(z) - real, axis=1)


def _fitted(examples: Sequence[Example], names: tuple[str, ...]) -> dict[str, Any]:
    """Fit weights of z and |z| of the measures, standardised by the real examples of each ensemble."""
    reference = _reference(examples, (*names, NATS))
    z = _deviations(examples, reference, names)
    real = np.array([example.kind == REAL for example in examples])
    weights = _weights(examples)
    usual = _mean_distance(z[real], weights[real])
    features = np.hstack([np.nan_to_num(z), np.where(np.isnan(z), usual, np.abs(z))])
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=3000).fit(features, real, sample_weight=weights)
    at_z, at_distance = model.coef_[0].reshape(2, -1)
    return {"reference": reference, "weights": {
        name: {"z": _rounded(a), "distance": _rounded(b), "real": _rounded(b * c)}
        for name, a, b, c in zip(names, at_z, at_distance, usual, strict=True)
    }}  # fmt: skip


def _add_nats(table: dict[str, Any], examples: Sequence[Example]) -> None:
    """Add a weight for the likelihood, beside the total, from the real and composed examples that have one."""
    known = [x for x in examples if x.kind in (REAL, COMPOSED) and not np.isnan(x.measures[NATS])]
    real = np.array([example.kind == REAL for example in known])
    if len(set(real.tolist())) < 2:
        return
    z = _deviations(known, table["reference"], (NATS,))
    usual = _mean_distance(z[real], np.ones(int(real.sum())))
    features = np.column_stack([totals_of(table, known), z, np.abs(z)])
    model = LogisticRegression(C=1, max_iter=3000).fit(features, real, sample_weight=_weights(known))
    of_total, at_z, at_distance = model.coef_[0]
    at_z, at_distance = at_z / of_total, at_distance / of_total
    table["weights"][NATS] = {
        "z": _rounded(at_z), "distance": _rounded(at_distance), "real": _rounded(at_distance * usual[0])
    }  # fmt: skip


def _reference(examples: Sequence[Example], names: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Return mean and deviation of each measure in the real examples of each ensemble, and of all."""
    by_ensemble: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if example.kind == REAL:
            by_ensemble[ANY].append(example)
            by_ensemble[example.ensemble].append(example)
    result: dict[str, dict[str, list[float]]] = {}
    for ensemble, pieces in by_ensemble.items():
        result[ensemble] = {}
        for name in names:
            values = np.array([piece.measures.get(name, np.nan) for piece in pieces])
            values = values[~np.isnan(values)]
            if ensemble != ANY and len(values) < FEWEST_PIECES:
                result[ensemble][name] = result[ANY][name]
                continue
            mean, deviation = (values.mean(), values.std()) if len(values) else (0.0, 1.0)
            least = 0.5 * result[ANY][name][1] if ensemble != ANY else 1e-3
            result[ensemble][name] = [_rounded(mean), _rounded(max(deviation, least))]
    return result


def _deviations(examples: Sequence[Example], reference: dict[str, Any], names: Sequence[str]) -> Floats:
    """Standardise the measures of examples (N, M); NaN for what is missing."""
    rows = []
    for example in examples:
        own = reference.get(example.ensemble, reference[ANY])
        rows.append([(example.measures.get(name, np.nan) - own[name][0]) / own[name][1] for name in names])
    return np.clip(np.array(rows).reshape(-1, len(names)), -MOST_DEVIATIONS, MOST_DEVIATIONS)


def _weights(examples: Sequence[Example]) -> Floats:
    """Weigh examples (N,): every ensemble counts as its composed pieces, real as much as all that is not real."""
    counts = _counts(examples)
    composed = {ensemble: kinds.get(COMPOSED, 0) + kinds.get(FREE, 0) for ensemble, kinds in counts.items()}
    total = sum(SHARES[kind] for kind in {example.kind for example in examples} - {REAL})
    shares = {REAL: 1.0} | {kind: share / total for kind, share in SHARES.items()}
    return np.array([composed[x.ensemble] * shares[x.kind] / counts[x.ensemble][x.kind] for x in examples])


def _counts(examples: Sequence[Example]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for example in examples:
        own = counts.setdefault(example.ensemble, {})
        own[example.kind] = own.get(example.kind, 0) + 1
    return counts


def _mean_distance(z: Floats, weights: Floats) -> Floats:
    """Average |z| (M,) over examples (N, M), leaving out what is missing."""
    known = ~np.isnan(z) * weights[:, None]
    mean: Floats = (known * np.nan_to_num(np.abs(z))).sum(axis=0) / np.maximum(known.sum(axis=0), 1e-9)
    return mean


def _auc(real: NDArray[np.bool_], totals: Floats, weights: Floats) -> float:
    return _rounded(roc_auc_score(real, totals, sample_weight=weights))


def _rounded(value: float) -> float:
    return round(float(value), 4)


def composed(model: ImageMusic, pictures: Sequence[Path], count: int, kinds: Sequence[str]) -> Iterator[Example]:
    """Compose `count` single takes for pictures, in turn of every ensemble and of each kind."""
    ensembles = (None, *(name for name in ENSEMBLES if name not in ("drums", "other")))
    features = [model.encode(picture) for picture in pictures]
    requests = [
        (
            features[number % len(features)],
            ComposeOptions(
                **SETTINGS[kinds[number // len(ensembles) % len(kinds)]],
                seed=number,
                ensemble=ensembles[number % len(ensembles)],
            ),
        )
        for number in range(count)
    ]
    for number, piece in enumerate(model.compose_batch(requests)):
        kind = FREE if piece.options.form == "free" else COMPOSED
        yield describe(piece.score, kind, f"picture {number % len(features)}", "train")


class TakesJudge(Study):
    """Fits the judge; `--out imagemusic/resources/judge.json` makes the weights that ship."""

    needs = ("corpora", "covers")
    sources = ("the open corpora, train, validation and test", "pictures of the covers folder")
    not_quick = "it reads the training corpora; its table is a resource of the package"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--kinds", nargs="+", choices=list(SETTINGS), default=[FREE], metavar="KIND",
            help=f"what is composed, of {', '.join(SETTINGS)}; the judge that ships was fitted on {FREE} (%(default)s)",
        )  # fmt: skip
        parser.add_argument("--count", type=int, default=240, metavar="N", help="pieces to compose (%(default)s)")

    def run(self, context: Context) -> Figures:
        rng = np.random.default_rng(context.options.seed)
        real = list(read_real(context.data.path("corpora")))
        pictures = sorted(path for path in context.data.path("covers").rglob("*") if path.suffix in IMAGE_SUFFIXES)
        chosen = [pictures[i] for i in rng.permutation(len(pictures))[: context.options.count]]
        context.report(f"composing {context.options.count} pieces for {len(chosen)} pictures")
        examples = [example for example, _ in real]
        examples += [
            *rearranged(real, rng),
            *composed(context.model, chosen, context.options.count, context.options.kinds),
        ]
        return fit(examples)


STUDY = TakesJudge()
