"""MIDI files of the training corpora to scores, by symusic.

Prepared sets were made with this reading, so it stays as it is.  It differs from `load_midi` where files are irregular:
unreleased notes are left out, and a program holds for its own track alone.
"""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ScoreError
from imagemusic.music.score import DURATION, ONSET, PITCH, Key, Meter, NoteArray, Score, Tempo, Track


def load_corpus_midi(source: Path | str | bytes, *, fold_pedal: bool = False) -> Score:
    """Read a MIDI file on its own ticks, a track for each (track, channel, program) that has notes.

    A note of no length lasts one tick; a note that is never released is left out, as no one can say how long it was.

    Args:
        fold_pedal: let a note sound on under the sustain pedal, until the pedal or the same key comes up again.

    Raises:
        ScoreError: the file is missing, empty, damaged or not MIDI.
    """
    import symusic

    where = "MIDI bytes" if isinstance(source, bytes) else str(source)
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise ScoreError(f"{where}: cannot read it ({error.strerror})") from error
    if data[:4] != b"MThd":
        raise ScoreError(f"{where}: " + ("not a MIDI file, which starts with 'MThd'" if data else "the file is empty"))
    try:
        parsed: Any = symusic.Score.from_midi(data, sanitize_data=True)
    except (RuntimeError, ValueError) as error:  # symusic has no error of its own
        raise ScoreError(f"{where}: damaged MIDI file ({str(error).splitlines()[0]})") from error
    if parsed.tpq < 1:
        raise ScoreError(f"{where}: damaged MIDI file (ticks per beat must be at least 1, got {parsed.tpq})")

    tracks = []
    for part in parsed.tracks:
        columns = part.notes.numpy()
        notes = np.stack([columns[name].astype(np.int32) for name in ("time", "pitch", "duration", "velocity")], axis=1)
        notes = notes[(notes >= 0).all(axis=1) & (notes[:, 3] > 0)]
        if not len(notes):
            continue
        notes[:, DURATION] = np.maximum(notes[:, DURATION], 1)
        if fold_pedal and len(part.pedals):
            pedals = part.pedals.numpy()
            notes = _hold(notes, pedals["time"], pedals["time"] + pedals["duration"])
        tracks.append(Track(notes, int(part.program) & 127, bool(part.is_drum), part.name.strip("\0 \t\r\n")))

    # Of two tempos or meters on one tick the later event wins; values that no Score holds come from damaged files.
    tempos = {t.time: Tempo(t.time, 60e6 / t.mspq) for t in parsed.tempos if 6_000 <= t.mspq <= 60_000_000}
    meters = {
        t.time: Meter(t.time, t.numerator, t.denominator)
        for t in parsed.time_signatures
        if t.numerator >= 1 and 1 <= t.denominator <= 64
    }
    # Transposing instruments give the key as they read it, so the key that most parts give is the one that sounds.
    votes: dict[int, Counter[Key]] = defaultdict(Counter)
    for k in parsed.key_signatures:
        if -7 <= k.key <= 7:
            votes[k.time][Key(k.time, k.key, bool(k.tonality))] += 1
    keys = tuple(vote.most_common(1)[0][0] for vote in votes.values())
    return Score(tracks, tuple(tempos.values()), tuple(meters.values()), keys, ticks_per_beat=parsed.tpq)


def _hold(notes: NoteArray, down: NDArray[np.int32], up: NDArray[np.int32]) -> NoteArray:
    """Lengthen notes (N, 4) released while the pedal is between `down` and `up` (P,), never past the next same key."""
    notes = notes[np.lexsort((notes[:, ONSET], notes[:, PITCH]))]
    order = np.argsort(down, kind="stable")
    down, up = down[order], up[order]
    offset = notes[:, ONSET] + notes[:, DURATION]
    pedal = np.searchsorted(down, offset, side="right") - 1
    held = np.where(pedal >= 0, np.maximum(offset, up[pedal]), offset)
    same_key = notes[1:, PITCH] == notes[:-1, PITCH]
    struck_again = np.append(np.where(same_key, notes[1:, ONSET], np.iinfo(np.int32).max), np.iinfo(np.int32).max)
    held = np.maximum(np.minimum(held, struck_again), offset)
    notes[:, DURATION] = held - notes[:, ONSET]
    return notes
