"""A composed ending: the dominant, then the tonic triad on the last downbeat, held to the end.

    ... | dominant: chord tones on the beats | tonic: bass on the root, all parts together, nothing after it |

The final chord is written by voice leading: every part moves from its last notes to
the nearest notes of the triad.
"""

from dataclasses import dataclass, field

import numpy as np

from imagemusic.compose.rules.bars import MELODIES, BarGrid, drum_part, pitched_parts
from imagemusic.compose.rules.harmony import MAX_WEIGHT, Harmony, harmony_of
from imagemusic.compose.rules.playable import KEYBOARDS, most_struck
from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState
from imagemusic.events.quantize import DRUM_TICKS, TICKS_PER_BEAT
from imagemusic.events.vocabulary import DRUMS, DURATION, END, GAP, MAX_DURATION, PART, PITCH, SIZES
from imagemusic.generation.processors import Logits, NextEvent
from imagemusic.music.ranges import HAND_SPAN, playable_range
from imagemusic.music.theory import Scale

MIN_HOLD = 2 * TICKS_PER_BEAT  # of the final chord
MAX_CHORD = 4  # notes of a part in the final chord
FINAL_DRUMS = (36, 49)  # kick and crash: a band ends together on a hit


@dataclass(frozen=True, slots=True, order=True)
class Written:
    """A note that the cadence writes."""

    tick: int
    part: int
    pitch: int
    duration: int = field(compare=False)  # index


@dataclass(slots=True)
class Cadence:
    """Ends a piece with a cadence; inactive where the piece is too short for one."""

    grammar: GrammarState
    scale: Scale | None
    polyphony: int | None = None
    ensemble: str = "other"
    free_dominant: bool = True  # the bar before the last chord is its dominant; False: it keeps other chords
    ranges: bool = True  # whether the ranges of instruments are kept: a range that was asked for takes their place
    columns = (GAP, PART, PITCH, DURATION)
    _profile: np.ndarray = field(default_factory=lambda: np.zeros(12))
    _last: dict[int, tuple[int, list[int]]] = field(default_factory=dict)  # part -> tick and pitches of its last chord
    _sums: dict[int, tuple[int, int]] = field(default_factory=dict)  # part -> sum of pitches, count
    _due: dict[int, list[Written]] = field(default_factory=dict)  # tick -> notes that are still to come
    _harmony: Harmony | None = None
    _ends: tuple[int, int | None] = (-1, None)  # end of the plan, and the final downbeat for it
    _start: int = -1  # tick at which the dominant begins

    @property
    def downbeat(self) -> int | None:
        """Tick of the final chord; None where the piece is too short for a cadence, and for drums alone."""
        end = self.grammar.plan.end
        if self.grammar.plan.drums_only:
            return None
        if self._ends[0] != end or self.grammar.in_header:
            grid = BarGrid.of(self.grammar)
            downbeat = final_downbeat(grid.origin, grid.bar, grid.end)
            self._ends = end, downbeat
            self._start = -1 if downbeat is None else downbeat - grid.bar * max(1, -(-MIN_HOLD // grid.bar))
        return self._ends[1]

    @property
    def dominant_start(self) -> int:
        """Tick at which the dominant begins: two beats at least, and a whole bar, before the final chord."""
        assert self.downbeat is not None
        return self._start

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        grammar, downbeat = self.grammar, self.downbeat
        if downbeat is None or grammar.in_header and column in (GAP, PART):  # the first note is a note already
            return
        if column == GAP:
            now = grammar.running.tick
            until = self.dominant_start if now < self.dominant_start else downbeat
            allowed = np.zeros(SIZES[GAP], bool)
            allowed[: max(until - now, 0) + 1] = True
            allowed[0] = now >= downbeat or bool(grammar.stackable().any())  # before that, a gap of 0 is no end
            event.narrow(allowed)
        elif column == PART:
            self._apply_part(event, downbeat)
        elif grammar.pitched_part is not None:
            if column == DURATION:
                # What is held over the dominant would take the voices, and the pitches, that it needs.
                until = self._start if grammar.tick < self._start else downbeat
                event.narrow(_below(SIZES[DURATION], until - grammar.tick))
            elif grammar.tick >= self.dominant_start and self.free_dominant:
                event.narrow(self._dominant_mask())

    def _apply_part(self, event: NextEvent, downbeat: int) -> None:
        """Allow no end before the final chord, and the parts of a written chord in their order."""
        due = self._due_at(self.grammar.tick)
        while due and not event.mask[due[0].part]:
            due.pop(0)  # a note that the grammar forbids is left out
        if due:
            allowed = np.zeros(SIZES[PART], bool)
            allowed[: due[0].part + 1] = self.grammar.tick < downbeat
            allowed[due[0].part] = True
            event.narrow(allowed)
        elif self.grammar.tick >= downbeat:
            event.narrow(_only(SIZES[PART], END))
        else:
            allowed = np.ones(SIZES[PART], bool)
            allowed[END] = False
            event.narrow(allowed)

    def forced_value(self, column: int) -> int | None:
        """Return the value of a field of a note of a written chord."""
        grammar, downbeat = self.grammar, self.downbeat
        if downbeat is None or grammar.tick < self._start or grammar.in_header:
            return None
        due = self._due_at(grammar.tick)
        if not due:
            return None
        if column == GAP:
            return 0 if grammar.tick == due[0].tick else None
        if column == PART:
            return due[0].part if grammar.tick >= downbeat else None
        if grammar.chosen[PART] != due[0].part:
            return None
        return due[0].pitch if column == PITCH else due[0].duration if column == DURATION else None

    def update(self, note: AddedNote | None) -> None:
        if note is None:
            return
        if self.downbeat is not None and note.tick >= self._start:
            self._harmony = self.harmony  # of the notes before
        due = self._due_at(note.tick)  # also where the note was given, not generated
        while due and due[0].part <= note.part:
            if due.pop(0).part == note.part:
                break
        if note.program == DRUMS or note.is_tied:
            return
        self._profile[note.pitch % 12] += min(note.ticks, MAX_WEIGHT)
        tick, pitches = self._last.get(note.part, (note.tick, []))
        self._last[note.part] = note.tick, [*pitches, note.pitch] if tick == note.tick else [note.pitch]
        total, count = self._sums.get(note.part, (0, 0))
        self._sums[note.part] = total + note.pitch, count + 1

    def _due_at(self, tick: int) -> list[Written]:
        """Return the notes of a written chord that are still to come at a tick."""
        downbeat = self.downbeat
        if downbeat is None or tick not in (self.dominant_start, downbeat):
            return []
        if tick != downbeat and not self.free_dominant:
            return []
        if tick not in self._due:
            if tick == downbeat:
                self._due[tick] = self._chord(tick, self.harmony.triad, self.grammar.plan.end, with_drums=True)
            else:
                self._due[tick] = self._chord(tick, self.harmony.dominant, downbeat, with_drums=False)
        return self._due[tick]

    @property
    def harmony(self) -> Harmony:
        """The key of the ending, fixed when the dominant begins."""
        if self._harmony is None:
            self._harmony = harmony_of(self._profile, self.scale, {pitch % 12 for pitch in self.grammar.plan.pitches})
        return self._harmony

    def _dominant_mask(self) -> np.ndarray:
        """Pitches of the dominant; on weak places the upper parts may pass through the scale."""
        grammar, harmony = self.grammar, self.harmony
        classes = set(harmony.dominant)
        is_bass = grammar.pitched_part == self._bass_part()
        beat = (grammar.tick - grammar.running.origin) % TICKS_PER_BEAT
        if is_bass and grammar.tick == self.dominant_start:
            classes = {harmony.dominant[0]}
        elif beat and not is_bass:
            classes |= harmony.scale
        mask = np.zeros(SIZES[PITCH], bool)
        mask[[pitch for pitch in range(128) if pitch % 12 in classes]] = True
        return mask

    def _bass_part(self) -> int | None:
        means = {part: total / count for part, (total, count) in self._sums.items()}
        return min(means, key=lambda part: means[part]) if means else None

    def _chord(self, tick: int, classes: tuple[int, ...], until: int, *, with_drums: bool) -> list[Written]:
        """Write a chord by voice leading, its bass on the root: notes in the order of events.

        The final chord has all parts, the dominant all but the melody, which goes on over it.
        """
        grammar = self.grammar
        bass_part, chord, bass = self._bass_part(), [], -1
        if bass_part is not None:
            lowest = min(self._last[bass_part][1])
            ways = (classes[:1], classes, tuple(range(12)))  # a narrow range may lack the root
            bass = next(near for way in ways if (near := self._nearest(bass_part, lowest, way, -1)) >= 0)
            chord.append((bass_part, bass))
        parts = [part for part in pitched_parts(grammar) if part in self._last]
        for part in parts if with_drums else [part for part in parts if part != self._melody() or len(parts) < 2]:
            program = grammar.running.programs[part]
            pitches = sorted(self._last[part][1])[-min(most_struck(program, ensemble=self.ensemble), MAX_CHORD) :]
            taken = {pitch for player, pitch in chord if player == part}
            for pitch in pitches[1:] if part == bass_part else pitches:
                near = self._nearest(part, pitch, classes, bass, taken)
                if near >= 0 and (program not in KEYBOARDS or near - min(taken, default=near) <= HAND_SPAN):
                    taken.add(near)
                    chord.append((part, near))
        chord = self._with_third(chord, bass, classes)
        chord.sort(key=lambda note: (note != (bass_part, bass), note))
        duration = min(until - tick, MAX_DURATION) - 1
        notes = [Written(tick, part, pitch, duration) for part, pitch in chord[: self.polyphony]]
        drums = drum_part(grammar)
        if drums is not None and with_drums and until - tick >= DRUM_TICKS:
            notes += [Written(tick, drums, pitch, DRUM_TICKS - 1) for pitch in FINAL_DRUMS]
        return sorted(notes)

    def _melody(self) -> int:
        return next((part for part, role in enumerate(self.grammar.roles) if role in MELODIES), 0)

    def _with_third(self, chord: list[tuple[int, int]], bass: int, classes: tuple[int, ...]) -> list[tuple[int, int]]:
        """Give the triad its third where three notes or more have none: the note that moves least takes it."""
        third = classes[1] if len(classes) > 2 else None
        if third is None or len(chord) < 3 or any(pitch % 12 == third for _, pitch in chord):
            return chord
        upper = [note for note in chord if note[1] != bass][:-1] or chord[1:]
        moved = {
            note: self._nearest(note[0], note[1], (third,), bass, {p for q, p in chord if q == note[0]})
            for note in upper
        }
        reachable = [note for note in upper if moved[note] >= 0]
        if reachable:
            note = min(reachable, key=lambda note: abs(moved[note] - note[1]))
            chord[chord.index(note)] = (note[0], moved[note])
        return chord

    def _nearest(
        self,
        part: int,
        pitch: int,
        classes: tuple[int, ...],
        above: int,
        taken: set[int] | frozenset[int] = frozenset(),
    ) -> int:
        """Return the pitch of some classes that is nearest to a pitch, playable and above another; -1 if none."""
        plan, program = self.grammar.plan, self.grammar.running.programs[part]
        playable = set(playable_range(program)) & plan.pitches if self.ranges else plan.pitches
        playable = playable or plan.pitches
        found = [p for p in playable if p % 12 in classes and p > above and p not in taken]
        return min(found, key=lambda p: (abs(p - pitch) + 2 * (p > pitch), p), default=-1)


def final_downbeat(origin: int, bar: int, end: int) -> int | None:
    """Return the tick of the last downbeat that leaves the final chord its length; None where no bar comes before."""
    downbeat = origin + (end - origin - min(MIN_HOLD, bar)) // bar * bar
    while end - downbeat > MAX_DURATION:
        downbeat += TICKS_PER_BEAT
    needed = origin + bar * max(1, -(-MIN_HOLD // bar)) + bar
    return downbeat if downbeat >= needed else None


def _below(size: int, limit: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[: max(limit, 0)] = True
    return mask


def _only(size: int, value: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[value] = True
    return mask
