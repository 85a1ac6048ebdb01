"""How a piece comes back to what it played: likeness of bars, phrases, structureness.

A bar is the set of its notes as (place in the bar, pitch class); two bars are as alike as the Jaccard index of their
sets.  Bars with fewer than FEWEST_NOTES members are left out.
"""

import math

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.harmony import chroma_of
from imagemusic.music.timeline import EPSILON, Floats, Integers, Timeline

NAN = math.nan
FEWEST_NOTES = 3  # in a bar that is compared
FEWEST_BARS = 8
NEARLY = 0.75  # likeness from which a bar counts as repeated
PHRASE_RETURNS = 0.6  # mean likeness from which the first four bars count as repeated
SHORTEST_MELODY = 17  # notes
AT_ONCE = 0.04  # beats between notes of one chord
STILL_SOUNDS = 0.1  # beats that a note must go on to count as held

SPANS = {"si_short": (3, 8), "si_mid": (8, 15), "si_long": (15, 30)}  # seconds
FIT_FROM = 0.4  # likeness of bars that counts for a segment
FIT_PENALTY = -2.0  # for bars that are less alike

FORM = (
    "best_other_bar", "bars_repeated_nearly", "bars_repeated_exactly", "longest_run_of_equal_bars",
    "opening_phrase_returns", *SPANS, "breath4",
)  # fmt: skip


def measure_form(notes: Timeline) -> dict[str, float]:
    """Measure how bars, the opening phrase and long segments come back; NaN where there are too few bars."""
    result = dict.fromkeys(FORM, NAN)
    pitched = ~notes.drum
    onset, pitch = notes.onset[pitched], notes.pitch[pitched]
    bar, place = notes.bar_of(onset), notes.place_of(onset)
    count = int(bar.max(initial=-1)) + 1
    alike = likeness(bar, place * 12 + pitch % 12, count)
    full = np.bincount(np.unique(np.stack([bar, place * 12 + pitch % 12]), axis=1)[0], minlength=count) >= FEWEST_NOTES
    bars = np.flatnonzero(full)
    if len(bars) < FEWEST_BARS:
        return result
    others = alike[np.ix_(bars, bars)]
    np.fill_diagonal(others, 0)
    best = others.max(axis=1)
    equal = likeness(bar, place * 128 + pitch, count) > 1 - EPSILON
    repeats = equal[np.ix_(bars, bars)].sum(axis=1) > 1
    result["best_other_bar"] = float(best.mean())
    result["bars_repeated_nearly"] = float((best >= NEARLY).mean())
    result["bars_repeated_exactly"] = float(repeats.mean())
    result["longest_run_of_equal_bars"] = float(_longest_run(np.diagonal(equal, 1) & full[1:] & full[:-1]))
    first = bars[0]
    starts = np.arange(first + 4, count - 3)
    if count >= 12 and len(starts):
        phrases = np.mean([alike[first + step, starts + step] for step in range(4)], axis=0)
        result["opening_phrase_returns"] = float(phrases.max() >= PHRASE_RETURNS)
    result |= _structureness(notes, alike, count)
    result["breath4"] = _breath(notes, count)
    return result


def likeness(bar: Integers, code: Integers, count: int) -> Floats:
    """Compute the Jaccard index (count, count) of every two bars, from the bar and the code of each note (N,)."""
    _, columns = np.unique(code, return_inverse=True)
    has = np.zeros((count, int(columns.max(initial=0)) + 1), np.float32)
    has[bar, columns] = 1
    shared = (has @ has.T).astype(np.float64)
    sizes = np.diagonal(shared)
    return shared / np.maximum(sizes[:, None] + sizes - shared, 1)


def segment_fitness(alike: Floats, sizes: Integers) -> Floats:
    """Compute the fitness (S,) of the fittest segment of each size (S,), in rows of a self-similarity matrix (N, N).

    A segment is fit if others that do not overlap (on diagonals, not warped) are like it and cover much of the matrix:
    the harmonic mean of normalised gain and coverage.  Mueller, Jiang & Grosche 2013, "A robust fitness measure for
    capturing repetitions in music recordings", IEEE TASLP 21(3).
    """
    count = len(alike)
    score = np.where(alike >= FIT_FROM, (alike - FIT_FROM) / (1 - FIT_FROM), FIT_PENALTY)
    np.fill_diagonal(score, 1.0)
    # gains[k, s, t]: how alike the segments of sizes[k] rows at s and at t are; far below 0 beyond the end
    gains = np.full((len(sizes), count, count), -1e9)
    total = np.zeros((count, count))
    wanted = {int(size): number for number, size in enumerate(sizes)}
    for size in range(1, int(sizes.max()) + 1):
        valid = count - size + 1
        total = total[:valid, :valid] + score[size - 1 :, size - 1 :]
        if size in wanted:
            gains[wanted[size], :valid, :valid] = total
    # value[j, k, s]: the largest sum of gains of segments within the first j rows; cover: how many rows those take
    value, cover = np.zeros((2, count + 1, len(sizes), count))
    each = np.arange(len(sizes))
    for end in range(1, count + 1):
        start = end - sizes
        possible = (start >= 0)[:, None]
        start = np.maximum(start, 0)
        more = value[start, each] + gains[each, :, start]
        better = possible & (more > value[end - 1] + 1e-9)
        value[end] = np.where(better, more, value[end - 1])
        cover[end] = np.where(better, cover[start, each] + sizes[:, None], cover[end - 1])
    gain = np.maximum(value[count] - sizes[:, None], 0) / np.maximum(cover[count], 1)
    reach = np.maximum(cover[count] - sizes[:, None], 0) / count
    both: Floats = 2 * gain * reach / np.maximum(gain + reach, EPSILON)
    return both.max(axis=1)


def upper_line(notes: Timeline) -> Integers:
    """Return the indices (M,) of the notes of the upper line: the top of each chord, unless a higher note is held."""
    indices = np.flatnonzero(~notes.drum)
    onsets, offsets = notes.onset[indices].tolist(), notes.offset[indices].tolist()
    pitches = notes.pitch[indices].tolist()
    line: list[int] = []
    held: list[tuple[float, int]] = []  # offset, pitch
    start = 0
    while start < len(onsets):
        stop = start + 1
        while stop < len(onsets) and onsets[stop] - onsets[start] < AT_ONCE:
            stop += 1
        top = max(range(start, stop), key=lambda note: (pitches[note], -note))
        held = [note for note in held if note[0] > onsets[top] + STILL_SOUNDS]
        if all(pitch <= pitches[top] for _, pitch in held):
            line.append(top)
        held += zip(offsets[start:stop], pitches[start:stop], strict=True)
        start = stop
    return indices[np.array(line, np.int64)]


def _structureness(notes: Timeline, alike: Floats, count: int) -> dict[str, float]:
    """Measure the largest fitness of a segment of each of SPANS, on the likeness of notes and of harmony.

    Wu & Yang 2020 (The Jazz Transformer) take it on audio; here it is taken on bars.
    """
    halves = notes.bar_length[:count] / 2
    starts = np.stack([notes.bar_start[:count], notes.bar_start[:count] + halves], axis=1).ravel()
    chroma, _ = chroma_of(notes, starts, np.repeat(halves, 2))
    harmony = chroma.reshape(count, 24)
    harmony = harmony / np.maximum(np.linalg.norm(harmony, axis=1, keepdims=True), EPSILON)
    blend = 0.5 * alike + 0.5 * np.clip(2 * (harmony @ harmony.T) - 1, 0, 1)
    bar_seconds = notes.seconds / max(count, 1)
    ranges = {}
    for name, (low, high) in SPANS.items():
        shortest, longest = max(math.ceil(low / bar_seconds), 1), int(high / bar_seconds)
        if longest >= shortest and count >= 2 * shortest:
            ranges[name] = (shortest, min(longest, count // 2))
    if not ranges:
        return {}
    sizes = np.array(sorted({size for low, high in ranges.values() for size in range(low, high + 1)}))
    fitness = segment_fitness(blend, sizes)
    return {
        name: float(fitness[(sizes >= low) & (sizes <= high)].max(initial=0.0)) for name, (low, high) in ranges.items()
    }


def _breath(notes: Timeline, count: int) -> float:
    """Measure how much more the longest step of the upper line in a bar recurs after 4 bars than after 3 and 5."""
    line = upper_line(notes)
    if len(line) < SHORTEST_MELODY or count < 16:
        return NAN
    longest = np.zeros(count)
    bar = np.minimum(notes.bar_of(notes.onset[line[:-1]]), count - 1)
    np.maximum.at(longest, bar, np.diff(notes.onset[line]))
    centred = longest - longest.mean()
    power = float((centred**2).mean())
    if power <= 0:
        return NAN
    after = {lag: float((centred[:-lag] * centred[lag:]).mean()) / power for lag in (3, 4, 5)}
    return after[4] - (after[3] + after[5]) / 2


def _longest_run(same_as_before: NDArray[np.bool_]) -> int:
    """Count the bars of the longest run in which each bar equals the one before; 1 where none does."""
    ends = np.flatnonzero(np.concatenate([[True], ~same_as_before, [True]]))
    return int(np.diff(ends).max(initial=1))
