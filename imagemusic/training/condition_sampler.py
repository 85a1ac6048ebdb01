"""Sample the conditions that a decoder is trained with: which parts, how exact, with dropout.

    EXACT  the dials of the next segment: how a piece is composed
    PIECE  the dials of the whole piece, from which those of a segment differ
    NOISY  valence, arousal and tempo of the whole piece with noise of a stated size, as an image encoder predicts them
    NULL   the null condition of classifier-free guidance

The dials of the next segment carry information that the prefix does not, so the decoder cannot ignore the condition.
The dials of the whole piece soon follow from its notes, and a decoder that is given only them ignores the condition.

A picture that was paired by dials has nothing else in common with the music.  The first numbers of its embedding are
those dials; the rest, its content, would only make the decoder overfit to training pictures.  With probability
`content_swap_prob` the rest is another picture's; never for a piece that has a picture of its own.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.pairing import NO_PICTURE, Pictures, pair
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.events.vocabulary import SEGMENT
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.music.dials import AFFECT_DIALS, CUES, DIALS, IMAGE_DIALS, as_row
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.styles import STYLES
from imagemusic.training.settings import BatchOptions

NULL, PIECE, NOISY, EXACT = range(4)
REGISTER = CUES.index("register")
UNIFORM_SD = 1 / np.sqrt(3)  # standard deviation of dials, which are uniform in -1..1
# Shares of the EXACT pieces: below the first all dials but the composite ones, below the second those of a picture,
# above it any subset.
ALL_CUES, IMAGE_ALONE = 0.6, 0.75
IMAGE_COLUMNS = [DIALS.index(name) for name in IMAGE_DIALS]


class TrainingData(NamedTuple):
    """What a decoder is trained on."""

    prepared: PreparedSet
    pieces: tuple[PreparedPiece, ...]  # those of `prepared` that are trained on
    pictures: Pictures
    layout: ConditionLayout


class ConditionSampler:
    """The conditions of one epoch, a pure function of (seed, epoch)."""

    def __init__(
        self, data: TrainingData, options: BatchOptions, seed: tuple[int, ...], shift: NDArray[np.int64]
    ) -> None:
        """Sample for each of P pieces; shift (P,) semitones by which pieces are transposed in this epoch."""
        rng = np.random.default_rng(seed)
        prepared, pieces, pictures = data.prepared, data.pieces, data.pictures
        count = len(pieces)
        self.prepared, self.layout, self.shift = prepared, data.layout, shift
        self.first = np.array([piece.first_segment for piece in pieces])
        cues = np.array([as_row(piece.cues) for piece in pieces])
        cues[:, REGISTER] += shift
        self.whole = prepared.scale.table(cues)  # (P, D) dials
        limits = np.cumsum([options.drop_condition, options.piece_level, options.noisy])
        self.kind = np.searchsorted(limits, rng.random(count), side="right")
        segment_rms = np.array([prepared.scale.segment_rms.get(name, 0.0) for name in DIALS])
        self.mask = self._masks(rng)
        noisy, noise_sd = _add_noise(self.whole, rng)
        self.piece_level = np.where(self.kind[:, None] == NOISY, noisy, self.whole)
        self.deviation = np.where(self.kind[:, None] == NOISY, np.hypot(noise_sd, segment_rms), segment_rms)
        self.deviation[self.kind == EXACT] = 0
        self.ensemble = np.array([ENSEMBLES.index(piece.ensemble) for piece in pieces])
        self.ensemble[(rng.random(count) < options.drop_ensemble) | (self.kind == NULL)] = -1
        self.style = np.array([STYLES.index(piece.style) if piece.style else -1 for piece in pieces])
        self.style[(rng.random(count) < options.drop_style) | (self.kind == NULL)] = -1
        # A mismatched picture teaches that exact dials win.  Noisy dials come from the picture, so it must match.
        mismatched = (rng.random(count) < options.mismatch_prob) & (self.kind != NOISY)
        dials = np.where(mismatched[:, None], np.nan, self.whole[:, IMAGE_COLUMNS])
        own = pictures.preferred([piece.id for piece in pieces], np.random.default_rng((*seed, 1)))
        own[mismatched] = NO_PICTURE
        self.embedding = _embeddings(dials, pictures, own, rng, options)
        self.embedding[(rng.random(count) < options.drop_embedding) | (self.kind == NULL)] = np.nan

    def _masks(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Choose the dials (P, D) that each piece is conditioned on."""
        count, of_image = len(self.kind), np.isin(DIALS, IMAGE_DIALS)
        composite = np.isin(DIALS, AFFECT_DIALS)
        subset = rng.random((count, len(DIALS))) < rng.random((count, 1))
        which = rng.random((count, 1))
        exact = np.where(which < ALL_CUES, ~composite, np.where(which < IMAGE_ALONE, of_image, subset))
        kind = self.kind[:, None]
        noisy = of_image & (subset | (which < 0.8))
        return np.where(kind == EXACT, exact, np.where(kind == NOISY, noisy, subset)) & (kind != NULL)

    def conditions(self, pieces: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the conditions (B, S, C) of pieces (B,) for the segments that hold rows (B, S) of theirs."""
        segments = self.first[pieces][:, None] + rows // SEGMENT
        cues = np.array(self.prepared.segments[segments], np.float64)
        cues[..., REGISTER] += self.shift[pieces][:, None]
        exact = (self.kind[pieces] == EXACT)[:, None, None]
        values = np.where(exact, self.prepared.scale.table(cues), self.piece_level[pieces][:, None])
        values = np.where(self.mask[pieces][:, None], values, np.nan)
        flat = values.reshape(-1, len(DIALS))
        repeat = rows.shape[1]
        packed = self.layout.pack(
            np.repeat(self.embedding[pieces], repeat, axis=0), flat, np.repeat(self.ensemble[pieces], repeat),
            np.repeat(self.deviation[pieces], repeat, axis=0), np.repeat(self.style[pieces], repeat),
        )  # fmt: skip
        return packed.reshape(*rows.shape, -1)


def _add_noise(dials: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return predictions (P, D) of dials (P, D), of random correlation with them, and the deviations (P, D) left."""
    correlation = rng.uniform(0.1, 0.95, dials.shape)
    residual = np.sqrt(1 - correlation**2) * UNIFORM_SD
    return correlation * dials + residual * rng.standard_normal(dials.shape), residual


def _embeddings(
    dials: NDArray[np.float64],
    pictures: Pictures,
    own: NDArray[np.int64],
    rng: np.random.Generator,
    options: BatchOptions,
) -> NDArray[np.float64]:
    """Return the embedding (P, E) of the picture that each piece is paired with, by image dials (P, 3).

    own (P,) is the picture of the piece itself, NO_PICTURE where it has none.
    """
    embeddings = np.empty((len(dials), pictures.embeddings.shape[-1]))
    for start in range(0, len(dials), 256):  # a few at a time: pieces x pictures x dials is large
        chosen = slice(start, start + 256)
        picture = pair(dials[chosen], pictures, rng, temperature=options.pairing_temperature, exact=own[chosen])
        view = rng.integers(pictures.embeddings.shape[1], size=len(picture))
        embeddings[chosen] = pictures.embeddings[picture, view]
        if options.content_swap_prob:
            other = rng.integers(len(pictures.embeddings), size=len(picture))
            is_own = own[chosen] != NO_PICTURE
            swapped = np.flatnonzero((rng.random(len(picture)) < options.content_swap_prob) & ~is_own)
            content = pictures.embeddings[other, view][swapped, len(IMAGE_DIALS) :]
            embeddings[start + swapped, len(IMAGE_DIALS) :] = content
    return embeddings
