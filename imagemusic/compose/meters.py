"""How often each meter is used by the training music of an ensemble, to sample one where none was asked for."""

import json
from functools import cache

import numpy as np

from imagemusic import resources
from imagemusic.events.codec import meter_index
from imagemusic.music.score import Meter

MIN_SHARE = 0.01  # of the pieces of an ensemble: rarer meters are not sampled


@cache
def meter_shares(ensemble: str) -> dict[int, float]:
    """Return the share of each meter, by its index in the vocabulary; empty where too few pieces are known."""
    table = json.loads(resources.FORM_STATISTICS.read_text(encoding="utf-8"))["ensembles"].get(ensemble, {})
    shares = {}
    for name, share in table.get("meters", {}).items():
        numerator, denominator = map(int, name.split("/"))
        if share >= MIN_SHARE:
            shares[meter_index(Meter(0, numerator, denominator))] = float(share)
    return shares


def sample_meter(ensemble: str, allowed: tuple[int, ...], rng: np.random.Generator) -> int | None:
    """Sample a meter as often as the training music of an ensemble has it, of those allowed; None if unknown."""
    shares = {meter: share for meter, share in meter_shares(ensemble).items() if meter in allowed}
    if not shares:
        return None
    weights = np.array(list(shares.values()))
    return int(rng.choice(list(shares), p=weights / weights.sum()))
