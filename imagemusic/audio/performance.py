"""Convert a score to synthesizer events.

    Score -> voices: one a track, program and pan
          -> actions: int64 (M, 5), a row an event: frame, PRESS or RELEASE, channel, pitch, velocity
                                                or: frame, CONTROL, channel, kind, value (see music/controls.py)

A channel is a track's index, so unisons of two tracks never share a key; there may be more than 16 channels.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.controls import DEFAULT_VOLUME, DETUNING, PAN, VOLUME, ControlArray, no_controls
from imagemusic.music.instruments import BASS_PROGRAMS
from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, NoteArray, Score, Track

CONTROL, RELEASE, PRESS = -1, 0, 1  # at one frame in this order
LEAST_BEND_RANGE = 24  # semitones
STAGE_WIDTH = 0.4  # largest absolute pan; 1 would be one loudspeaker only


@dataclass(frozen=True, slots=True)
class Voice:
    """Program and pan of a channel."""

    program: int
    is_drum: bool
    pan: float  # -1 left .. 1 right
    bend_range: int = 0  # semitones up and down that a synthesizer must reach; 0: its tuning never changes


def voices(score: Score, controls: ControlArray | None = None) -> list[Voice]:
    """Return a voice for each track, panned from left to right in score order; drums, bass and a solo are centred.

    With controls (M, 4) that pan any track all begin in the centre, as in a player.
    """
    controls = no_controls() if controls is None else controls
    bends = controls[controls[:, 2] == DETUNING]
    ranges = dict.fromkeys(bends[:, 1].tolist(), LEAST_BEND_RANGE)
    for _, track, _, cents in bends.tolist():
        ranges[track] = max(ranges[track], -(-abs(cents) // 100))
    if (controls[:, 2] == PAN).any():
        return [Voice(t.program, t.is_drum, 0.0, ranges.get(i, 0)) for i, t in enumerate(score.tracks)]
    panned = [i for i, t in enumerate(score.tracks) if len(t) and not t.is_drum and t.program not in BASS_PROGRAMS]
    width = STAGE_WIDTH * min(1.0, (len(panned) - 1) / 3)
    pans = dict(zip(panned, np.linspace(-width, width, len(panned)).tolist(), strict=True))
    return [Voice(t.program, t.is_drum, pans.get(i, 0.0), ranges.get(i, 0)) for i, t in enumerate(score.tracks)]


def actions(score: Score, controls: ControlArray, sample_rate: int) -> NDArray[np.int64]:
    """Return key presses and controls (M, 5) of a score in order of time; of two values at a frame the later counts."""
    pressed = key_presses(score, sample_rate)
    if not len(controls):
        return pressed
    if (controls[:, 2] == VOLUME).any():  # else synthesizers begin at different volumes
        start = [(-1, track, VOLUME, DEFAULT_VOLUME) for track in range(len(score.tracks))]
        controls = np.concatenate([np.array(start, np.int64), controls])
    controls = controls[np.argsort(controls[:, 0], kind="stable")]
    frames = np.rint(score.seconds_at(np.maximum(controls[:, 0], 0)) * sample_rate).astype(np.int64)
    turned = np.column_stack([frames, np.full(len(frames), CONTROL), controls[:, 1:]])
    turned = turned[np.lexsort(turned[:, :4].T[::-1])]
    last = np.append((turned[1:, :4] != turned[:-1, :4]).any(axis=1), True)
    events = np.concatenate([turned[last], pressed])
    return events[np.lexsort(events[:, :2].T[::-1])]


def merge_tracks(score: Score, controls: ControlArray) -> tuple[Score, ControlArray]:
    """Return a score with one track for each program and drum kit, at most 256, under the controls of the first."""
    parts: dict[tuple[int, bool], list[int]] = {}
    for index, track in enumerate(score.tracks):
        parts.setdefault((track.program, track.is_drum), []).append(index)
    merged = [Track(np.concatenate([score.tracks[i].notes for i in own]), *part) for part, own in parts.items()]
    numbers = {own[0]: number for number, own in enumerate(parts.values())}
    kept = controls[np.isin(controls[:, 1], list(numbers))]
    kept[:, 1] = [numbers[index] for index in kept[:, 1].tolist()]
    return replace(score, tracks=merged), kept


def key_presses(score: Score, sample_rate: int) -> NDArray[np.int64]:
    """Return the key presses (M, 5) of a score in order of time; at one frame, releases come first."""
    parts = [np.zeros((0, 5), np.int64)]
    for channel, track in enumerate(score.tracks):
        notes = restrike(track.notes)
        ticks = np.concatenate([notes[:, ONSET], notes[:, ONSET] + notes[:, DURATION]])
        frames = np.rint(score.seconds_at(ticks) * sample_rate).astype(np.int64)
        presses, releases = frames[: len(notes)], frames[len(notes) :]
        releases = np.maximum(releases, presses + 1)  # else a note shorter than a frame would be released first
        for press, at in ((PRESS, presses), (RELEASE, releases)):
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
