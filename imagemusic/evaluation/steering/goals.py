"""Goals of the steering evaluation, fixed before measuring, beside the figures measured: one row a goal."""

import math
from collections.abc import Callable
from typing import Any

from imagemusic.evaluation.intervals import TOO_FEW

Figures = dict[str, Any]

# Least rank correlation of a dial that is set with the same dial measured, and of a picture's rating with its music.
DOSE_RESPONSE = {"density": 0.9, "register": 0.9, "loudness": 0.9, "articulation": 0.9, "mode": 0.9, "polyphony": 0.9,
                 "arousal": 0.7, "valence": 0.5}  # fmt: skip
THROUGH_PICTURES = {"arousal": 0.5, "valence": 0.35}
MARGIN = 0.02  # bits a note: the non-inferiority margin against the unconditional baseline
NOT_MEASURED = "not measured"


def goals(figures: Figures) -> list[dict[str, Any]]:
    """Return a row for each goal: what, goal, value, low, high, reached, said (whether it is reached, in words).

    `reached` is None where nothing was measured, or too little for an interval.

    Args:
        figures: as `evaluate` in run.py returns them; sections may be missing.
    """
    gap = figures.get("conditional_gap", {}).get("as_composed", {})
    within = gap.get("swapped_within_kind", {})
    rows = [
        _at_least("bits a note that a swapped picture costs", 0.02, gap.get("swapped", {}).get("overall")),
        _row("the same within one ensemble or genre", "interval above 0", within.get("overall"), _above_zero),
        _row("the same within one ensemble or genre, notes 65 to 256", "interval above 0", within.get("notes_65_256"),
             _above_zero),
    ]  # fmt: skip
    by_dial = figures.get("dose_response", {}).get("masks_off", {})
    for dial, least in DOSE_RESPONSE.items():
        rows.append(_at_least(f"{dial} turned, masks off: rho", least, by_dial.get(dial, {}).get("rho")))
    for dial, least in THROUGH_PICTURES.items():
        rho = (figures.get("picture_response", {}).get(dial) or {}).get("rho")
        rows.append(_at_least(f"rated {dial} of pictures against that of their music: rho", least, rho))
    ratio = figures.get("sensitivity", {}).get("ratio")
    rows.append(_at_least("another picture moves the music more than a null edit", 5, ratio, " times"))
    found = figures.get("retrieval", {})
    share = found.get("notes_alone", {}).get("recall_at_5") if found.get("candidates") == 100 else None
    rows.append(_at_least("a piece's picture among the five likeliest of 100", 0.2, share))
    bits = figures.get("quality", {}).get("bits_per_note", {})
    rows.append(
        _row("bits a note less those of a model without conditions", f"interval at most {MARGIN:g} bits a note",
             bits.get("with_the_picture_less_unconditional"), lambda value, low, high: high <= MARGIN)
    )  # fmt: skip
    extremes = figures.get("quality", {}).get("corners", {})
    for what, found in (("at the worst extreme", extremes.get("worst")), ("over all extremes", extremes.get("all"))):
        rows.append(_row(f"faulty pieces {what} of the dials", "under 1 %", found,
                         lambda value, low, high: value < 0.01, limit=0.01))  # fmt: skip
    return rows


Reached = Callable[[float, float, float], bool]  # value, low, high -> reached


def _row(
    what: str, goal: str, estimate: Figures | None, reached: Reached, *, limit: float | None = None
) -> dict[str, Any]:
    """Compare an estimate with a goal; `limit` is given where the goal is on the value, not on the interval."""
    row: dict[str, Any] = {
        "what": what, "goal": goal, "value": None, "low": None, "high": None, "reached": None, "said": NOT_MEASURED
    }  # fmt: skip
    if not estimate:
        return row
    row |= {name: estimate[name] for name in ("value", "low", "high")}
    if estimate.get("verdict") == TOO_FEW:
        return row if row["value"] is None else row | {"said": TOO_FEW}
    # None in a ratio stands for infinity.
    value, low, high = (math.inf if row[name] is None else row[name] for name in ("value", "low", "high"))
    is_reached = reached(value, low, high)
    doubtful = is_reached and limit is not None and low <= limit <= high
    said = ("reached" if is_reached else "not reached") + (", the interval contains the goal" if doubtful else "")
    return row | {"reached": is_reached, "said": said}


def _at_least(what: str, least: float, estimate: Figures | None, unit: str = "") -> dict[str, Any]:
    return _row(what, f"at least {least:g}{unit}", estimate, lambda value, low, high: value >= least, limit=least)


def _above_zero(value: float, low: float, high: float) -> bool:
    return low > 0
