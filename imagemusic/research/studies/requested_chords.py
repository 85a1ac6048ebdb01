"""Lead sheets and forms of random requests, and whether the written MIDI keeps them; of the study `controls`.

A note that starts with its chord is of the chord; any other, and one that is held into the next chord, is of the chord
or the scale.  Without a key, some one major or natural minor scale must hold whatever the chords do not.  Nothing of
the generation is used here.
"""

import math
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np
import pretty_midi

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ROOTS = ("C", "Db", "D", "D#", "Eb", "E", "F", "F#", "Gb", "G", "G#", "Ab", "A", "Bb", "B")
# Quality -> semitones above the root.
QUALITIES = {
    "": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10), "m7b5": (0, 3, 6, 10), "dim7": (0, 3, 6, 9), "sus4": (0, 5, 7), "sus2": (0, 2, 7),
    "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "9": (0, 2, 4, 7, 10), "add9": (0, 2, 4, 7), "7sus4": (0, 5, 7, 10),
}  # fmt: skip
MAJOR = (0, 2, 4, 5, 7, 9, 11)  # the natural minor scales have the same twelve sets
ALL = frozenset(range(12))
FORMS = ("AB", "AA", "AA'", "ABA", "AAB", "ABA'", "AABA", "ABAB", "AABB", "ABAC", "AA'BA", "ABCA", "AABAA", "ABACA")
PHRASE_BARS = 4
CADENCE_BEATS = 2  # of the dominant, at least
VARIED = 0.5  # mean likeness of the bars of a primed phrase with those that it answers


def root_class(name: str) -> int:
    """Return the pitch class of a letter with # or b."""
    return (LETTERS[name[0]] + name.count("#") - name[1:].count("b")) % 12


def chord_classes(symbol: str) -> frozenset[int]:
    """Return the pitch classes of a symbol like "F#m7/E", its bass among them; all twelve for N.C."""
    if symbol == "N.C.":
        return ALL
    chord, _, bass = symbol.partition("/")
    size = 2 if chord[1:2] in ("#", "b") else 1
    root = root_class(chord[:size])
    classes = {(root + step) % 12 for step in QUALITIES[chord[size:]]}
    return frozenset(classes | ({root_class(bass)} if bass else set()))


def draw_chords(rng: np.random.Generator, scale: Set[int], playable: Set[int]) -> str | None:
    """Draw a lead sheet of 1 to 8 bars within a scale, each chord with a playable note; None where there is none."""
    fitting = [
        root + quality
        for root in ROOTS
        for quality in QUALITIES
        if chord_classes(root + quality) <= scale and chord_classes(root + quality) & playable
    ]
    if not fitting:
        return None
    bars = []
    for _ in range(int(rng.integers(1, 9))):
        bar = []
        for _ in range(int(rng.integers(1, 3))):
            symbol = str(rng.choice(fitting))
            basses = [root for root in ROOTS if root_class(root) in scale]
            if rng.random() < 0.15:
                symbol += f"/{rng.choice(basses)}"
            bar.append("N.C." if rng.random() < 0.05 else symbol)
        bars.append(" ".join(bar))
    return " | ".join(bars)


def draw_sheet(rng: np.random.Generator, scale: Set[int] | None, playable: Set[int]) -> str | None:
    """Draw a lead sheet in the key that is asked for, or else one that is diatonic in some key, or chromatic."""
    tonic, chromatic = int(rng.integers(12)), rng.random() < 0.5
    within = ALL if chromatic else {(tonic + step) % 12 for step in MAJOR}
    return draw_chords(rng, scale or within, playable)


def draw_form(rng: np.random.Generator, beats: float, fewest: int, most_beats: float) -> tuple[str, int] | None:
    """Draw letters and a number of bars of `beats` that holds them; None where none do."""
    fitting = [one for one in FORMS if PHRASE_BARS * _phrases(one) * beats <= most_beats]
    if not fitting or fewest * beats > most_beats:
        return None
    form = str(rng.choice(fitting))
    bars = max(PHRASE_BARS * _phrases(form), fewest)
    return form, bars + int(rng.integers(0, 3)) * int((bars + 2) * beats <= most_beats)


def _phrases(form: str) -> int:
    return len(form.replace("'", ""))


class Grid:
    """Bars of a written file, in its ticks."""

    def __init__(self, midi: pretty_midi.PrettyMIDI, request: Mapping[str, Any]) -> None:
        meter = midi.time_signature_changes[0]
        self.bar = midi.resolution * 4 * meter.numerator // meter.denominator
        notes = [note for one in midi.instruments if not one.is_drum for note in one.notes]
        self.notes = [(midi.time_to_tick(note.start), midi.time_to_tick(note.end), note.pitch) for note in notes]
        last = max((start for start, _, _ in self.notes), default=0)
        cadence = request.get("ending", "cadence") == "cadence" and last % self.bar == 0
        self.final = last if cadence else math.inf  # the ending writes what begins here
        dominant = max(1, -(-CADENCE_BEATS * midi.resolution // self.bar))
        self.free_bar = last // self.bar - dominant if cadence else math.inf  # the ending answers no bar


def keeps_chords(midi: pretty_midi.PrettyMIDI, request: Mapping[str, Any], scale: Set[int] | None) -> bool:
    """Return whether every note is of the chords, or of the scale where it may be."""
    grid, sheet = Grid(midi, request), [bar.split() for bar in request["chords"].split("|")]
    outside: set[int] = set()  # pitch classes that only a scale explains
    for start, end, pitch in grid.notes:
        if start >= grid.final:
            continue
        for number, (tick, symbol) in enumerate(chords_between(sheet, grid.bar, start, end)):
            if number and tick >= grid.final:
                break
            if pitch % 12 not in chord_classes(symbol):
                if tick == start:
                    return False
                outside.add(pitch % 12)
    scales = [scale] if scale is not None else [{(tonic + step) % 12 for step in MAJOR} for tonic in range(12)]
    return any(outside <= one for one in scales)


def chords_between(sheet: list[list[str]], bar: int, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Yield the tick and the symbol of the chords that sound from `start` to before `end`."""
    number = start // bar
    while number * bar < end:
        symbols = sheet[number % len(sheet)]
        edges = [number * bar + bar * place // len(symbols) for place in range(len(symbols) + 1)]
        for symbol, first, after in zip(symbols, edges, edges[1:], strict=False):
            if first < end and after > start:
                yield first, symbol
        number += 1


def keeps_form(midi: pretty_midi.PrettyMIDI, request: Mapping[str, Any]) -> bool:
    """Return whether a letter that returns has the notes of its first phrase, with a prime half of them on average.

    Bars of the ending, and those whose chords are others than those of the bar that they answer, are left out.
    """
    grid = Grid(midi, request)
    bars: dict[int, set[tuple[int, int]]] = {}
    for start, _, pitch in grid.notes:
        bars.setdefault(start // grid.bar, set()).add((start % grid.bar, pitch % 12))
    letters = [letter for letter in request["form"].replace("'", "")]
    primes = [piece[:1] == "'" for piece in _after_letters(request["form"])]
    sheet = request["chords"].split("|") if "chords" in request else [""]
    count = max(bars, default=-1) + 1
    first: dict[str, int] = {}
    for phrase in range(-(-count // PHRASE_BARS)):
        letter, primed = letters[phrase % len(letters)], primes[phrase % len(letters)]
        model = first.setdefault(letter, phrase)
        pairs = [(PHRASE_BARS * phrase + place, PHRASE_BARS * model + place) for place in range(PHRASE_BARS)]
        answered = [
            (bars.get(one, set()), bars.get(other, set()))
            for one, other in pairs
            if other < one < min(count, grid.free_bar) and sheet[one % len(sheet)] == sheet[other % len(sheet)]
        ]
        alike = [
            2 * len(one & other) / max(len(one) + len(other), 1) if one | other else 1.0 for one, other in answered
        ]
        if alike and (float(np.mean(alike)) < VARIED if primed else min(alike) < 1):
            return False
    return True


def _after_letters(form: str) -> list[str]:
    """Return what follows each letter."""
    return [form[place + 1 :] for place, letter in enumerate(form) if letter != "'"]
