"""Measure the structure of pieces with the settings of version 0.1 and with the defaults, beside held-out music.

    imagemusic study run structure --set covers=COVERS --set corpora=MIDI --out docs/results/structure.json
    imagemusic study report structure --page docs/structure.md

Every picture gets a piece for the ensemble that fits it ("free"), the first --named pictures also one for each
ensemble.  The measures are those of music/structure.py, the meter, and which take was kept; real music is measured by
the same code, and weighted to the ensembles of our free pieces where it stands beside them.  The MIDI files are kept
below --work.
"""

import argparse
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.compose.composition import Composition
from imagemusic.compose.meters import meter_shares
from imagemusic.compose.options import OPTIONS_OF_0_1, ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.corpora.catalogue import list_pieces, read_piece
from imagemusic.data.corpora.held_out import read_heldout
from imagemusic.errors import CodecError
from imagemusic.evaluation.intervals import Estimate, bootstrap, plain, ratio_of, spearman
from imagemusic.events.codec import METERS
from imagemusic.music.dials import AFFECT_DIALS, DIALS, measure
from imagemusic.music.ensembles import ensemble_of
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Score
from imagemusic.music.structure import measure_structure
from imagemusic.research.studies.quality import choose_pictures
from imagemusic.research.studies.structure_table import goal_table, measure_tables, meter_table
from imagemusic.research.study import Context, Figures, Study
from imagemusic.vision.features import ImageFeatures

FREE = "free"  # the ensemble that fits the picture
GROUPS = (FREE, "piano", "voice", "strings", "band", "orchestra")
SETTINGS: dict[str, dict[str, Any]] = {
    "before": {**OPTIONS_OF_0_1, "guidance_scale": 2.5, "feedback": 2, "temperature": 1},  # defaults of 0.1
    "after": {},
}
COUNTED_METERS = ("4/4", "3/4", "2/4", "2/2", "6/8", "3/8")
AUDIBLE_DIALS = tuple(name for name in DIALS if name not in AFFECT_DIALS)
BATCH = 10  # pieces that are composed side by side
FEWEST_SECONDS = 30  # of a real piece
MEASURED_SECONDS = 60  # of a piece, for all measures but those of the ending


@dataclass(frozen=True, slots=True)
class Row:
    """A piece, measured."""

    group: str  # pieces of one group are resampled together
    ensemble: str
    measures: dict[str, float]


def measure_piece(score: Score) -> dict[str, float]:
    """Measure the structure of a score, and whether its first meter is each of COUNTED_METERS."""
    first = score.meters[0] if score.meters else None
    name = f"{first.numerator}/{first.denominator}" if first else ""
    meters = {f"meter_{meter}": float(meter == name) if first else float("nan") for meter in COUNTED_METERS}
    return measure_structure(score, MEASURED_SECONDS) | meters


def held_out_scores(corpora: Path) -> Iterator[tuple[str, Score]]:
    """Read the held-out files of the corpora that are there, the last piece of each, with the name of its group.

    The last piece of a quartet has the ending; pieces without a grid of beats, or shorter than FEWEST_SECONDS, are
    left out.
    """
    ids = {name for groups in read_heldout()["splits"].values() for files in groups.values() for name in files}
    for corpus in sorted({name.partition("/")[0] for name in ids}):
        if not (corpora / corpus).is_dir():
            continue
        for key in list_pieces(corpora, corpus):
            if unicodedata.normalize("NFC", f"{corpus}/{key.removesuffix('.mid')}") in ids:
                for piece in read_piece(corpora, corpus, key)[-1:]:
                    if piece.metrical and piece.score.seconds >= FEWEST_SECONDS:
                        yield piece.group, piece.score


def measure_real(corpora: Path, most: int, seed: int, keep: Callable[[str, Score], None]) -> list[Row]:
    """Measure held-out music, at most `most` pieces of each ensemble, drawn at random."""
    found: dict[str, list[tuple[str, Score]]] = {}
    for group, score in held_out_scores(corpora):
        found.setdefault(ensemble_of(score), []).append((group, score))
    rows = []
    for ensemble, pieces in sorted(found.items()):
        for number in np.random.default_rng(seed).permutation(len(pieces))[:most].tolist():
            group, score = pieces[number]
            keep(f"real/{ensemble}/{number:03d}.mid", score)
            rows.append(Row(group, ensemble, measure_piece(score)))
    return rows


def compose_finished(
    model: ImageMusic, requests: Sequence[tuple[ImageFeatures, ComposeOptions]]
) -> list[Composition | None]:
    """Compose pieces side by side; None for one that did not end."""
    try:
        return [*model.compose_batch(requests)]
    except CodecError:
        if len(requests) == 1:
            return [None]
        return [piece for request in requests for piece in compose_finished(model, [request])]


def summarize(rows: Sequence[Row], weights: dict[str, float] | None = None) -> dict[str, dict[str, float | int | None]]:
    """Return the mean of every measure with its interval; `weights` are of the ensembles, 1 where not given."""
    result: dict[str, dict[str, float | int | None]] = {}
    for name in dict.fromkeys(name for row in rows for name in row.measures):
        known = [row for row in rows if not np.isnan(row.measures.get(name, np.nan))]
        weight = np.array([1.0 if weights is None else weights.get(row.ensemble, 0.0) for row in known])
        known, weight = [row for row, w in zip(known, weight, strict=True) if w], weight[weight > 0]
        if not known:
            continue
        values = np.array([row.measures[name] for row in known])
        result[name] = figure(ratio_of(values * weight, weight, [row.group for row in known]))
        if name == "longest_run_of_equal_bars":
            result[name]["percentile_95"] = float(_weighted_percentile(values, weight, 0.95))
    return result


def figure(estimate: Estimate) -> dict[str, float | int | None]:
    """Return an estimate as value, low, high and the number of pieces."""
    return {
        "value": plain(estimate.value, 4), "low": plain(estimate.low, 4), "high": plain(estimate.high, 4),
        "n": estimate.rows,
    }  # fmt: skip


def _weighted_percentile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(below, share - 1e-9)])


def real_weights(rows: Sequence[Row], ours: dict[str, int]) -> dict[str, float]:
    """Return a weight for every ensemble of real pieces, so that each is as frequent as among ours."""
    there = [row.ensemble for row in rows]
    return {name: count / there.count(name) for name, count in ours.items() if name in there}


def dials_followed(model: ImageMusic, pieces: Sequence[Composition]) -> dict[str, dict[str, float | int | None]]:
    """Return the rank correlation of requested with measured dials over pieces, and their mean, with intervals."""
    requested = np.array([[piece.dials[name].value for name in AUDIBLE_DIALS] for piece in pieces])
    measured = [model.checkpoint.scale.dials(measure(piece.score)) for piece in pieces]
    found = np.array([[row[name] for name in AUDIBLE_DIALS] for row in measured], float)  # NaN for None

    def correlations(rows: NDArray[np.int64]) -> list[float]:
        pairs = []
        for asked, got in zip(requested[rows].T, found[rows].T, strict=True):
            known = ~np.isnan(asked) & ~np.isnan(got)
            pairs.append(spearman(asked[known], got[known]) if known.any() else float("nan"))
        return pairs

    groups = [str(number) for number in range(len(pieces))]
    result = {}
    for column, name in enumerate(AUDIBLE_DIALS):
        result[name] = figure(bootstrap(lambda rows, column=column: correlations(rows)[column], groups))  # type: ignore[misc]
    return result | {"mean": figure(bootstrap(lambda rows: float(np.mean(correlations(rows))), groups))}


class Structure(Study):
    """Composes with both settings for the same pictures and ensembles, and measures held-out music."""

    needs = ("covers", "corpora")
    variants = GROUPS
    quick = {"count": 2, "named": 2, "seconds": 8.0, "real": 2, "only": [FREE, "piano"]}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--count", type=int, default=100, metavar="N", help="pictures, with a free piece each (%(default)s)")
        add("--named", type=int, default=40, metavar="N", help="of them with a piece for each ensemble (%(default)s)")
        add("--seconds", type=float, default=60.0, metavar="S", help="of each piece (%(default)s)")
        add("--real", type=int, default=100, metavar="N", help="most held-out pieces of an ensemble (%(default)s)")

    def run(self, context: Context) -> Figures:
        options, model = context.options, context.model
        chosen = choose_pictures(context.data.path("covers"), options.count, options.seed)
        pictures = [model.encode(picture) for picture in chosen]
        context.sources = [f"{options.count} pictures", "held-out pieces of the corpora, validation and test"]

        def keep(place: str, score: Score) -> None:
            path = context.work / "midi" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            save_midi(score, path)

        settings: dict[str, Any] = {name: {} for name in SETTINGS}
        figures: Figures = {"seconds": options.seconds, "checkpoint": model.checkpoint.id, "settings": settings}
        figures["dials"], figures["ensembles"], figures["unfinished"] = {}, {}, {}
        for setting, changes in SETTINGS.items():
            figures["unfinished"][setting] = 0
            for group in options.only:
                context.report(f"{setting}: {group}")
                asked = ComposeOptions(
                    seconds=options.seconds, seed=options.seed, ensemble=None if group == FREE else group, **changes
                )
                some = pictures if group == FREE else pictures[: options.named]
                batches = [some[start : start + BATCH] for start in range(0, len(some), BATCH)]
                composed = [p for batch in batches for p in compose_finished(model, [(one, asked) for one in batch])]
                pieces = [piece for piece in composed if piece]
                figures["unfinished"][setting] += len(composed) - len(pieces)
                for number, piece in enumerate(pieces):
                    keep(f"{setting}/{group}/{number:03d}.mid", piece.score)
                settings[setting][group] = summarize([_row(piece) for piece in pieces])
                if group == FREE:
                    names = [piece.ensemble for piece in pieces]
                    figures["ensembles"][setting] = {name: names.count(name) for name in sorted(set(names))}
                    figures["dials"][setting] = dials_followed(model, pieces)
        context.report("held-out music")
        rows = measure_real(context.data.path("corpora"), options.real, options.seed, keep)
        figures["real"] = {
            group: summarize([row for row in rows if row.ensemble == group]) for group in options.only if group != FREE
        }
        if FREE in options.only:
            figures["real"][FREE] = summarize(rows, real_weights(rows, figures["ensembles"]["after"]))
        figures["training_meters"] = {
            name: {"/".join(map(str, METERS[index - 1])): share for index, share in meter_shares(name).items()}
            for name in GROUPS[1:]
        }
        return figures

    def finding(self, figures: Figures) -> str:
        _, met, goals = goal_table(figures)
        return f"{met} of {goals} goals are met."

    def report(self, figures: Figures) -> str:
        text, _, _ = goal_table(figures)
        return "\n".join([self.finding(figures), "", text, meter_table(figures), measure_tables(figures)])


def _row(piece: Composition) -> Row:
    takes = {
        f"take_{number}_kept": float(piece.take.kept == number)
        for number in range(piece.options.takes if piece.options.takes > 1 else 0)
    }
    return Row(piece.picture_hash, piece.ensemble, measure_piece(piece.score) | takes)


STUDY = Structure()
