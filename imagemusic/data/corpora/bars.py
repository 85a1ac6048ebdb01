"""Estimate where bars begin in music whose file has the meter but not the pickup.

Converters of engraved scores (verovio, LilyPond) write the meter at tick 0 and play a pickup as if it were a whole bar,
so every bar line is misplaced.  Each eighth of a bar is scored as the place of the first bar line, as low and high
notes are long there, many notes begin there and harmony changes there.  Most pieces have no pickup, and a piece with
one often ends as long after a bar line.  The study pickups fits the weights and measures the accuracy.
"""

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.grid import TICKS_PER_BEAT, bar_ticks, delayed
from imagemusic.music.score import DURATION, ONSET, PITCH, Meter, NoteArray, Score

STEP = TICKS_PER_BEAT // 2  # a pickup is a number of eighths
FEWEST_NOTES = 60  # with fewer the estimate is no better than no pickup
CUES = ("long low notes", "long high notes", "many notes", "new harmony", "no pickup", "a beat", "an eighth")
WEIGHTS = (0.57, 0.61, 0.60, 1.15, 1.65, -0.02, 0.45)
ENDS_ALIKE = 1.1  # log odds of ending p after a bar line with a pickup of p against without; counted, not fitted


def pickup_cues(notes: NoteArray, meter: Meter) -> NDArray[np.float64]:
    """Return cues (P, 7) of each place of the first bar line, in eighths from tick 0; the columns are CUES.

    The first four are shares of the whole, times P: 1 for an average place.
    """
    places = bar_ticks(meter) // STEP
    onset, pitch = notes[:, ONSET].astype(np.int64), notes[:, PITCH]
    length = np.minimum(notes[:, DURATION], bar_ticks(meter)).astype(np.float64)
    on_step, place = onset % STEP == 0, onset // STEP % places

    order = np.lexsort((pitch, onset))
    apart = np.diff(onset[order]) > 0
    lowest, highest = order[np.append(True, apart)], order[np.append(apart, True)]
    lowest = lowest[pitch[lowest] <= np.median(pitch[lowest])]
    low, high = np.zeros(len(notes), bool), np.zeros(len(notes), bool)
    low[lowest], high[highest] = True, True

    def share(weight: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        total = np.bincount(place[chosen], weight[chosen], places)
        return total / max(total.sum(), 1e-9) * places

    change = _harmony_changes(notes)
    new_harmony = np.bincount(np.arange(len(change)) % places, change, places)
    prior = np.zeros((3, places))
    beat = 3 * STEP if meter.denominator == 8 and meter.numerator % 3 == 0 else 4 * TICKS_PER_BEAT // meter.denominator
    prior[0, 0] = prior[1, beat // STEP % places] = prior[2, 1] = 1
    return np.array(
        [
            share(length, on_step & low),
            share(length, on_step & high),
            share(np.ones(len(notes)), on_step),
            new_harmony / max(new_harmony.sum(), 1e-9) * places,
            *prior,
        ]
    ).T


def _harmony_changes(notes: NoteArray) -> NDArray[np.float64]:
    """Return at each eighth (E,) the cosine distance, 0..1, between the pitch classes before and after it."""
    onset, pitch, offset = notes[:, ONSET], notes[:, PITCH], notes[:, ONSET] + notes[:, DURATION]
    eighths = int(offset.max()) // STEP + 2
    sounding = np.zeros((eighths + 1, 12))  # pitch classes that begin to sound, less those that end
    np.add.at(sounding, (onset // STEP, pitch % 12), 1)
    np.add.at(sounding, ((offset + STEP - 1) // STEP, pitch % 12), -1)
    sounding = np.maximum(sounding.cumsum(axis=0), 0)
    norm = np.linalg.norm(sounding, axis=1)
    alike = (sounding[1:] * sounding[:-1]).sum(axis=1) / np.maximum(norm[1:] * norm[:-1], 1e-9)
    return np.append(0, np.where((norm[1:] > 0) & (norm[:-1] > 0), 1 - alike, 0))


def has_places(meter: Meter) -> bool:
    """Return whether a pickup can be estimated: bars of two eighths to three wholes."""
    return meter.denominator in (2, 4, 8) and 2 * STEP <= bar_ticks(meter) <= 24 * STEP


def estimate_pickup(score: Score) -> int:
    """Estimate the length in ticks of the pickup before the first bar line; 0 for none.

    Before a second meter, the remainder of ticks after whole bars is the pickup.
    """
    if not score.meters or score.meters[0].tick > 0 or not has_places(score.meters[0]):
        return 0
    meter, bar = score.meters[0], bar_ticks(score.meters[0])
    if len(score.meters) > 1:
        left_over = score.meters[1].tick % bar
        return left_over if left_over % (STEP // 2) == 0 else 0
    notes = np.concatenate([track.notes for track in score.tracks if not track.is_drum] or [np.zeros((0, 4), np.int32)])
    if len(notes) < FEWEST_NOTES:
        return 0
    odds = pickup_cues(notes, meter) @ np.array(WEIGHTS)
    ends = round(score.end / STEP) % len(odds)
    if ends:
        odds[ends] += ENDS_ALIKE
    return int(odds.argmax()) * STEP


def full_first_bar(score: Score, pickup: int) -> Score:
    """Return a score whose pickup, in ticks, is the end of a full first bar that begins with rests."""
    if not pickup:
        return score
    return delayed(score, bar_ticks(score.meters[0]) - pickup)
