"""The targets of a piece as HTML: a bar for each dial."""

from html import escape

from imagemusic.compose.explain import ends_of
from imagemusic.compose.targets import Targets

HEADINGS = {
    ("picture",): "What it saw",
    ("sampled", "estimated"): "What such music is like",
    ("you",): "What you set",
}


def targets_html(targets: Targets) -> str:
    """Return each dial, -1..1, as a bar from the middle to its value, and the ensemble, under headings by source."""
    parts = []
    for sources, heading in HEADINGS.items():
        rows = [_row(name, dial.value) for name, dial in targets.dials.items() if dial.source in sources]
        if targets.ensemble_source in sources:
            rows.append(_name_row("ensemble", targets.ensemble))
        if rows:
            parts += [f"<h4>{heading}</h4>", *rows]
    return f'<div class="dials">{"".join(parts)}</div>'


def _name_row(label: str, value: str) -> str:
    return f'<div class="dial"><span class="name">{escape(label)}</span><span class="name">{escape(value)}</span></div>'


def _row(name: str, value: float) -> str:
    label = f'<span class="name">{escape(name)}</span>'
    low, high = ends_of(name)
    middle, end = 50.0, 50 + 50 * min(max(value, -1.0), 1.0)
    left, width = min(middle, end), max(abs(end - middle), 1.5)  # a dial in the middle still shows
    return (
        f'<div class="dial" title="{escape(name)}: {value:+.2f}">{label}'
        f'<span class="bar"><i style="left:{left:.1f}%;width:{width:.1f}%"></i></span>'
        f'<span class="ends"><span>{escape(low)}</span><span>{escape(high)}</span></span></div>'
    )
