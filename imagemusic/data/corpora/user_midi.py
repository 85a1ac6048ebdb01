"""MIDI files of users: whether beat, tempo and bars are genuine is decided by the onsets.

score ── onsets on sixteenths or triplets of the file's beat? ──yes──> its tempo, bars and beat are kept
                                  └─no─> is there a tempo on whose beat they fall? ──> that beat, or none
"""

from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.data.corpora.beats import find_tempo, on_seconds
from imagemusic.data.corpora.grid import TICKS_PER_BEAT, all_onsets, grid_cost, on_grid
from imagemusic.data.corpora.piece import Piece, make_piece
from imagemusic.errors import ScoreError
from imagemusic.music.midi import read_midi
from imagemusic.music.score import Score

CORPUS = "own"  # corpus name of the pieces of gathered data sets
PLAYED = 0.25  # share of onsets off the grid from which on they are performed, or without a beat
LONGEST_SECONDS, MOST_BEATS, MOST_NOTES = 7200, 100_000, 200_000
BEATLESS = 0.9  # ticks, as mean cost of an onset; of 84 played tracks 55 cost 0.2 to 0.75, the others 1.0 and more


def read_user_midi(source: Path | bytes) -> Score:
    """Read a user's file; the pedal is folded into durations where it was played, and left out where it was written.

    Raises:
        ScoreError: it cannot be read, or is longer than is prepared.
    """
    score = read_midi(source, controls=False).score
    limits = (
        (score.seconds, LONGEST_SECONDS, "seconds"),
        (score.end / score.ticks_per_beat, MOST_BEATS, "beats"),
        (score.note_count, MOST_NOTES, "notes"),
    )
    for amount, most, what in limits:
        if amount > most:
            raise ScoreError(f"a MIDI file of {amount:.0f} {what}; at most {most} are prepared")
    is_played = score.note_count > 0 and on_grid(score)[1] > PLAYED
    return read_midi(source, fold_pedal=True, controls=False).score if is_played else score


def user_piece(score: Score, *, key: str, title: str, licence: str) -> Piece | None:
    """Return the piece of a user's file, `key` being its path in their folder; None when it has no notes."""
    made = make_piece_on_beat(score, corpus=CORPUS, path=key, group=key, title=title, licence=licence)
    return made[0] if made else None


def make_piece_on_beat(score: Score, **about: Any) -> list[Piece]:
    """Make a piece as `make_piece` does, and estimate the beat where the file's own does not fit its onsets.

    Files converted from MUS have a tempo of 120, which is genuine in some of them.

    Args:
        about: the keyword arguments of `make_piece` that identify the piece.
    """
    played = on_grid(score)[1] > PLAYED
    on_beat = not played or float(grid_cost(all_onsets(score) * (TICKS_PER_BEAT / score.ticks_per_beat))) < BEATLESS
    bpm = None
    if not on_beat:
        bpm = find_tempo(score.seconds_at(all_onsets(score).astype(np.int64)))
        score = on_seconds(score, bpm)
    metrical = on_beat or bpm is not None
    return make_piece(score, metrical=metrical, by_hand=played and metrical, **about)
