"""Convert a score to synthesizer events.

    Score -> voices: one a track, program and pan
          -> key presses: int64 (M, 5), a row an event: frame, press (1) or release (0), channel, pitch, velocity

A channel is a track's index, so unisons of two tracks never share a key; there may be more than 16 channels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.instruments import BASS_PROGRAMS
from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, NoteArray, Score

STAGE_WIDTH = 0.4  # largest absolute pan; 1 would be one loudspeaker only


@dataclass(frozen=True, slots=True)
class Voice:
    """Program and pan of a channel."""

    program: int
    is_drum: bool
    pan: float  # -1 left .. 1 right


def voices(score: Score) -> list[Voice]:
    """Return a voice for each track, panned from left to right in score order; drums, bass and a solo are centred."""
    panned = [i for i, t in enumerate(score.tracks) if len(t) and not t.is_drum and t.program not in BASS_PROGRAMS]
    width = STAGE_WIDTH * min(1.0, (len(panned) - 1) / 3)
    pans = dict(zip(panned, np.linspace(-width, width, len(panned)).tolist(), strict=True))
    return [Voice(t.program, t.is_drum, pans.get(i, 0.0)) for i, t in enumerate(score.tracks)]


def key_presses(score: Score, sample_rate: int) -> NDArray[np.int64]:
    """Return the key presses (M, 5) of a score in order of time; at one frame, releases come first."""
    parts = [np.zeros((0, 5), np.int64)]
    for channel, track in enumerate(score.tracks):
        notes = restrike(track.notes)
        ticks = np.concatenate([notes[:, ONSET], notes[:, ONSET] + notes[:, DURATION]])
        frames = np.rint(score.seconds_at(ticks) * sample_rate).astype(np.int64)
        presses, releases = frames[: len(notes)], frames[len(notes) :]
        releases = np.maximum(releases, presses + 1)  # else a note shorter than a frame would be released first
        for press, at in ((1, presses), (0, releases)):
            same = np.full(len(notes), press), np.full(len(notes), channel)
            parts.append(np.column_stack([at, *same, notes[:, PITCH], notes[:, VELOCITY]]))
    events = np.concatenate(parts)
    return events[np.lexsort(events.T[::-1])]


def restrike(notes: NoteArray) -> NDArray[np.int64]:
    """Return notes (M, 4) of notes (N, 4) of a track without overlaps at one pitch; synthesizers disagree about them.

    A note ends where its pitch starts again; the last of overlapping notes ends where the latest of them would end.  Of
    notes with the same onset and pitch the loudest is kept.
    """
    order = np.lexsort((notes[:, VELOCITY], notes[:, ONSET], notes[:, PITCH]))
    onset, pitch, duration, velocity = notes[order].astype(np.int64).T
    octaves_apart = pitch << 40  # keeps the running maximum within one pitch
    offset = np.maximum.accumulate(octaves_apart + onset + duration) - octaves_apart
    struck_again = np.append(pitch[1:] == pitch[:-1], False)
    offset = np.where(struck_again, np.minimum(offset, np.roll(onset, -1)), offset)
    rows = np.column_stack([onset, pitch, offset - onset, velocity])
    return rows[rows[:, DURATION] > 0]
