import numpy as np
import pytest

pytest.importorskip("torch")

from imagemusic.data.corpora.user_midi import user_piece
from imagemusic.data.prepared import prepare_piece
from imagemusic.research.inspection.excerpts import Excerpt
from tests import tiny

LENGTH = 48


def excerpt_of(score, name="tune", *, shift=0, length=LENGTH):
    """Cut the first events out of a score."""
    rows, _, about = prepare_piece(user_piece(score, key=name, title=name, licence=""))
    return Excerpt(about.id, about.group, rows[:length], about.end, about.cues, about.ensemble, shift)


@pytest.fixture(scope="session")
def excerpts():
    """A dozen tunes, moved up and down."""
    return [excerpt_of(tiny.tune(number), f"tune {number}", shift=number % 5 - 2) for number in range(12)]


@pytest.fixture
def steps_of():
    """Put the last third of the pieces aside; every step counts."""
    from imagemusic.research.inspection.probes import Steps

    def make(pieces, length):
        counts = np.ones((pieces, length), bool)
        aside = np.arange(pieces)[:, None] >= 2 * pieces // 3
        return Steps(counts & ~aside, counts & aside)

    return make
