"""Valence and arousal of music by ridge regression on people's labels of EMOPIA and VGMIDI.

    folder with label.csv (EMOPIA: four quadrants) ───────────────┐
    folder with vgmidi_labelled.csv (VGMIDI: valence, arousal) ───┴─> features ──> ridge regression, two outputs

Both corpora are used for evaluation only: no shipped model is trained or tuned on them.  The features are not those of
the formula that defines the dials, except for notes a second, mean pitch and mean velocity.  Corpora: Hung et al. 2021,
"EMOPIA"; Ferreira & Whitehead 2019, "Learning to Generate Music with Sentiment".
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DataError, ScoreError
from imagemusic.evaluation.intervals import mean_of
from imagemusic.music.dials import AFFECT_DIALS
from imagemusic.music.metrics import pitched_notes
from imagemusic.music.midi import load_corpus_midi
from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, Score

RIDGE = 0.05  # L2 penalty, times the number of clips; fixed beforehand, not tuned
LARGEST = 3.0  # standard deviations at which standardised features are clipped
FOLDS = 5  # of the cross-validation
FEATURES = 12 + 9  # pitch classes above the tonic, and nine more
CHORD_SECONDS = 0.03  # onsets closer than this are of one chord


def describe(score: Score) -> list[float]:
    """Return features (21,) of a score; all NaN where it has fewer than four pitched notes.

    In order: shares of the 12 pitch classes above the tonic by duration; log2 of notes a second; mean and standard
    deviation of log2 of the seconds between onsets; mean log2 of the durations in seconds; mean and standard deviation
    of pitch, then of velocity; share of harsh intervals.
    """
    notes = pitched_notes(score)
    if len(notes) < 4:
        return [float("nan")] * FEATURES
    notes = notes[np.argsort(notes[:, ONSET], kind="stable")]
    start = score.seconds_at(notes[:, ONSET])
    length = score.seconds_at(notes[:, ONSET] + notes[:, DURATION]) - start
    span = max(float((start + length).max() - start[0]), 1.0)
    waits = np.diff(start)
    waits = np.log2(waits[waits > CHORD_SECONDS]) if (waits > CHORD_SECONDS).any() else np.zeros(1)
    pitch = notes[:, PITCH].astype(np.float64)
    profile = np.bincount(notes[:, PITCH] % 12, weights=length, minlength=12)
    # The tonic is the pitch class whose steps 1, 2, 4 and 5 (1 and 5 twice) have the largest total duration.
    shared = np.array([np.roll(profile, -tonic)[[0, 0, 2, 5, 7, 7]].sum() for tonic in range(12)])
    above = np.roll(profile, -int(shared.argmax())) / max(profile.sum(), 1e-9)
    return [
        *above.tolist(), float(np.log2(len(notes) / span)), float(waits.mean()), float(waits.std()),
        float(np.log2(np.maximum(length, 0.03)).mean()), float(pitch.mean()), float(pitch.std()),
        float(notes[:, VELOCITY].mean()), float(notes[:, VELOCITY].std()), _harsh_share(start, pitch),
    ]  # fmt: skip


def _harsh_share(start: NDArray[np.float64], pitch: NDArray[np.float64]) -> float:
    """Return the share of intervals of 1, 2, 6, 10 or 11 semitones between neighbours of a chord.

    Onsets `start` (N,) are in seconds and in order; `pitch` is (N,).
    """
    close = np.diff(start) < CHORD_SECONDS
    steps = np.abs(np.diff(pitch))[close].astype(int) % 12
    return float(np.isin(steps, (1, 2, 6, 10, 11)).mean()) if len(steps) else 0.0


@dataclass(frozen=True, slots=True)
class Clip:
    """A labelled clip."""

    corpus: str
    song: str  # a fold holds all clips of a song
    figures: tuple[float, ...]
    labels: tuple[float, float]  # valence, arousal: -1 or 1


@dataclass(frozen=True, slots=True, eq=False)
class AffectRegressor:
    """Ridge regression from features (F,) to valence and arousal."""

    mean: NDArray[np.float64]  # (F,)
    deviation: NDArray[np.float64]  # (F,)
    weights: NDArray[np.float64]  # (1 + F, 2)

    @classmethod
    def fit(cls, clips: Sequence[Clip]) -> "AffectRegressor":
        """Return a regressor fitted to labelled clips, each corpus with the same total weight."""
        figures = np.array([clip.figures for clip in clips])
        mean, deviation = figures.mean(axis=0), figures.std(axis=0) + 1e-9
        counts = {clip.corpus: sum(other.corpus == clip.corpus for other in clips) for clip in clips}
        weight = np.array([len(clips) / len(counts) / counts[clip.corpus] for clip in clips])
        rows = _rows(figures, mean, deviation)
        penalty = RIDGE * len(clips) * np.diag([0.0, *np.ones(figures.shape[1])])
        labels = np.array([clip.labels for clip in clips])
        weights = np.linalg.solve(rows.T @ (weight[:, None] * rows) + penalty, rows.T @ (weight[:, None] * labels))
        return cls(mean, deviation, weights)

    def rate(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return valence and arousal (N, 2) of pieces with features (N, F); NaN where a feature is."""
        return _rows(features, self.mean, self.deviation) @ self.weights


def _rows(figures: NDArray[np.floating], mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray:
    scores = np.clip((figures - mean) / deviation, -LARGEST, LARGEST)
    return np.column_stack([np.ones(len(scores)), scores])


def read_clips(folders: Sequence[Path]) -> list[Clip]:
    """Read labelled clips from folders of EMOPIA or VGMIDI, recognised by their tables.

    Raises:
        DataError: a folder holds neither table, a label is not a number, or no file of a table can be read.
    """
    clips = []
    for folder in folders:
        if (folder / "label.csv").is_file():
            found = list(_read(_emopia(folder), folder, pedal=True))
        elif (folder / "vgmidi_labelled.csv").is_file():
            found = list(_read(_vgmidi(folder), folder, pedal=False))
        else:
            raise DataError(f"{folder}: neither label.csv (EMOPIA) nor vgmidi_labelled.csv (VGMIDI) is here")
        if not found:
            raise DataError(f"{folder}: no clip of its table can be read")
        clips += found
    return clips


Row = tuple[str, Path, str, tuple[float, float]]  # corpus, file, song, labels


def _emopia(folder: Path) -> Iterator[Row]:
    for row in _table(folder / "label.csv", ("ID", "4Q")):
        quadrant = int(row["4Q"])
        labels = (1.0 if quadrant in (1, 4) else -1.0, 1.0 if quadrant in (1, 2) else -1.0)
        yield "emopia", folder / "midis" / f"{row['ID']}.mid", row["ID"][3:].rpartition("_")[0], labels


def _vgmidi(folder: Path) -> Iterator[Row]:
    for row in _table(folder / "vgmidi_labelled.csv", ("midi", "game", "valence", "arousal")):
        yield "vgmidi", folder / row["midi"], row["game"], (float(row["valence"]), float(row["arousal"]))


def _table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise DataError(f"{path}: no column {missing[0]!r}")
        return list(reader)


def _read(rows: Iterator[Row], folder: Path, *, pedal: bool) -> Iterator[Clip]:
    try:
        for corpus, path, song, labels in rows:
            try:
                figures = describe(load_corpus_midi(path, fold_pedal=pedal))
            except ScoreError:
                continue  # published copies lack a few files of the tables
            if np.isfinite(figures).all():
                yield Clip(corpus, song, tuple(figures), labels)
    except ValueError as error:
        raise DataError(f"{folder}: a label is not a number ({error})") from error


def cross_validate(clips: Sequence[Clip], seed: int = 0) -> dict[str, dict[str, Any]]:
    """Return the accuracy of the signs of valence and arousal by corpus, cross-validated over songs.

    By corpus: `clips`, and for each dial `DIAL_right`, an estimate, and `DIAL_commonest`, the majority-class accuracy.
    """
    songs = sorted({clip.song for clip in clips})
    order = np.random.default_rng(seed).permutation(len(songs))
    fold_of = {songs[index]: place % FOLDS for place, index in enumerate(order)}
    folds = np.array([fold_of[clip.song] for clip in clips])
    labels = np.array([clip.labels for clip in clips])
    figures = np.array([clip.figures for clip in clips])
    rated = np.zeros_like(labels)
    for fold in np.unique(folds):
        others = [clip for clip, there in zip(clips, folds, strict=True) if there != fold]
        rated[folds == fold] = AffectRegressor.fit(others).rate(figures[folds == fold])
    result: dict[str, dict[str, Any]] = {}
    for corpus in sorted({clip.corpus for clip in clips}):
        here = [number for number, clip in enumerate(clips) if clip.corpus == corpus]
        result[corpus] = {"clips": len(here)}
        for column, name in enumerate(AFFECT_DIALS):
            truth = labels[here, column]
            right = (np.sign(rated[here, column]) == truth).astype(np.float64)
            commonest = np.unique(truth, return_counts=True)[1].max() / len(here)
            result[corpus][f"{name}_right"] = mean_of(right, [clips[number].song for number in here]).to_json()
            result[corpus][f"{name}_commonest"] = round(float(commonest), 4)
    return result
