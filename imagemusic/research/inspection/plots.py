"""Plots as SVG text for the report on a decoder's layers; their colours are told apart by colour-blind people too."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from imagemusic.reports.svg import number, told

WIDTH, LABEL, ROW = 720, 190, 30
COLOURS = ("#8a8f99", "#d98a00", "#2f8fd0", "#1a9a70", "#c46aa0", "#7a6ae0")  # the first for the raw input

Row = Mapping[str, Mapping[str, Any] | None]


def legend(names: Sequence[str], first: int = 0) -> str:
    """Name the colours, from number `first` on."""
    colours = COLOURS[first:]
    marks = (
        f'<span style="color:{colour}">●</span> {escape(name)}' for name, colour in zip(names, colours, strict=False)
    )
    return f'<p class="faint">{" &nbsp; ".join(marks)}</p>'


def dots(rows: Mapping[str, Row], title: str) -> str:
    """Draw a row for each thing asked, a point with its interval for each layer, and a tick where chance is."""
    left, right, parts = LABEL, WIDTH - 20, []
    values = [e[key] for row in rows.values() for e in row.values() if e for key in ("value", "low")]
    low = min([0.0, *(max(value, -1.0) for value in values if value is not None)])

    def x(value: float) -> float:
        return left + (right - left) * (max(value, low) - low) / (1 - low)

    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_line(x(tick), 0, x(tick), ROW * len(rows), "frame"))
        parts.append(_text(x(tick), ROW * len(rows) + 12, number(tick, 2), "middle"))
    for index, (name, row) in enumerate(rows.items()):
        middle = ROW * (index + 0.5)
        parts.append(_text(left - 12, middle, name, "end"))
        for place, (layer, e) in enumerate(row.items()):
            if e is None or e["value"] is None:
                continue
            y = middle + 7 * (place - (len(row) - 1) / 2)
            colour = COLOURS[place % len(COLOURS)]
            if e["low"] is not None:
                parts.append(f'<g stroke="{colour}" stroke-width="2">{_line(x(e["low"]), y, x(e["high"]), y, "")}</g>')
            said = escape(f"{layer}: {told(e, 2)}, chance {number(e['chance'], 2)}")
            parts.append(
                f'<circle cx="{x(e["value"]):.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{said}</title></circle>'
            )
            parts.append(_line(x(e["chance"]), middle - 12, x(e["chance"]), middle + 12, "axis"))
    return _svg(WIDTH, ROW * len(rows) + 24, parts, title)


def curves(
    series: Mapping[str, Sequence[tuple[float, float, float | None, float | None]]],
    across: str,
    up: str,
    *,
    log: bool = False,
) -> str:
    """Draw curves of (x, y, low, high), with bands where the interval is known; `log` widens both axes alike."""
    points = [point for row in series.values() for point in row]
    if not points:
        return "<p>Too little music to measure this.</p>"
    size, left, top, bottom = (WIDTH, 300), 60, 10, 250

    def scale(value: float) -> float:
        return math.log10(max(value, 1e-9)) if log else value

    xs = [scale(p[0]) for p in points]
    ys = [scale(max(v, 1e-9) if log else v) for p in points for v in p[1:] if v is not None and (v > 0 or not log)]
    (x0, x1), (y0, y1) = (min(xs), max(xs)), (min(ys, default=0.0), max(ys, default=1.0))

    def place(x: float, y: float) -> str:
        across_ = left + (WIDTH - left - 20) * (scale(x) - x0) / ((x1 - x0) or 1)
        up_ = bottom - (bottom - top) * (min(max(scale(y), y0), y1) - y0) / ((y1 - y0) or 1)
        return f"{across_:.1f},{up_:.1f}"

    parts = [f'<rect x="{left}" y="{top}" width="{WIDTH - left - 20}" height="{bottom - top}" class="frame"/>']
    for value in (y0, y1):
        shown = f"{10**value:.2g}" if log else number(value, 2)
        parts.append(_text(left - 6, bottom - (bottom - top) * (value - y0) / ((y1 - y0) or 1), shown, "end"))
    for value in sorted({p[0] for p in points}) if log else (x0, (x0 + x1) / 2, x1):
        parts.append(_text(float(place(value, 1).split(",")[0]), bottom + 14, f"{value:.2g}", "middle"))
    for (_, row), colour in zip(series.items(), COLOURS[1:], strict=False):
        band = [p for p in row if p[2] is not None and p[3] is not None]
        outline = [place(p[0], float(p[3] or 0)) for p in band] + [
            place(p[0], float(p[2] or 0)) for p in reversed(band)
        ]
        parts.append(f'<polygon points="{" ".join(outline)}" fill="{colour}" opacity="0.2"/>')
        line = " ".join(place(p[0], p[1]) for p in row)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    parts.append(_text((left + WIDTH) / 2, bottom + 34, across, "middle"))
    parts.append(
        f'<text transform="translate(14 {(top + bottom) / 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'
    )
    return _svg(*size, parts, f"{up} by {across}")


def bars(values: Mapping[str, float | None], title: str) -> str:
    """Draw a bar for each class, up or down from zero; a class that never came has none."""
    known = [abs(value) for value in values.values() if value is not None]
    highest = max(known, default=1.0) or 1.0
    height, left = 120, 40
    step = (WIDTH - left) / max(len(values), 1)
    parts = [_line(left, height / 2, WIDTH, height / 2, "axis")]
    for index, (name, value) in enumerate(values.items()):
        middle = left + (index + 0.5) * step
        if value is not None:
            tall = abs(value) / highest * (height / 2 - 4)
            top = height / 2 - (tall if value > 0 else 0)
            parts.append(
                f'<rect x="{middle - 0.35 * step:.1f}" y="{top:.1f}" width="{0.7 * step:.1f}" height="{tall:.1f}" '
                f'fill="{COLOURS[2]}"><title>{escape(f"{name}: {number(value, 2)}")}</title></rect>'
            )
        parts.append(
            f'<text transform="translate({middle:.1f} {height + 8}) rotate(-40)" text-anchor="end" class="small">'
            f"{escape(name)}</text>"
        )
    return _svg(WIDTH, height + 60, parts, title)


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" role="img" '
        f'aria-label="{escape(title, quote=True)}">{"".join(parts)}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    dressed = f' class="{kind}"' if kind else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{dressed}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    placed = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" dominant-baseline="middle" class="small"'
    return f"<text {placed}>{escape(text)}</text>"
