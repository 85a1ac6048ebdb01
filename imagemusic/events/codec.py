"""Score <-> note events, a row a note: what the decoder reads and writes.

    GAP  PART   PITCH    DURATION  VELOCITY
      0  METER  4/4                            the header: meter and tempo (0 = not known) ...
      0  TEMPO  96 bpm
      0  SLOT   program  role                  ... and the parts that play, from high to low, drums last
      0  0      67       24 ticks  80          a note: ticks since the row before, its part, and so on
     24  0      69       HOLD      80          longer than MAX_DURATION: goes on in a later row of that pitch
     96  REST                                  a gap longer than MAX_GAP: time passes, nothing starts
      0  END

Every cell is an index into its field's vocabulary (`SIZES`).  The grid has 24 ticks a beat: sixteenths, triplets and
their halves.  `canonical` says what a score loses on this grid; apart from that, decode undoes encode exactly.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import CodecError
from imagemusic.events.quantize import (
    DRUM_TICKS,
    ROLES,
    TEMPO_BPM,
    TICKS_PER_BEAT,
    UNKNOWN_VELOCITY,
    canonicalise,
    nearest_tempo,
    without_overlaps,
)
from imagemusic.events.vocabulary import (
    DRUMS,
    DURATION,
    END,
    FIELDS,
    GAP,
    HOLD,
    MAX_DURATION,
    MAX_GAP,
    METER,
    METERS,
    PART,
    PITCH,
    REST,
    SIZES,
    SLOT,
    SLOTS,
    TEMPO,
    VELOCITY,
    VELOCITY_STEP,
)
from imagemusic.music.score import Meter, NoteArray, Score, Tempo, Track

Events = NDArray[np.int16]  # (N, 5)

_METER_INDEX = {meter: i + 1 for i, meter in enumerate(METERS)}


@dataclass(frozen=True, slots=True)
class CodecConfig:
    """Version of the vocabulary, saved in checkpoints: another version is another codec."""

    version: int = 1
    ticks_per_beat: int = TICKS_PER_BEAT
    sizes: tuple[int, ...] = SIZES


def canonical(score: Score) -> Score:
    """Return the score that decode(encode(score)) gives: on the grid, with at most `SLOTS` parts."""
    return canonicalise(score)[0]


def quantisation_report(score: Score) -> Counter[str]:
    """Count what `canonical` changes, by kind; see `canonicalise`."""
    return canonicalise(score)[1]


def encode(score: Score) -> Events:
    """Spell the canonical form of `score` as events (N, 5)."""
    return encode_canonical(canonical(score))


def encode_canonical(score: Score) -> Events:
    """Spell a score that is already canonical as events (N, 5)."""
    velocities = np.concatenate([track.notes[:, 3] for track in score.tracks] or [np.empty(0, int)])
    velocity_known = len(velocities) > 0 and bool((velocities != velocities[0]).any())
    meters, tempos = score.meters, score.tempos
    header = [
        (0, METER, meter_index(meters[0]) if meters else 0, 0, 0),
        (0, TEMPO, nearest_tempo(tempos[0].bpm) if tempos else 0, 0, 0),
        *((0, SLOT, DRUMS if t.is_drum else t.program, ROLES.index(t.name), 0) for t in score.tracks),
    ]
    timed = [np.empty((0, 5), np.int64)]  # rows with the tick in the place of the gap
    timed += [np.array([[m.tick, METER, meter_index(m), 0, 0]]) for m in meters[1:]]
    timed += [np.array([[t.tick, TEMPO, nearest_tempo(t.bpm), 0, 0]]) for t in tempos[1:]]
    timed += [_note_rows(track, slot, velocity_known) for slot, track in enumerate(score.tracks)]
    rows = np.concatenate(timed)
    is_change = rows[:, PART] >= SLOTS  # changes come before the notes of their tick
    rows = rows[np.lexsort((rows[:, PITCH], rows[:, PART], ~is_change, rows[:, GAP]))]
    return np.concatenate([np.array(header), _with_rests(rows), [[0, END, 0, 0, 0]]]).astype(np.int16)


def _note_rows(track: Track, slot: int, velocity_known: bool) -> NDArray[np.int64]:
    onset, pitch, duration, velocity = track.notes.T.astype(np.int64)
    if track.is_drum:
        duration = np.full_like(duration, DRUM_TICKS)
    pieces = (duration - 1) // MAX_DURATION + 1
    source = np.repeat(np.arange(len(onset)), pieces)
    piece = np.arange(len(source)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    is_last = piece == pieces[source] - 1
    index = np.where(is_last, duration[source] - piece * MAX_DURATION - 1, HOLD)
    loudness = velocity[source] // VELOCITY_STEP if velocity_known else np.zeros_like(source)
    slots = np.full_like(source, slot)
    return np.column_stack([onset[source] + piece * MAX_DURATION, slots, pitch[source], index, loudness])


def _with_rests(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn ticks into gaps, with REST rows where a gap is longer than MAX_GAP."""
    gaps = np.diff(rows[:, GAP], prepend=0)
    rests = np.maximum(gaps - 1, 0) // MAX_GAP
    source = np.repeat(np.arange(len(rows)), rests + 1)
    spelled = rows[source]
    is_rest = np.ones(len(source), bool)
    is_rest[np.cumsum(rests + 1) - 1] = False
    spelled[~is_rest, GAP] = gaps - rests * MAX_GAP
    spelled[is_rest] = (MAX_GAP, REST, 0, 0, 0)
    return spelled


def decode(events: Events) -> Score:
    """Read the score that `events` (N, 5) spell; what follows END is ignored.

    Raises:
        CodecError: an index outside its vocabulary, a header that is not one, or a note of a part never declared.
    """
    rows = np.asarray(events, np.int64).reshape(-1, 5)
    outside = (rows < 0) | (rows >= SIZES)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise CodecError(f"event {row}: {FIELDS[column]} must be in 0..{SIZES[column] - 1}, got {rows[row, column]}")
    if (ends := np.flatnonzero(rows[:, PART] == END)).size:
        rows = rows[: ends[0]]
    parts = rows[:, PART]
    if len(rows) < 2 or parts[0] != METER or parts[1] != TEMPO:
        raise CodecError("event 0: a piece must begin with a METER row and a TEMPO row")
    ticks = np.cumsum(rows[:, GAP])
    declared = rows[parts == SLOT]
    is_note = parts < SLOTS
    if (undeclared := np.flatnonzero(is_note & (parts >= len(declared)))).size:
        row = undeclared[0]
        raise CodecError(f"event {row}: part {parts[row]} was never declared, the header has {len(declared)}")
    tracks = []
    for slot, (_, _, program, role, _) in enumerate(declared.tolist()):
        chosen = parts == slot
        if not chosen.any():
            continue
        notes = _notes(ticks[chosen], rows[chosen])
        is_drum = program == DRUMS
        name = ROLES[min(role, len(ROLES) - 1)]
        tracks.append(Track(notes, program=0 if is_drum else program, is_drum=is_drum, name=name))
    meters = [Meter(int(t), *METERS[min(v, len(METERS)) - 1]) for t, v in _changes(rows, ticks, METER)]
    tempos = [Tempo(int(t), float(TEMPO_BPM[min(v, len(TEMPO_BPM) - 1)])) for t, v in _changes(rows, ticks, TEMPO)]
    return Score(tracks, tempos, meters, ticks_per_beat=TICKS_PER_BEAT)


def _changes(rows: NDArray[np.int64], ticks: NDArray[np.int64], kind: int) -> list[tuple[int, int]]:
    chosen = (rows[:, PART] == kind) & (rows[:, PITCH] > 0)
    return list(dict(zip(ticks[chosen].tolist(), rows[chosen, PITCH].tolist(), strict=True)).items())


def _notes(ticks: NDArray[np.int64], rows: NDArray[np.int64]) -> NoteArray:
    """Join the rows (M, 5) of one part into notes (N, 4)."""
    duration = np.minimum(rows[:, DURATION] + 1, MAX_DURATION)
    velocity = np.where(rows[:, VELOCITY] > 0, rows[:, VELOCITY] * VELOCITY_STEP, UNKNOWN_VELOCITY)
    notes = np.column_stack([ticks, np.minimum(rows[:, PITCH], 127), duration, velocity])
    if (rows[:, DURATION] == HOLD).any():
        notes = _joined(notes, rows[:, DURATION] == HOLD)
    return without_overlaps(notes)[0]


def _joined(notes: NDArray[np.int64], holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Lengthen every held note by the row of its pitch that starts just where it stops."""
    kept: list[list[int]] = []
    waiting: dict[tuple[int, int], int] = {}  # (offset, pitch) -> index of a held note in `kept`
    for (onset, pitch, duration, velocity), hold in zip(notes.tolist(), holds.tolist(), strict=True):
        index = waiting.pop((onset, pitch), None)
        if index is None:
            index = len(kept)
            kept.append([onset, pitch, duration, velocity])
        else:
            kept[index][2] += duration
        if hold:
            waiting[(onset + duration, pitch)] = index
    return np.array(kept)


def meter_index(meter: Meter) -> int:
    """Return the vocabulary index of a meter that `canonical` lets pass."""
    return _METER_INDEX[meter.numerator, meter.denominator]
