"""The figures of an inspection as one self-contained HTML page, and as JSON."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from imagemusic.audio.pianoroll import draw_piano_roll
from imagemusic.files import write_atomically
from imagemusic.music.score import Score
from imagemusic.reports.charts import bar_chart, dot_chart, legend, line_chart, number, with_interval
from imagemusic.reports.page import html_page, png_uri
from imagemusic.reports.results import write_result
from imagemusic.reports.style import REPORT
from imagemusic.research.inspection.excerpts import TARGETS
from imagemusic.research.inspection.run import Figures, SelectiveUnit

ROLL_PIXELS = (480, 260)
MORE_STYLE = """
.rolls { display: flex; flex-wrap: wrap; gap: .6rem; }
.rolls img { flex: 1 1 30%; min-width: 200px; border-radius: 4px; }
"""


def write_report(out: Path, figures: Figures, units: Sequence[SelectiveUnit]) -> Path:
    """Write OUT/index.html and OUT/inspect.json, which has the provenance too; return the page's path.

    Raises:
        OutputError: they cannot be written.
    """
    page = out / "index.html"
    write_result(out / "inspect.json", figures)
    write_atomically(page, build_page(figures, units))
    return page


def build_page(figures: Figures, units: Sequence[SelectiveUnit]) -> str:
    """Return the report as an HTML document; `figures` and `units` are what `inspect` in run.py returns."""
    body = "\n".join(
        [*_head(figures), *_probes(figures), *_units(units), *_gates(figures), *_start(figures), *_past(figures)]
    )
    return html_page("What goes on in the layers", body, style=REPORT + MORE_STYLE)


def _head(figures: Figures) -> Iterator[str]:
    yield "<h1>What goes on in the layers</h1>"
    yield (
        f'<p class="faint">Checkpoint {escape(figures["checkpoint"])}: {figures["layers"]} layers of '
        f"{figures['hidden_size']} units. It read the first {figures['events']:,} events of {figures['pieces']} "
        "pieces, transposed by up to half an octave, so that no key is rare. Intervals are 95 %, from 1,000 bootstrap "
        "resamples of the groups of pieces.</p>"
    )


def _probes(figures: Figures) -> Iterator[str]:
    yield "<h2>1. Linear probes of each layer</h2>"
    yield (
        "<p>A linear map from a layer's hidden state to a musical property of the events so far is fitted on seven "
        "tenths of the pieces and tested on the others. The same map from the input of the first layer shows what "
        "needs no memory. The decoder runs without a condition, so a layer's information comes from the events alone. "
        "The dashed tick is the majority class.</p>"
    )
    found = figures["probes"]
    places = list(next(iter(found["classes"].values())))
    yield legend(places)
    yield dot_chart(found["classes"], "share of right answers by layer")
    yield '<p class="faint">Share of right answers.</p>'
    yield _probe_table(found["classes"], places)
    yield "<h3>Dials of the whole piece</h3>"
    yield legend(places)
    yield dot_chart(found["dials"], "share of variance explained by layer")
    yield '<p class="faint">Share of the variance between pieces that is explained; below 0 is worse than the mean.</p>'
    yield _probe_table(found["dials"], places)


def _probe_table(rows: dict[str, dict[str, Any]], places: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(place)}" for place in places)
    lines = []
    for name, row in rows.items():
        cells = "".join(f"<td>{with_interval(e, 2) if e else 'too little music'}" for e in row.values())
        chance = next((number(e["chance"], 2) for e in row.values() if e), "–")
        lines.append(f"<tr><td>{escape(name)}<td>{chance}{cells}")
    return f"<table><tr><th>What<th>Chance{head}{''.join(lines)}</table>"


def _units(units: Sequence[SelectiveUnit]) -> Iterator[str]:
    yield "<h2>2. Selective units</h2>"
    yield (
        "<p>The hidden unit whose variance each property explains best: its mean activation by class, relative to the "
        "overall mean, and the passages of three pieces before its strongest activation. The unit is chosen on the "
        "training pieces; the explained variance is of the test pieces.</p>"
    )
    for one in units:
        unit, names = one.unit, TARGETS[one.target]
        yield f"<h3>{escape(one.target.capitalize())}: layer {unit.layer + 1}, unit {unit.number}</h3>"
        yield f"<p>Explained variance in the test pieces: {max(unit.explained, 0):.0%}.</p>"
        values = {name: None if value != value else value for name, value in zip(names, unit.by_class, strict=True)}
        yield bar_chart(values, f"mean activation by {one.target}")
        yield f'<div class="rolls">{"".join(_roll(score) for score in one.passages)}</div>'


def _roll(score: Score) -> str:
    image = draw_piano_roll(score, width=ROLL_PIXELS[0], height=ROLL_PIXELS[1])
    return f'<img alt="piano roll of a passage that activates the unit" src="{png_uri(image)}">'


def _gates(figures: Figures) -> Iterator[str]:
    yield "<h2>3. Gates</h2>"
    yield (
        "<p>Mean activations of the input, forget and output gates. A unit whose forget gate is f on average halves "
        "its cell state in log 2 / −log f events.</p>"
    )
    gates = figures["gates"]
    yield "<table><tr><th>Layer<th>Gate<th>Mean<th>Below 0.1<th>Above 0.9"
    for layer, found in gates.items():
        for name in ("input", "forget", "output"):
            row = found[name]
            yield f"<tr><td>{layer}<td>{name}<td>{number(row['mean'], 2)}<td>{row['shut']:.0%}<td>{row['open']:.0%}"
    yield "</table><table><tr><th>Layer<th>Half-life in events, at most"
    for layer, found in gates.items():
        half_lives = "; ".join(f"{share}: {number(value, 1)}" for share, value in found["half_life_events"].items())
        yield f"<tr><td>{layer}<td>{escape(half_lives)}"
    yield "</table>"
    for name in ("input", "forget", "output"):
        series = {
            layer: [((index + 0.5) / 40, share, None, None) for index, share in enumerate(found[name]["histogram"])]
            for layer, found in gates.items()
        }
        yield legend(list(series), 1)
        yield line_chart(series, f"mean of the {name} gate", "share of units")


def _start(figures: Figures) -> Iterator[str]:
    yield "<h2>4. Influence of the initial state</h2>"
    found = figures["first_state"]
    yield "<p>KL divergence of the predictions for the same events from another initial state, in bits an event.</p>"
    yield "<ul>" + "".join(f"<li>{escape(name)}: {escape(what)}" for name, what in found["what"].items()) + "</ul>"
    series = {
        name: [((row["from"] * row["to"]) ** 0.5, row["value"], row["low"], row["high"]) for row in rows]
        for name, rows in found["bits"].items()
    }
    yield legend(list(series), 1)
    yield line_chart(series, "number of the note", "bits", log=True)
    yield "<table><tr><th>Notes" + "".join(f"<th>{escape(name)}" for name in series)
    for rows in zip(*found["bits"].values(), strict=True):
        cells = "".join(f"<td>{with_interval(row, 4)}" for row in rows)
        yield f"<tr><td>{rows[0]['from']} to {rows[0]['to']}{cells}"
    yield "</table>"


def _past(figures: Figures) -> Iterator[str]:
    yield "<h2>5. Influence of earlier events</h2>"
    found = figures["gradients"]
    yield (
        "<p>Norm of the gradient of one event's loss with respect to the input some events before, relative to that "
        f"with respect to the event just before. {found['pieces']} pieces were long enough.</p>"
    )
    rows = [(row["distance"], row["value"], row["low"], row["high"]) for row in found["share"]]
    yield line_chart({"share": rows}, "events before", "share", log=True)
