"""Measurements of a piece, small enough to cache: dials, features of its notes, faults.

Score ──> dials -1..1 | features in ticks, without tempo and header | features of the affect regressor | bars | fault
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.evaluation.steering.affect_regressor import describe
from imagemusic.music import metrics
from imagemusic.music.dials import DIALS, DialNormalizer, measure
from imagemusic.music.ensembles import ensemble_of
from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, Score

TICK_FIGURES = (
    "density", "register", "loudness", "articulation", "mode", "polyphony", "onsets_per_beat", "pitch_deviation",
    "pitch_range", "velocity_deviation", "log_duration", "duration_deviation", "off_beat", "pitch_class_entropy",
    "drum_share",
)  # fmt: skip
FAMILIES = ((0, 8), (8, 16), (16, 24), (24, 32), (32, 40), (40, 52), (52, 56), (56, 80), (80, 128))  # of programs

# Thresholds of faults, the same for composed and for real music.
SILENT_BARS = 4  # bars of silence
ONE_NOTE_SHARE = 0.5  # largest share of the pitched notes on one pitch
FEWEST_NOTES = 8  # pitched notes that such a share needs
ONSETS_A_BAR = 0.5  # fewest


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements of a piece; None stands for a value that is not defined."""

    dials: tuple[float | None, ...]  # (9,) in the order of DIALS
    ticks: tuple[float | None, ...]  # (15,) TICK_FIGURES
    programs: tuple[float, ...]  # (10,) share of notes by family of instruments, drums last
    felt: tuple[float | None, ...]  # (21,) features of the affect regressor
    bars: tuple[tuple[float, ...], ...]  # (W, 4) BAR_FIGURES of each window of four bars
    fault: str  # "" for none
    ensemble: str
    notes: int

    def dial(self, name: str) -> float:
        """Return a dial of the piece, -1..1; NaN where it is not defined."""
        value = self.dials[DIALS.index(name)]
        return float("nan") if value is None else value

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "Measured":
        """Return the measurements that `to_json` wrote."""
        return cls(
            dials=tuple(table["dials"]), ticks=tuple(table["ticks"]), programs=tuple(table["programs"]),
            felt=tuple(table["felt"]), bars=tuple(tuple(row) for row in table["bars"]), fault=table["fault"],
            ensemble=table["ensemble"], notes=table["notes"],
        )  # fmt: skip


def measured(score: Score, scale: DialNormalizer, *, tempo_known: bool = True, velocity_known: bool = True) -> Measured:
    """Return the measurements of a piece.

    Args:
        scale: turns measured attributes into dials.
        tempo_known: False leaves out what depends on the tempo.
        velocity_known: False leaves out what depends on velocities.
    """
    dials = scale.dials(measure(score, tempo_known=tempo_known, velocity_known=velocity_known))
    return Measured(
        dials=tuple(_rounded(dials[name]) for name in DIALS),
        ticks=tuple(map(_rounded, tick_figures(score))),
        programs=tuple(_families(score)),
        felt=tuple(map(_rounded, describe(score))),
        bars=tuple(tuple(round(value, 5) for value in row) for row in metrics.bar_figures(score).tolist()),
        fault=fault(score),
        ensemble=ensemble_of(score),
        notes=score.note_count,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 5)


def tick_figures(score: Score) -> list[float | None]:
    """Return features (15,) from ticks, pitches, durations and velocities, in the order of TICK_FIGURES."""
    notes = metrics.pitched_notes(score)
    if not len(notes):
        return [None] * len(TICK_FIGURES)
    cues = measure(Score(score.tracks, ticks_per_beat=score.ticks_per_beat), tempo_known=False)
    known = [cues[name] for name in TICK_FIGURES[:6]]
    beats = max(score.end / score.ticks_per_beat, 1)
    lengths = np.log2(notes[:, DURATION] / score.ticks_per_beat)
    onsets = np.unique(notes[:, ONSET])
    derived = [
        len(onsets) / beats, notes[:, PITCH].std(), np.ptp(notes[:, PITCH]), notes[:, VELOCITY].std(), lengths.mean(),
        lengths.std(), (onsets % score.ticks_per_beat != 0).mean(), metrics.pitch_class_entropy(notes),
        1 - len(notes) / score.note_count,
    ]  # fmt: skip
    return [*known, *map(float, derived)]


def _families(score: Score) -> list[float]:
    counts = [sum(len(t) for t in score.tracks if not t.is_drum and low <= t.program < high) for low, high in FAMILIES]
    counts.append(sum(len(t) for t in score.tracks if t.is_drum))
    return [round(count / max(score.note_count, 1), 5) for count in counts]


def fault(score: Score) -> str:
    """Return the fault of a piece: "silence", "one note repeated" or "endless chord"; "" for none."""
    if not score.note_count or metrics.longest_silence_bars(score) > SILENT_BARS:
        return "silence"
    notes = metrics.pitched_notes(score)
    if len(notes) >= FEWEST_NOTES and np.bincount(notes[:, PITCH]).max() > ONE_NOTE_SHARE * len(notes):
        return "one note repeated"
    onsets = np.unique(np.concatenate([track.notes[:, ONSET] for track in score.tracks if len(track)]))
    bars = score.end / metrics.bar_length(score)
    return "endless chord" if bars >= 4 and len(onsets) < ONSETS_A_BAR * bars else ""


def first_seconds(score: Score, seconds: float) -> Score:
    """Return the first `seconds` of a score, with notes that sound longer shortened."""
    tracks = []
    limit = int(np.searchsorted(score.seconds_at(np.arange(score.end + 1)), seconds))
    for track in score.tracks:
        notes = track.notes[track.notes[:, ONSET] < limit].copy()
        if len(notes):
            notes[:, DURATION] = np.minimum(notes[:, DURATION], np.maximum(limit - notes[:, ONSET], 1))
            tracks.append(type(track)(notes, track.program, track.is_drum, track.name))
    return Score(tracks, score.tempos, score.meters, ticks_per_beat=score.ticks_per_beat)


def table(pieces: "list[Measured]", columns: str) -> NDArray[np.float64]:
    """Return `dials`, `ticks`, `programs` or `felt` of pieces as (N, F), NaN for None."""
    return np.array([[np.nan if v is None else v for v in getattr(piece, columns)] for piece in pieces], np.float64)
