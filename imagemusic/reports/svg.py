"""SVG as text, without a plotting library: the page stays one file, and its colours follow the reader's theme.

Coordinates are in user units, from the top left.
"""

from collections.abc import Sequence
from html import escape


def element(name: str, content: str = "", **attributes: str | float | None) -> str:
    """Return an SVG element.

    Args:
        content: markup inside the element, not escaped here.
        attributes: an underscore stands for a hyphen, one at the end is dropped (`class_`); floats are rounded to one
            decimal, None and "" are left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None and value != ""
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def _value(value: str | float | None) -> str:
    return f"{value:.1f}" if isinstance(value, float) else escape(str(value), quote=True)


def drawing(width: float, height: float, parts: Sequence[str], title: str) -> str:
    """Return a whole drawing of elements, `title` being what screen readers say."""
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" role="img" '
        f'aria-label="{escape(title, quote=True)}">{body}</svg>'
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "") -> str:
    """Return a line of a class of the style sheet."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=kind)


def text(x: float, y: float, content: str, anchor: str, kind: str = "") -> str:
    """Return text, escaped; `anchor` is start, middle or end."""
    return element(
        "text", escape(content), x=float(x), y=float(y), text_anchor=anchor, dominant_baseline="middle", class_=kind
    )


def turned_text(x: float, y: float, degrees: float, content: str, anchor: str, kind: str = "") -> str:
    """Return text, escaped, turned clockwise about its anchor."""
    place = f"translate({x:.1f} {y:.1f}) rotate({degrees:g})"
    return element("text", escape(content), transform=place, text_anchor=anchor, class_=kind)


def rectangle(
    x: float, y: float, width: float, height: float, kind: str = "", *, fill: str = "", tooltip: str = ""
) -> str:
    """Return a rectangle, of a class or of a fill."""
    size = {"x": float(x), "y": float(y), "width": float(width), "height": float(height)}
    return element("rect", _tooltip(tooltip), **size, class_=kind, fill=fill)


def circle(x: float, y: float, radius: float, kind: str = "", *, fill: str = "", tooltip: str = "") -> str:
    """Return a circle, of a class or of a fill."""
    return element("circle", _tooltip(tooltip), cx=float(x), cy=float(y), r=f"{radius:g}", class_=kind, fill=fill)


def _tooltip(words: str) -> str:
    return element("title", escape(words)) if words else ""


def points(places: Sequence[tuple[float, float]]) -> str:
    """Return the `points` attribute of a polygon or polyline."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
