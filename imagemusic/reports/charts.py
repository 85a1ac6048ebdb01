"""Charts of measured figures as SVG text.

interval_chart   a row an estimate: value, 95 % interval, a line at the reference
response_chart   a panel a dial: median and quartiles of the music at each level
scatter_chart    a point a picture
dot_chart        a row a quantity, a coloured point with its interval for each layer
line_chart       curves with bands
bar_chart        a bar a class
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from imagemusic.reports.svg import circle, drawing, element, line, points, rectangle, text, turned_text

Figures = Mapping[str, Any]  # an estimate holds value, low, high; low and high are None without an interval
CurvePoint = tuple[float, float, float | None, float | None]  # x, y, low, high

WIDTH = 720
LABEL_WIDTH, NUMBER_WIDTH, ROW_HEIGHT = 250, 150, 24  # of interval_chart
PANEL, PANEL_MARGIN, PANEL_GAP = 168, 26, 44  # of response_chart
DOT_LABEL_WIDTH, DOT_ROW_HEIGHT = 190, 30  # of dot_chart
# The Okabe-Ito palette, darkened, which colour-blind readers can tell apart; the first is for the raw input.
COLOURS = ("#8a8f99", "#d98a00", "#2f8fd0", "#1a9a70", "#c46aa0", "#7a6ae0")


def number(value: float | None, digits: int = 3) -> str:
    """Format a number with a true minus sign; a dash for None."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def with_interval(estimate: Figures, digits: int = 3) -> str:
    """Format an estimate with its interval, if it has one."""
    value = number(estimate["value"], digits)
    if estimate["low"] is None:
        return value
    return f"{value} ({number(estimate['low'], digits)} to {number(estimate['high'], digits)})"


def interval_chart(rows: Sequence[tuple[str, Figures]], *, digits: int = 3, reference: float = 0.0) -> str:
    """Draw named estimates with their intervals; a point is hollow where the interval contains `reference`."""
    known = [(name, e) for name, e in rows if e["value"] is not None]
    ends = [reference, *(v for _, e in known for v in (e["value"], e["low"], e["high"]) if v is not None)]
    low, high = min(ends), max(ends)
    room = (high - low) or 1.0
    low, high = low - 0.05 * room, high + 0.05 * room
    left, right = LABEL_WIDTH, WIDTH - NUMBER_WIDTH

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    height = ROW_HEIGHT * len(rows) + 8
    parts = [line(x(reference), 0, x(reference), height, "axis")]
    for row, (name, e) in enumerate(rows):
        y = ROW_HEIGHT * (row + 0.5) + 4
        parts.append(text(left - 12, y, name, "end"))
        if e["value"] is None:
            parts.append(text(left + 8, y, "not measurable", "start", "faint"))
            continue
        certain = e["low"] is not None and not e["low"] <= reference <= (e["high"] if e["high"] is not None else 1e9)
        if e["low"] is not None and e["high"] is not None:
            parts.append(line(x(e["low"]), y, x(e["high"]), y, "bar"))
        parts.append(circle(x(e["value"]), y, 4.5, "dot" if certain else "dot hollow"))
        parts.append(text(right + 10, y, with_interval(e, digits), "start", "value"))
    return drawing(WIDTH, height, parts, "estimates with their 95 % intervals")


def response_chart(panels: Mapping[str, Figures]) -> str:
    """Draw a panel for each dial that was varied: its level from left to right, the music's from bottom to top.

    Args:
        panels: by dial `levels` (L,), `quartiles` (L, 3) and the estimate `rho`.
    """
    columns = 4
    rows = -(-len(panels) // columns)
    step = (WIDTH - PANEL) / (columns - 1)
    parts = []
    for place, (name, found) in enumerate(panels.items()):
        left, top = (place % columns) * step, (place // columns) * (PANEL + PANEL_GAP)
        parts += _panel(left, top, name, found)
    return drawing(WIDTH, rows * (PANEL + PANEL_GAP), parts, "dials of the music at each level of a dial")


def _panel(left: float, top: float, name: str, found: Figures) -> list[str]:
    levels, quartiles = found["levels"], found["quartiles"]
    values = [v for row in quartiles for v in row if v is not None]
    low, high = min([-1.0, *values]), max([1.0, *values])
    inner, base = PANEL - PANEL_MARGIN, top + 22

    def at(level: float, value: float) -> tuple[float, float]:
        return left + PANEL_MARGIN + inner * (level + 1) / 2, base + inner * (high - value) / (high - low)

    parts = [
        text(left + PANEL_MARGIN, top + 10, f"{name}: rho {with_interval(found['rho'], 2)}", "start", "small"),
        rectangle(left + PANEL_MARGIN, base, inner, inner, "frame"),
        text(left + PANEL_MARGIN, base + inner + 12, "−1", "middle", "small"),
        text(left + PANEL, base + inner + 12, "1", "middle", "small"),
        text(left + PANEL_MARGIN - 5, base + 6, number(high, 1), "end", "small faint"),
        text(left + PANEL_MARGIN - 5, base + inner - 6, number(low, 1), "end", "small faint"),
    ]
    known = [(level, row) for level, row in zip(levels, quartiles, strict=True) if None not in row]
    if known:
        band = [at(level, row[2]) for level, row in known] + [at(level, row[0]) for level, row in reversed(known)]
        parts.append(element("polygon", points=points(band), class_="band"))
        parts.append(element("polyline", points=points([at(level, row[1]) for level, row in known]), class_="curve"))
    return parts


def scatter_chart(xs: Sequence[float], ys: Sequence[float], across: str, up: str) -> str:
    """Draw points xs, ys (N,), with the names of the axes; each axis spans its own values."""
    size, margin = 330, 40
    spans = [(min(v), (max(v) - min(v)) or 1.0) for v in (xs, ys)]
    parts = [rectangle(margin, 8, size - margin - 8, size - margin - 8, "frame")]
    for one, two in zip(xs, ys, strict=True):
        x = margin + 8 + (size - margin - 24) * (one - spans[0][0]) / spans[0][1]
        y = size - margin - 8 - (size - margin - 24) * (two - spans[1][0]) / spans[1][1]
        parts.append(circle(x, y, 3, "point"))
    parts.append(text((size + margin) / 2, size - 18, across, "middle", "small"))
    parts.append(turned_text(16, size / 2, -90, up, "middle", "small"))
    return drawing(size, size, parts, f"{across} and {up}")


def legend(names: Sequence[str], first: int = 0) -> str:
    """Return a paragraph that names the colours, from number `first` on."""
    marks = (
        f'<span style="color:{colour}">●</span> {escape(name)}'
        for name, colour in zip(names, COLOURS[first:], strict=False)
    )
    return f'<p class="faint">{" &nbsp; ".join(marks)}</p>'


def dot_chart(rows: Mapping[str, Mapping[str, Figures | None]], title: str) -> str:
    """Draw a row for each quantity, a point for the estimate at each layer, and a tick at its `chance`."""
    left, right, parts = DOT_LABEL_WIDTH, WIDTH - 20, []
    values = [e[key] for row in rows.values() for e in row.values() if e for key in ("value", "low")]
    low = min([0.0, *(max(value, -1.0) for value in values if value is not None)])

    def x(value: float) -> float:
        return left + (right - left) * (max(value, low) - low) / (1 - low)

    bottom = DOT_ROW_HEIGHT * len(rows)
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(line(x(tick), 0, x(tick), bottom, "frame"))
        parts.append(text(x(tick), bottom + 12, number(tick, 2), "middle", "small"))
    for index, (name, row) in enumerate(rows.items()):
        middle = DOT_ROW_HEIGHT * (index + 0.5)
        parts.append(text(left - 12, middle, name, "end", "small"))
        for place, (layer, e) in enumerate(row.items()):
            if e is None or e["value"] is None:
                continue
            y = middle + 7 * (place - (len(row) - 1) / 2)
            colour = COLOURS[place % len(COLOURS)]
            if e["low"] is not None:
                parts.append(element("g", line(x(e["low"]), y, x(e["high"]), y), stroke=colour, stroke_width=2))
            tooltip = f"{layer}: {with_interval(e, 2)}, chance {number(e['chance'], 2)}"
            parts.append(circle(x(e["value"]), y, 4, fill=colour, tooltip=tooltip))
            parts.append(line(x(e["chance"]), middle - 12, x(e["chance"]), middle + 12, "axis"))
    return drawing(WIDTH, bottom + 24, parts, title)


def line_chart(series: Mapping[str, Sequence[CurvePoint]], across: str, up: str, *, log: bool = False) -> str:
    """Draw curves, with bands where an interval is known; `log` makes both axes logarithmic."""
    flat = [point for row in series.values() for point in row]
    if not flat:
        return "<p>Too little music to measure this.</p>"
    left, top, bottom = 60, 10, 250

    def scale(value: float) -> float:
        return math.log10(max(value, 1e-9)) if log else value

    xs = [scale(p[0]) for p in flat]
    ys = [scale(max(v, 1e-9) if log else v) for p in flat for v in p[1:] if v is not None and (v > 0 or not log)]
    (x0, x1), (y0, y1) = (min(xs), max(xs)), (min(ys, default=0.0), max(ys, default=1.0))

    def place(x: float, y: float) -> tuple[float, float]:
        share_across, share_up = (
            (scale(x) - x0) / ((x1 - x0) or 1),
            (min(max(scale(y), y0), y1) - y0) / ((y1 - y0) or 1),
        )
        return left + (WIDTH - left - 20) * share_across, bottom - (bottom - top) * share_up

    parts = [rectangle(left, top, WIDTH - left - 20, bottom - top, "frame")]
    for value in (y0, y1):
        shown = f"{10**value:.2g}" if log else number(value, 2)
        parts.append(text(left - 6, bottom - (bottom - top) * (value - y0) / ((y1 - y0) or 1), shown, "end", "small"))
    for value in sorted({p[0] for p in flat}) if log else (x0, (x0 + x1) / 2, x1):
        parts.append(text(place(value, 1)[0], bottom + 14, f"{value:.2g}", "middle", "small"))
    for row, colour in zip(series.values(), COLOURS[1:], strict=False):
        band = [p for p in row if p[2] is not None and p[3] is not None]
        outline = [place(p[0], p[3] or 0) for p in band] + [place(p[0], p[2] or 0) for p in reversed(band)]
        parts.append(element("polygon", points=points(outline), fill=colour, opacity="0.2"))
        curve = points([place(p[0], p[1]) for p in row])
        parts.append(element("polyline", points=curve, fill="none", stroke=colour, stroke_width=2))
    parts.append(text((left + WIDTH) / 2, bottom + 34, across, "middle", "small"))
    parts.append(turned_text(14, (top + bottom) / 2, -90, up, "middle"))
    return drawing(WIDTH, 300, parts, f"{up} by {across}")


def bar_chart(values: Mapping[str, float | None], title: str) -> str:
    """Draw a bar for each class, up or down from zero; none where the value is None."""
    highest = max((abs(value) for value in values.values() if value is not None), default=1.0) or 1.0
    height, left = 120, 40
    step = (WIDTH - left) / max(len(values), 1)
    parts = [line(left, height / 2, WIDTH, height / 2, "axis")]
    for index, (name, value) in enumerate(values.items()):
        middle = left + (index + 0.5) * step
        if value is not None:
            tall = abs(value) / highest * (height / 2 - 4)
            top = height / 2 - (tall if value > 0 else 0)
            tooltip = f"{name}: {number(value, 2)}"
            parts.append(rectangle(middle - 0.35 * step, top, 0.7 * step, tall, fill=COLOURS[2], tooltip=tooltip))
        parts.append(turned_text(middle, height + 8, -40, name, "end", "small"))
    return drawing(WIDTH, height + 60, parts, title)
