"""POP909: performed pop songs for piano; their beats are in a separate file.

    beat_midi.txt, a row a beat:  seconds, 1 at every second or third beat, 1 at a downbeat

Onsets are mapped from seconds to beats by linear interpolation between neighbouring beats.  The tempo and meter of the
MIDI file are not used.
"""

import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.piece import Piece, make_piece
from imagemusic.errors import DataError
from imagemusic.music.midi import load_corpus_midi
from imagemusic.music.score import DURATION, ONSET, Meter, Score, Tempo, Track

FINE_TICKS = 960  # a beat, before the grid: what `off_grid` is measured on
EARLY = 0.04  # beats
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_song(folder: Path, key: str) -> list[Piece]:
    """Read POP909/NUMBER/NUMBER.mid with the beats beside it; the artist is the group."""
    path = folder / key
    number = path.stem
    title, artist = _index(folder / "POP909" / "index.xlsx").get(number, (number, number))
    score = align(load_corpus_midi(path), read_beats(path.with_name("beat_midi.txt")))
    return make_piece(score, corpus="pop909", path=key, group=artist, title=title, licence="MIT", tags=(artist,))


def read_beats(path: Path) -> NDArray[np.float64]:
    """Return beats (B, 3): seconds, and a flag for each of two kinds of stress.

    Raises:
        DataError: the file is missing, or no table of at least two rows of three numbers.
    """
    try:
        beats = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot read beats ({error})") from error
    if beats.shape[0] < 2 or beats.shape[1] != 3 or (np.diff(beats[:, 0]) <= 0).any():
        raise DataError(f"{path}: beats must be rows of three numbers, their times rising, at least two rows")
    return beats


def align(score: Score, beats: NDArray[np.float64]) -> Score:
    """Return a score on beats (B, 3), with a meter wherever the number of beats between downbeats changes.

    A pickup becomes a full first bar that begins with rests.
    """
    if not score.note_count:
        return score
    times, downbeats = beats[:, 0], _downbeats(beats)
    spacing = np.diff(downbeats)
    usual = _usual(spacing)
    origin = first_beat(score, beats)

    meters, place = [Meter(0, usual)], int(downbeats[0] - origin)
    for length in (*_bars(spacing.tolist(), usual), usual):
        if length != meters[-1].numerator:
            meters.append(Meter(place * FINE_TICKS, length))
        place += length

    tracks = []
    for track in score.tracks:
        onset, offset = (
            np.round((beats_at(score.seconds_at(ticks), times) - origin) * FINE_TICKS).astype(np.int32)
            for ticks in (track.notes[:, ONSET], track.notes[:, ONSET] + track.notes[:, DURATION])
        )
        notes = track.notes.copy()
        notes[:, ONSET] = np.maximum(onset, 0)
        notes[:, DURATION] = np.maximum(offset - notes[:, ONSET], 1)
        tracks.append(Track(notes, track.program, track.is_drum, track.name))
    bpm = 60 / float(np.median(np.diff(times)))
    return Score(tracks, [Tempo(0, bpm)], meters, ticks_per_beat=FINE_TICKS)


def first_beat(score: Score, beats: NDArray[np.float64]) -> int:
    """Return the index, also below 0, of the beat (B, 3) with which the first bar of an aligned score begins."""
    times, downbeats = beats[:, 0], _downbeats(beats)
    usual = _usual(np.diff(downbeats))
    first_second = min(float(score.seconds_at(t.notes[:1, ONSET])[0]) for t in score.tracks if len(t))
    first = beats_at(np.array([first_second]), times)[0]
    # The bar that the first note is in, counted back from the first downbeat; performed notes may be early.
    return int(downbeats[0] - usual * max(0, np.ceil((downbeats[0] - first - EARLY) / usual)))


def _usual(spacing: NDArray[np.int64]) -> int:
    return int(np.bincount(spacing).argmax()) if len(spacing) else 4


def _downbeats(beats: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the indices (D,) of downbeats; where bars of six are two bars of three, of both."""
    downbeats = np.flatnonzero(beats[:, 2] == 1)
    spacing = np.diff(downbeats)
    if len(spacing) and np.bincount(spacing).argmax() == 6:
        stressed = np.flatnonzero(beats[:, 1] == 1)
        if len(stressed) > 1 and np.bincount(np.diff(stressed)).argmax() == 3:
            return stressed
    return downbeats if len(downbeats) else np.array([0])


def beats_at(seconds: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map seconds (N,) to beats (N,), extrapolated with the nearest spacing before the first and after the last."""
    segment = np.clip(np.searchsorted(times, seconds, side="right") - 1, 0, len(times) - 2)
    return segment + (seconds - times[segment]) / (times[segment + 1] - times[segment])


def _bars(spacing: list[int], usual: int) -> Iterator[int]:
    """Yield bar lengths in beats; where a downbeat is missing, six beats are a bar of four and one of two."""
    for length in spacing:
        while length > usual + 1:
            yield usual
            length -= usual
        yield length


@lru_cache(maxsize=4)
def _index(path: Path) -> dict[str, tuple[str, str]]:
    """Return number -> (title, artist) from the spreadsheet, whose cells hold inline strings."""
    if not path.exists():
        return {}
    with zipfile.ZipFile(path) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = [["".join(cell.itertext()) for cell in row] for row in sheet.iter(f"{SHEET}row")]
    return {number: (title, artist) for number, title, artist, *_ in rows[1:]}
