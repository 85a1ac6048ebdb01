"""The report as one self-contained HTML page, without scripts: figures as text, tables and charts."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from imagemusic.evaluation.intervals import TOO_FEW
from imagemusic.evaluation.steering.gallery import Shown
from imagemusic.reports.charts import interval_chart, number, response_chart, scatter_chart, with_interval
from imagemusic.reports.page import html_page
from imagemusic.reports.style import REPORT

Figures = Mapping[str, Any]

WRONG = {
    "swapped": "another picture of the list",
    "swapped_within_kind": "another, same ensemble or genre",
    "mean": "the mean of all pictures",
    "noise": "noise",
    "null": "no picture at all",
}
SETTING_TITLES = {
    "masks_off": "Masks and repetition penalty off",
    "as_shipped": "As shipped",
    "masks_and_feedback_off": "Masks, repetition penalty and feedback off: the decoder alone",
}
BANDS = {
    "overall": "all", "without_header": "without the header", "notes_1_16": "notes 1 to 16",
    "notes_17_64": "notes 17 to 64", "notes_65_256": "notes 65 to 256", "notes_after_256": "later notes",
}  # fmt: skip


def build_page(figures: Figures, shown: Sequence[Shown]) -> str:
    """Return the report; `figures` is what `evaluate` in run.py returns, keys as in steering.json."""
    body = "\n".join([*_head(figures), *_gap(figures), *_dose_response(figures), *_pictures(figures), *_pools(figures),
                      *_quality(figures), *_gallery(shown)])  # fmt: skip
    return html_page("Does the picture steer the music?", body, style=REPORT)


def _head(figures: Figures) -> Iterator[str]:
    about = figures["pairs"]
    yield "<h1>Does the picture steer the music?</h1>"
    yield (
        f'<p class="faint">Checkpoint {escape(figures["checkpoint"])}; {about["rows"]} rows, {about["with_music"]} '
        f"with music, {about['pictures']} different pictures; {about['groups']} groups of music, "
        f"{about['picture_groups']} of pictures. Intervals are 95 %, from 1,000 bootstrap resamples of the groups: of "
        "music where a figure depends on it, else of pictures. A hollow point is an estimate whose interval contains "
        "zero, or that has no interval.</p>"
    )
    if about["left_out"]:
        rows = "".join(f"<li>{escape(problem)}</li>" for problem in about["left_out"])
        yield f"<p>{len(about['left_out'])} rows were left out:</p><ul>{rows}</ul>"
    yield "<table><tr><th>Question<th>Goal<th>Found<th>Reached"
    for row in figures["goals"]:
        kind = {None: "", True: "yes", False: "no"}[row["reached"]]
        unbounded = row["value"] is None and row["reached"] is not None
        least = "" if row["low"] is None else f"; at least {number(row['low'])}"
        found = f"no end{least}" if unbounded else with_interval(row)
        said = f'<span class="{kind}">{row["said"]}</span>'
        yield f"<tr><td>{escape(row['what'])}<td>{escape(row['goal'])}<td>{found}<td>{said}"
    yield "</table>"


def _verdicts(named: Sequence[tuple[str, Figures]]) -> Iterator[str]:
    """Return paragraphs that list the intervals that contain zero or lie below it, and those that are missing."""
    zero = [name for name, e in named if e["verdict"] == "contains zero"]
    below = [name for name, e in named if e["verdict"] == "below zero"]
    few = [name for name, e in named if e["verdict"] == TOO_FEW]
    for words, names in (("The interval contains zero", zero), ("The interval lies below zero", below),
                         (TOO_FEW.capitalize(), few)):  # fmt: skip
        if names:
            yield f'<p class="warn">{words}: {escape("; ".join(names))}.</p>'


def _gap(figures: Figures) -> Iterator[str]:
    yield "<h2>1. What the right picture is worth</h2>"
    found = figures.get("conditional_gap")
    if found is None:
        yield "<p>Not measured: no music in the list.</p>"
        return
    yield (
        "<p>Bits a note that a wrong picture costs more than the right one. They count only if the model was not "
        "trained on this music, which is not checked here. "
        f"{found['pieces']} pieces, their first {found['notes_at_most']} notes at most; wrong pictures are drawn "
        f"{figures['options']['seeds']} times.</p>"
    )
    bound = found["most_to_be_had"]
    if bound:
        yield (
            "<p>Upper bound: given the canonical correlations between the dials of picture and music, a perfect "
            f"decoder would lose {with_interval(bound, 4)} bits a note to a swapped picture.</p>"
        )
    for name, title in (("as_composed", "As composed: image targets are given as exact"),
                        ("calibrated", "Calibrated: image targets are given as noisy, with their sd")):  # fmt: skip
        table = found[name]
        yield f"<h3>{title} ({number(table['bits_per_note'])} bits a note)</h3>"
        rows = [(WRONG[wrong], table[wrong]["overall"]) for wrong in WRONG if wrong in table]
        yield interval_chart(rows, digits=4) + "".join(_verdicts(rows))
        if table["picture_costs_bits"]:
            yield '<p class="warn">The right picture costs bits: the music is likelier without a picture.</p>'
    yield "<h3>As composed, by note: does the picture fade?</h3>"
    for wrong in ("swapped", "swapped_within_kind"):
        table = found["as_composed"][wrong]
        rows = [(BANDS[band], table[band]) for band in BANDS if band in table]
        yield f'<p class="faint">{WRONG[wrong]}</p>' + interval_chart(rows, digits=4) + "".join(_verdicts(rows))
    for name, title in (("rated_or_known", "one dial given, as rated by people or known"),
                        ("measured_in_the_music", "one dial given, as measured in the music")):  # fmt: skip
        table = found["per_dial"][name]
        dials = [(dial, gaps["overall"]) for dial, gaps in table.items() if gaps]
        if dials:
            yield f"<h3>Per dial given: reported ({title})</h3>" + interval_chart(dials, digits=4)
            yield "".join(_verdicts(dials))


def _dose_response(figures: Figures) -> Iterator[str]:
    found = figures["dose_response"]
    yield "<h2>2. Turn a dial, measure the music</h2>"
    by_ratings = [dial for dial, who in found["judged_by"].items() if "ratings" in who]
    regressor = figures.get("judge")
    yield (
        "<p>Each picture implies the opposite of the level that is set. The curve is the median, the band the "
        "quartiles. Tempo follows valence and arousal and affects their measurement, so the partial rank correlation "
        "given the tempo of the pieces is reported too.</p>"
    )
    if regressor:
        right = "; ".join(
            f"{corpus}, {table['clips']} clips: {_accuracy(table, 'valence')}, {_accuracy(table, 'arousal')}"
            for corpus, table in regressor.items()
        )
        yield (
            f"<p>{' and '.join(by_ratings).capitalize()} are measured by a regressor on people's ratings, which is not "
            "used in composing. Its cross-validated accuracy, over songs, against that of the majority class: "
            f"{right}.</p>"
        )
    else:
        yield (
            '<p class="warn">No ratings were given, so valence and arousal are measured by the formula that also '
            "defines the dials. That measurement is not independent.</p>"
        )
    for name, title in SETTING_TITLES.items():
        yield f"<h3>{title}</h3>" + response_chart(found[name])
        given = [(f"{dial}, given the tempo", table["rho_given_tempo"]) for dial, table in found[name].items()
                 if "rho_given_tempo" in table]  # fmt: skip
        yield f"<p>{'; '.join(f'{dial}: rho {with_interval(rho, 2)}' for dial, rho in given).capitalize()}.</p>"
        yield "".join(_verdicts([*((dial, table["rho"]) for dial, table in found[name].items()), *given]))


def _accuracy(table: Figures, dial: str) -> str:
    return f"{dial} {with_interval(table[f'{dial}_right'], 2)} against {number(table[f'{dial}_commonest'], 2)}"


def _pictures(figures: Figures) -> Iterator[str]:
    found = {dial: table for dial, table in figures["picture_response"].items() if table}
    yield "<h3>Through pictures alone</h3>"
    if not found:
        yield "<p>Not measured: the list has no ratings of its pictures.</p>"
        return
    yield '<div class="pair">'
    for dial, table in found.items():
        by_piece, by_mean = (with_interval(table[name], 2) for name in ("rho", "rho_of_means"))
        chart = scatter_chart(
            table["ratings"], table["heard"], f"{dial} of the picture, rated", f"{dial} of its music"
        )  # fmt: skip
        yield f"<div>{chart}<p>{dial}: rho {by_piece} a piece; {by_mean} for the mean of the seeds.</p></div>"
    yield "</div>" + "".join(_verdicts([(dial, table["rho"]) for dial, table in found.items()]))


def _pools(figures: Figures) -> Iterator[str]:
    distances = figures["sensitivity"]
    yield "<h2>3. Another picture, or the same one slightly edited</h2>"
    yield (
        f"<p>Distance between mean dials, less the distance between sets of seeds; {distances['pictures']} pictures, "
        f"{distances['seeds']} seeds. Null edits are a JPEG of quality 70, a crop of 5 % and half the size.</p>"
    )
    rows = [("another picture", distances["another_picture"]), ("a null edit", distances["null_edit"])]
    yield interval_chart(rows) + "".join(_verdicts(rows))
    yield f"<p>{_ratio(distances)}</p>"
    yield (
        "<p>Valence and arousal depend on onsets a second, thus on tempo. Over the other dials alone: "
        f"{_ratio(distances['without_tempo'])}</p>"
    )
    found = figures["retrieval"]
    yield "<h2>4. From the music back to its picture</h2>"
    yield (
        f"<p>Among {found['candidates']} pictures, by ticks, pitches, lengths and velocities of the notes alone: no "
        "tempo, no header. A piece is scored under the distribution of each picture's pieces of other seeds. Chance "
        f"for the first five is {found['chance_at_5']:.0%}.</p>"
    )
    for name, title in (("notes_alone", "notes alone"), ("notes_and_programs", "notes and their programs")):
        table = found[name]
        yield (
            f"<p>{title.capitalize()}: first {with_interval(table['recall_at_1'])}; among the first five "
            f"{with_interval(table['recall_at_5'])}; median rank {with_interval(table['median_rank'], 1)}.</p>"
        )
    yield "<h2>5. Variance between pictures and between seeds</h2>"
    yield "<p>Share of each dial's variance between pictures; the rest is between seeds of one picture.</p>"
    shares = list(figures["variance"].items())
    yield interval_chart(shares, digits=2) + "".join(_verdicts(shares))


def _ratio(distances: Figures) -> str:
    ratio = distances["ratio"]
    if ratio["value"] is not None:
        return f"Ratio: {with_interval(ratio, 1)}."
    bound = "" if ratio["low"] is None else f"; the ratio is {number(ratio['low'], 1)} or more"
    return f"Null edits move the music no further than other seeds do{bound}."


def _quality(figures: Figures) -> Iterator[str]:
    found = figures["quality"]
    yield "<h2>6. Quality</h2>"
    faults = found["faults"]
    for name, title in (("composed", "composed"), ("real_music", "real music, cut to the same length")):
        if name in faults:
            kinds = "".join(f", {kind} {count}" for kind, count in faults[name]["kinds"].items())
            share = with_interval(faults[name])
            yield f"<p>Faulty pieces ({title}): {share} of {faults[name]['pieces']}{escape(kinds)}.</p>"
    worst, share = found["corners"]["worst"], with_interval(found["corners"]["all"])
    yield (
        f"<p>At the extremes of the dials: {share}; worst at {escape(worst['corner'])}: "
        f"{with_interval(worst)} of {worst['pieces']}.</p>"
    )
    if found["distance_to_real_music"]:
        yield "<table><tr><th>Of four bars<th>Overlap with real music<th>KL, nats"
        for name, one in found["distance_to_real_music"].items():
            yield f"<tr><td>{name.replace('_', ' ')}<td>{number(one['overlap'])}<td>{number(one['divergence'])}"
        yield "</table>"
    bits = found.get("bits_per_note")
    if bits:
        named = ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in bits["bits_per_note"].items())
        difference = with_interval(bits["with_the_picture_less_unconditional"], 4)
        yield f"<p>Bits a note: {named}; with the picture less unconditional: {difference}.</p>"
    else:
        yield "<p>Bits a note against an unconditional baseline: not measured, as none was given.</p>"
    yield "<h2>7. Controls</h2>"
    if figures["controls"] is None:
        yield "<p>Not measured here; imagemusic study run controls measures them.</p>"
    else:
        asked = {"requests": {"asked": figures["controls"].get("requests"), "met": figures["controls"].get("met")}}
        rows = "".join(
            f"<tr><td>{escape(name.replace('_', ' '))}<td>{escape(str(one['met']))} of {escape(str(one['asked']))} met"
            for name, one in (asked | figures["controls"].get("controls", {})).items()
        )
        yield f"<p>As imagemusic study run controls measured them on the written MIDI:</p><table>{rows}</table>"
    yield "<h2>8. Copying</h2>"
    copied = figures.get("copying")
    if copied is None:
        yield "<p>Not measured: no training set was given.</p>"
        return
    yield "<p>Longest run of melody intervals, in any key, shared with a training piece.</p>"
    for name in ("composed", "held_out_music"):
        table = copied[name]
        mean = with_interval(table["mean"], 1) if table["mean"] else "–"
        yield f"<p>{name.replace('_', ' ').capitalize()}: mean {mean}, longest {number(table['longest'], 0)}.</p>"


def _gallery(shown: Sequence[Shown]) -> Iterator[str]:
    if not shown:
        return
    yield "<h2>Gallery</h2>"
    for piece in shown:
        sound = f'<audio controls preload="none" src="{piece.sound}"></audio>' if piece.sound else ""
        dials = ", ".join(f"{name} {value}" for name, value in piece.dials.items())
        yield (
            f'<figure><img src="{piece.picture}" alt="{escape(piece.name, quote=True)}"><div><img src="{piece.roll}" '
            f'alt="piano roll">{sound}</div><figcaption>{escape(piece.name)}: {escape(dials)}</figcaption></figure>'
        )
