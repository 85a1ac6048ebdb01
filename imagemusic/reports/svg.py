"""Plots as SVG text, without any library: a page stays one file, and its colours follow the reader's theme.

intervals   a row an estimate: point, 95 % interval, line at zero
responses   a small panel a dial: median and quartiles of the music at every level
scatter     a point a picture
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Figures = Mapping[str, Any]

WIDTH = 720
LABEL_WIDTH, NUMBER_WIDTH, ROW_HEIGHT = 250, 150, 24
PANEL, PANEL_MARGIN = 168, 26


def number(value: float | None, digits: int = 3) -> str:
    """Write a number for people, with a true minus sign; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def told(estimate: Figures, digits: int = 3) -> str:
    """Write an estimate with its interval."""
    value = number(estimate["value"], digits)
    if estimate["low"] is None:
        return value
    return f"{value} ({number(estimate['low'], digits)} to {number(estimate['high'], digits)})"


def intervals(rows: Sequence[tuple[str, Figures]], *, digits: int = 3, reference: float = 0.0) -> str:
    """Draw estimates with their intervals, one below the other; those that cross the reference line are hollow."""
    known = [(name, e) for name, e in rows if e["value"] is not None]
    ends = [reference, *(v for _, e in known for v in (e["value"], e["low"], e["high"]) if v is not None)]
    low, high = min(ends), max(ends)
    room = (high - low) or 1.0
    low, high = low - 0.05 * room, high + 0.05 * room
    left, right = LABEL_WIDTH, WIDTH - NUMBER_WIDTH

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    height = ROW_HEIGHT * len(rows) + 8
    parts = [_line(x(reference), 0, x(reference), height, "axis")]
    for row, (name, e) in enumerate(rows):
        y = ROW_HEIGHT * (row + 0.5) + 4
        parts.append(_text(left - 12, y, name, "end"))
        if e["value"] is None:
            parts.append(_text(left + 8, y, "not measurable", "start", "faint"))
            continue
        certain = e["low"] is not None and not e["low"] <= reference <= (e["high"] if e["high"] is not None else 1e9)
        if e["low"] is not None and e["high"] is not None:
            parts.append(_line(x(e["low"]), y, x(e["high"]), y, "bar"))
        kind = "dot" if certain else "dot hollow"
        parts.append(f'<circle cx="{x(e["value"]):.1f}" cy="{y:.1f}" r="4.5" class="{kind}"/>')
        parts.append(_text(right + 10, y, told(e, digits), "start", "value"))
    return _svg(WIDTH, height, parts, "estimates with their 95 % intervals")


def responses(panels: Mapping[str, Figures]) -> str:
    """Draw a panel for each dial that was turned: level from left to right, what was heard from bottom to top."""
    columns = 4
    rows = -(-len(panels) // columns)
    step = (WIDTH - PANEL) / (columns - 1)
    parts = []
    for place, (name, found) in enumerate(panels.items()):
        left, top = (place % columns) * step, (place // columns) * (PANEL + 44)
        parts += _panel(left, top, name, found)
    return _svg(WIDTH, rows * (PANEL + 44), parts, "what the music does when a dial is turned")


def _panel(left: float, top: float, name: str, found: Figures) -> list[str]:
    levels, quartiles = found["levels"], found["quartiles"]
    values = [v for row in quartiles for v in row if v is not None]
    low, high = min([-1.0, *values]), max([1.0, *values])
    inner, base = PANEL - PANEL_MARGIN, top + 22

    def at(level: float, value: float) -> str:
        return f"{left + PANEL_MARGIN + inner * (level + 1) / 2:.1f},{base + inner * (high - value) / (high - low):.1f}"

    parts = [
        _text(left + PANEL_MARGIN, top + 10, f"{name}: rho {told(found['rho'], 2)}", "start", "small"),
        f'<rect x="{left + PANEL_MARGIN:.1f}" y="{base:.1f}" width="{inner}" height="{inner}" class="frame"/>',
        _text(left + PANEL_MARGIN, base + inner + 12, "−1", "middle", "small"),
        _text(left + PANEL, base + inner + 12, "1", "middle", "small"),
        _text(left + PANEL_MARGIN - 5, base + 6, number(high, 1), "end", "small faint"),
        _text(left + PANEL_MARGIN - 5, base + inner - 6, number(low, 1), "end", "small faint"),
    ]
    known = [(level, row) for level, row in zip(levels, quartiles, strict=True) if None not in row]
    if known:
        band = [at(level, row[2]) for level, row in known] + [at(level, row[0]) for level, row in reversed(known)]
        parts.append(f'<polygon points="{" ".join(band)}" class="band"/>')
        parts.append(f'<polyline points="{" ".join(at(level, row[1]) for level, row in known)}" class="curve"/>')
    return parts


def scatter(found: Figures, across: str, up: str) -> str:
    """Draw a point for each picture: its rating from left to right, what its music was heard as from bottom to top."""
    xs, ys = found["ratings"], found["heard"]
    size, margin = 330, 40
    spans = [(min(v), (max(v) - min(v)) or 1.0) for v in (xs, ys)]
    parts = [f'<rect x="{margin}" y="8" width="{size - margin - 8}" height="{size - margin - 8}" class="frame"/>']
    for one, two in zip(xs, ys, strict=True):
        x = margin + 8 + (size - margin - 24) * (one - spans[0][0]) / spans[0][1]
        y = size - margin - 8 - (size - margin - 24) * (two - spans[1][0]) / spans[1][1]
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="point"/>')
    parts.append(_text((size + margin) / 2, size - 18, across, "middle", "small"))
    parts.append(
        f'<text transform="translate(16 {size / 2}) rotate(-90)" text-anchor="middle" class="small">{escape(up)}</text>'
    )
    return _svg(size, size, parts, f"{across} and {up}")


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" role="img" '
        f'aria-label="{escape(title, quote=True)}">{body}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    placed = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" dominant-baseline="middle" class="{kind}"'
    return f"<text {placed}>{escape(text)}</text>"
