"""How real music is built, counted on the training music: meters, forms, drum kits, endings, measures of structure.

    measure(corpora) -> the table of resources/form_statistics.json

Every share is a mean over pieces, so that long pieces and long movements count like short ones.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.catalogue import TRAINABLE, Piece, list_pieces, read_piece
from imagemusic.data.corpora.grid import TICKS_PER_BEAT
from imagemusic.data.corpora.held_out import split_of
from imagemusic.music.ensembles import ENSEMBLES, ensemble_of
from imagemusic.music.instruments import BASS_PROGRAMS
from imagemusic.music.phrases import (
    EXACT,
    NEAR,
    Answer,
    bar_likeness,
    first_full_bar,
    form_of,
    kept_bars,
    label_phrases,
    phrase_likeness,
)  # fmt: skip
from imagemusic.music.score import Score
from imagemusic.music.structure import MEASURES, measure_structure
from imagemusic.music.timeline import PLACES, Timeline, timeline
from imagemusic.research.study import Context, Figures, Study

VERSION = 1
LEFT_OUT = ("pianolatron",)  # played without a beat
ONLY_METERS = ("pop909",)  # played by people: no bar equals another by onsets
MOST_FILES = 300  # of a corpus, spread evenly over its sorted keys
PHRASES = (4, 8)  # bars in a phrase
PHRASE_COUNTS = (4, 8)  # phrases in a form
MOST_FORMS = 30
MOST_LAGS = 8  # phrases back
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
KIT_SECONDS = 60
FEWEST_STROKES = 16
LAST_BEATS, SPEED_BEATS = 8, 32  # the tempo of the last beats is compared with the one before the last SPEED_BEATS
SLOWER = 0.97

Rows = list[dict[str, Any]]
Weighted = Counter[str]


def measure(corpora: Path, most_files: int = MOST_FILES) -> dict[str, Any]:
    """Count the training pieces of a folder of corpora.

    Raises:
        DataError: a corpus is missing or damaged.
    """
    rows: dict[str, Rows] = defaultdict(list)
    counts: Counter[str] = Counter()
    for piece, ends in training_pieces(corpora, most_files):
        row = describe(piece, ends=ends)
        if row:
            rows[row["ensemble"]].append(row)
            counts[piece.corpus] += 1
    ensembles = {name: summarise(rows[name]) for name in ENSEMBLES if rows[name]}
    return {"version": VERSION, "split": "train", "pieces": dict(sorted(counts.items())), "ensembles": ensembles}


def training_pieces(corpora: Path, most_files: int = MOST_FILES) -> Iterator[tuple[Piece, bool]]:
    """Read the training pieces with a beat, at most so many files a corpus; yield each and whether a file ends there.

    Quartets are cut into parts of movements, most of which have no ending.
    """
    for corpus in TRAINABLE:
        if corpus in LEFT_OUT:
            continue
        keys = list_pieces(corpora, corpus)
        for number in np.unique(np.linspace(0, len(keys) - 1, min(most_files, len(keys))).round()):
            pieces = read_piece(corpora, corpus, keys[int(number)])
            for piece in pieces:
                if piece.metrical and split_of(piece.id) == "train":
                    yield piece, piece is pieces[-1]


def describe(piece: Piece, *, ends: bool = True) -> dict[str, Any] | None:
    """Describe one piece, its ending only where it `ends`; None where its notes are on no grid."""
    notes = timeline(piece.score)
    if not notes.is_gridded:
        return None
    if piece.corpus in ONLY_METERS:
        return {"ensemble": ensemble_of(piece.score), "meter": common_meter(piece.score)}
    structure = measure_structure(piece.score)
    if not ends:
        structure |= {name: np.nan for name in structure if name.startswith("end_")}
    row: dict[str, Any] = {"ensemble": ensemble_of(piece.score), "structure": structure}
    if piece.meter_known:
        row |= {"meter": common_meter(piece.score), "phrases": describe_phrases(notes)}
    if notes.drum.sum() >= FEWEST_STROKES:
        row["drums"] = describe_drums(notes, timeline(piece.score, KIT_SECONDS))
    if ends and (~notes.drum).any():
        row["ending"] = describe_ending(notes)
        if piece.tempo_known:
            row["slowing"] = final_speed(piece.score)
    return row


def common_meter(score: Score) -> str:
    """Return the meter that holds longest."""
    ticks = [meter.tick for meter in score.meters] + [max(score.end, score.meters[-1].tick)]
    length: Counter[str] = Counter()
    for meter, (start, stop) in zip(score.meters, pairwise(ticks), strict=True):
        length[f"{meter.numerator}/{meter.denominator}"] += stop - start
    return length.most_common(1)[0][0]


def describe_phrases(notes: Timeline) -> dict[int, dict[str, Any]]:
    """Label the phrases of each of PHRASES bars, of the drums where only drums play."""
    bars = int(notes.bar_of(notes.onset[-1:])[0]) + 1
    first = first_full_bar(notes)
    alike = bar_likeness(notes, drums=bool(notes.drum.all()))[first:bars, first:bars]
    result = {}
    for size in PHRASES:
        phrases = phrase_likeness(alike, size)
        if len(phrases) < min(PHRASE_COUNTS):
            continue
        forms = {
            count: [
                form_of(label_phrases(phrases[start : start + count, start : start + count]))
                for start in range(0, len(phrases) - count + 1, count)
            ]
            for count in PHRASE_COUNTS
        }
        answers = label_phrases(phrases)
        kept = [
            kept_bars(alike, size, number, answer.model)
            for number, answer in enumerate(answers)
            if answer.kind == "varied"
        ]
        result[size] = {"forms": forms, "answers": answers, "kept": np.array(kept).reshape(-1, size)}
    return result


def describe_drums(notes: Timeline, excerpt: Timeline) -> dict[str, Any]:
    """Describe a kit, how its bars differ from the ones before by their place among four, and kick with bass."""
    alike = np.diagonal(bar_likeness(notes, drums=True), 1)
    onset = notes.onset[notes.drum]
    struck = np.bincount(notes.bar_of(onset), minlength=len(notes.bar_start)) >= 2
    both = struck[1:] & struck[:-1]
    place = (np.arange(1, len(struck)) - first_full_bar(notes)) % 4
    bass = np.isin(np.array(notes.programs)[notes.track], BASS_PROGRAMS) & ~notes.drum
    kick = notes.drum & np.isin(notes.pitch, (35, 36))
    steps = {name: np.unique(np.round(notes.onset[own] * PLACES)) for name, own in (("bass", bass), ("kick", kick))}
    return {
        "kit": sorted({int(pitch) for pitch in excerpt.pitch[excerpt.drum]}),
        "changes": [float((alike[both & (place == k)] < 0.75).mean()) if (both & (place == k)).any() else np.nan
                    for k in range(4)],
        "bass_with_kick": _share_within(steps["bass"], steps["kick"]),
        "kick_with_bass": _share_within(steps["kick"], steps["bass"]),
    }  # fmt: skip


def describe_ending(notes: Timeline) -> dict[str, float]:
    """Measure the length of the last chord in beats, and of the last bar how much is past before it."""
    onset, offset = notes.onset[~notes.drum], notes.offset[~notes.drum]
    last, end = float(onset[-1]), float(offset.max())
    usual = len(onset) / max(end - float(onset[0]), 4) * 4
    held = offset[onset <= last + 0.1].max()
    return {"last_chord_beats": float(held) - last, "density_last_4_beats": float((onset > end - 4).sum()) / usual}


def final_speed(score: Score) -> float:
    """Return the mean speed of the last beats over that of the piece before its end; 1 where it does not change."""
    end = score.end
    ticks = np.array([0, end - SPEED_BEATS * TICKS_PER_BEAT, end - LAST_BEATS * TICKS_PER_BEAT, end])
    if ticks[1] <= 0:
        return 1.0
    before, _, last = np.diff(ticks) / np.diff(score.seconds_at(ticks))
    return float(last / before)


def summarise(rows: Rows) -> dict[str, Any]:
    """Average descriptions of pieces."""
    meters = Counter(row["meter"] for row in rows if "meter" in row)
    result: dict[str, Any] = {"pieces": len(rows), "meters": _shares(meters, most=12)}
    result["phrases"] = {
        str(size): summarise_phrases([row["phrases"][size] for row in rows if size in row.get("phrases", {})])
        for size in PHRASES
    }
    drums = [row["drums"] for row in rows if "drums" in row]
    if drums:
        result["drums"] = summarise_drums(drums)
    endings = [row["ending"] for row in rows if "ending" in row]
    result["ending"] = {name: _quantiles([row[name] for row in endings]) for name in (endings[0] if endings else ())}
    speeds = np.array([row["slowing"] for row in rows if "slowing" in row])
    if len(speeds):
        result["ending"] |= {"slows": _rounded((speeds < SLOWER).mean()), "speed": _quantiles(speeds[speeds < SLOWER])}
    measured = [row["structure"] for row in rows if "structure" in row]
    result["structure"] = {name: _interval([row[name] for row in measured]) for name in MEASURES}
    return result


def summarise_phrases(pieces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Average forms, kinds of answers by how many phrases back, and what varied answers keep of each bar."""
    forms: dict[int, Weighted] = {count: Counter() for count in PHRASE_COUNTS}
    kinds: dict[str, Weighted] = {"all": Counter(), "second half": Counter()}
    lags: dict[str, Counter[int]] = {"exact": Counter(), "varied": Counter()}
    for piece in pieces:
        for count, found in piece["forms"].items():
            for form in found:
                forms[count][form] += 1 / len(found)  # type: ignore[assignment]
        answers: list[Answer] = piece["answers"]
        for number, answer in list(enumerate(answers))[1:]:
            kinds["all"][answer.kind] += 1 / (len(answers) - 1)  # type: ignore[assignment]
            if answer.kind != "new":
                lags[answer.kind][min(number - answer.model, MOST_LAGS)] += 1 / len(answers)  # type: ignore[assignment]
    kept = [bars for piece in pieces for bars in piece["kept"]]
    return {
        "pieces": len(pieces),
        "forms": {str(count): _shares(found, most=MOST_FORMS) for count, found in forms.items()},
        "answers": _shares(kinds["all"]),
        "phrases_back": {kind: _shares(Counter({str(lag): n for lag, n in found.items()}))
                         for kind, found in lags.items()},
        "bars_of_varied_answers": _kept_shares(np.array(kept)) if kept else {},
    }  # fmt: skip


def summarise_drums(pieces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Average kits: how many sounds, which, where bars change, how often bass and kick strike together."""
    sounds = Counter(str(pitch) for piece in pieces for pitch in piece["kit"])
    changes = np.array([piece["changes"] for piece in pieces])
    return {
        "pieces": len(pieces),
        "kit_size": _quantiles([len(piece["kit"]) for piece in pieces]),
        "kit": {pitch: _rounded(count / len(pieces)) for pitch, count in sounds.most_common(24)},
        "bar_changes_by_place_of_4": [_rounded(value) for value in np.nanmean(changes, axis=0)],
        "bass_with_kick": _interval([piece["bass_with_kick"] for piece in pieces]),
        "kick_with_bass": _interval([piece["kick_with_bass"] for piece in pieces]),
    }


def _kept_shares(kept: NDArray[np.float64]) -> dict[str, list[float]]:
    """Share of bars that varied answers keep exactly, keep nearly, and make anew, by their place in the phrase."""
    exact, near = (kept >= EXACT).mean(axis=0), (kept >= NEAR).mean(axis=0)
    shares = {"exact": exact, "near": near - exact, "new": 1 - near}
    return {name: [_rounded(value) for value in row] for name, row in shares.items()}


def _share_within(steps: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    return float(np.isin(steps, others).mean()) if len(steps) and len(others) else np.nan


def _shares(counts: Counter[str], most: int | None = None) -> dict[str, float]:
    """Turn counts into shares of all of them, the most frequent first; what `most` leaves out is missing."""
    total = sum(counts.values())
    return {name: _rounded(count / total) for name, count in counts.most_common(most)}


def _quantiles(values: Sequence[float] | NDArray[np.floating]) -> list[float]:
    """Return the QUANTILES of values, none where there are no values."""
    return [_rounded(value) for value in np.quantile(values, QUANTILES)] if len(values) else []


def _interval(values: Sequence[float]) -> dict[str, float]:
    """Return the mean, the 5th and the 95th percentile and the number of values that are not NaN."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return {"pieces": 0}
    low, high = np.quantile(known, (0.05, 0.95))
    return {"mean": _rounded(known.mean()), "p5": _rounded(low), "p95": _rounded(high), "pieces": len(known)}


def _rounded(value: float) -> float:
    return round(float(value), 4)


class FormStatistics(Study):
    """Counts the training corpora; `--out imagemusic/resources/form_statistics.json` makes the table that ships."""

    needs = ("corpora",)
    sources = ("the training split of the open corpora",)
    not_quick = "it reads the training corpora; its table is a resource of the package"

    def run(self, context: Context) -> Figures:
        return measure(context.data.path("corpora"))


STUDY = FormStatistics()
