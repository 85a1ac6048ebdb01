"""What is done to a finished piece keeps its length and its number of voices."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemusic.compose.finish import separate_notes
from imagemusic.music.score import DURATION, ONSET, Note, Track

SOLOISTS = (40, 42, 56, 73)  # violin, cello, trumpet, flute
ROWS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40), st.integers(50, 70)), min_size=1, max_size=25)


def sounding(notes: np.ndarray) -> np.ndarray:
    """Number of notes that sound at each tick."""
    counts = np.zeros(101, int)
    for onset, duration in notes[:, [ONSET, DURATION]].tolist():
        counts[onset : onset + duration] += 1
    return counts


@settings(max_examples=300, deadline=None)
@given(ROWS, st.sampled_from(SOLOISTS))
def test_cut_notes_never_add_a_voice_and_keep_the_length(rows: list[tuple[int, int, int]], program: int) -> None:
    track = Track([Note(onset, pitch, duration, 80) for onset, duration, pitch in rows], program)
    before, after = sounding(track.notes), sounding(separate_notes(track, "orchestra").notes)
    assert (after <= before).all()
    assert np.flatnonzero(after).max() == np.flatnonzero(before).max()
