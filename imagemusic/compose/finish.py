"""What is done to a finished piece: names, single notes of winds, sound without holes, the tempo at the end, a fade."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from imagemusic.compose.rules.playable import most_struck
from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, Score, Track

MIN_SOUND = 0.9  # share of the time in which something sounds, unless sparse music is asked for
MAX_STRETCH = 2.0  # beats by which a note may be lengthened to fill a hole
MAX_HELD = 2  # of an instrument whose held notes are cut
FADE_SHARE = 0.25  # of the piece


def number_names(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks with names that tell them apart: "Inner 1", "Inner 2"."""
    counts, seen = Counter(track.name for track in tracks), Counter[str]()
    named = []
    for track in tracks:
        seen[track.name] += 1
        name = track.name.capitalize()
        named.append(replace(track, name=f"{name} {seen[track.name]}" if counts[track.name] > 1 else name))
    return named


def separate_notes(track: Track, ensemble: str) -> Track:
    """Cut the longest-held notes of a wind, a singer, a bass or a bowed string where more sound than it plays.

    Where that makes the part shorter, its last note takes the place of the one that was cut: the piece keeps its
    length, and never more notes sound at once than before.
    """
    most = most_struck(track.program, ensemble=ensemble)
    if track.is_drum or not len(track) or most > MAX_HELD:
        return track
    notes = track.notes[np.lexsort((-track.notes[:, PITCH], track.notes[:, ONSET]))]
    _, chord, place = np.unique(notes[:, ONSET], return_index=True, return_inverse=True)
    notes = notes[np.arange(len(notes)) - chord[place] < most].copy()
    held: list[int] = []  # rows that still sound, the one held longest first
    for row, (onset, *_) in enumerate(notes.tolist()):
        held = [one for one in held if notes[one, ONSET] + notes[one, DURATION] > onset]
        while len(held) >= most:
            first = held.pop(0)
            notes[first, DURATION] = onset - notes[first, ONSET]
        held.append(row)
    end = (track.notes[:, ONSET] + track.notes[:, DURATION]).max()
    if (notes[:, ONSET] + notes[:, DURATION]).max() < end:
        notes[-1, DURATION] = end - notes[-1, ONSET]
    return replace(track, notes=notes[notes[:, DURATION] > 0])


def fill_holes(score: Score) -> Score:
    """Lengthen the notes before each silence, shortest silences first, until MIN_SOUND of the time has sound."""
    pitched = [(index, row) for index, track in enumerate(score.tracks) if not track.is_drum for row in track.notes]
    if not pitched:
        return score
    spans = sorted((int(row[ONSET]), int(row[ONSET] + row[DURATION])) for _, row in pitched)
    holes, until, sounding = [], spans[0][0], 0
    for onset, offset in spans:
        if onset > until:
            holes.append((until, onset))
        sounding += max(0, offset - max(onset, until))
        until = max(until, offset)
    missing = MIN_SOUND * (until - spans[0][0]) - sounding
    tracks = {index: score.tracks[index].notes.copy() for index, _ in pitched}
    for start, stop in sorted(holes, key=lambda hole: hole[1] - hole[0]):
        if missing <= 0:
            break
        more = min(stop - start, int(MAX_STRETCH * score.ticks_per_beat))
        for notes in tracks.values():
            ends_here = notes[:, ONSET] + notes[:, DURATION] == start
            notes[ends_here, DURATION] += more
        missing -= more
    made = [replace(t, notes=tracks[i]) if i in tracks else t for i, t in enumerate(score.tracks)]
    return replace(score, tracks=made)


def cut_notes(score: Score, until: Callable[[int, int], int]) -> Score:
    """Cut pitched notes where they would be held past `until` (pitch, onset), a tick."""
    tracks = []
    for track in score.tracks:
        if not track.is_drum and len(track):
            notes = track.notes.copy()
            ends = np.array([until(pitch, onset) for onset, pitch, *_ in notes.tolist()])
            notes[:, DURATION] = np.minimum(notes[:, DURATION], ends - notes[:, ONSET])
            track = replace(track, notes=notes)
        tracks.append(track)
    return replace(score, tracks=tracks)


def fade_out(score: Score) -> Score:
    """Let the velocities fall to a tenth over the last quarter of the piece."""
    start = score.end * (1 - FADE_SHARE)
    faded = []
    for track in score.tracks:
        notes = track.notes.copy()
        share = np.clip((notes[:, ONSET] - start) / max(score.end - start, 1), 0, 1)
        notes[:, VELOCITY] = np.maximum(1, np.round(notes[:, VELOCITY] * (1 - 0.9 * share)))
        faded.append(replace(track, notes=notes))
    return replace(score, tracks=faded)
