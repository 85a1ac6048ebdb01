"""What a musician hears in a whole piece, as numbers: form, harmony, groove, opening, ending, playability.

    measure_structure(score) -> {"end_on_downbeat": 1.0, "bars_repeated_nearly": 0.4, ...}

All but the measures of the ending are taken on the first `seconds` of sound, so that pieces of any length compare.
A measure is NaN where the score lacks what it asks about: drums, wind parts, enough bars, or a grid (see
`Timeline.is_gridded`).
"""

import math
from collections import Counter

import numpy as np

from imagemusic.music.form import NAN, NEARLY, likeness, measure_form
from imagemusic.music.harmony import chord_path, chroma_of, key_of, without_repeats
from imagemusic.music.ranges import HAND_SPAN, playable_range
from imagemusic.music.score import Score
from imagemusic.music.timeline import EPSILON, PLACES, Integers, Timeline, timeline

Measures = dict[str, float]

FEWEST_NOTES = 20  # pitched, for any measure but those of the ending and of drums
FEWEST_STROKES = 16  # of drums
WINDS = range(56, 80)  # General MIDI brass, reeds and pipes
KEYBOARDS = range(8)
END_CHANGE_COST = 0.3  # of a change of chord in the last bars, where chords move faster
LAST_BEATS = 24  # in which the cadence is looked for

_KICK, _SNARE, _HAT, _CYMBAL, _TOM, _OTHER = range(6)
_DRUM_CLASS = np.full(128, _OTHER)
for _pitches, _class in (
    ((35, 36), _KICK),
    ((37, 38, 39, 40), _SNARE),
    ((42, 44, 46), _HAT),
    ((49, 51, 52, 53, 55, 57, 59), _CYMBAL),
    ((41, 43, 45, 47, 48, 50), _TOM),
):
    _DRUM_CLASS[list(_pitches)] = _class

MEASURES = {
    "end_bass_tonic": "1 where the lowest note of the last chord is the tonic",
    "end_tonic_triad": "1 where the last chord holds the tonic, and nothing but notes of its triad",
    "end_cadence_V_or_IV_I": "1 where the last two chords are V, vii or IV, and I",
    "end_long_last_note": "1 where the last chord lasts 1.9 median steps between onsets or more",
    "end_on_downbeat": "1 where the last chord begins a bar",
    "end_density_last_4_beats": "onsets in the last four beats over those in the mean four beats",
    "opening_phrase_returns": "1 where the first four bars come back, by 0.6 of their notes, four bars on or later",
    "open_top_over_p95": "highest note of the first bar over the 95th percentile of what follows, in semitones",
    "si_short": "fitness of the fittest repeated segment of 3 to 8 s",
    "si_mid": "fitness of the fittest repeated segment of 8 to 15 s",
    "si_long": "fitness of the fittest repeated segment of 15 to 30 s",
    "bars_repeated_exactly": "share of bars that another bar equals, note for note",
    "bars_repeated_nearly": "share of bars to which another one comes as near as 0.75",
    "best_other_bar": "mean likeness of a bar with the likeliest other one",
    "longest_run_of_equal_bars": "bars of the longest run in which each equals the one before",
    "chord_grams_repeated": "share of four chords in a row that the piece had before",
    "chord_change_on_bar": "share of chord changes on a bar line",
    "root_fifths": "share of chord changes by a fourth or a fifth",
    "key_holds": "share of windows of 8 bars in the commonest key; relative keys count as one",
    "breath4": "recurrence of long notes of the upper line after 4 bars, less that after 3 and 5",
    "part_figure_as_before": "mean likeness of a part's figure, rhythm with order of pitches, with its bar before",
    "drum_as_bar_before_nearly": "share of drum bars to which the bar before comes as near as 0.75",
    "drum_sounds": "different drum sounds",
    "drum_gone_at_end": "1 where the last third has under a quarter of the drum strokes of the first",
    "out_of_range": "share of notes that their instrument cannot play; see ranges.py",
    "winds_in_chords": "share of notes of wind parts that begin while the one before sounds",
    "hand_over_tenth": "share of chords struck by one of several piano parts that span over a tenth",
}


def measure_structure(score: Score, seconds: float = 60) -> Measures:
    """Measure a score by each of MEASURES; NaN for what it cannot be measured by."""
    result = dict.fromkeys(MEASURES, NAN)
    excerpt = timeline(score, seconds)
    if len(excerpt.onset) < FEWEST_NOTES:
        return result
    if (~excerpt.drum).sum() >= FEWEST_NOTES:
        result |= _playability(excerpt)
        if excerpt.is_gridded:
            result |= measure_form(excerpt) | _harmony(excerpt) | _opening(excerpt)
            result["part_figure_as_before"] = _figures(excerpt)
    if excerpt.is_gridded:
        result |= _drums(excerpt) | _ending(timeline(score))
    return result


def _harmony(notes: Timeline) -> Measures:
    starts, lengths, first = notes.beats()
    sounding = starts <= notes.onset[-1] + EPSILON
    starts, lengths, first = starts[sounding], lengths[sounding], first[sounding]
    pitched = ~notes.drum
    path = chord_path(*chroma_of(notes, starts, lengths))
    changes = np.flatnonzero((path[1:] != path[:-1]) & (path[:-1] >= 0)) + 1
    result = {"key_holds": _key_holds(notes)}
    if len(changes) >= 4 and 0 < first[1:].mean() < 1:
        result["chord_change_on_bar"] = float(first[changes].mean())
    chords = without_repeats(path)
    if len(chords) >= 8:
        tonic = key_of(notes.pitch[pitched], notes.length[pitched]).tonic
        result["root_fifths"] = float(np.isin(np.diff(chords % 12) % 12, (5, 7)).mean())
        result["chord_grams_repeated"] = _repeated_grams([(int(c - tonic) % 12, int(c) // 12) for c in chords])
    return result


def _key_holds(notes: Timeline) -> float:
    keys = []
    for bar in range(0, len(notes.bar_start) - 4, 4):
        start, stop = notes.bar_start[[bar, min(bar + 8, len(notes.bar_start) - 1)]]
        inside = ~notes.drum & (notes.onset >= start) & (notes.onset < stop)
        if inside.sum() >= 12:
            key = key_of(notes.pitch[inside], notes.length[inside])
            keys.append((key.tonic + 3 * key.minor) % 12)
    return Counter(keys).most_common(1)[0][1] / len(keys) if len(keys) >= 3 else NAN


def _repeated_grams(tokens: list[tuple[int, int]], size: int = 4) -> float:
    """Compute the share of runs of `size` tokens that occurred before without overlap; NaN with few tokens."""
    if len(tokens) < size + 8:
        return NAN
    first: dict[tuple[tuple[int, int], ...], int] = {}
    grams = [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]
    return sum(first.setdefault(gram, start) <= start - size for start, gram in enumerate(grams)) / len(grams)


def _opening(notes: Timeline) -> Measures:
    onset, pitch = notes.onset[~notes.drum], notes.pitch[~notes.drum]
    head = onset < onset[0] + max(notes.bar_length[0], 3) - EPSILON
    if head.sum() < 2 or (~head).sum() < FEWEST_NOTES:
        return {}
    return {"open_top_over_p95": float(pitch[head].max() - np.percentile(pitch[~head], 95))}


def _figures(notes: Timeline) -> float:
    """Measure how much of each part's figure, (place, rank of the pitch in the bar), is that of its bar before."""
    likenesses: list[float] = []
    for track in range(len(notes.programs)):
        own = (notes.track == track) & ~notes.drum
        if own.sum() < 24:
            continue
        bars: dict[int, list[tuple[int, int]]] = {}
        onset = notes.onset[own]
        columns = (notes.bar_of(onset).tolist(), notes.place_of(onset).tolist(), notes.pitch[own].tolist())
        for bar, place, pitch in zip(*columns, strict=True):
            bars.setdefault(bar, []).append((place, pitch))
        before: tuple[int, set[tuple[int, int]]] = (-1, set())
        for bar, members in bars.items():
            if len(members) < 3:
                continue
            rank = {pitch: number for number, pitch in enumerate(sorted({pitch for _, pitch in members}))}
            figure = {(place, rank[pitch]) for place, pitch in members}
            if before[0] == bar - 1 and before[1]:
                likenesses.append(len(figure & before[1]) / len(figure | before[1]))
            before = bar, figure
    return float(np.mean(likenesses)) if len(likenesses) >= 8 else NAN


def _drums(notes: Timeline) -> Measures:
    onset, pitch = notes.onset[notes.drum], notes.pitch[notes.drum]
    if len(onset) < FEWEST_STROKES:
        return {}
    result = {"drum_sounds": float(len(np.unique(pitch)))}
    start, third = notes.onset[0], (notes.onset[-1] - notes.onset[0]) / 3
    opening, closing = int((onset < start + third).sum()), int((onset > notes.onset[-1] - third).sum())
    result["drum_gone_at_end"] = float(opening > 8 and closing < 0.25 * opening)
    bar = notes.bar_of(onset)
    sixteenth = np.round((onset - notes.bar_start[bar]) * 4).astype(np.int64)
    strokes = sixteenth * 6 + _DRUM_CLASS[pitch]
    bar -= bar.min()
    count = int(bar.max()) + 1
    if count < 6:
        return result
    kinds = np.unique(np.stack([bar, strokes]), axis=1)[0]
    full = np.bincount(kinds, minlength=count) >= 2
    pairs = full[1:] & full[:-1]
    if pairs.sum() >= 4:
        as_before = np.diagonal(likeness(bar, strokes, count), 1)
        result["drum_as_bar_before_nearly"] = float((as_before[pairs] >= NEARLY).mean())
    return result


def _playability(notes: Timeline) -> Measures:
    outside = in_chords = winds = wide = chords = 0
    pitched = [np.flatnonzero((notes.track == track) & ~notes.drum) for track in range(len(notes.programs))]
    parts = list(zip(notes.programs, pitched, strict=True))
    pianos = [own for program, own in parts if program in KEYBOARDS and len(own)]
    for program, own in parts:
        pitch, playable = notes.pitch[own], playable_range(program)
        outside += int(((pitch < playable.start) | (pitch >= playable.stop)).sum())
        if program in WINDS and len(own) > 8:
            in_chords += int((notes.onset[own][1:] - notes.offset[own][:-1] < -0.05).sum())
            winds += len(own) - 1
    for own in pianos if len(pianos) >= 2 else ():
        spans, sizes = _chord_spans(np.round(notes.onset[own] * 2 * PLACES).astype(np.int64), notes.pitch[own])
        chords += int((sizes > 1).sum())
        wide += int((spans[sizes > 1] > HAND_SPAN).sum())
    return {
        "out_of_range": outside / max(int((~notes.drum).sum()), 1),
        "winds_in_chords": in_chords / winds if winds >= 16 else NAN,
        "hand_over_tenth": wide / chords if chords > 10 else NAN,
    }


def _chord_spans(onset: Integers, pitch: Integers) -> tuple[Integers, Integers]:
    """Return the span in semitones and the number of notes of each chord, from onsets (N,) and pitches (N,)."""
    _, chord, sizes = np.unique(onset, return_inverse=True, return_counts=True)
    low, high = np.full(len(sizes), 127), np.zeros(len(sizes), np.int64)
    np.minimum.at(low, chord, pitch)
    np.maximum.at(high, chord, pitch)
    return high - low, sizes


def _ending(notes: Timeline) -> Measures:
    """Measure the last chord of a whole piece, and how it is reached."""
    pitched = ~notes.drum
    if pitched.sum() < FEWEST_NOTES:
        return {}
    onset, offset, pitch = notes.onset[pitched], notes.offset[pitched], notes.pitch[pitched]
    last, end = float(onset[-1]), float(offset.max())
    held = (onset <= last + 0.1) & (offset > last + 0.02)
    tonic = key_of(pitch, notes.length[pitched]).tonic
    steps = (pitch[held] - tonic) % 12
    step = float(np.median(np.diff(np.unique(np.round(onset * PLACES))))) / PLACES if onset[0] < last else math.inf
    result = {
        "end_bass_tonic": float(pitch[held].min() % 12 == tonic),
        "end_tonic_triad": float(0 in steps and any(set(steps.tolist()) <= {0, third, 7} for third in (3, 4))),
        "end_long_last_note": float(float(offset[held].max()) - last >= 1.9 * step),
        "end_on_downbeat": float(last - notes.bar_start[notes.bar_of(onset[-1:])[0]] < 0.05),
        "end_density_last_4_beats": float((onset > end - 4).sum() / (len(onset) / max(end - onset[0], 4) * 4)),
    }
    starts, lengths, _ = notes.beats()
    near = (starts < end - EPSILON) & (starts > end - LAST_BEATS)
    if near.sum() >= 4:
        chords = without_repeats(chord_path(*chroma_of(notes, starts[near], lengths[near]), END_CHANGE_COST))
        if len(chords) >= 2:
            before, at_end = (int(chord - tonic) % 12 for chord in chords[-2:])
            result["end_cadence_V_or_IV_I"] = float(at_end == 0 and before in (5, 7, 11))
    return result
