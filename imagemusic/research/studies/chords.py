"""Compare the chords that a plan's analysis finds with the labels that POP909 brings.

imagemusic study run chords --data DATA --out docs/results/chords.json

    chord_midi.txt, a row a chord:  seconds, seconds, "A:min7/b7" or "N"

POP909's labels were themselves computed from its notes, so this is agreement with another analysis, not with people.
Every half beat counts as one.  Root: the roots agree, or both say that there is no chord.  Majmin: the triads agree
too, over labels whose triad is major or minor, and "N".
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.catalogue import list_pieces
from imagemusic.data.corpora.held_out import split_of
from imagemusic.data.corpora.pop909 import align, beats_at, first_beat, read_beats
from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import bootstrap
from imagemusic.events.codec import encode
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.music.midi import load_corpus_midi
from imagemusic.plan.analysis import Analysis, analyse
from imagemusic.plan.chords import NO_CHORD, QUALITIES, chord_index
from imagemusic.plan.lead_sheet import parse_chord
from imagemusic.research.study import Context, Figures, Study

Integers = NDArray[np.int64]

CORPUS = "pop909"
COUNTS = ("half_beats", "root", "triads", "majmin", "exact")
STEP = TICKS_PER_BEAT // 2
TUNED_EVERY = 6  # every sixth song was used to choose the weights of the templates
# Labels that lead sheets write otherwise.
_QUALITY = {"min7": "m7", "hdim7": "m7b5", "maj6": "6", "min6": "m6", "minmaj7": "mmaj7", "sus4(b7)": "7sus4"}
_TRIADS = {"maj": 0, "7": 0, "maj7": 0, "min": 1, "m7": 1}


def read_labels(path: Path) -> tuple[NDArray[np.float64], Integers]:
    """Return starts and ends (L, 2) in seconds, and the chords (L,) of the vocabulary.

    Raises:
        DataError: the file is missing, or a row is not one.
    """
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        times = np.array([[float(start), float(end)] for start, end, _ in rows]).reshape(-1, 2)
        return times, np.array([label_index(label) for *_, label in rows], np.int64)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot read chords ({error})") from error


def label_index(label: str) -> int:
    """Return the nearest chord of the vocabulary, the bass left out."""
    root, _, quality = label.partition("/")[0].partition(":")
    return NO_CHORD if root == "N" else parse_chord(root + _QUALITY.get(quality, quality)).index


def compare_song(job: tuple[Path, str]) -> dict[str, int]:
    """Count the half beats of a song, and those at which analysis and labels agree."""
    folder, key = job
    path = folder / key
    score, beats = load_corpus_midi(path), read_beats(path.with_name("beat_midi.txt"))
    times, labels = read_labels(path.with_name("chord_midi.txt"))
    ticks = (beats_at(times.ravel(), beats[:, 0]) - first_beat(score, beats)).reshape(-1, 2) * TICKS_PER_BEAT
    found = analyse(encode(align(score, beats)))
    places = np.arange(STEP // 2, int(found.bar_starts[-1] + found.bar_lengths[-1]), STEP)
    number = np.searchsorted(ticks[:, 0], places, side="right") - 1
    is_labelled = (number >= 0) & (places < ticks[np.maximum(number, 0), 1])
    label, ours = labels[number[is_labelled]], chords_at(found, places[is_labelled])
    triad, our_triad = triads(label), triads(ours)
    same_root = roots(label) == roots(ours)
    agree = (same_root, triad >= 0, same_root & (triad == our_triad) & (triad >= 0), label == ours)
    return dict(zip(COUNTS, (len(label), *(int(part.sum()) for part in agree)), strict=True))


def chords_at(analysis: Analysis, ticks: Integers) -> Integers:
    """Return the chords (T,) at ticks (T,)."""
    bar = np.searchsorted(analysis.bar_starts, ticks, side="right") - 1
    half = ticks - analysis.bar_starts[bar] >= analysis.bar_lengths[bar] // 2
    return analysis.chords[bar, half.astype(int)].astype(np.int64)


def roots(chords: Integers) -> Integers:
    """Return the pitch class of each root; -1 for no chord."""
    return np.where(chords > 0, (chords - 1) // len(QUALITIES), -1)


def triads(chords: Integers) -> Integers:
    """Sort chords: 0 major, 1 minor, 2 none; -1 others."""
    kinds = np.full(len(QUALITIES), -1)
    for name, kind in _TRIADS.items():
        kinds[QUALITIES.index(name)] = kind
    return np.where(chords > 0, kinds[(chords - chord_index(0, 0)) % len(QUALITIES)], 2)


class Chords(Study):
    """Analyses every song of POP909 from its notes alone."""

    needs = ("corpora",)
    quick = {"workers": 1}

    def run(self, context: Context) -> Figures:
        folder = context.data.path("corpora")
        keys = sorted(list_pieces(folder, CORPUS))
        songs = [path for path in keys if (folder / CORPUS / path).with_name("chord_midi.txt").exists()]
        if not songs:
            raise DataError(f"{folder / CORPUS}: no song has a chord_midi.txt")
        counts = context.map(compare_song, [(folder / CORPUS, key) for key in songs])
        context.sources.append(CORPUS)
        tuned = [number % TUNED_EVERY == 0 for number in range(len(songs))]
        in_test = [split_of(f"{CORPUS}/{key.removesuffix('.mid')}") == "test" for key in songs]
        held_out = [is_test and not is_tuned for is_test, is_tuned in zip(in_test, tuned, strict=True)]
        return {
            "songs": len(songs),
            "all": accuracy(counts),
            "not_tuned_on": accuracy([count for count, is_tuned in zip(counts, tuned, strict=True) if not is_tuned]),
            "test_split_not_tuned_on": accuracy(
                [count for count, is_held in zip(counts, held_out, strict=True) if is_held]
            ),
        }


def accuracy(counts: list[dict[str, int]]) -> Figures:
    """Return shares of half beats over all songs, with 95 % intervals by resampling songs."""
    table = {name: np.array([count[name] for count in counts], np.int64) for name in COUNTS}
    groups = [str(number) for number in range(len(counts))]

    def share(name: str, of: str) -> Figures:
        return bootstrap(lambda rows: float(table[name][rows].sum() / max(table[of][rows].sum(), 1)), groups).to_json()

    return {
        "songs": len(counts),
        "half_beats": int(table["half_beats"].sum()),
        "root": share("root", "half_beats"),
        "majmin": share("majmin", "triads"),
        "exact": share("exact", "half_beats"),
    }


STUDY = Chords()
