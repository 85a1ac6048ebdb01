"""Figure 6: quality of the music; copying.py has figure 8.

bits per note   with the null condition and with the picture's, against an unconditional baseline
distances       of 4-bar figures to those of real music: overlap area, KL (music/metrics.py)
faults          share of faulty pieces, overall, at every extreme of the dials, and in real music
"""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.targets import image_condition
from imagemusic.evaluation.intervals import plain, ratio_of, wilson
from imagemusic.evaluation.steering.composing import ComposeJob, Composer
from imagemusic.evaluation.steering.conditional import Music, Scorer
from imagemusic.evaluation.steering.measures import Measured, first_seconds, measured
from imagemusic.evaluation.steering.pairs import Pair
from imagemusic.evaluation.steering.sensitivity import Pool
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.music import metrics
from imagemusic.music.dials import DIALS, DialNormalizer

COMBINED = ("valence", "arousal", "density", "register")  # dials whose extremes are combined; the others stand alone


def real_pieces(pairs: Sequence[Pair], scale: DialNormalizer, seconds: float) -> list[Measured]:
    """Return the measurements of the first `seconds` of the pairs' own music."""
    return [
        measured(
            first_seconds(pair.piece.score, seconds), scale,
            tempo_known=pair.piece.tempo_known, velocity_known=pair.piece.velocity_known,
        )
        for pair in pairs
        if pair.piece is not None
    ]  # fmt: skip


def distances(ours: Sequence[Measured], real: Sequence[Measured]) -> dict[str, Any]:
    """Return overlap area and KL divergence of each 4-bar figure between composed and real pieces; {} without bars."""
    made, held_out = (np.array([row for piece in pieces for row in piece.bars]) for pieces in (ours, real))
    if not len(made) or not len(held_out):
        return {}
    found = {}
    for column, name in enumerate(metrics.BAR_FIGURES):
        distance = metrics.Distance.between(made[:, column], held_out[:, column])
        found[name] = {"overlap": plain(distance.overlap), "divergence": plain(distance.divergence)}
    return found


def fault_share(pieces: Sequence[Measured]) -> dict[str, Any]:
    """Return the share of faulty pieces with its 95 % interval, their number and the counts by fault."""
    kinds = Counter(piece.fault for piece in pieces if piece.fault)
    low, high = wilson(sum(kinds.values()), len(pieces))
    share = sum(kinds.values()) / max(len(pieces), 1)
    return {
        "value": plain(share), "low": plain(max(low, 0.0)), "high": plain(high), "pieces": len(pieces),
        "kinds": dict(kinds),
    }  # fmt: skip


def extremes() -> dict[str, dict[str, float]]:
    """Return the extremes of the dials by name: all signs of COMBINED, and each dial alone at its ends."""
    named = {}
    for signs in product((-1.0, 1.0), repeat=len(COMBINED)):
        dials = dict(zip(COMBINED, signs, strict=True))
        named[" ".join(f"{name} {value:+g}" for name, value in dials.items())] = dials
    return named | {f"{name} {value:+g}": {name: value} for name in DIALS for value in (-1.0, 1.0)}


def extreme_faults(composer: Composer, pairs: Sequence[Pair], options: SteeringOptions) -> dict[str, Any]:
    """Compose at each extreme of the dials; return the share of faulty pieces over all, at the worst and at each."""
    named = extremes()
    jobs = []
    for number, dials in enumerate(named.values()):
        for place in range(options.corner_pieces):
            pair = pairs[(number * options.corner_pieces + place) % len(pairs)]
            jobs.append(ComposeJob(pair.reading, ComposeOptions(seed=place, seconds=options.seconds, dials=dials)))
    found = composer.measure(jobs, "extremes of the dials")
    count = options.corner_pieces
    pieces = {name: found[i * count : (i + 1) * count] for i, name in enumerate(named)}
    worst = max(pieces, key=lambda name: sum(bool(piece.fault) for piece in pieces[name]))
    return {
        "all": fault_share(found),
        "worst": {"corner": worst} | fault_share(pieces[worst]),
        "by_corner": {name: fault_share(there) for name, there in pieces.items()},
    }


def against_unconditional(
    model: ImageMusic, pairs: Sequence[Pair], baseline: ImageMusic, options: SteeringOptions
) -> dict[str, Any]:
    """Return bits per note of a model, with the picture and with the null condition, and their gaps to a baseline."""
    music = Music.of(pairs, model)
    scorer, other = (Scorer.of(one, music, options.notes) for one in (model, baseline))
    size = baseline.checkpoint.layout.size
    without = other.nats(np.zeros((len(music.pairs), size), np.float32)).sum(axis=1)
    right = np.stack([image_condition(model.checkpoint, model.prior, pair.reading) for pair in music.pairs])
    notes = scorer.notes().sum(axis=1)
    result: dict[str, Any] = {
        "unconditional": baseline.checkpoint.id,
        "bits_per_note": {"unconditional": plain(float(without.sum() / notes.sum() / math.log(2)))},
    }
    for name, conditions in (("with_nothing", np.zeros_like(right)), ("with_the_picture", right)):
        nats = scorer.nats(conditions).sum(axis=1)
        result["bits_per_note"][name] = plain(float(nats.sum() / notes.sum() / math.log(2)))
        result[f"{name}_less_unconditional"] = ratio_of((nats - without) / math.log(2), notes, music.groups).to_json()
    return result


def quality(
    model: ImageMusic, composer: Composer, pool: Pool, pairs: Sequence[Pair], options: SteeringOptions,
    unconditional: ImageMusic | None,
) -> dict[str, Any]:  # fmt: skip
    """Return figure 6; what needs real music is left out where no pair has any."""
    ours = pool.all_pieces
    real = real_pieces(pairs, model.checkpoint.scale, options.seconds)
    result: dict[str, Any] = {
        "faults": {"composed": fault_share(ours)} | ({"real_music": fault_share(real)} if real else {}),
        "corners": extreme_faults(composer, pool.pairs, options),
        "distance_to_real_music": distances(ours, real) if real else None,
    }
    if unconditional is not None and real:
        result["bits_per_note"] = against_unconditional(model, pairs, unconditional, options)
    return result
