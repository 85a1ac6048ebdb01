"""The targets of a piece: a value for every dial, and the ensemble that plays.

picture ──► valence, arousal, tempo ─┐
caller  ──► any dial, the ensemble  ─┴─► nearest training pieces, one sampled ──► the other dials, the ensemble
targets ──► the condition of the decoder, and the targets of feedback
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imagemusic.checkpoint import Checkpoint
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.prior import Prior
from imagemusic.errors import ConfigError
from imagemusic.music.dials import AFFECT_DIALS, IMAGE_DIALS
from imagemusic.vision.features import ImageFeatures

# Sparse music is composed for those who ask for it, not because a sampled piece happens to be sparse.
LEAST_SAMPLED = {"density": -0.5, "polyphony": -0.5, "articulation": -0.6}
SOURCES = ("picture", "sampled", "estimated", "you")


@dataclass(frozen=True, slots=True)
class Dial:
    """The target of one dial."""

    value: float  # -1..1
    source: str  # one of SOURCES: read from the picture, of the sampled piece, guessed from arousal, set by the caller
    conditioned: bool = True  # whether the decoder is conditioned on it; feedback heeds it either way


@dataclass(frozen=True, slots=True)
class Targets:
    """What a piece is to be like."""

    dials: Mapping[str, Dial]
    ensemble: str
    ensemble_source: str  # "sampled" or "you"
    style: str | None = None  # None where the sampled piece has none
    style_source: str = "sampled"

    @property
    def values(self) -> dict[str, float]:
        """The value of every dial, by name."""
        return {name: dial.value for name, dial in self.dials.items()}


def image_targets(
    checkpoint: Checkpoint, prior: Prior, features: ImageFeatures, overrides: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the valence, arousal and tempo that a picture asks of the music; see `Prior.image_targets`."""
    return prior.image_targets(features.dial_mean, features.dial_sd, checkpoint.config["pictures"], overrides)


def resolve_targets(checkpoint: Checkpoint, prior: Prior, features: ImageFeatures, options: ComposeOptions) -> Targets:
    """Resolve every dial and the ensemble of a piece.

    A tempo that was not set follows the valence and arousal that were.  Loudness that the sampled piece does not know
    is estimated from the arousal; by rules of version 1 the decoder is not conditioned on it, and hardly follows it.
    Valence and arousal are sums of the other dials (music/dials.py), so the decoder is not conditioned on them either.
    """
    overrides = dict(options.dials)
    if options.tempo_bpm is not None:
        tempo = checkpoint.scale.to_percentile("tempo", options.tempo_bpm)
        assert tempo is not None
        overrides["tempo"] = tempo
    from_image = image_targets(checkpoint, prior, features, overrides)
    rng = np.random.default_rng([*piece_seed(features, options), 1])
    layout = checkpoint.layout
    if options.style is not None and options.style not in layout.styles:
        known = ", ".join(layout.styles) or "none: this model knows no styles"
        raise ConfigError(f"unknown style {options.style!r}; choose from {known}")
    sampled, ensemble, style = prior.sample_completion(
        from_image, rng, overrides=overrides, ensemble=options.requested_ensemble, style=options.style,
        excluded=("other",) if options.rules > 1 else (),
    )  # fmt: skip
    if options.rules > 1:
        sampled |= {name: max(sampled[name], least) for name, least in LEAST_SAMPLED.items() if name in sampled}
    dials = {name: Dial(value, "sampled") for name, value in sampled.items()}
    dials |= {name: Dial(value, "picture") for name, value in from_image.items()}
    if from_image["tempo"] != image_targets(checkpoint, prior, features)["tempo"]:
        dials["tempo"] = Dial(from_image["tempo"], "sampled")
    dials |= {name: Dial(value, "you") for name, value in overrides.items()}
    if "loudness" not in dials and (loudness := prior.loudness_at(dials["arousal"].value)) is not None:
        dials["loudness"] = Dial(loudness, "estimated", conditioned=options.rules > 1)
    dials |= {name: replace(dials[name], conditioned=False) for name in AFFECT_DIALS}
    styled = style, "you" if options.style is not None else "sampled"
    if options.requested_ensemble is not None:
        return Targets(dials, options.requested_ensemble, "you", *styled)
    return Targets(dials, ensemble, "sampled", *styled)


def piece_seed(features: ImageFeatures, options: ComposeOptions) -> list[int]:
    """Return the seed of a piece's random numbers: the caller's, the picture's, the variation's."""
    return [options.seed, int(features.hash[:16], 16), options.variation]


def condition_of(checkpoint: Checkpoint, features: ImageFeatures, targets: Targets) -> NDArray[np.float32]:
    """Return the condition (C,) from which a piece with these targets is generated."""
    values = {name: dial.value for name, dial in targets.dials.items() if dial.conditioned}
    return checkpoint.layout.vector(features.embedding, values, targets.ensemble, style=targets.style)


def image_condition(
    checkpoint: Checkpoint, prior: Prior, features: ImageFeatures, *, exact: bool = True
) -> NDArray[np.float32]:
    """Return the condition (C,) that a picture alone gives: its embedding, valence, arousal and tempo.

    Unless `exact`, those three are given as predicted, with the standard deviation of the music around them.
    """
    predicted = prior.rank_normalize(features.dial_mean, checkpoint.config["pictures"])
    values = image_targets(checkpoint, prior, features) if exact else predicted
    sd = dict(zip(IMAGE_DIALS, features.dial_sd.tolist(), strict=True))
    segment_rms = checkpoint.scale.segment_rms
    deviations = {name: float(np.hypot(sd[name], segment_rms.get(name, 0.0))) for name in IMAGE_DIALS}
    return checkpoint.layout.vector(
        features.embedding, {name: values[name] for name in IMAGE_DIALS}, None, None if exact else deviations
    )
