"""Keys and chords, estimated from the notes that sound.

key     correlation of the pitch classes with Krumhansl & Kessler's profiles (Krumhansl 1990)
chords  one of 36 triads for each beat: a template match, smoothed by the Viterbi algorithm
"""

from dataclasses import dataclass

import numpy as np

from imagemusic.music.dials import KEYS
from imagemusic.music.score import Score
from imagemusic.music.timeline import EPSILON, Floats, Integers, Timeline, timeline

QUALITIES = ("major", "minor", "diminished")
_STEPS = ((0, 4, 7), (0, 3, 7), (0, 3, 6))
_SUFFIXES = ("", "m", "dim")
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

LONGEST_WEIGHT = 4  # beats: a longer note weighs no more in a key
CHANGE_COST = 0.45  # of a change of chord, whichever and wherever
OUTSIDE = -0.5  # score of a pitch class outside the triad, where one inside has 1
BASS_BONUS = 0.15  # for the triad whose root is the lowest note
DIMINISHED_COST = 0.08  # diminished triads only where they are clear
BASS_SHARE = 0.2  # of a window that a note must fill to be its lowest
NO_PITCH = 999

_TEMPLATES = np.full((36, 12), OUTSIDE)  # row quality * 12 + root
for _quality, _steps in enumerate(_STEPS):
    for _root in range(12):
        _TEMPLATES[_quality * 12 + _root, [(_root + step) % 12 for step in _steps]] = 1


@dataclass(frozen=True, slots=True)
class KeyEstimate:
    """The key that fits best."""

    tonic: int  # pitch class, C = 0
    minor: bool
    fit: float  # correlation, -1..1

    def __str__(self) -> str:
        return f"{_NAMES[self.tonic]} {'minor' if self.minor else 'major'}"


@dataclass(frozen=True, slots=True)
class Chord:
    """A triad."""

    root: int  # pitch class, C = 0
    quality: str  # of QUALITIES

    def __str__(self) -> str:
        return _NAMES[self.root] + _SUFFIXES[QUALITIES.index(self.quality)]


def estimate_key(score: Score) -> KeyEstimate:
    """Estimate the key of a whole score; C major with fit 0 where nothing is pitched."""
    notes = timeline(score)
    pitched = ~notes.drum
    return key_of(notes.pitch[pitched], notes.length[pitched])


def chords_by_bar(score: Score) -> list[list[Chord]]:
    """Estimate the chords of each bar in the order in which they begin or go on; none where a bar is silent."""
    notes = timeline(score)
    starts, lengths, first = notes.beats()
    chroma, lowest = chroma_of(notes, starts, lengths)
    path = chord_path(chroma, lowest)
    bars: list[list[Chord]] = [[] for _ in range(int(first.sum()))]
    sounding = chroma.sum(axis=1) > 0
    for bar, state, sounds in zip(np.cumsum(first) - 1, path, sounding, strict=True):
        chord = Chord(int(state) % 12, QUALITIES[int(state) // 12])
        if state >= 0 and sounds and bars[bar][-1:] != [chord]:
            bars[bar].append(chord)
    return bars


def key_of(pitch: Integers, length: Floats) -> KeyEstimate:
    """Estimate the key of notes: pitches (N,), lengths (N,) in beats."""
    weights = np.bincount(pitch % 12, weights=np.minimum(length, LONGEST_WEIGHT), minlength=12)
    centred = weights - weights.mean()
    norm = float(np.linalg.norm(centred))
    if norm < 1e-9:
        return KeyEstimate(0, False, 0.0)
    fits = KEYS @ (centred / norm)  # (2, 12)
    mode, tonic = np.unravel_index(int(fits.argmax()), fits.shape)
    return KeyEstimate(int(tonic), bool(mode), float(fits[mode, tonic]))


def chroma_of(notes: Timeline, starts: Floats, lengths: Floats) -> tuple[Floats, Integers]:
    """Measure what sounds in windows that begin at ascending `starts` (W,) and last `lengths` (W,) beats.

    Returns:
        How often over each window each pitch class sounds (W, 12), and the lowest pitch (W,) that fills BASS_SHARE of
        it, NO_PITCH where none does.
    """
    pitched = ~notes.drum
    onset, offset, pitch = notes.onset[pitched], notes.offset[pitched], notes.pitch[pitched]
    first = np.maximum(np.searchsorted(starts, onset + EPSILON, side="right") - 1, 0)
    stop = np.searchsorted(starts, offset - EPSILON, side="left")
    counts = np.maximum(stop - first, 0)
    note = np.repeat(np.arange(len(onset)), counts)
    window = np.arange(len(note)) - np.repeat(np.cumsum(counts) - counts, counts) + first[note]
    shared = np.minimum(offset[note], starts[window] + lengths[window]) - np.maximum(onset[note], starts[window])
    share = np.maximum(shared, 0) / lengths[window]
    places = window * 12 + pitch[note] % 12
    chroma = np.bincount(places, weights=share, minlength=12 * len(starts)).astype(np.float64)
    lowest = np.full(len(starts), NO_PITCH)
    filling = share > BASS_SHARE
    np.minimum.at(lowest, window[filling], pitch[note][filling])
    return chroma.reshape(len(starts), 12), lowest


def chord_path(chroma: Floats, lowest: Integers, change_cost: float = CHANGE_COST) -> Integers:
    """Find the likeliest chord (W,) of each window, quality * 12 + root; -1 before the first note.

    A window's score for a triad is the share of its sound inside the triad, less half the share outside, plus a bonus
    for a root in the bass; the path with the highest sum of scores less costs of changes is found by dynamic
    programming (Viterbi).
    """
    total = chroma.sum(axis=1)
    share = chroma / np.maximum(total, EPSILON)[:, None]
    score = share @ _TEMPLATES.T
    score += BASS_BONUS * ((lowest[:, None] % 12 == np.arange(36) % 12) & (lowest < NO_PITCH)[:, None])
    score[:, 24:] -= DIMINISHED_COST
    score[total <= 0] = 0
    best, came_from = score[0].copy(), []
    for row in score[1:]:
        source = int(best.argmax())
        jump = best[source] - change_cost
        stays = best >= jump
        came_from.append((source, stays))
        best = np.where(stays, best, jump) + row
    state = int(best.argmax())
    path = [state]
    for source, stays in reversed(came_from):
        state = state if stays[state] else source
        path.append(state)
    states = np.array(path[::-1])
    sounding = np.flatnonzero(total > 0)
    states[: sounding[0] if len(sounding) else None] = -1
    return states


def without_repeats(path: Integers) -> Integers:
    """Drop windows without a chord, and chords that only go on."""
    path = path[path >= 0]
    return path[np.flatnonzero(np.diff(path, prepend=-1))]
