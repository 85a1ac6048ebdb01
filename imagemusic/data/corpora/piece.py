"""A score as its corpus gives it, to a piece on the metrical grid with its unknowns named.

file ──> Score, its own ticks ──> make_piece ──> Piece: 24 ticks a beat, whole leading bars of silence cut off,
                                                        tempo, meter and loudness kept only where they are real
"""

import unicodedata
from dataclasses import dataclass, replace

import numpy as np

from imagemusic.data.corpora.bars import estimate_pickup, full_first_bar
from imagemusic.data.corpora.grid import on_grid, snap, trim, without_delay
from imagemusic.music.score import VELOCITY, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a corpus.  What is not known is a missing value, not a fact to learn."""

    id: str  # corpus/path/in/the/corpus, and #number where a file holds several pieces
    corpus: str
    group: str  # pieces of one group never stand in different splits
    title: str
    score: Score  # 24 ticks a beat; no tempos or no meters where they are not known
    licence: str
    velocity_known: bool  # otherwise one value stands for all notes
    metrical: bool  # otherwise beats are half seconds
    off_grid: float  # share of onsets that stood more than 1/96 beat off the grid
    tags: tuple[str, ...] = ()  # style, instrument, and so on, as the corpus calls them

    @property
    def tempo_known(self) -> bool:
        """Tell whether the tempo was marked by whoever wrote the music."""
        return bool(self.score.tempos)

    @property
    def meter_known(self) -> bool:
        """Tell whether bars are known."""
        return bool(self.score.meters)


def make_piece(
    score: Score,
    *,
    corpus: str,
    path: str,
    group: str,
    title: str,
    licence: str,
    tags: tuple[str, ...] = (),
    tempo_known: bool = True,
    meter_known: bool = True,
    metrical: bool = True,
    hidden_pickup: bool = False,
    by_hand: bool = False,
) -> list[Piece]:
    """Put a score on the grid and trim it; return one piece, or none when it has no notes.

    Args:
        hidden_pickup: the file hides pickups, so look for them; see bars.py.
        by_hand: onsets that are off the grid were played so; see `snap`.
    """
    score, off_grid = on_grid(without_delay(score) if hidden_pickup else score)
    if not score.note_count:
        return []
    score = replace(score, tempos=score.tempos if tempo_known else (), meters=score.meters if meter_known else ())
    if by_hand:
        score = snap(score)
    if hidden_pickup:
        score = full_first_bar(score, estimate_pickup(score))
    return [
        Piece(
            id=unicodedata.normalize("NFC", f"{corpus}/{path.removesuffix('.mid')}"),
            corpus=corpus,
            group=unicodedata.normalize("NFC", f"{corpus}/{group}"),
            title=title,
            score=trim(score),
            licence=licence,
            velocity_known=velocity_varies(score),
            metrical=metrical,
            off_grid=off_grid,
            tags=tags,
        )
    ]


def velocity_varies(score: Score) -> bool:
    """Tell real loudness from a default: three values at least, or none that 95 % of the notes share."""
    velocities = np.concatenate([track.notes[:, VELOCITY] for track in score.tracks] or [np.zeros(0, np.int32)])
    counts = np.bincount(velocities, minlength=1)
    kinds = int((counts > 0).sum())
    return kinds >= 3 or (kinds == 2 and bool(counts.max() < 0.95 * counts.sum()))


def single_tempo(score: Score, bpm: float) -> bool:
    """Tell whether a score has no other tempo than `bpm`, as a file has that was left at a program's default."""
    return all(abs(tempo.bpm - bpm) < 0.01 for tempo in score.tempos)
