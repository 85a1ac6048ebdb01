"""The figures of an inspection as one HTML page that needs nothing else, and as JSON."""

import base64
import json
from collections.abc import Iterator, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from imagemusic.audio.pianoroll import draw_piano_roll
from imagemusic.errors import OutputError
from imagemusic.files import write_atomically
from imagemusic.music.score import Score
from imagemusic.reports.style import STYLE
from imagemusic.reports.svg import number, told
from imagemusic.research.inspection.excerpts import TARGETS
from imagemusic.research.inspection.plots import bars, curves, dots, legend
from imagemusic.research.inspection.run import Figures, Telling

ROLL_PIXELS = (480, 260)
MORE_STYLE = """
.rolls { display: flex; flex-wrap: wrap; gap: .6rem; }
.rolls img { flex: 1 1 30%; min-width: 200px; border-radius: 4px; }
"""


def write_report(out: Path, figures: Figures, telling: Sequence[Telling]) -> Path:
    """Write OUT/index.html and OUT/inspect.json; return the page.

    Raises:
        OutputError: they cannot be written.
    """
    page = out / "index.html"
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in (
            (out / "inspect.json", json.dumps(figures, indent=1, ensure_ascii=False) + "\n"),
            (page, build_page(figures, telling)),
        ):
            write_atomically(path, text)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror})") from error
    return page


def build_page(figures: Figures, telling: Sequence[Telling]) -> str:
    """Lay out the report."""
    body = "\n".join(
        [*_head(figures), *_probes(figures), *_units(telling), *_gates(figures), *_start(figures), *_past(figures)]
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>What goes on in the layers</title><style>{STYLE}{MORE_STYLE}</style><body>\n{body}\n</body></html>\n"
    )


def _head(figures: Figures) -> Iterator[str]:
    yield "<h1>What goes on in the layers</h1>"
    yield (
        f'<p class="faint">Checkpoint {escape(figures["checkpoint"])}: {figures["layers"]} layers of '
        f"{figures['hidden_size']} units. It read the first {figures['events']:,} events of {figures['pieces']} "
        "pieces, moved by up to half an octave, so that no key is rare. Intervals are 95 %, by drawing groups of "
        "pieces again 1,000 times.</p>"
    )


def _probes(figures: Figures) -> Iterator[str]:
    yield "<h2>1. What each layer knows</h2>"
    yield (
        "<p>A linear map is fitted from a layer's hidden state to what a musician would say of the music so far, on "
        "seven tenths of the pieces, and tried on the others. The same from the raw input, what the first layer is fed "
        "at each step, shows what need not be remembered. Nothing was given beforehand, so what a layer knows it has "
        "heard. The dashed tick is whoever always says the commonest.</p>"
    )
    found = figures["probes"]
    places = list(next(iter(found["classes"].values())))
    yield legend(places)
    yield dots(found["classes"], "share of right answers by layer")
    yield '<p class="faint">Share of right answers.</p>'
    yield _probe_table(found["classes"], places)
    yield "<h3>Dials of the whole piece</h3>"
    yield legend(places)
    yield dots(found["dials"], "share of variance explained by layer")
    yield '<p class="faint">Share of the variance between pieces that is explained; below 0 is worse than the mean.</p>'
    yield _probe_table(found["dials"], places)


def _probe_table(rows: dict[str, dict[str, Any]], places: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(place)}" for place in places)
    lines = []
    for name, row in rows.items():
        cells = "".join(f"<td>{told(e, 2) if e else 'too little music'}" for e in row.values())
        chance = next((number(e["chance"], 2) for e in row.values() if e), "–")
        lines.append(f"<tr><td>{escape(name)}<td>{chance}{cells}")
    return f"<table><tr><th>What<th>Chance{head}{''.join(lines)}</table>"


def _units(telling: Sequence[Telling]) -> Iterator[str]:
    yield "<h2>2. Units that tell something</h2>"
    yield (
        "<p>Of all hidden units, the one whose activation depends most on each thing: how far it goes up or down with "
        "each answer, and what had just been played when it went farthest where it tells most, in three pieces. The "
        "pieces that chose it are not those that say how much it tells.</p>"
    )
    for one in telling:
        unit, names = one.unit, TARGETS[one.target]
        yield f"<h3>{escape(one.target.capitalize())}: layer {unit.layer + 1}, unit {unit.number}</h3>"
        yield f"<p>Of what it does in other pieces, {max(unit.told, 0):.0%} is explained by it.</p>"
        values = {name: None if value != value else value for name, value in zip(names, unit.by_class, strict=True)}
        yield bars(values, f"mean activation by {one.target}")
        yield f'<div class="rolls">{"".join(_roll(score) for score in one.passages)}</div>'


def _roll(score: Score) -> str:
    drawn = BytesIO()
    image = draw_piano_roll(score, width=ROLL_PIXELS[0], height=ROLL_PIXELS[1])
    image.quantize(32).save(drawn, "PNG", optimize=True)
    data = base64.b64encode(drawn.getvalue()).decode()
    return f'<img alt="piano roll of a passage that excites the unit" src="data:image/png;base64,{data}">'


def _gates(figures: Figures) -> Iterator[str]:
    yield "<h2>3. Gates</h2>"
    yield (
        "<p>How far the gates of a unit stand open on average: input lets news in, forget keeps what is there (1 keeps "
        "all), output shows it. A unit whose forget gate is on average f loses half of what it holds in "
        "log 2 / −log f events.</p>"
    )
    gates = figures["gates"]
    yield "<table><tr><th>Layer<th>Gate<th>Mean<th>Below 0.1<th>Above 0.9"
    for layer, found in gates.items():
        for name in ("input", "forget", "output"):
            row = found[name]
            yield f"<tr><td>{layer}<td>{name}<td>{number(row['mean'], 2)}<td>{row['shut']:.0%}<td>{row['open']:.0%}"
    yield "</table><table><tr><th>Layer<th>Half is lost within, events"
    for layer, found in gates.items():
        said = "; ".join(f"{share}: {number(value, 1)}" for share, value in found["half_life_events"].items())
        yield f"<tr><td>{layer}<td>{escape(said)}"
    yield "</table>"
    for name in ("input", "forget", "output"):
        series = {
            layer: [((index + 0.5) / 40, share, None, None) for index, share in enumerate(found[name]["histogram"])]
            for layer, found in gates.items()
        }
        yield legend(list(series), 1)
        yield curves(series, f"mean of the {name} gate", "share of units")


def _start(figures: Figures) -> Iterator[str]:
    yield "<h2>4. How long the first state is heard</h2>"
    found = figures["first_state"]
    yield "<p>The same events are read from another first state: how much predictions differ, in bits an event.</p>"
    yield "<ul>" + "".join(f"<li>{escape(name)}: {escape(what)}" for name, what in found["what"].items()) + "</ul>"
    series = {
        name: [((row["from"] * row["to"]) ** 0.5, row["value"], row["low"], row["high"]) for row in rows]
        for name, rows in found["bits"].items()
    }
    yield legend(list(series), 1)
    yield curves(series, "number of the note", "bits", log=True)
    yield "<table><tr><th>Notes" + "".join(f"<th>{escape(name)}" for name in series)
    for rows in zip(*found["bits"].values(), strict=True):
        cells = "".join(f"<td>{told(row, 4)}" for row in rows)
        yield f"<tr><td>{rows[0]['from']} to {rows[0]['to']}{cells}"
    yield "</table>"


def _past(figures: Figures) -> Iterator[str]:
    yield "<h2>5. How far back a prediction looks</h2>"
    found = figures["gradients"]
    yield (
        "<p>The gradient of what one event costs, with respect to what was read some events before, as a share of that "
        f"with respect to the event just before. {found['pieces']} pieces were long enough.</p>"
    )
    rows = [(row["distance"], row["value"], row["low"], row["high"]) for row in found["share"]]
    yield curves({"share": rows}, "events before", "share", log=True)
