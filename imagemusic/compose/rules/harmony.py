"""The key of an ending, and its chords: the tonic triad and the dominant.

The key is the one that was asked for, or else the piece's own: the best of the 24 major and minor keys for the pitch
classes so far (Krumhansl 1990).
"""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.music.dials import KEYS
from imagemusic.music.theory import Scale, pitch_name

MAX_WEIGHT = 4 * TICKS_PER_BEAT  # of a note in the estimate of the key
TRIADS: dict[bool, tuple[int, ...]] = {False: (0, 4, 7), True: (0, 3, 7)}  # minor -> steps


@dataclass(frozen=True, slots=True)
class Harmony:
    """The key of an ending."""

    tonic: int  # pitch class
    triad: tuple[int, ...]  # pitch classes, the tonic first
    dominant: tuple[int, ...]  # pitch classes, the root first
    scale: frozenset[int]


def harmony_of(profile: np.ndarray, scale: Scale | None, classes: Set[int] = frozenset(range(12))) -> Harmony:
    """Return the harmony of an ending in the key that was asked for, or in that of a pitch-class profile (12,).

    `classes` are the pitch classes that may be played: the tonic of a key that is estimated is one of them.
    """
    steps: tuple[int, ...]
    if scale is None:
        minor, tonic = _key_of(profile, classes)
        steps = (0, 2, 3, 5, 7, 8, 10, 11) if minor else (0, 2, 4, 5, 7, 9, 11)
        triad = TRIADS[minor]
    else:
        tonic = scale.tonic_class
        steps = tuple(sorted((pitch - tonic) % 12 for pitch in scale.pitch_classes))
        triad = tuple(step for step in TRIADS[3 in steps and 4 not in steps] if step in steps)
    return Harmony(
        tonic=tonic,
        triad=tuple((tonic + step) % 12 for step in triad),
        dominant=tuple((tonic + step) % 12 for step in dominant_steps(steps)),
        scale=frozenset((tonic + step) % 12 for step in steps),
    )


def _key_of(profile: np.ndarray, classes: Set[int]) -> tuple[bool, int]:
    """Return whether the key of a profile is minor, and its tonic: the best key that it keeps after its own cadence."""
    fits = (KEYS @ (profile - profile.mean())).ravel()  # (24,): major keys, then minor keys
    fits[[key for key in range(24) if key % 12 not in classes]] = -np.inf
    for best in np.argsort(-fits)[: np.isfinite(fits).sum()].tolist():
        minor, tonic = best >= 12, best % 12
        ended = profile.copy()
        for steps in ((7, 11, 2), TRIADS[minor], TRIADS[minor]):
            ended[[(tonic + step) % 12 for step in steps]] += MAX_WEIGHT
        if int((KEYS @ (ended - ended.mean())).argmax()) == best:
            return minor, tonic
    return bool(fits.argmax() >= 12), int(fits.argmax()) % 12


def dominant_steps(steps: tuple[int, ...]) -> tuple[int, ...]:
    """Return the chord before the last, as steps above the tonic: V7, v, IV or VII, the first that a scale has."""
    for root in (7, 5, 10, 2):
        third = next((root + size for size in (4, 3) if (root + size) % 12 in steps), None)
        if root in steps and third is not None and (root + 7) % 12 in steps:
            seventh = (5,) if root == 7 and 5 in steps else ()
            return (root, third % 12, (root + 7) % 12, *seventh)
    return tuple(step for step in steps if step)  # a scale without a triad beside its tonic: anything but the tonic


def substitute_for_dominant(scale: Scale) -> str | None:
    """Return the name of the chord that is played before the last where a scale has no dominant; None where it has."""
    steps = tuple(sorted((pitch - scale.tonic_class) % 12 for pitch in scale.pitch_classes))
    chord = dominant_steps(steps)
    if len(chord) < 3 or (chord[2] - chord[0]) % 12 != 7:
        return "a chord of all its notes but the tonic"
    if chord[0] == 7:
        return None
    quality = "major" if (chord[1] - chord[0]) % 12 == 4 else "minor"
    return f"{pitch_name(scale.tonic_class + chord[0]).rstrip('-0123456789')} {quality}"
