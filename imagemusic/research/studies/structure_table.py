"""Lay out the figures of structure.py as Markdown: goals reached or missed, meters, all measures by ensemble."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagemusic.music.structure import MEASURES
from imagemusic.reports.markdown import table

Figure = Mapping[str, Any]  # value, low, high, n


@dataclass(frozen=True, slots=True)
class Goal:
    """What a measure of a group of pieces should be."""

    measure: str
    limit: float
    at_most: bool = False
    group: str = "free"

    def met(self, figure: Figure) -> bool:
        """Whether the value is as it should be, its interval left aside."""
        value: float = figure["value"]
        return value <= self.limit if self.at_most else value >= self.limit


GOALS = (
    Goal("end_bass_tonic", 0.95),
    Goal("end_cadence_V_or_IV_I", 0.70),
    Goal("end_long_last_note", 0.85),
    Goal("end_on_downbeat", 0.80),
    Goal("opening_phrase_returns", 0.35),
    Goal("si_mid", 0.15),
    Goal("si_long", 0.05),
    Goal("bars_repeated_nearly", 0.25),
    Goal("bars_repeated_exactly", 0.08),
    Goal("chord_grams_repeated", 0.09),
    Goal("breath4", 0.08),
    Goal("root_fifths", 0.40),
    Goal("open_top_over_p95", -1, at_most=True),
    Goal("drum_as_bar_before_nearly", 0.45, group="band"),
    Goal("drum_sounds", 10, at_most=True, group="band"),
    Goal("drum_gone_at_end", 0, at_most=True, group="band"),
    Goal("out_of_range", 0.005, at_most=True, group="band"),
    Goal("out_of_range", 0.005, at_most=True, group="orchestra"),
    Goal("winds_in_chords", 0, at_most=True, group="band"),
    Goal("winds_in_chords", 0, at_most=True, group="orchestra"),
    Goal("hand_over_tenth", 0.01, at_most=True, group="piano"),
)
LEAST_DIAL, LEAST_MEAN_DIAL = 0.85, 0.92


def goal_table(figures: Mapping[str, Any]) -> tuple[str, int, int]:
    """Return the table of goals, how many are met, and how many there are."""
    rows, verdicts = [], []
    for goal in GOALS:
        before, after = (
            figures["settings"][name].get(goal.group, {}).get(goal.measure) for name in ("before", "after")
        )
        real = figures["real"].get(goal.group, {}).get(goal.measure)
        if after is None:
            continue
        verdicts.append(goal.met(after))
        limit = f"{'at most' if goal.at_most else 'at least'} {goal.limit:g}"
        rows.append([f"{goal.measure}, {goal.group}", _cell(before), _cell(after), limit, _cell(real),
                     _verdict(verdicts[-1])])  # fmt: skip
    for row, met in (*_longest_runs(figures), *_dials(figures)):
        rows.append([*row, _verdict(met)])
        verdicts.append(met)
    text = table(("figure, pieces", "before", "after", "goal", "real music", ""), rows)
    return text, sum(verdicts), len(verdicts)


def _longest_runs(figures: Mapping[str, Any]) -> list[tuple[list[str], bool]]:
    name = "longest_run_of_equal_bars"
    found = []
    for group, after in figures["settings"]["after"].items():
        real, before = figures["real"].get(group, {}).get(name), figures["settings"]["before"].get(group, {}).get(name)
        if name in after and real:
            ours, limit = after[name]["percentile_95"], real["percentile_95"]
            then = f"{before['percentile_95']:g}" if before else ""
            row = [f"{name}, 95th percentile, {group}", then, f"{ours:g}", "as real music or less", f"{limit:g}"]
            found.append((row, ours <= limit))
    return found


def _dials(figures: Mapping[str, Any]) -> list[tuple[list[str], bool]]:
    found = []
    for name, after in figures["dials"].get("after", {}).items():
        if after["value"] is not None:
            least = LEAST_MEAN_DIAL if name == "mean" else LEAST_DIAL
            what = "mean of the seven dials" if name == "mean" else f"dial {name}"
            before = figures["dials"].get("before", {}).get(name)
            row = [f"{what}, rank correlation, free", _cell(before), _cell(after), f"at least {least}", ""]
            found.append((row, after["value"] >= least))
    return found


def meter_table(figures: Mapping[str, Any]) -> str:
    """Return shares of meters, by ensemble, beside those of the training music."""
    rows = []
    for group, after in figures["settings"]["after"].items():
        before, training = figures["settings"]["before"].get(group, {}), figures["training_meters"].get(group, {})
        for name in (name for name in after if name.startswith("meter_")):
            meter = name.removeprefix("meter_")
            share = f"{training.get(meter, 0):.2f}" if training else ""
            rows.append([f"{group}, {meter}", _cell(before.get(name)), _cell(after[name]), share])
    return "## Meters\n\nShares of pieces.\n\n" + table(("ensemble, meter", "before", "after", "training music"), rows)


def measure_tables(figures: Mapping[str, Any]) -> str:
    """Return all measures with their intervals, a table for each ensemble."""
    parts = []
    for group, after in figures["settings"]["after"].items():
        before, real = figures["settings"]["before"].get(group, {}), figures["real"].get(group, {})
        rows = [
            [name, _cell(before.get(name), True), _cell(after[name], True), _cell(real.get(name), True)]
            for name in (*MEASURES, *(name for name in after if name.startswith("take_")))
            if name in after
        ]
        pieces, others = _pieces(after), _pieces(real)
        title = f"## All measures: {group}\n\n{pieces} pieces with each setting, {others} real ones.\n\n"
        parts.append(title + table(("measure", "before", "after", "real music"), rows))
    return "\n".join(parts)


def _pieces(measures: Mapping[str, Figure]) -> int:
    return max((figure["n"] for figure in measures.values()), default=0)


def _cell(figure: Figure | None, interval: bool = False) -> str:
    if figure is None or figure["value"] is None:
        return ""
    value = f"{figure['value']:.2f}"
    if not interval or figure["low"] is None:
        return value
    return f"{value} ({figure['low']:.2f} to {figure['high']:.2f})"


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"
