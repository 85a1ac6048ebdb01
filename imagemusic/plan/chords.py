"""Chords of half bars, from what sounds in them: the vocabulary, a template match and the Viterbi algorithm.

    0  no chord (N.C.), or not known          1 + root * 10 + quality  a chord; root 0 is C

A seventh chord sounds a triad and one class more, and a suspended fourth is a suspended second on another root, so
templates reward what belongs to a chord, punish what does not, and the bass decides between equals.
"""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

QUALITIES = ("maj", "min", "dim", "aug", "7", "maj7", "m7", "m7b5", "sus4", "sus2")
STEPS = (
    (0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10), (0, 3, 6, 10),
    (0, 5, 7), (0, 2, 7),
)  # fmt: skip
SUFFIXES = ("", "m", "dim", "aug", "7", "maj7", "m7", "m7b5", "sus4", "sus2")
ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
NO_CHORD = 0
CHORDS = 1 + 12 * len(QUALITIES)  # size of the vocabulary

CHANGE_COST = 0.11  # of a change of chord, whichever and wherever
OUTSIDE = -0.25  # weight of a pitch class outside the chord; those inside have 1
ROOT_WEIGHT = 0.18  # more for the root
MISSING = 0.19  # cost of each class of the chord that does not sound
BASS_ROOT, BASS_INSIDE = 0.26, 0.03  # for a chord whose root, or another class, is the lowest note
QUALITY_COST = (0.0, 0.0, 0.22, 0.26, 0.18, 0.2, 0.15, 0.26, 0.28, 0.28)
SOUNDS = 0.035  # share of what sounds in a window above which a class is there
BASS_SHARE = 0.2  # of a window that a note must fill to be its lowest
NO_PITCH = 999

_ROOT, _QUALITY = np.divmod(np.arange(CHORDS - 1), len(QUALITIES))
_MEMBERS = np.zeros((CHORDS - 1, 12))
for _chord in range(CHORDS - 1):
    _MEMBERS[_chord, [(_ROOT[_chord] + step) % 12 for step in STEPS[_QUALITY[_chord]]]] = 1
_TEMPLATES = np.where(_MEMBERS > 0, 1.0, OUTSIDE)
_TEMPLATES[np.arange(CHORDS - 1), _ROOT] += ROOT_WEIGHT
_COST = np.array(QUALITY_COST)[_QUALITY]
_BASS = BASS_INSIDE * _MEMBERS  # (chord, lowest pitch class)
_BASS[np.arange(CHORDS - 1), _ROOT] = BASS_ROOT
_BITS = (_MEMBERS.astype(np.int64) << np.arange(12)).sum(axis=1)


def chord_index(root: int, quality: int) -> int:
    """Return the index of a chord by pitch class of the root and index into QUALITIES."""
    return 1 + root % 12 * len(QUALITIES) + quality


def chord_root(chord: int) -> int:
    """Return the pitch class of the root; -1 for NO_CHORD."""
    return (chord - 1) // len(QUALITIES) if chord else -1


def chord_quality(chord: int) -> int:
    """Return the index into QUALITIES; -1 for NO_CHORD."""
    return (chord - 1) % len(QUALITIES) if chord else -1


def chord_classes(chord: int) -> int:
    """Return the pitch classes of a chord as 12 bits; 0 for NO_CHORD."""
    return int(_BITS[chord - 1]) if chord else 0


def chord_name(chord: int) -> str:
    """Write a chord as a lead sheet does, like "F#m7"; "N.C." for NO_CHORD."""
    return ROOTS[chord_root(chord)] + SUFFIXES[chord_quality(chord)] if chord else "N.C."


def transposed(chords: NDArray[np.integer], semitones: NDArray[np.integer] | int) -> Integers:
    """Transpose chords (...) by semitones, which broadcast; NO_CHORD stays."""
    chords = np.asarray(chords, np.int64)
    root, quality = np.divmod(chords - 1, len(QUALITIES))
    return np.where(chords > 0, 1 + (root + semitones) % 12 * len(QUALITIES) + quality, NO_CHORD)


def chroma(onset: Integers, offset: Integers, pitch: Integers, edges: Integers) -> tuple[Floats, Integers]:
    """Measure what sounds in windows between ascending `edges` (W + 1,) ticks.

    Notes (N,), without drums, are cut at the edges; those outside all windows do not count.

    Returns:
        Ticks for which each pitch class sounds in each window (W, 12), and the lowest pitch (W,) that fills BASS_SHARE
        of it, NO_PITCH where none does.
    """
    windows = len(edges) - 1
    first = np.maximum(np.searchsorted(edges, onset, side="right") - 1, 0)
    stop = np.minimum(np.searchsorted(edges, offset, side="left"), windows)
    counts = np.maximum(stop - first, 0)
    note = np.repeat(np.arange(len(onset)), counts)
    window = np.arange(len(note)) - np.repeat(np.cumsum(counts) - counts, counts) + first[note]
    shared = np.minimum(offset[note], edges[window + 1]) - np.maximum(onset[note], edges[window])
    shared = np.maximum(shared, 0)
    sums = np.bincount(window * 12 + pitch[note] % 12, weights=shared, minlength=12 * windows)
    lowest = np.full(windows, NO_PITCH, np.int64)
    filling = shared >= BASS_SHARE * (edges[window + 1] - edges[window])
    order = np.lexsort((-pitch[note][filling], window[filling]))  # the lowest of each window is written last
    lowest[window[filling][order]] = pitch[note][filling][order]
    return sums.astype(np.float64).reshape(windows, 12), lowest


def best_chords(sums: Floats, lowest: Integers, change_cost: float = CHANGE_COST) -> Integers:
    """Find the likeliest chord (W,) of each window from `chroma`; NO_CHORD where nothing sounds.

    The path with the highest sum of scores less costs of changes is found by dynamic programming; a silent window
    has no opinion.
    """
    total = sums.sum(axis=1)
    share = sums / np.maximum(total, 1e-9)[:, None]
    missing = _MEMBERS.sum(axis=1) - (share > SOUNDS).astype(np.float64) @ _MEMBERS.T
    score = share @ _TEMPLATES.T - MISSING * missing - _COST
    has_bass = lowest < NO_PITCH
    score[has_bass] += _BASS[:, lowest[has_bass] % 12].T
    score[total <= 0] = 0
    path = _viterbi(score, change_cost)
    return np.where(total > 0, path + 1, NO_CHORD)


def _viterbi(score: Floats, change_cost: float) -> Integers:
    """Return the best path (W,) through scores (W, S); every change of state costs the same."""
    windows = len(score)
    if not windows:
        return np.empty(0, np.int64)
    stays = np.empty(score.shape, bool)
    source = np.zeros(windows, np.int64)
    best = score[0].copy()
    for window in range(1, windows):
        source[window] = best.argmax()
        jump = best[source[window]] - change_cost
        np.greater_equal(best, jump, out=stays[window])
        np.maximum(best, jump, out=best)
        best += score[window]
    path = np.empty(windows, np.int64)
    path[-1] = best.argmax()
    for window in range(windows - 1, 0, -1):
        path[window - 1] = path[window] if stays[window, path[window]] else source[window]
    return path
