"""Excerpts: the first events of held-out pieces as a decoder reads them, with musical labels of each step.

prepared set or MIDI files ──► Excerpt: rows, transposed at random, so that no key is rare
excerpts ──► columns (P, T) for the decoder ──► labels (P, T) of every step: key, chord root, beat, ...
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.user_midi import read_user_midi, user_piece
from imagemusic.data.prepared import PreparedSet, prepare_piece
from imagemusic.errors import DataError
from imagemusic.events import codec
from imagemusic.events.memory.proposals import propose
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.vocabulary import NO_PROGRAM
from imagemusic.music.dials import Cues, DialNormalizer, as_row, key_correlations
from imagemusic.training.batches import event_rows, pad, window_columns

FEWEST = 10  # pieces
SHIFTS = range(-5, 7)  # semitones: each key can become any other
UNKNOWN = -1  # label of a step without one

NAMES = ("C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B")
FAMILIES = (
    "piano", "chromatic", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe", "lead", "pad",
    "effects", "ethnic", "percussive", "sounds", "drums",
)  # fmt: skip
BEATS_IN_BAR, BARS_IN_PHRASE = 8, 4
TARGETS: dict[str, tuple[str, ...]] = {
    "key": (*(f"{name} major" for name in NAMES), *(f"{name} minor" for name in NAMES)),
    "chord root": NAMES,
    "beat in the bar": tuple(f"beat {number + 1}" for number in range(BEATS_IN_BAR)),
    "instrument": FAMILIES,
    "position in the phrase": tuple(f"bar {number + 1} of {BARS_IN_PHRASE}" for number in range(BARS_IN_PHRASE)),
}
TRIADS = ((0, 4, 7), (0, 3, 7))  # major and minor, in semitones above the root


@dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """The first N events of a piece, transposed by `shift` semitones when it is read."""

    id: str
    group: str  # a split keeps pieces of a group together
    rows: NDArray[np.void]  # (N,) of ROW
    end: int  # ticks of the whole piece
    cues: Cues  # of the whole piece
    ensemble: str
    shift: int

    @property
    def events(self) -> codec.Events:
        """The events (N, 5) as they are read, drums not transposed."""
        events = np.column_stack([self.rows[name] for name in codec.FIELDS]).astype(np.int16)
        pitched = self.rows["program"] < codec.DRUMS
        pitch = np.where(pitched, np.clip(events[:, codec.PITCH] + self.shift, 0, 127), events[:, codec.PITCH])
        return np.column_stack([events[:, :2], pitch, events[:, 3:]]).astype(np.int16)

    def dials(self, scale: DialNormalizer) -> NDArray[np.float64]:
        """Return the dials (D,) of the whole piece, transposed, in the order of DIALS; NaN where not known."""
        register = self.cues["register"]
        return scale.table(as_row(self.cues | {"register": None if register is None else register + self.shift}))


def choose_prepared(folder: Path, count: int, length: int, seed: int) -> list[Excerpt]:
    """Sample `count` validation and test pieces of a prepared set, each cut to `length` events.

    Raises:
        DataError: there is no prepared set, or it has too few such pieces.
    """
    prepared = PreparedSet.open(folder)
    held_out = [
        piece for piece in prepared
        if piece.split in ("validation", "test") and piece.ensemble != "drums" and piece.metrical
    ]  # fmt: skip
    if len(held_out) < FEWEST:
        raise DataError(f"{folder}: {len(held_out)} held-out pieces with pitches and beats, need {FEWEST} or more")
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(held_out))[:count].tolist()
    return [
        Excerpt(
            piece.id, piece.group, np.array(prepared.rows[piece.start : piece.start + min(piece.rows, length)]),
            piece.end, piece.cues, piece.ensemble, int(rng.choice(SHIFTS)),
        )
        for piece in (held_out[index] for index in chosen)
    ]  # fmt: skip


def read_files(paths: Sequence[Path], length: int, seed: int) -> list[Excerpt]:
    """Read MIDI files, each cut to `length` events.

    Raises:
        ScoreError: a file is not a MIDI file.
        DataError: fewer than FEWEST files hold notes.
    """
    rng = np.random.default_rng(seed)
    excerpts = []
    for path in paths:
        piece = user_piece(read_user_midi(path), key=path.as_posix(), title=path.stem, licence="")
        if made := prepare_piece(piece) if piece else None:
            rows, _, about = made
            excerpts.append(
                Excerpt(
                    about.id, about.group, rows[:length], about.end, about.cues, about.ensemble, int(rng.choice(SHIFTS))
                )
            )
    if len(excerpts) < FEWEST:
        raise DataError(
            f"{len(excerpts)} MIDI files with notes, need {FEWEST} or more, to split them into training and test"
        )
    return excerpts


Columns = dict[str, NDArray[np.int64]]


def columns(excerpts: Sequence[Excerpt]) -> tuple[Columns, Columns, dict[str, NDArray[np.float32]]]:
    """Return what the decoder reads before each event, the events, and the weights of their fields: (P, T) by field.

    T is the length of the longest excerpt; shorter ones are padded with zeros.
    """
    length = max(len(excerpt.rows) for excerpt in excerpts)
    parts = [
        window_columns(
            excerpt.rows,
            excerpt.end,
            0,
            length,
            shift=excerpt.shift,
            hide_remaining=True,
            memory=propose(event_rows(excerpt.rows)),
        )
        for excerpt in excerpts
    ]

    def stack(part: int) -> dict[str, NDArray]:
        padded = ({name: pad(v, (0, length - len(v))) for name, v in one[part].items()} for one in parts)
        rows = list(padded)
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    return stack(0), stack(1), stack(2)


def label(excerpt: Excerpt, length: int) -> dict[str, NDArray[np.int64]]:
    """Return labels (length,) by target, each an index into its TARGETS, of the music read before each step."""
    events, rows = excerpt.events.astype(np.int64), excerpt.rows
    is_note = rows["part"] < codec.SLOTS
    pitched = is_note & (rows["program"] < codec.DRUMS)
    ticks = rows["tick"].astype(np.int64)
    held = np.minimum(events[:, codec.DURATION] + 1, codec.MAX_DURATION)
    pitch = events[:, codec.PITCH] % 12
    place = rows["place"].astype(np.int64)
    program = rows["program"].astype(np.int64)
    profile = np.bincount(pitch[pitched], weights=held[pitched], minlength=12).astype(np.float64)
    known = bool(profile.any())
    key = int(key_correlations(profile[None])[0].argmax()) if known else UNKNOWN
    after = {
        "key": np.full(len(rows), key),
        "chord root": chord_roots(ticks, ticks + held, pitch, pitched),
        "beat in the bar": np.where(is_note, np.minimum(place // TICKS_PER_BEAT, BEATS_IN_BAR - 1), UNKNOWN),
        "instrument": np.where(program < NO_PROGRAM, np.minimum(program, codec.DRUMS) // 8, UNKNOWN),
        "position in the phrase": np.where(is_note, rows["bar"].astype(np.int64) % BARS_IN_PHRASE, UNKNOWN),
    }
    labels = {name: np.full(length, UNKNOWN) for name in TARGETS}
    for name, values in after.items():  # step i has read the events before i
        labels[name][1 : len(rows)] = values[: len(rows) - 1]
    return labels


def chord_roots(
    onset: NDArray[np.int64], offset: NDArray[np.int64], pitch_class: NDArray[np.int64], pitched: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the root (N,), 0 to 11, of the triad that fits the beat of each of N events best; UNKNOWN for none.

    A triad's fit is the total duration of its pitch classes in the beat; a beat with fewer than three pitch classes has
    no chord.

    Args:
        onset: (N,) in ticks.
        offset: (N,) in ticks, after which the note does not sound.
        pitch_class: (N,), 0 to 11.
        pitched: (N,), false for drums and other events.
    """
    beat = onset // TICKS_PER_BEAT
    roots = np.full(len(onset), UNKNOWN)
    for number in np.unique(beat):
        start, end = number * TICKS_PER_BEAT, (number + 1) * TICKS_PER_BEAT
        within = pitched & (onset < end) & (offset > start)
        share = np.minimum(offset[within], end) - np.maximum(onset[within], start)
        profile = np.bincount(pitch_class[within], weights=share, minlength=12)
        if (profile > 0).sum() >= 3:
            fit = [[profile[[(root + step) % 12 for step in triad]].sum() for root in range(12)] for triad in TRIADS]
            roots[beat == number] = int(np.max(fit, axis=0).argmax())
    return roots
