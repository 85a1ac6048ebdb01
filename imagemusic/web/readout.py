"""What a piece was made from, as HTML that a person reads at a glance."""

from collections.abc import Mapping
from html import escape

from imagemusic.compose.explain import ends_of
from imagemusic.compose.targets import Dial

HEADINGS = {
    ("picture",): "What it saw",
    ("sampled", "estimated"): "What such music is like",
    ("you",): "What you set",
}


def dials_html(dials: Mapping[str, Dial]) -> str:
    """Draw each dial, -1..1, as a bar from the middle to its value, under a heading for where it comes from."""
    parts = []
    for sources, heading in HEADINGS.items():
        if rows := [_row(name, dial.value) for name, dial in dials.items() if dial.source in sources]:
            parts += [f"<h4>{heading}</h4>", *rows]
    return f'<div class="dials">{"".join(parts)}</div>'


def _row(name: str, value: float | str) -> str:
    label = f'<span class="name">{escape(name)}</span>'
    if isinstance(value, str):
        return f'<div class="dial">{label}<span class="name">{escape(value)}</span></div>'
    low, high = ends_of(name)
    middle, end = 50.0, 50 + 50 * min(max(value, -1.0), 1.0)
    left, width = min(middle, end), max(abs(end - middle), 1.5)  # a dial in the middle still shows
    return (
        f'<div class="dial" title="{escape(name)}: {value:+.2f}">{label}'
        f'<span class="bar"><i style="left:{left:.1f}%;width:{width:.1f}%"></i></span>'
        f'<span class="ends"><span>{escape(low)}</span><span>{escape(high)}</span></span></div>'
    )
