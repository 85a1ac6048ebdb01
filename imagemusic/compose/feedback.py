"""Feedback while a piece is written: its dials so far are measured, and what it lacks is asked for.

    notes so far ──► cues ──► dials heard ─┐
                          dials wanted ────┴─► wanted + gain (wanted - heard) ──► the condition of the next stretch
                                      mode ──► nats that each pitch class gains or loses
                              articulation ──► nats that longer notes gain or lose
                                 polyphony ──► the same, and nats that another note at the same time gains or loses
                   loudness that is untold ──► nats that louder notes gain or lose

A decoder follows the dials on average and drifts from them in a single piece; an integral controller (the piece so far
is heard as a whole) takes the drift back.  The mode it hardly follows, since that lies in which notes are many over a
whole piece.  So while a piece is too minor, pitch classes of the nearest major key gain and those that tell its nearest
minor key lose, and the other way round: about the gradient of Krumhansl's key-finding, as Dathathri et al. 2020,
arXiv:1912.02164, steer text by the gradient of a classifier.  The gradient alone can also make a piece less minor by
notes of no key at all, which is why the wanted key counts for more.  The decoder follows articulation and polyphony,
but not far enough; so while notes are too short, each doubling of their length gains, and while too few sound at once,
longer notes and those that start together do.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.codec import DRUMS, HOLD, MAX_DURATION, SIZES, SLOT, SLOTS, VELOCITY, VELOCITY_STEP
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.running_cues import RunningCues
from imagemusic.music.dials import DialNormalizer

HELD_TO = ("density", "register", "loudness", "articulation", "polyphony")
FURTHEST = 2.0  # dials that are told: further than any that was trained on, and the decoder still follows
SLOW = 16  # notes: so many are trusted half when a condition is told, as before them a piece has hardly shown itself
LEAN_SLOW = 8  # the same for what the scores lean by
LEAN_EVERY = 4  # events; a piece of half a minute may have no more than fifty
MODE_NATS = 12.0  # for each unit of mode that is lacking, and of a key's profile
MOST_MODE_NATS = 2.5
LENGTH_NATS = 1.5  # for each unit of articulation that is lacking, and each doubling of a note's length
OVERLAP = 0.5  # of that for polyphony that is lacking, as longer notes overlap
MOST_LENGTH_NATS = 1.0  # for a doubling; more makes sparse music of blips
TOGETHER_NATS = 2.0  # for each unit of polyphony that is lacking
MOST_TOGETHER_NATS = 1.0
LOUDNESS_NATS = 1.0  # for each unit of loudness that is lacking and not told, and each eighth of the way up
MOST_LOUDNESS_NATS = 1.0
SHORTEST = 6  # ticks: notes below are not worth more than those
WANTED_KEY = 1.25  # weight of the nearest key of the wanted mode, that of the other being 1

# Of every duration: how many times as long as a beat, in powers of two.
_DOUBLINGS = np.log2(np.clip(np.arange(MAX_DURATION + 1) + 1, SHORTEST, MAX_DURATION) / TICKS_PER_BEAT)
_LEVELS = np.linspace(-4, 4, SIZES[VELOCITY])
_CLASSES = np.arange(DRUMS + 1) % 12  # pitch class of every pitch, and one of no pitch

Conditions = NDArray[np.float32]


class Feedback:
    """Holds one piece to its dials."""

    def __init__(
        self,
        wanted: Mapping[str, float],
        scale: DialNormalizer,
        condition_of: Callable[[Mapping[str, float]], Conditions],
        gain: float,
        *,
        feedback_only: Collection[str] = (),
    ) -> None:
        """Hold to the dials wanted; `condition_of` lays out a condition (C,) with some of them moved."""
        self.scale, self.condition_of, self.gain = scale, condition_of, gain
        self.wanted = {name: wanted[name] for name in HELD_TO if name in wanted}
        self.feedback_only = feedback_only
        self.mode = scale.from_percentile("mode", wanted["mode"]) if "mode" in wanted else None
        self.running_cues = RunningCues()
        self._tick = self._events = 0
        self._programs: list[int] = []  # of the parts declared
        self._held: dict[tuple[int, int], int] = {}  # part, pitch -> offset of a row that goes on in a later one
        self.pitch_bias: NDArray[np.float64] | None = None  # (129,) to be added to the scores of pitched notes
        self.duration_bias: NDArray[np.float64] | None = None  # (193,) to be added to the scores of their durations
        self.velocity_bias: NDArray[np.float64] | None = None  # (33,) to be added to the scores of velocities
        self.chord_bias = 0.0  # to be added to the score of the gap 0

    def update(self, event: tuple[int, int, int, int, int]) -> None:
        """Take in the event after those that were heard."""
        gap, part, pitch, duration, velocity = event
        self._tick += gap
        if part == SLOT:
            self._programs.append(pitch)
        elif part < SLOTS:
            length = min(duration + 1, MAX_DURATION)
            if self._held.pop((part, pitch), None) == self._tick:
                self.running_cues.prolong(self._tick, part, pitch, length)
            else:
                self.running_cues.add(self._tick, part, self._programs[part], pitch, length, velocity * VELOCITY_STEP)
            if duration == HOLD:
                self._held[part, pitch] = self._tick + length
        self._events += 1
        if self._events % LEAN_EVERY == 0:
            self._lean()

    def condition(self) -> Conditions:
        """Lay out the condition (C,) of the next events."""
        trust, cues = self._trust(SLOW), self.running_cues.cues()
        lacks = {name: self._lack(name, cues) for name in self.wanted.keys() - set(self.feedback_only)}
        told = {
            name: _bounded(self.wanted[name] + trust * lack, FURTHEST)
            for name, lack in lacks.items()
            if lack is not None
        }
        return self.condition_of(told)

    def _trust(self, slow: int) -> float:
        """Say how much of what is lacking is asked for, where `slow` notes are trusted half."""
        return self.gain * self.running_cues.pitched / (self.running_cues.pitched + slow)

    def _lean(self) -> None:
        """See what pitches, lengths, velocities and notes together are worth to their dials."""
        trust = self._trust(LEAN_SLOW)
        if self.mode is not None and self.running_cues.pitched:
            mode, major, minor = self.running_cues.mode()
            drawn = WANTED_KEY * major - minor if self.mode > mode else major - WANTED_KEY * minor
            nats = trust * MODE_NATS * (self.mode - mode) * drawn
            self.pitch_bias = np.minimum(np.maximum(nats, -MOST_MODE_NATS), MOST_MODE_NATS).take(_CLASSES)
            self.pitch_bias[DRUMS] = 0.0
        cues = self.running_cues.cues()
        articulation, polyphony = (self._lack(name, cues) or 0.0 for name in ("articulation", "polyphony"))
        a_doubling = trust * LENGTH_NATS * (articulation + OVERLAP * polyphony)
        self.duration_bias = _bounded(a_doubling, MOST_LENGTH_NATS) * _DOUBLINGS
        self.chord_bias = _bounded(trust * TOGETHER_NATS * polyphony, MOST_TOGETHER_NATS)
        if "loudness" in self.feedback_only:
            a_step = _bounded(trust * LOUDNESS_NATS * (self._lack("loudness", cues) or 0.0), MOST_LOUDNESS_NATS)
            self.velocity_bias = a_step * _LEVELS

    def _lack(self, name: str, cues: Mapping[str, float]) -> float | None:
        """Say by how much more of a dial is wanted than is heard; None where it is not wanted or cannot be told."""
        running_cues = self.scale.to_percentile(name, cues.get(name))
        return None if running_cues is None or name not in self.wanted else self.wanted[name] - running_cues


def _bounded(value: float, most: float) -> float:
    return max(-most, min(most, value))
