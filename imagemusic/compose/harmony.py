"""From the plan of a piece to what the decoder and the rules read of it."""

from collections.abc import Sequence, Set

import numpy as np

from imagemusic.compose.rules.bars import BarGrid
from imagemusic.errors import ConfigError
from imagemusic.events.memory.pointers import BarAnswers
from imagemusic.music.theory import Scale, pitch_name
from imagemusic.plan.analysis import NEW, NOWHERE
from imagemusic.plan.lead_sheet import Chord
from imagemusic.plan.plan import Plan

TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
FIFTHS = {
    tonic: number for number, tonic in enumerate(("Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#"), -5)
}
SPREAD = 2.5  # fifths: keys with many accidentals are rare


def is_minor(scale: Scale) -> bool:
    """Return whether the third of a scale is minor."""
    tonic, classes = scale.tonic_class, scale.pitch_classes
    return (tonic + 3) % 12 in classes and (tonic + 4) % 12 not in classes


def sample_tonic(rng: np.random.Generator) -> int:
    """Sample the pitch class of a tonic."""
    weights = np.array([np.exp(-abs(FIFTHS[tonic]) / SPREAD) for tonic in TONICS])
    return int(rng.choice(12, p=weights / weights.sum()))


def plan_answers(plan: Plan, grid: BarGrid) -> BarAnswers:
    """Return which earlier bar each bar answers, as a memory reads it."""
    starts = np.array([grid.start(bar) for bar in range(len(plan) + 1)], np.int64)
    answers = np.array(plan.answers)
    shifts = np.where(answers == NOWHERE, 0, (np.arange(len(plan)) - answers) * grid.bar)
    return BarAnswers(starts, shifts.astype(np.int64), (np.array(plan.kinds) - NEW + 1).astype(np.uint8))


def chords_at(halves: Sequence[int], grid: BarGrid, tick: int) -> tuple[int, int]:
    """Return the chord at a tick, and that of the half bar after it, as the decoder reads them.

    halves: the chords of all half bars, in order.
    """
    place = max(0, min(2 * (tick - grid.origin) // grid.bar, len(halves) - 1))
    return halves[place], halves[place + 1] if place + 1 < len(halves) else 0


def check_chords(bars: Sequence[Sequence[Chord]], scale: Scale | None, classes: Set[int], pitch_range: object) -> None:
    """Refuse chords that cannot be kept, in a key and of pitch classes that may be played.

    Raises:
        ConfigError: a chord has notes outside the key, or none that may be played.
    """
    for number, bar in enumerate(bars, 1):
        for chord in bar:
            if scale is not None and (outside := chord.pitch_classes - scale.pitch_classes):
                names = ", ".join(pitch_name(one).rstrip("-0123456789") for one in sorted(outside))
                raise ConfigError(
                    f"chords: bar {number}: {chord.symbol} has {names}, which {scale} has not; "
                    "leave out the key or change the chord"
                )
            if chord.pitch_classes and not chord.pitch_classes & classes:
                raise ConfigError(f"chords: bar {number}: range {pitch_range} has no note of {chord.symbol}")
