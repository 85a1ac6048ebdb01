"""Closed-loop control: the dials of a piece are measured while it is generated, and their errors are corrected.

    notes so far ──► cues ──► dials ─┐
                            targets ─┴─► error = target - dial ──► condition of the next segment: target + gain x error
                                                              mode ──► bias of each pitch class
                                                      articulation ──► bias of longer notes
                                                         polyphony ──► the same, and bias of another note now
                  loudness, where the decoder is not conditioned on it ──► bias of louder notes

A decoder follows the dials on average and drifts from them in a single piece; an integral controller (the dials are
those of the whole piece so far) removes the drift.  It hardly follows the mode, which depends on the proportions of
pitch classes over a whole piece.  So while a piece is too minor, the pitch classes of the nearest major key gain and
those typical of its nearest minor key lose, and the other way round: about the gradient of Krumhansl's key-finding, as
Dathathri et al. 2020, arXiv:1912.02164, steer text by the gradient of a classifier.  The gradient alone can also make a
piece less minor by notes of no key, so the target's key has more weight.  The decoder follows articulation and
polyphony, but not far enough; so while notes are too short, each doubling of their length gains, and while too few
sound at once, longer notes and simultaneous ones do.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.codec import DRUMS, DURATION, GAP, MAX_DURATION, PITCH, SIZES, VELOCITY
from imagemusic.events.context import AddedNote
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.running_cues import RunningCues
from imagemusic.generation.processors import Logits, NextEvent
from imagemusic.music.dials import DialNormalizer

CONTROLLED = ("density", "register", "loudness", "articulation", "polyphony")  # through the condition

Condition = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackOptions:
    """Constants of the controller; biases are in nats."""

    update_every: int = 4  # events between two updates of the biases; half a minute of music may have only fifty
    max_target: float = 2.0  # of a dial: beyond the -1..1 of training, and the decoder still follows
    half_confidence_notes: float = 16.0  # notes at which errors count half in the condition: few notes show little
    bias_half_confidence_notes: float = 8.0  # the same for the biases
    mode_gain: float = 12.0  # bias for each unit of mode error and of a key's profile
    max_mode_bias: float = 2.5
    duration_gain: float = 1.5  # bias for each unit of articulation error and each doubling of a note's length
    polyphony_share: float = 0.5  # of polyphony error in that, as longer notes overlap
    max_duration_bias: float = 1.0  # for a doubling; more makes sparse music of blips
    chord_gain: float = 2.0  # bias of a zero gap for each unit of polyphony error
    max_chord_bias: float = 1.0
    velocity_gain: float = 1.0  # bias for each unit of loudness error and each eighth of the range of velocities
    max_velocity_bias: float = 1.0
    min_ticks: int = 6  # notes below this length have its bias
    target_key_weight: float = 1.25  # of the nearest key of the target's mode; that of the other mode is 1


class Feedback:
    """Holds one piece to its targets: a logit processor, and the conditioner of its request."""

    columns = (GAP, PITCH, DURATION, VELOCITY)

    def __init__(
        self,
        targets: Mapping[str, float],
        scale: DialNormalizer,
        condition_of: Callable[[Mapping[str, float]], Condition],
        gain: float,
        *,
        feedback_only: Collection[str] = (),
        options: FeedbackOptions | None = None,
    ) -> None:
        """Hold to targets, -1..1 by dial.

        `condition_of` returns a condition (C,) with some dials at other values; the decoder is not conditioned on
        those of `feedback_only`.
        """
        self.options = options or FeedbackOptions()
        self.scale, self.condition_of, self.gain = scale, condition_of, gain
        self.targets = {name: targets[name] for name in CONTROLLED if name in targets}
        self.feedback_only = feedback_only
        self.mode = scale.from_percentile("mode", targets["mode"]) if "mode" in targets else None
        self.cues = RunningCues()
        self.pitch_bias: NDArray[np.float64] | None = None  # (129,) of pitched notes
        self.duration_bias: NDArray[np.float64] | None = None  # (193,) of pitched notes
        self.velocity_bias: NDArray[np.float64] | None = None  # (32,)
        self.chord_bias = 0.0  # of the gap 0
        self._events = 0
        ticks = np.clip(np.arange(MAX_DURATION + 1) + 1, self.options.min_ticks, MAX_DURATION)
        self._doublings = np.log2(ticks / TICKS_PER_BEAT)  # of a beat, for every duration

    def update(self, note: AddedNote | None) -> None:
        """Measure an event that was appended: a note, or None for other rows."""
        if note is not None and note.is_tied:
            self.cues.prolong(note.tick, note.part, note.pitch, note.ticks)
        elif note is not None:
            self.cues.add(note.tick, note.part, note.program, note.pitch, note.ticks, note.velocity)
        self._events += 1
        if self._events % self.options.update_every == 0:
            self._update_biases()

    def apply(self, column: int, logits: Logits, event: NextEvent) -> None:
        """Add the biases of a field to its logits (V,), in place."""
        if column == GAP:
            if self.chord_bias and not event.grammar.may_end:  # an end has no gap either
                logits[0] += self.chord_bias
        elif column == VELOCITY:
            if self.velocity_bias is not None:
                logits += self.velocity_bias
        elif event.grammar.pitched_part is not None:  # drums and rows of the header have no pitch and no length
            bias = self.pitch_bias if column == PITCH else self.duration_bias
            if bias is not None:
                logits += bias

    def condition(self) -> Condition:
        """Return the condition (C,) of the next segment: each target moved by its error so far."""
        confidence, cues = self._confidence(self.options.half_confidence_notes), self.cues.cues()
        moved = {}
        for name in self.targets.keys() - set(self.feedback_only):
            if (error := self._error(name, cues)) is not None:
                moved[name] = _clip(self.targets[name] + confidence * error, self.options.max_target)
        return self.condition_of(moved)

    def _confidence(self, half: float) -> float:
        """Return the gain, reduced while the piece has few notes: to half of it at `half` of them."""
        return self.gain * self.cues.pitched / (self.cues.pitched + half)

    def _update_biases(self) -> None:
        options = self.options
        confidence = self._confidence(options.bias_half_confidence_notes)
        if self.mode is not None and self.cues.pitched:
            mode, major, minor = self.cues.mode()
            weight = options.target_key_weight
            direction = weight * major - minor if self.mode > mode else major - weight * minor
            nats = confidence * options.mode_gain * (self.mode - mode) * direction
            self.pitch_bias = np.minimum(np.maximum(nats, -options.max_mode_bias), options.max_mode_bias).take(_CLASSES)
            self.pitch_bias[DRUMS] = 0.0
        cues = self.cues.cues()
        articulation, polyphony = (self._error(name, cues) or 0.0 for name in ("articulation", "polyphony"))
        doubling = confidence * options.duration_gain * (articulation + options.polyphony_share * polyphony)
        self.duration_bias = _clip(doubling, options.max_duration_bias) * self._doublings
        self.chord_bias = _clip(confidence * options.chord_gain * polyphony, options.max_chord_bias)
        if "loudness" in self.feedback_only:
            step = confidence * options.velocity_gain * (self._error("loudness", cues) or 0.0)
            self.velocity_bias = _clip(step, options.max_velocity_bias) * _LEVELS

    def _error(self, name: str, cues: Mapping[str, float]) -> float | None:
        """Return target less measured value of a dial; None where it has no target or cannot be measured."""
        measured = self.scale.to_percentile(name, cues.get(name))
        return None if measured is None or name not in self.targets else self.targets[name] - measured


_LEVELS = np.linspace(-4, 4, SIZES[VELOCITY])
_CLASSES = np.arange(DRUMS + 1) % 12  # pitch class of every pitch, and one of no pitch


def _clip(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))
