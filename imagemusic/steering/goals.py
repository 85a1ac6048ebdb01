"""What was to be reached, beside what was: one row a goal, in plain words."""

from collections.abc import Callable
from typing import Any

Figures = dict[str, Any]

DOSE = {"density": 0.9, "register": 0.9, "loudness": 0.9, "articulation": 0.9, "mode": 0.9, "polyphony": 0.9,
        "arousal": 0.7, "valence": 0.5}  # fmt: skip
THROUGH_PICTURES = {"arousal": 0.5, "valence": 0.35}


def goals(figures: Figures) -> list[dict[str, Any]]:
    """List every goal with its figure; `reached` is None where the list did not allow to measure it."""
    gap = figures.get("conditional_gap", {}).get("as_composed", {})
    rows = [
        _row("bits a note that a swapped picture costs", "at least 0.02", gap.get("swapped", {}).get("overall"),
             lambda e: e["value"] >= 0.02),
        _row("the same within one ensemble or genre", "interval above 0",
             gap.get("swapped_within_kind", {}).get("overall"), _above_zero),
        _row("the same within one ensemble or genre, notes 65 to 256", "interval above 0",
             gap.get("swapped_within_kind", {}).get("notes_65_256"), _above_zero),
    ]  # fmt: skip
    turned = figures.get("dose_response", {}).get("masks_off", {})
    for dial, least in DOSE.items():
        rows.append(_at_least(f"{dial} turned, masks off: rho", least, turned.get(dial, {}).get("rho")))
    for dial, least in THROUGH_PICTURES.items():
        told = (figures.get("picture_response", {}).get(dial) or {}).get("rho")
        rows.append(_at_least(f"rated {dial} of pictures against that of their music: rho", least, told))
    rows.append(
        _row("another picture moves the music more than a null edit", "at least 5 times",
             figures.get("sensitivity", {}).get("ratio"), lambda e: e["value"] is None or e["value"] >= 5)
    )  # fmt: skip
    found = figures.get("retrieval", {})
    share = found.get("notes_alone", {}).get("recall_at_5") if found.get("candidates") == 100 else None
    rows.append(_at_least("a piece's picture among the five likeliest of 100", 0.2, share))
    plainer = figures.get("quality", {}).get("bits_per_note", {})
    rows.append(
        _row("bits a note less those of a model without conditions", "not above 0",
             plainer.get("with_the_picture_less_unconditional"), lambda e: e["low"] is None or e["low"] <= 0)
    )  # fmt: skip
    corners = figures.get("quality", {}).get("corners", {})
    for what, found in (("at the worst corner", corners.get("worst")), ("over all corners", corners.get("all"))):
        rows.append(_row(f"faulty pieces {what} of the dials", "under 1 %", found, lambda e: e["value"] < 0.01))
    return rows


def _row(what: str, goal: str, estimate: Figures | None, reached: Callable[[Figures], bool]) -> dict[str, Any]:
    row: dict[str, Any] = {"what": what, "goal": goal, "value": None, "low": None, "high": None, "reached": None}
    if not estimate:
        return row
    row |= {name: estimate[name] for name in ("value", "low", "high")}
    # A ratio without end has no value; any other figure without one was not measurable.
    measurable = estimate["value"] is not None or estimate.get("low") is not None
    return row | {"reached": reached(estimate) if measurable else None}


def _at_least(what: str, least: float, estimate: Figures | None) -> dict[str, Any]:
    return _row(what, f"at least {least:g}", estimate, lambda e: e["value"] >= least)


def _above_zero(estimate: Figures) -> bool:
    return estimate["low"] is not None and estimate["low"] > 0
