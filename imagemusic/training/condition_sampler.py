"""What a decoder is told of a piece while it trains: how much of the condition, and how sure that is.

    sure     the dials of the stretch that comes next, exactly: how a piece is composed
    rough    the dials of the whole piece, from which a stretch differs
    guessed  valence, arousal and tempo of the whole piece, as far off as is said: how a picture tells them
    nothing  the null condition of guidance

A stretch's own dials tell what no note before it does, so the decoder learns to heed them.  The dials of a whole piece
are soon plain from its notes, and a decoder that hears them learns to listen to the notes alone.

A picture that was paired by dials shares nothing else with the music.  The first numbers of its embedding are those
dials; the rest, its content, would only let the decoder know training pictures by heart.  So as a rule the rest is
that of any other picture (`content_swap_prob`); never for a piece that has a picture of its own.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.pairing import NO_PICTURE, Pictures, pair
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.events.vocabulary import SEGMENT
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.music.dials import AFFECT_DIALS, CUES, DIALS, IMAGE_DIALS, as_row
from imagemusic.music.ensembles import ENSEMBLES

if TYPE_CHECKING:
    from imagemusic.training.batches import BatchOptions

NULL, PIECE, NOISY, EXACT = range(4)
REGISTER = CUES.index("register")
SPREAD = 1 / np.sqrt(3)  # standard deviation of ranks in -1..1
ALL_CUES, AS_PICTURED = 0.6, 0.75  # of the sure: up to here all but the sums, up to there what a picture tells
SHARED = [DIALS.index(name) for name in IMAGE_DIALS]


class ConditionSampler:
    """The conditions of one epoch: drawn afresh in each, a pure function of (seed, epoch)."""

    def __init__(
        self,
        prepared: PreparedSet,
        pieces: tuple[PreparedPiece, ...],
        pictures: Pictures,
        layout: ConditionLayout,
        options: "BatchOptions",
        seed: tuple[int, ...],
        shift: NDArray[np.int64],
    ) -> None:
        """Draw for every piece; shift (P,) semitones by which pieces are transposed in this epoch."""
        rng = np.random.default_rng(seed)
        count = len(pieces)
        self.prepared, self.layout, self.shift = prepared, layout, shift
        self.first = np.array([piece.first_segment for piece in pieces])
        cues = np.array([as_row(piece.cues) for piece in pieces])
        cues[:, REGISTER] += shift
        self.whole = prepared.scale.table(cues)
        limits = np.cumsum([options.drop_condition, options.piece_level, options.noisy])
        self.kind = np.searchsorted(limits, rng.random(count), side="right")
        segment_rms = np.array([prepared.scale.segment_rms.get(name, 0.0) for name in DIALS])
        self.mask = self._masks(rng)
        guess, unsure = _guesses(self.whole, rng)
        self.piece_level = np.where(self.kind[:, None] == NOISY, guess, self.whole)
        self.deviation = np.where(self.kind[:, None] == NOISY, np.hypot(unsure, segment_rms), segment_rms)
        self.deviation[self.kind == EXACT] = 0
        self.ensemble = np.array([ENSEMBLES.index(piece.ensemble) for piece in pieces])
        self.ensemble[(rng.random(count) < options.drop_ensemble) | (self.kind == NULL)] = -1
        # A picture that contradicts the dials teaches that the dials win; where the dials are a guess, it is the guess.
        contrary = (rng.random(count) < options.mismatch_prob) & (self.kind != NOISY)
        shared = np.where(contrary[:, None], np.nan, self.whole[:, SHARED])
        own = pictures.preferred([piece.id for piece in pieces], np.random.default_rng((*seed, 1)))
        own[contrary] = NO_PICTURE
        self.embedding = _embeddings(shared, pictures, own, rng, options)
        self.embedding[(rng.random(count) < options.drop_embedding) | (self.kind == NULL)] = np.nan

    def _masks(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Choose the dials (P, 9) that each piece is told."""
        count, pictured = len(self.kind), np.isin(DIALS, IMAGE_DIALS)
        summed = np.isin(DIALS, AFFECT_DIALS)
        some = rng.random((count, len(DIALS))) < rng.random((count, 1))
        how = rng.random((count, 1))
        sure = np.where(how < ALL_CUES, ~summed, np.where(how < AS_PICTURED, pictured, some))
        kind = self.kind[:, None]
        mask = np.where(kind == EXACT, sure, np.where(kind == NOISY, pictured & (some | (how < 0.8)), some))
        return mask & (kind != NULL)

    def conditions(self, pieces: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Lay out the conditions (B, S, C) of pieces (B,) for the stretches in which rows (B, S) of theirs lie."""
        segments = self.first[pieces][:, None] + rows // SEGMENT
        cues = np.array(self.prepared.segments[segments], np.float64)
        cues[..., REGISTER] += self.shift[pieces][:, None]
        sure = (self.kind[pieces] == EXACT)[:, None, None]
        values = np.where(sure, self.prepared.scale.table(cues), self.piece_level[pieces][:, None])
        values = np.where(self.mask[pieces][:, None], values, np.nan)
        flat = values.reshape(-1, len(DIALS))
        repeat = rows.shape[1]
        packed = self.layout.pack(
            np.repeat(self.embedding[pieces], repeat, axis=0), flat, np.repeat(self.ensemble[pieces], repeat),
            np.repeat(self.deviation[pieces], repeat, axis=0),
        )  # fmt: skip
        return packed.reshape(*rows.shape, -1)


def _guesses(whole: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Guess dials (P, 9) with some correlation with the truth, and say how far off that leaves one."""
    correlation = rng.uniform(0.1, 0.95, whole.shape)
    left = np.sqrt(1 - correlation**2) * SPREAD
    return correlation * whole + left * rng.standard_normal(whole.shape), left


def _embeddings(
    shared: NDArray[np.float64],
    pictures: Pictures,
    own: NDArray[np.int64],
    rng: np.random.Generator,
    options: "BatchOptions",
) -> NDArray[np.float64]:
    """Embedding (P, E) of the picture with which each piece is paired: its own one (P,) as a rule, where it has one."""
    embeddings = np.empty((len(shared), pictures.embeddings.shape[-1]))
    for start in range(0, len(shared), 256):  # a few at a time: pieces x pictures x dials is large
        chosen = slice(start, start + 256)
        picture = pair(shared[chosen], pictures, rng, temperature=options.pairing_temperature, exact=own[chosen])
        view = rng.integers(pictures.embeddings.shape[1], size=len(picture))
        embeddings[chosen] = pictures.embeddings[picture, view]
        if options.content_swap_prob:
            other = rng.integers(len(pictures.embeddings), size=len(picture))
            lent = np.flatnonzero((rng.random(len(picture)) < options.content_swap_prob) & (own[chosen] == NO_PICTURE))
            embeddings[start + lent, len(IMAGE_DIALS) :] = pictures.embeddings[other, view][lent, len(IMAGE_DIALS) :]
    return embeddings
