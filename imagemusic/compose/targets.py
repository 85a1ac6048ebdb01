"""What a piece shall be like: the picture's dials, those that music with such dials has, and what the person set.

picture ──► valence, arousal, tempo ─┐
person  ──► any dial, the ensemble  ─┴─► a training piece with like dials, drawn ──► the other dials, as implied
all of them ──► the condition of the decoder
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imagemusic.checkpoint import Checkpoint
from imagemusic.compose.composition import ComposeOptions, Dial, ImageFeatures
from imagemusic.compose.feedback import Feedback
from imagemusic.compose.prior import Prior
from imagemusic.vision.encoder import IMAGE_DIALS

# Sums of the other dials (music/dials.py): once those are settled, they say nothing new, and could contradict.
COMPOSITE_DIALS = ("valence", "arousal")
# Source of a dial that the drawn piece does not know.  To a decoder its kind of music has no such dial: told one, it
# would write another kind.  So feedback alone holds the piece to it.
FEEDBACK_ONLY = "guessed"


def image_targets(
    checkpoint: Checkpoint, prior: Prior, reading: ImageFeatures, given: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Say what a picture asks of the music: valence, arousal and tempo; see `Prior.told`."""
    return prior.told(reading.dial_mean, reading.dial_sd, checkpoint.config["pictures"], given)


def settle(checkpoint: Checkpoint, prior: Prior, reading: ImageFeatures, options: ComposeOptions) -> dict[str, Dial]:
    """Settle every dial and the ensemble of a piece.

    A tempo that nobody set follows the valence and arousal that someone did.  Loudness that the drawn piece does not
    tell is guessed from the arousal.
    """
    given = dict(options.dials)
    if options.tempo_bpm is not None:
        tempo = checkpoint.scale.to_percentile("tempo", options.tempo_bpm)
        assert tempo is not None
        given["tempo"] = tempo
    pictured = image_targets(checkpoint, prior, reading, given)
    rng = np.random.default_rng([options.seed, int(reading.hash[:16], 16), options.variation, 1])
    drawn = prior.draw(pictured, rng, given=given, ensemble=options.requested_ensemble)
    dials = {name: Dial(value, "implied") for name, value in drawn.items()}
    dials |= {name: Dial(value, "picture") for name, value in pictured.items()}
    if pictured["tempo"] != image_targets(checkpoint, prior, reading)["tempo"]:
        dials["tempo"] = Dial(pictured["tempo"], "implied")
    dials |= {name: Dial(value, "you") for name, value in given.items()}
    if "loudness" not in dials and (loudness := prior.loudness_at(float(dials["arousal"].value))) is not None:
        dials["loudness"] = Dial(loudness, FEEDBACK_ONLY)
    if options.requested_ensemble is not None:
        dials["ensemble"] = Dial(options.requested_ensemble, "you")
    return dials


def composing_condition(
    checkpoint: Checkpoint, reading: ImageFeatures, dials: Mapping[str, Dial]
) -> NDArray[np.float32]:
    """Lay out the condition (C,) from which a piece with these dials is composed."""
    values = {
        name: float(dial.value)
        for name, dial in dials.items()
        if not isinstance(dial.value, str) and name not in COMPOSITE_DIALS and dial.source != FEEDBACK_ONLY
    }
    ensemble = dials.get("ensemble")
    return checkpoint.layout.vector(reading.embedding, values, str(ensemble.value) if ensemble else None)


def feedback_for(
    checkpoint: Checkpoint, condition: NDArray[np.float32], dials: Mapping[str, Dial], options: ComposeOptions
) -> Feedback | None:
    """Make what holds a piece to the dials that its condition (C,) was laid out from; None where it is off.

    A key that was asked for decides the mode, a limit to the notes at once the polyphony.
    """
    if not options.feedback:
        return None
    wanted = {name: float(dial.value) for name, dial in dials.items() if not isinstance(dial.value, str)}
    if options.key:
        wanted.pop("mode", None)
    if options.polyphony is not None:
        wanted.pop("polyphony", None)
    feedback_only = frozenset(name for name, dial in dials.items() if dial.source == FEEDBACK_ONLY)
    condition_of = partial(checkpoint.layout.moved, condition)
    return Feedback(wanted, checkpoint.scale, condition_of, options.feedback, feedback_only=feedback_only)


def picture_condition(
    checkpoint: Checkpoint, prior: Prior, reading: ImageFeatures, *, sure: bool = True
) -> NDArray[np.float32]:
    """Lay out the condition (C,) that a picture alone gives: its embedding, valence, arousal and tempo.

    Unless `sure`, those three are said to be guesses, with how far the music may lie from them, each as it was read.
    """
    as_read = prior.spread(reading.dial_mean, checkpoint.config["pictures"])
    pictured = image_targets(checkpoint, prior, reading) if sure else as_read
    unsure = dict(zip(IMAGE_DIALS, reading.dial_sd.tolist(), strict=True))
    deviations = {
        name: float(np.hypot(unsure[name], checkpoint.scale.segment_rms.get(name, 0.0))) for name in IMAGE_DIALS
    }
    return checkpoint.layout.vector(
        reading.embedding, {name: pictured[name] for name in IMAGE_DIALS}, None, None if sure else deviations
    )
