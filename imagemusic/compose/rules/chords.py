"""Chords that were asked for: kept exactly, note by note.

    a note on the beat where a chord starts    belongs to the chord; the lowest part begins with its bass
    any other note                             belongs to the chord or to the scale
    a note that is held into the next chord    belongs to that chord or to the scale

Without a key, the scale is the major or minor one that holds most of the chords.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from imagemusic.compose.harmony import TONICS
from imagemusic.compose.rules.bars import BarGrid, pitched_parts
from imagemusic.compose.rules.cadence import Cadence
from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.vocabulary import DRUMS, DURATION, GAP, HOLD, MAX_GAP, PART, PITCH, SIZES, SLOTS
from imagemusic.generation.processors import Logits, Mask, NextEvent
from imagemusic.music.theory import Scale
from imagemusic.plan.lead_sheet import Chord, bars_of, chord_spans

ALL = (1 << 12) - 1  # pitch classes as bits
BEYOND = 1 << 30  # tick


@dataclass(frozen=True, slots=True)
class Span:
    """A chord, from a tick on."""

    tick: int
    chord: Chord


@dataclass(slots=True)
class ChordSheet:
    """Keeps a piece within chords."""

    grammar: GrammarState
    bars: Sequence[Sequence[Chord]]  # repeated to the end
    scale: Scale
    ending: Cadence | None = None  # writes the last chord
    columns = (GAP, PART, PITCH, DURATION)
    _spans: list[Span] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _for: tuple[int, int, int] = (-1, -1, -1)
    _begun: set[tuple[int, int]] = field(default_factory=set)  # (tick, part) that have a note

    def spans(self) -> list[Span]:
        """Return the chords of the piece, once its meter is known."""
        grid = BarGrid.of(self.grammar)
        if self._for != (grid.origin, grid.bar, grid.end):
            self._for = grid.origin, grid.bar, grid.end
            self._spans = [
                Span(grid.start(number) + start, chord)
                for number, bar in enumerate(bars_of(self.bars, grid.bars))
                for chord, (start, _) in zip(bar, chord_spans(bar, grid.bar), strict=True)
            ]
            self._starts = [span.tick for span in self._spans]
        return self._spans

    def chord_at(self, tick: int) -> Span:
        """Return the chord at a tick."""
        spans = self.spans()
        return spans[max(bisect_right(self._starts, tick) - 1, 0)]

    def _is_free(self, tick: int) -> bool:
        downbeat = self.ending.downbeat if self.ending else None
        return downbeat is not None and tick >= downbeat

    def pitch_classes(self, tick: int) -> int:
        """Return the pitch classes, as 12 bits, with which a note may start at a tick."""
        span = self.chord_at(tick)
        if self._is_free(tick) or not span.chord.classes:
            return ALL
        return span.chord.classes if tick == span.tick else span.chord.classes | self._scale_bits

    @property
    def _scale_bits(self) -> int:
        return sum(1 << one for one in self.scale.pitch_classes)

    def pitches(self, part: int, tick: int) -> Mask:
        """Return the pitches (V,) that a part may start at a tick."""
        allowed = _mask_of(self.pitch_classes(tick))
        span = self.chord_at(tick)
        bass_first = tick == span.tick and part == self._bass_part() and (tick, part) not in self._begun
        if bass_first and span.chord.bass >= 0 and not self._is_free(tick):
            bass = _mask_of(1 << span.chord.bass)
            if (bass & self.grammar.open_pitches(part, tick)).any():
                return bass
        return allowed

    def fits_until(self, pitch: int, tick: int) -> int:
        """Return the tick of the next chord that a note does not fit, or one beyond the piece."""
        self.spans()
        for span in self._spans[bisect_right(self._starts, tick) :]:
            fits = span.chord.classes | self._scale_bits if span.chord.classes else ALL
            if self._is_free(span.tick):
                break
            if not fits >> pitch % 12 & 1:
                return span.tick
        return BEYOND

    def longest(self, pitch: int, tick: int) -> int:
        """Return how many ticks a note may last: up to a chord that it does not fit, and never tied."""
        return min(self.fits_until(pitch, tick) - tick, HOLD)

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar = self.grammar
        if grammar.in_header and column == PART and grammar.chosen[0] == 0 and not event.mask[:SLOTS].any():
            return
        if column == GAP:
            if not grammar.in_header:
                event.narrow(self._gaps())
            return
        if column == PART:
            event.narrow(self._parts(event.mask))
            return
        part = grammar.pitched_part
        if part is None:
            return
        if column == PITCH:
            event.narrow(self.pitches(part, grammar.tick))
        else:
            allowed = np.zeros(SIZES[DURATION], bool)
            allowed[: self.longest(grammar.chosen[PITCH], grammar.tick)] = True
            event.narrow(allowed)

    def forbids(self, column: int, value: int) -> bool:
        """Whether a value that another rule forces would leave the chords."""
        grammar = self.grammar
        if grammar.in_header:
            return False
        if column == GAP:
            return not self._gaps()[value]
        if column == PART:
            return not self._parts(np.ones(SIZES[PART], bool))[value]
        if column not in (PITCH, DURATION) or (part := grammar.pitched_part) is None:
            return False
        if column == PITCH:
            return not self.pitches(part, grammar.tick)[value]
        return value >= self.longest(grammar.chosen[PITCH], grammar.tick)

    def _gaps(self) -> Mask:
        """Return the gaps (V,) after which some part has a pitch to play, or the piece may end."""
        grammar, allowed, now = self.grammar, np.ones(SIZES[GAP], bool), self.grammar.running.tick
        programs = grammar.running.programs
        self.spans()
        for start in self._starts[bisect_right(self._starts, now) : bisect_right(self._starts, now + MAX_GAP)]:
            allowed[start - now] = any(
                program == DRUMS or (grammar.open_pitches(part, start) & self.pitches(part, start)).any()
                for part, program in enumerate(programs)
            )
        _, last_part, last_pitch, _, _ = grammar.events[-1]
        stackable = grammar.stackable()
        allowed[0] = grammar.may_end or any(
            program == DRUMS
            or (
                grammar.open_pitches(part, now, last_pitch if part == last_part else -1) & self.pitches(part, now)
            ).any()
            for part, program in enumerate(programs)
            if stackable[part]
        )
        return allowed

    def _parts(self, mask: Mask) -> Mask:
        """Return the parts (V,) that have a pitch to play."""
        grammar, allowed = self.grammar, np.ones(SIZES[PART], bool)
        programs = grammar.running.programs
        _, last_part, last_pitch, _, _ = grammar.events[-1]
        for part in np.flatnonzero(mask[: len(programs)]).tolist():
            if programs[part] != DRUMS:
                above = last_pitch if grammar.chosen[0] == 0 and last_part == part else -1
                open_pitches = grammar.open_pitches(part, grammar.tick, above)
                allowed[part] = bool((open_pitches & self.pitches(part, grammar.tick)).any())
        return allowed

    def _bass_part(self) -> int:
        parts = pitched_parts(self.grammar)
        basses = [part for part in parts if self.grammar.roles[part] == "bass"]
        return (basses or parts or [-1])[-1]

    def update(self, note: AddedNote | None) -> None:
        if note is not None:
            self._begun.add((note.tick, note.part))


def scale_of(bars: Sequence[Sequence[Chord]]) -> Scale:
    """Return the major or minor scale that holds most of what chords sound; a chord counts by its share of its bar.

    Of scales that hold as much, that whose tonic is the root of the first chord, or of the last, comes first.
    """
    weights = np.zeros(12)
    roots = np.zeros(12)
    for bar in bars:
        for chord in bar:
            for one in chord.pitch_classes:
                weights[one] += 1 / len(bar)
            if chord.root >= 0:
                roots[chord.root] += 1 / len(bar)
    named = [chord for bar in bars for chord in bar if chord.root >= 0]

    def fit(scale: Scale) -> tuple[float, ...]:
        inside = sum(weights[one] for one in scale.pitch_classes)
        first, last = (int(bool(named) and named[place].root == scale.tonic_class) for place in (0, -1))
        third = 3 if scale.mode == "minor" else 4
        triad = weights[(scale.tonic_class + third) % 12] - weights[(scale.tonic_class + 7 - third) % 12]
        return round(float(inside), 6), 2 * first + last, float(roots[scale.tonic_class]), float(triad)

    return max((Scale(tonic, mode) for mode in ("major", "minor") for tonic in TONICS), key=fit)


@cache
def _mask_of(classes: int) -> Mask:
    allowed = np.zeros(SIZES[PITCH], bool)
    allowed[[pitch for pitch in range(128) if classes >> pitch % 12 & 1]] = True
    return allowed
