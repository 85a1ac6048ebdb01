"""What the encoder saw in a picture, as HTML a person reads at a glance."""

from collections.abc import Mapping
from html import escape

# What the two ends of a dial mean; one that is not here goes from low to high.
ENDS = {
    "valence": ("sad", "happy"),
    "arousal": ("calm", "excited"),
    "tempo": ("slow", "fast"),
    "density": ("sparse", "busy"),
    "loudness": ("soft", "loud"),
    "articulation": ("short", "long"),
    "mode": ("minor", "major"),
    "polyphony": ("thin", "full"),
}


def dials_html(dials: Mapping[str, float | None]) -> str:
    """Draw each known dial, -1..1, as a bar from the middle to its value."""
    rows = [_row(name, value) for name, value in dials.items() if value is not None]
    return f'<div class="dials"><h4>What it saw</h4>{"".join(rows)}</div>'


def _row(name: str, value: float) -> str:
    low, high = ENDS.get(name, ("low", "high"))
    middle, end = 50.0, 50 + 50 * min(max(value, -1.0), 1.0)
    left, width = min(middle, end), max(abs(end - middle), 1.5)  # a dial in the middle still shows
    return (
        f'<div class="dial" title="{escape(name)}: {value:+.2f}"><span class="name">{escape(name)}</span>'
        f'<span class="bar"><i style="left:{left:.1f}%;width:{width:.1f}%"></i></span>'
        f'<span class="ends"><span>{escape(low)}</span><span>{escape(high)}</span></span></div>'
    )
