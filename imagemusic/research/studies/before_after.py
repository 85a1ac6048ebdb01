"""Write a page to hear the difference: a piece with the settings of version 0.1 and one with the defaults, by picture.

    imagemusic study run before_after --set covers=PICTURES --page docs/before_after.html \\
        --out docs/results/before_after.json

The page holds the picture, both piano rolls and an excerpt of both as MP3: the last seconds, or, for every second
picture whose opening phrase returns, the opening and its return with a pause between.
"""

import argparse
from collections.abc import Iterator, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemusic.audio.waveform import Waveform
from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.files import write_atomically
from imagemusic.music.form import likeness
from imagemusic.music.score import Score
from imagemusic.music.structure import measure_structure
from imagemusic.music.timeline import timeline
from imagemusic.reports.markdown import table
from imagemusic.reports.page import data_uri, html_page, png_uri
from imagemusic.reports.style import REPORT
from imagemusic.research.studies.quality import choose_pictures
from imagemusic.research.studies.structure import SETTINGS
from imagemusic.research.study import Context, Figures, Study

TITLE = "Before and after: pieces that come back and end"
EXCERPT_SECONDS = 15.0
HALF, PAUSE = 7.2, 0.6  # seconds of a phrase and between two
FADE = 0.05  # seconds at the ends of an excerpt
SAMPLE_RATE = 24_000  # Hz, one channel, so that the page stays small
PICTURE_SIDE, PICTURE_QUALITY = 240, 82
ROLL_SIZE, ROLL_COLOURS = (760, 300), 24
LISTED = (
    "end_bass_tonic", "end_cadence_V_or_IV_I", "end_on_downbeat", "end_long_last_note", "opening_phrase_returns",
    "bars_repeated_nearly",
)  # fmt: skip


def opening_and_return(score: Score) -> tuple[float, float]:
    """Return when the first four bars begin, and when four bars most like them do, in seconds."""
    notes = timeline(score)
    pitched = ~notes.drum
    bar = notes.bar_of(notes.onset[pitched])
    count = int(bar.max(initial=-1)) + 1
    first = int(bar.min(initial=0))
    starts = np.arange(first + 4, count - 3)
    if not len(starts):
        return 0.0, 0.0
    alike = likeness(bar, notes.place_of(notes.onset[pitched]) * 12 + notes.pitch[pitched] % 12, count)
    phrases = np.mean([alike[first + step, starts + step] for step in range(4)], axis=0)
    ticks = np.round(notes.bar_start[[first, starts[int(phrases.argmax())]]] * score.ticks_per_beat).astype(np.int64)
    begin, again = score.seconds_at(ticks).tolist()
    return begin, again


def excerpt(sound: Waveform, spans: Sequence[tuple[float, float]]) -> Waveform:
    """Cut spans (from, to, in seconds) out of a sound, and join them with a pause, in one channel."""
    rate, mono = sound.sample_rate, sound.samples.mean(axis=0)
    parts: list[NDArray[np.float32]] = []
    for start, stop in spans:
        part = mono[max(round(start * rate), 0) : max(round(stop * rate), 1)].copy()
        edge = min(round(FADE * rate), len(part))
        ramp = np.linspace(0, 1, edge, dtype=np.float32)
        part[:edge] *= ramp
        part[len(part) - edge :] *= ramp[::-1]
        parts += [part, np.zeros(round(PAUSE * rate), np.float32)]
    return Waveform(np.concatenate(parts[:-1])[None], rate)


def spans_of(piece: Composition, sound: Waveform, returning: bool) -> list[tuple[float, float]]:
    """Return the spans of an excerpt: its opening and its return, or its last seconds."""
    if returning:
        begin, again = opening_and_return(piece.score)
        return [(begin, begin + HALF), (again, again + HALF)]
    return [(max(sound.seconds - EXCERPT_SECONDS, 0), sound.seconds)]


def sentence(before: dict[str, float], after: dict[str, float], returning: bool) -> str:
    """Say what one hears, from the measures."""
    if returning:
        was = "returns" if before["opening_phrase_returns"] == 1 else "never comes back"
        return (
            f"The opening, a pause, and the four bars most like it. Before, the phrase {was}; after, it returns, and "
            f"{after['bars_repeated_nearly']:.0%} of the bars nearly repeat ({before['bars_repeated_nearly']:.0%})."
        )
    return f"The ending. Before, the piece {_ending(before)}; after, it {_ending(after)}."


def _ending(measures: dict[str, float]) -> str:
    bass = "the tonic in the bass" if measures["end_bass_tonic"] == 1 else "another note than the tonic in the bass"
    verb = "closes with a cadence" if measures["end_cadence_V_or_IV_I"] == 1 else "stops without a cadence"
    place = "on a downbeat" if measures["end_on_downbeat"] == 1 else "off the downbeat"
    held = "held" if measures["end_long_last_note"] == 1 else "short"
    return f"{verb}, its last chord {place}, {held}, with {bass}"


def small_picture(path: Path) -> str:
    """Return a picture as a data: URI of a small JPEG."""
    file = BytesIO()
    with Image.open(path) as image:
        small = image.convert("RGB").resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    small.save(file, "JPEG", quality=PICTURE_QUALITY, optimize=True)
    return data_uri("image/jpeg", file.getvalue())


def render_page(pictures: Sequence[Path], pieces: dict[str, list[Composition]], measures: dict[str, Any]) -> str:
    """Return the page as HTML."""
    return html_page(TITLE, "\n".join(_body(pictures, pieces, measures)), style=REPORT)


def _body(pictures: Sequence[Path], pieces: dict[str, list[Composition]], measures: dict[str, Any]) -> Iterator[str]:
    yield f"<h1>{TITLE}</h1>"
    yield (
        "<p>The same picture, seed and model; <em>before</em> with the settings of version 0.1, <em>after</em> with "
        "the defaults. The excerpts are chosen by rule, none was exchanged for a better one. "
        "<code>imagemusic study run before_after</code> makes this page. The pictures are our own (CC0).</p>"
    )
    for number, path in enumerate(pictures):
        both = {name: measures[name][number] for name in SETTINGS}
        returning = number % 2 == 1 and both["after"]["opening_phrase_returns"] == 1
        yield f"<h2>{number + 1}. {escape(path.stem.replace('_', ' '))}</h2>"
        yield f"<p>{escape(sentence(both['before'], both['after'], returning))}</p>"
        picture = small_picture(path)
        for name in SETTINGS:
            piece = pieces[name][number]
            sound = piece.render(sample_rate=SAMPLE_RATE)
            mp3 = data_uri("audio/mpeg", excerpt(sound, spans_of(piece, sound, returning)).encode("mp3"))
            width, height = ROLL_SIZE
            roll = png_uri(piece.piano_roll(width=width, height=height), ROLL_COLOURS)
            yield (
                f'<figure><img src="{picture}" alt=""><div><img src="{roll}" alt="piano roll, {name}">'
                f'<audio controls preload="none" src="{mp3}"></audio></div><figcaption><b>{name}</b>: '
                f"{piece.ensemble}, {piece.score.note_count} notes</figcaption></figure>"
            )


class BeforeAfter(Study):
    """Composes with both settings for the same pictures, and writes rolls and excerpts side by side."""

    needs = ("covers",)
    quick = {"count": 2, "seconds": 6.0}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--count", type=int, default=10, metavar="N", help="pictures (%(default)s)")
        add("--seconds", type=float, default=60.0, metavar="S", help="of each piece (%(default)s)")
        add("--page", type=Path, metavar="FILE.html", help="where the page goes (beside --out)")

    def run(self, context: Context) -> Figures:
        options, model = context.options, context.model
        pictures = sorted(choose_pictures(context.data.path("covers"), options.count, options.seed))
        context.sources = [path.stem for path in pictures]
        pieces, measures = {}, {}
        for name, changes in SETTINGS.items():
            context.report(name)
            pieces[name] = model.compose(
                [*pictures], ComposeOptions(seconds=options.seconds, seed=options.seed, **changes)
            )
            measures[name] = [measure_structure(piece.score) for piece in pieces[name]]
        page = options.page or options.out.with_suffix(".html")
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, render_page(pictures, pieces, measures))
        context.report(f"{page}: {page.stat().st_size / 1e6:.1f} MB")
        means = {name: {key: _mean([row[key] for row in rows]) for key in LISTED} for name, rows in measures.items()}
        return {"seconds": options.seconds, "checkpoint": model.checkpoint.id, "pieces": len(pictures), **means}

    def report(self, figures: Figures) -> str:
        rows = [[key, *(f"{figures[name][key]}" for name in SETTINGS)] for key in LISTED]
        return table(("mean over pieces", *SETTINGS), rows)


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return round(float(np.mean(known)), 4) if known else None


STUDY = BeforeAfter()
