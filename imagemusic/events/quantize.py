"""Score -> canonical score: the same music on the codec's grid, and a count of what that loses."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, Meter, NoteArray, Score, Tempo, Track, note_array

TICKS_PER_BEAT = 24
PITCHED_SLOTS = 15  # and one for drums
DRUM_TICKS = 6  # a drum stroke has no length of its own
UNKNOWN_VELOCITY = 80  # stands for "one value throughout", which says nothing about loudness
MAX_NUMERATOR, MAX_DENOMINATOR = 24, 16

# Tempo vocabulary: 0 is "not known", then four octaves in steps of 2.2 %, finer than a listener notices
# (Drake & Botte 1993 put the threshold for a change of tempo at 2 to 3 %).
TEMPO_BPM = np.concatenate([[0.0], 20 * 16 ** (np.arange(127) / 126)])

Change = TypeVar("Change", Tempo, Meter)

ROLES = ("melody", "voice", "inner", "chords", "bass", "drums")
_VOICE = re.compile(r"voice|vocal|sing|sopran|\balt|tenor|bariton|mezzo|gesang|chant|canto|choir|chor|lyric", re.I)
_VOICE_PROGRAMS = (52, 53, 54, 85, 91)
_BASS_PROGRAMS = range(32, 40)


def nearest_tempo(bpm: float) -> int:
    """Return the index of the tempo that is nearest to `bpm` as a ratio."""
    return int(np.abs(np.log(TEMPO_BPM[1:] / bpm)).argmin()) + 1


def canonicalise(score: Score) -> tuple[Score, Counter[str]]:
    """Put a score on the grid; return it with counts of what was changed.

    Counted: notes moved onto the grid (`moved`), notes that doubled another of the same part and pitch (`doubled`),
    notes cut where their pitch is struck again (`cut`), drum strokes given the standard length (`drum_lengths`),
    parts joined or left out for want of slots (`parts_joined`, `notes_left_out`), velocities rounded (`velocities`),
    tempos and meters rounded (`tempos`, `meters`), key signatures left out (`keys`).
    """
    lost: Counter[str] = Counter()
    tracks = [_on_grid(track, score.ticks_per_beat, lost) for track in score.tracks if len(track)]
    drums = [track for track in tracks if track.is_drum]
    tracks = _fitted([track for track in tracks if not track.is_drum], lost)
    lost["parts_joined"] += max(0, len(drums) - 1)
    if drums:
        tracks.append(Track(np.concatenate([t.notes for t in drums]), is_drum=True, name="drums"))
    tracks = [_without_overlaps(track, lost) for track in tracks]
    tracks = _quantised_velocity(tracks, lost)
    roles = [role_of(track, tracks) for track in tracks]
    tracks = [replace(track, name=role) for track, role in zip(tracks, roles, strict=True)]
    tracks.sort(key=_slot_order)
    lost["keys"] += len(score.keys)
    placed = Score(tracks, ticks_per_beat=TICKS_PER_BEAT)
    meters, tempos = _meters(score, placed.end, lost), _tempos(score, placed.end, lost)
    return replace(placed, meters=meters, tempos=tempos), +lost


def _on_grid(track: Track, ticks_per_beat: int, lost: Counter[str]) -> Track:
    if ticks_per_beat == TICKS_PER_BEAT:
        return track
    notes = track.notes.astype(np.int64)
    edges = np.column_stack([notes[:, ONSET], notes[:, ONSET] + notes[:, DURATION]]) * TICKS_PER_BEAT
    grid = (edges + ticks_per_beat // 2) // ticks_per_beat
    lost["moved"] += int((grid * ticks_per_beat != edges).any(axis=1).sum())
    notes[:, ONSET] = grid[:, 0]
    notes[:, DURATION] = np.maximum(grid[:, 1] - grid[:, 0], 1)
    return replace(track, notes=note_array(notes))


def _fitted(tracks: list[Track], lost: Counter[str]) -> list[Track]:
    """Join parts of one program, smallest first, then leave out the smallest, until they fit the slots."""
    tracks = sorted(tracks, key=len)
    while len(tracks) > PITCHED_SLOTS:
        programs = [track.program for track in tracks]
        small = next((i for i, program in enumerate(programs) if program in programs[i + 1 :]), None)
        if small is None:
            lost["notes_left_out"] += len(tracks.pop(0))
            continue
        first = tracks.pop(small)
        other = next(i for i, track in enumerate(tracks) if track.program == first.program and i >= small)
        tracks[other] = replace(tracks[other], notes=np.concatenate([first.notes, tracks[other].notes]))
        tracks.sort(key=len)
        lost["parts_joined"] += 1
    return tracks


def without_overlaps(rows: NDArray[np.integer]) -> tuple[NoteArray, int, int]:
    """Keep one note a (onset, pitch), the longest, and cut notes where their pitch is struck again.

    Returns notes (N, 4) by onset and pitch, the number of doubles and the number of cuts.
    """
    if not len(rows):
        return rows.astype(np.int32), 0, 0
    order = np.lexsort((rows[:, VELOCITY], rows[:, DURATION], rows[:, ONSET], rows[:, PITCH]))
    notes: NoteArray = rows[order].astype(np.int32)
    same_pitch = notes[1:, PITCH] == notes[:-1, PITCH]
    double = np.append(same_pitch & (notes[1:, ONSET] == notes[:-1, ONSET]), False)
    notes = notes[~double]
    room = np.diff(notes[:, ONSET], append=0)
    room[np.append(notes[1:, PITCH] != notes[:-1, PITCH], True)] = np.iinfo(np.int32).max
    cut = notes[:, DURATION] > room
    notes[:, DURATION] = np.minimum(notes[:, DURATION], room)
    return notes[np.lexsort((notes[:, PITCH], notes[:, ONSET]))], int(double.sum()), int(cut.sum())


def _without_overlaps(track: Track, lost: Counter[str]) -> Track:
    notes = track.notes
    if track.is_drum:
        notes = notes.copy()
        lost["drum_lengths"] += int((notes[:, DURATION] != DRUM_TICKS).sum())
        notes[:, DURATION] = DRUM_TICKS
    notes, doubled, cut = without_overlaps(notes)
    lost["doubled"] += doubled
    lost["cut"] += 0 if track.is_drum else cut
    return replace(track, notes=notes, program=0 if track.is_drum else track.program)


def _quantised_velocity(tracks: list[Track], lost: Counter[str]) -> list[Track]:
    quantised = [np.clip((track.notes[:, VELOCITY] + 2) // 4 * 4, 4, 124) for track in tracks]
    lost["velocities"] += sum(
        int((velocity != track.notes[:, VELOCITY]).sum()) for velocity, track in zip(quantised, tracks, strict=True)
    )
    if len(np.unique(np.concatenate(quantised or [np.empty(0, np.int32)]))) <= 1:
        quantised = [np.full_like(velocity, UNKNOWN_VELOCITY) for velocity in quantised]
    return [
        replace(track, notes=np.column_stack([track.notes[:, :VELOCITY], velocity]))
        for track, velocity in zip(tracks, quantised, strict=True)
    ]


def role_of(track: Track, tracks: list[Track]) -> str:
    """Say what a track does: by its name where that is a role, else by its program, register and chords."""
    if track.is_drum:
        return "drums"
    if track.name in ROLES[:-1]:
        return track.name
    if _VOICE.search(track.name) or track.program in _VOICE_PROGRAMS:
        return "voice"
    height = {id(other): float(other.notes[:, PITCH].mean()) for other in tracks if not other.is_drum}
    others = [value for key, value in height.items() if key != id(track)]
    if track.program in _BASS_PROGRAMS:
        return "bass"
    if len(track) > 1.3 * len(np.unique(track.notes[:, ONSET])):
        return "chords"
    if not others or height[id(track)] > max(others):
        return "melody"
    return "bass" if height[id(track)] < min(others) and height[id(track)] < 55 else "inner"


def _slot_order(track: Track) -> tuple[bool, float, int, str, bytes]:
    return (track.is_drum, -float(track.notes[:, PITCH].mean()), track.program, track.name, track.notes.tobytes())


def _meters(score: Score, end: int, lost: Counter[str]) -> list[Meter]:
    """Round meters to the vocabulary and drop those that only repeat the bars already running."""
    kept: list[Meter] = []
    for meter in _placed(score.meters, score.ticks_per_beat, end):
        rounded = _nearest_meter(meter)
        lost["meters"] += rounded != meter
        if not kept and rounded.tick > 0:
            kept.append(Meter(0))
        while kept and kept[-1].tick == rounded.tick:
            kept.pop()
        if kept and _same_bars(kept[-1], rounded):
            continue
        kept.append(rounded)
    return kept


def _same_bars(running: Meter, new: Meter) -> bool:
    same = (running.numerator, running.denominator) == (new.numerator, new.denominator)
    return same and (new.tick - running.tick) % round(running.beats * TICKS_PER_BEAT) == 0


def _nearest_meter(meter: Meter) -> Meter:
    if meter.denominator <= MAX_DENOMINATOR and meter.numerator <= MAX_NUMERATOR:
        return meter
    return Meter(meter.tick, int(np.clip(round(meter.beats), 1, MAX_NUMERATOR)), 4)


def _tempos(score: Score, end: int, lost: Counter[str]) -> list[Tempo]:
    """Round tempos to the vocabulary and drop those that change nothing."""
    kept: list[Tempo] = []
    for tempo in _placed(score.tempos, score.ticks_per_beat, end):
        rounded = Tempo(tempo.tick, float(TEMPO_BPM[nearest_tempo(tempo.bpm)]))
        lost["tempos"] += abs(rounded.bpm / tempo.bpm - 1) > 0.012
        if not kept and rounded.tick > 0:
            kept.append(Tempo(0, float(TEMPO_BPM[nearest_tempo(120)])))
        while kept and kept[-1].tick == rounded.tick:
            kept.pop()
        if kept and kept[-1].bpm == rounded.bpm:
            continue
        kept.append(rounded)
    return kept


def _placed(changes: Sequence[Change], ticks_per_beat: int, end: int) -> list[Change]:
    """Move changes onto the grid and leave out those at or after `end`, but never the first."""
    placed = [replace(c, tick=(c.tick * TICKS_PER_BEAT + ticks_per_beat // 2) // ticks_per_beat) for c in changes]
    return [change for i, change in enumerate(placed) if change.tick < end or (i == 0 and change.tick == 0)]
