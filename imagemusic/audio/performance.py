"""Score to key presses: which channel plays what, from where, and when.

    Score -> voices: one a track, program and place on the stage
          -> key presses: int64 (M, 5), a row an event: frame, press (1) or release (0), channel, pitch, velocity

A channel is a track's index, so unisons of two tracks never share a key; there may be more than 16.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.instruments import BASS_PROGRAMS
from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, NoteArray, Score

STAGE_WIDTH = 0.4  # pan of the outermost players; 1 would be one loudspeaker only


@dataclass(frozen=True, slots=True)
class Voice:
    """What a channel plays, and from where."""

    program: int
    is_drum: bool
    pan: float  # -1 left .. 1 right


def voices(score: Score) -> list[Voice]:
    """Seat the players from left to right in score order; drums, bass and a lone player sit in the middle."""
    seated = [i for i, t in enumerate(score.tracks) if len(t) and not t.is_drum and t.program not in BASS_PROGRAMS]
    width = STAGE_WIDTH * min(1.0, (len(seated) - 1) / 3)
    seats = dict(zip(seated, np.linspace(-width, width, len(seated)).tolist(), strict=True))
    return [Voice(t.program, t.is_drum, seats.get(i, 0.0)) for i, t in enumerate(score.tracks)]


def key_presses(score: Score, sample_rate: int) -> NDArray[np.int64]:
    """Turn notes into key presses (M, 5) in order of time; at one frame, releases come first."""
    parts = [np.zeros((0, 5), np.int64)]
    for channel, track in enumerate(score.tracks):
        notes = restrike(track.notes)
        ticks = np.concatenate([notes[:, ONSET], notes[:, ONSET] + notes[:, DURATION]])
        frames = np.rint(score.seconds_at(ticks) * sample_rate).astype(np.int64)
        presses, releases = frames[: len(notes)], frames[len(notes) :]
        releases = np.maximum(releases, presses + 1)  # else a note shorter than a frame would never end
        for press, at in ((1, presses), (0, releases)):
            same = np.full(len(notes), press), np.full(len(notes), channel)
            parts.append(np.column_stack([at, *same, notes[:, PITCH], notes[:, VELOCITY]]))
    events = np.concatenate(parts)
    return events[np.lexsort(events.T[::-1])]


def restrike(notes: NoteArray) -> NDArray[np.int64]:
    """Give every key of one track one note at a time, as on a keyboard; synthesizers disagree about overlaps.

    A note that sounds when its key is struck again ends there, and the key stays down until the last of them would end.
    """
    order = np.lexsort((notes[:, VELOCITY], notes[:, ONSET], notes[:, PITCH]))
    onset, pitch, duration, velocity = notes[order].astype(np.int64).T
    octaves_apart = pitch << 40  # keeps the running maximum within one pitch
    offset = np.maximum.accumulate(octaves_apart + onset + duration) - octaves_apart
    struck_again = np.append(pitch[1:] == pitch[:-1], False)
    offset = np.where(struck_again, np.minimum(offset, np.roll(onset, -1)), offset)
    rows = np.column_stack([onset, pitch, offset - onset, velocity])
    return rows[rows[:, DURATION] > 0]  # of two notes struck together the louder stays
