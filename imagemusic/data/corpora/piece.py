"""Make a piece on the metrical grid from the score of a corpus, with unknown attributes marked.

file ──> Score, its own ticks ──> make_piece ──> Piece: 24 ticks a beat, whole leading bars of silence removed,
                                                        tempo, meter and loudness only where they are genuine
"""

import unicodedata
from dataclasses import dataclass, replace

import numpy as np

from imagemusic.data.corpora.bars import estimate_pickup, full_first_bar
from imagemusic.data.corpora.grid import on_grid, snap, trim, without_delay
from imagemusic.music.score import VELOCITY, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a corpus.  Unknown attributes are missing values, so that no model learns defaults."""

    id: str  # corpus/path/in/the/corpus, and #number where a file holds several pieces
    corpus: str
    group: str  # pieces of one group are in one split
    title: str
    score: Score  # 24 ticks a beat; no tempos or no meters where they are not known
    licence: str
    velocity_known: bool  # otherwise all notes have one default value
    metrical: bool  # otherwise beats are half seconds
    off_grid: float  # share of onsets more than 1/96 beat off the grid
    tags: tuple[str, ...] = ()  # style, instrument, and so on, as the corpus calls them

    @property
    def tempo_known(self) -> bool:
        """Return whether the tempo is a marking of the music, not a default."""
        return bool(self.score.tempos)

    @property
    def meter_known(self) -> bool:
        """Return whether the meter, and so the bars, are known."""
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
        hidden_pickup: the file does not mark its pickup, so it is estimated; see bars.py.
        by_hand: onsets are performed, so they are moved to the grid by `snap`.
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
    """Return whether loudness is genuine: at least three velocities, or two and none on 95 % of the notes."""
    velocities = np.concatenate([track.notes[:, VELOCITY] for track in score.tracks] or [np.zeros(0, np.int32)])
    counts = np.bincount(velocities, minlength=1)
    kinds = int((counts > 0).sum())
    return kinds >= 3 or (kinds == 2 and bool(counts.max() < 0.95 * counts.sum()))


def single_tempo(score: Score, bpm: float) -> bool:
    """Return whether `bpm` is the only tempo, as in a file with a program's default."""
    return all(abs(tempo.bpm - bpm) < 0.01 for tempo in score.tempos)
