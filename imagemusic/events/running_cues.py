"""The cues of a piece while it is being written: those of music/dials.py, kept up to date note by note."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.vocabulary import DRUMS
from imagemusic.music.dials import KEYS, MAX_HELD

FLAT = 1e-9  # ticks: a profile that deviates by less has no key


@dataclass(slots=True)
class RunningCues:
    """Sums over the notes so far, from which `cues` are computed."""

    pitched: int = 0  # notes that have a pitch
    profile: NDArray[np.float64] = field(default_factory=lambda: np.zeros(12))  # ticks of each pitch class
    _notes: int = 0
    _first: int | None = None
    _last: int = 0
    _pitches: int = 0
    _velocities: int = 0
    _held: float = 0.0  # shares of the time to the part's next onset for which notes sound
    _waited: int = 0  # notes that those are of
    _ticks: int = 0  # of all pitched notes
    _covered: int = 0  # ticks in which any sounds
    _covered_until: int = 0
    _latest: dict[int, tuple[int, list[int]]] = field(default_factory=dict)  # part -> onset and lengths of its chord

    def add(self, tick: int, part: int, program: int, pitch: int, length: int, velocity: int) -> None:
        """Add a note of `length` ticks that starts at `tick`, not before the notes that were added."""
        if self._first is None:
            self._first = tick
        self._last = tick
        self._notes += 1
        self._velocities += velocity
        if program == DRUMS:
            return
        self.pitched += 1
        self._pitches += pitch
        self._sound(tick, pitch, length)
        onset, lengths = self._latest.get(part, (tick, []))
        if tick > onset:
            self._held += sum(min(each / (tick - onset), MAX_HELD) for each in lengths)
            self._waited += len(lengths)
            lengths = []
        self._latest[part] = tick, [*lengths, length]

    def prolong(self, tick: int, part: int, pitch: int, length: int) -> None:
        """Let a pitched note of a part that ends at `tick` go on for `length` more ticks."""
        self._sound(tick, pitch, length)
        onset, lengths = self._latest[part]
        if tick - onset in lengths:
            lengths[lengths.index(tick - onset)] += length

    def _sound(self, tick: int, pitch: int, length: int) -> None:
        until = tick + length
        self.profile[pitch % 12] += length
        self._ticks += length
        self._covered += max(0, until - max(tick, self._covered_until))
        self._covered_until = max(self._covered_until, until)

    def cues(self) -> dict[str, float]:
        """Return the cues that are known so far, in the units of `dials.measure`."""
        cues: dict[str, float] = {}
        if self._first is None or not self.pitched:
            return cues
        cues["loudness"] = self._velocities / self._notes
        cues["register"] = self._pitches / self.pitched
        cues["polyphony"] = self._ticks / self._covered
        if self._last > self._first:
            cues["density"] = self.pitched * TICKS_PER_BEAT / (self._last - self._first)
        if self._waited:
            cues["articulation"] = self._held / self._waited
        return cues

    def mode(self) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Return the mode, and the keys that it lies between: profiles (12,) of the best major and the best minor key.

        The mode is the correlation with the first less that with the second; profiles have zero mean and length 1.
        """
        centred = self.profile - self.profile.mean()
        fits = KEYS @ centred  # (2, 12)
        major, minor = fits.argmax(axis=1).tolist()
        size = math.sqrt(centred @ centred)
        margin = float(fits[0, major] - fits[1, minor]) / size if size > FLAT else 0.0
        return margin, KEYS[0, major], KEYS[1, minor]
