"""The report as one HTML page that needs nothing else: no script, no font, no file beside it."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from imagemusic.evaluation.intervals import TOO_FEW
from imagemusic.evaluation.steering.gallery import Shown
from imagemusic.reports.style import STYLE
from imagemusic.reports.svg import intervals, number, responses, scatter, told

Figures = Mapping[str, Any]

WRONG = {
    "swapped": "another picture of the list",
    "swapped_within_kind": "another, same ensemble or genre",
    "mean": "the mean of all pictures",
    "noise": "noise",
    "null": "no picture at all",
}
DOSES = {
    "masks_off": "Masks and guards off",
    "as_shipped": "As shipped",
    "masks_and_feedback_off": "Masks, guards and feedback off: the decoder of itself",
}
BANDS = {
    "overall": "all", "without_header": "without the header", "notes_1_16": "notes 1 to 16",
    "notes_17_64": "notes 17 to 64", "notes_65_256": "notes 65 to 256", "notes_after_256": "later notes",
}  # fmt: skip


def build_page(figures: Figures, shown: Sequence[Shown]) -> str:
    """Lay out the report."""
    body = "\n".join([*_head(figures), *_gap(figures), *_dose(figures), *_pictures(figures), *_others(figures),
                      *_quality(figures), *_gallery(shown)])  # fmt: skip
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Does the picture steer the music?</title><style>{STYLE}</style><body>\n{body}\n</body></html>\n"
    )


def _head(figures: Figures) -> Iterator[str]:
    about = figures["pairs"]
    yield "<h1>Does the picture steer the music?</h1>"
    yield (
        f'<p class="faint">Checkpoint {escape(figures["checkpoint"])}; {about["rows"]} rows, {about["with_music"]} '
        f"with music, {about['pictures']} different pictures; {about['groups']} groups of music, "
        f"{about['picture_groups']} of pictures. Intervals are 95 %, by drawing groups again 1,000 times, those of "
        "pictures where their music plays no part. A hollow point is one whose interval contains zero, or that has "
        "none.</p>"
    )
    if about["left_out"]:
        rows = "".join(f"<li>{escape(problem)}</li>" for problem in about["left_out"])
        yield f"<p>{len(about['left_out'])} rows were left out:</p><ul>{rows}</ul>"
    yield "<table><tr><th>Question<th>Goal<th>Found<th>Reached"
    for row in figures["goals"]:
        kind = {None: "", True: "yes", False: "no"}[row["reached"]]
        endless = row["value"] is None and row["reached"] is not None
        least = "" if row["low"] is None else f"; at least {number(row['low'])}"
        found = f"no end{least}" if endless else told(row)
        said = f'<span class="{kind}">{row["said"]}</span>'
        yield f"<tr><td>{escape(row['what'])}<td>{escape(row['goal'])}<td>{found}<td>{said}"
    yield "</table>"


def _plain_words(named: Sequence[tuple[str, Figures]]) -> Iterator[str]:
    """Say which intervals contain zero, and which could not be had."""
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
        "trained on this music, which whoever made the list has to see to: nothing here checks it. "
        f"{found['pieces']} pieces, their first {found['notes_at_most']} notes at most; wrong pictures are drawn "
        f"{figures['options']['seeds']} times.</p>"
    )
    most = found["most_to_be_had"]
    if most:
        yield (
            f"<p>The picture's dials and those of the music hang together so loosely that a perfect decoder would lose "
            f"{told(most, 4)} bits a note to a swapped picture.</p>"
        )
    for name, title in (("as_composed", "As composed: what the picture says is given as sure"),
                        ("calibrated", "Calibrated: given with how unsure it is")):  # fmt: skip
        table = found[name]
        yield f"<h3>{title} ({number(table['bits_per_note'])} bits a note)</h3>"
        rows = [(WRONG[wrong], table[wrong]["overall"]) for wrong in WRONG if wrong in table]
        yield intervals(rows, digits=4) + "".join(_plain_words(rows))
        if table["picture_costs_bits"]:
            yield '<p class="warn">The right picture costs bits: the music is likelier without any.</p>'
    yield "<h3>As composed, by note: does the picture fade?</h3>"
    for wrong in ("swapped", "swapped_within_kind"):
        table = found["as_composed"][wrong]
        rows = [(BANDS[band], table[band]) for band in BANDS if band in table]
        yield f'<p class="faint">{WRONG[wrong]}</p>' + intervals(rows, digits=4) + "".join(_plain_words(rows))
    for name, title in (("rated_or_known", "one dial given, as people rated or facts say"),
                        ("measured_in_the_music", "one dial given, as measured in the music")):  # fmt: skip
        table = found["per_dial"][name]
        dials = [(dial, gaps["overall"]) for dial, gaps in table.items() if gaps]
        if dials:
            yield f"<h3>Per dial given: reported ({title})</h3>" + intervals(dials, digits=4)
            yield "".join(_plain_words(dials))


def _dose(figures: Figures) -> Iterator[str]:
    found = figures["dose_response"]
    yield "<h2>2. Turn a dial, measure the music</h2>"
    by_ratings = [dial for dial, who in found["judged_by"].items() if "ratings" in who]
    judge = figures.get("judge")
    yield (
        "<p>Every picture contradicts the dial that is set: the curve is the median, the band the quartiles. The tempo "
        "follows a feeling that is set, and is heard; so rho is told with the tempo of the pieces given, too.</p>"
    )
    if judge:
        right = "; ".join(
            f"{corpus}, {table['clips']} clips: {_rightness(table, 'valence')}, {_rightness(table, 'arousal')}"
            for corpus, table in judge.items()
        )
        yield (
            f"<p>{' and '.join(by_ratings).capitalize()} are told by a model of people's ratings that had no part in "
            "making the music. Its share of right answers on songs it was not fitted on, against that of always giving "
            f"the commonest: {right}.</p>"
        )
    else:
        yield (
            '<p class="warn">No ratings were given, so valence and arousal are told by the formula that also defines '
            "the dials. That is no independent judge.</p>"
        )
    for name, title in DOSES.items():
        yield f"<h3>{title}</h3>" + responses(found[name])
        given = [(f"{dial}, given the tempo", table["rho_given_tempo"]) for dial, table in found[name].items()
                 if "rho_given_tempo" in table]  # fmt: skip
        yield f"<p>{'; '.join(f'{dial}: rho {told(rho, 2)}' for dial, rho in given).capitalize()}.</p>"
        yield "".join(_plain_words([*((dial, table["rho"]) for dial, table in found[name].items()), *given]))


def _rightness(table: Figures, dial: str) -> str:
    return f"{dial} {told(table[f'{dial}_right'], 2)} against {number(table[f'{dial}_commonest'], 2)}"


def _pictures(figures: Figures) -> Iterator[str]:
    found = {dial: table for dial, table in figures["picture_response"].items() if table}
    yield "<h3>Through pictures alone</h3>"
    if not found:
        yield "<p>Not measured: the list says no ratings of its pictures.</p>"
        return
    yield '<div class="pair">'
    for dial, table in found.items():
        yield (
            f"<div>{scatter(table, f'{dial} of the picture, rated', f'{dial} of its music')}"
            f"<p>{dial}: rho {told(table['rho'], 2)} a piece; {told(table['rho_of_means'], 2)} for the mean of the "
            "seeds.</p></div>"
        )
    yield "</div>" + "".join(_plain_words([(dial, table["rho"]) for dial, table in found.items()]))


def _others(figures: Figures) -> Iterator[str]:
    moved = figures["sensitivity"]
    yield "<h2>3. Another picture, or the same one slightly edited</h2>"
    yield (
        f"<p>How far the mean dials move, less what other seeds move them; {moved['pictures']} pictures, "
        f"{moved['seeds']} seeds. Null edits are a JPEG of quality 70, a crop of 5 % and half the size.</p>"
    )
    rows = [("another picture", moved["another_picture"]), ("a null edit", moved["null_edit"])]
    yield intervals(rows) + "".join(_plain_words(rows))
    yield f"<p>{_ratio(moved)}</p>"
    yield (
        "<p>Valence and arousal weigh onsets a second, so tempo is in them too. Over the other dials alone: "
        f"{_ratio(moved['without_tempo'])}</p>"
    )
    found = figures["retrieval"]
    yield "<h2>4. From the music back to its picture</h2>"
    yield (
        f"<p>Among {found['candidates']} pictures, by ticks, pitches, lengths and loudness of the notes alone: no "
        "tempo, no header. A piece is compared with what pieces of other seeds are like for each picture. Chance for "
        f"the first five is {found['chance_at_5']:.0%}.</p>"
    )
    for name, title in (("notes_alone", "notes alone"), ("notes_and_programs", "notes and who plays them")):
        table = found[name]
        yield (
            f"<p>{title.capitalize()}: first {told(table['recall_at_1'])}; among the first five "
            f"{told(table['recall_at_5'])}; median rank {told(table['median_rank'], 1)}.</p>"
        )
    yield "<h2>5. Whose variance: the picture's or the seed's</h2>"
    yield "<p>Share of each dial's variance that is the picture's; the rest is the seed's.</p>"
    shares = list(figures["variance"].items())
    yield intervals(shares, digits=2) + "".join(_plain_words(shares))


def _ratio(moved: Figures) -> str:
    ratio = moved["ratio"]
    if ratio["value"] is not None:
        return f"Ratio: {told(ratio, 1)}."
    end = "" if ratio["low"] is None else f"; the ratio is {number(ratio['low'], 1)} or more"
    return f"Null edits move the music no further than other seeds do{end}."


def _quality(figures: Figures) -> Iterator[str]:
    found = figures["quality"]
    yield "<h2>6. Quality</h2>"
    faults = found["faults"]
    for name, title in (("composed", "composed"), ("real_music", "real music, cut to the same length")):
        if name in faults:
            kinds = "".join(f", {kind} {count}" for kind, count in faults[name]["kinds"].items())
            yield f"<p>Faulty pieces ({title}): {told(faults[name])} of {faults[name]['pieces']}{escape(kinds)}.</p>"
    worst = found["corners"]["worst"]
    yield (
        f"<p>At the corners of the dials: {told(found['corners']['all'])}; worst at {escape(worst['corner'])}: "
        f"{told(worst)} of {worst['pieces']}.</p>"
    )
    if found["distance_to_real_music"]:
        yield "<table><tr><th>Of four bars<th>Overlap with real music<th>KL, nats"
        for name, one in found["distance_to_real_music"].items():
            yield f"<tr><td>{name.replace('_', ' ')}<td>{number(one['overlap'])}<td>{number(one['divergence'])}"
        yield "</table>"
    bits = found.get("bits_per_note")
    if bits:
        named = ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in bits["bits_per_note"].items())
        difference = told(bits["with_the_picture_less_unconditional"], 4)
        yield f"<p>Bits a note: {named}; with the picture less unconditional: {difference}.</p>"
    else:
        yield "<p>Bits a note against a model without conditions: not measured, as none was given.</p>"
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
    yield "<p>Longest run of melody intervals, in any key, that a training piece has too.</p>"
    for name in ("composed", "held_out_music"):
        table = copied[name]
        mean = told(table["mean"], 1) if table["mean"] else "–"
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
