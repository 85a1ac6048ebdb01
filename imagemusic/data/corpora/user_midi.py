"""MIDI files of people: nobody says whether a beat, a tempo or bars in them are real, so the notes are asked.

score ── onsets on sixteenths or triplets of the file's beat? ──yes──> its tempo, bars and beat are believed
                                  └─no─> is there a tempo on whose beat they fall? ──> that beat, or none
"""

from typing import Any

import numpy as np

from imagemusic.data.corpora.beats import find_tempo, on_seconds
from imagemusic.data.corpora.grid import TICKS_PER_BEAT, all_onsets, grid_cost, on_grid
from imagemusic.data.corpora.piece import Piece, make_piece
from imagemusic.music.score import Score

CORPUS = "own"  # what pieces of a gathered data set are filed under
PLAYED = 0.25  # share of onsets off the grid from which on they were played by hand, or on no beat at all
BEATLESS = 0.9  # ticks, as mean cost of an onset; of 84 played tracks 55 cost 0.2 to 0.75, the others 1.0 and more


def user_piece(score: Score, *, key: str, title: str, licence: str) -> Piece | None:
    """Make a piece of a person's file, `key` being its path in their folder; None when it has no notes."""
    made = piece_on_its_beat(score, corpus=CORPUS, path=key, group=key, title=title, licence=licence)
    return made[0] if made else None


def piece_on_its_beat(score: Score, **about: Any) -> list[Piece]:
    """Make a piece as `make_piece` does, and find the beat where the file's own is none, as in one converted from MUS.

    Converters leave a tempo of 120 in such a file, which is the music's own in some; the notes tell.
    """
    played = on_grid(score)[1] > PLAYED
    on_beat = not played or float(grid_cost(all_onsets(score) * (TICKS_PER_BEAT / score.ticks_per_beat))) < BEATLESS
    bpm = None
    if not on_beat:
        bpm = find_tempo(score.seconds_at(all_onsets(score).astype(np.int64)))
        score = on_seconds(score, bpm)
    metrical = on_beat or bpm is not None
    return make_piece(score, metrical=metrical, by_hand=played and metrical, **about)
