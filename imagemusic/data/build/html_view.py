"""Write a data set as one HTML page: covers, piano rolls, how each was matched, and the score of the match.

The page embeds everything it shows, so that it can be sent and opened anywhere; pictures are thumbnails.
"""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.data.build.built_set import open_built_set
from imagemusic.data.build.manifest import Manifest
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import ConfigError, ImageError
from imagemusic.events import codec
from imagemusic.files import write_atomically
from imagemusic.music.score import DURATION, ONSET, PITCH, Score
from imagemusic.reports.page import data_uri, html_page
from imagemusic.reports.svg import element
from imagemusic.vision.similarity import thumbnail

PAGE = "show.html"
THUMBNAIL = 144  # pixels
ROLL_WIDTH, ROLL_HEIGHT = 320, 96
ROLL_BEATS = 64  # shown of each piece
MOST_NOTES = 1500
COLORS = ("#56b4e9", "#f0aa28", "#14be8c", "#e18cbe", "#f0e442", "#eb6e32", "#6e82f0", "#facdc3")
DRUM_COLOR = "#cdcdd7"
COLUMNS = (
    "key", "id", "status", "why", "paired", "match_score", "artist", "title", "album", "kind", "release_date",
    "source", "release_id", "cover", "cover_source", "licence", "terms", "split", "group", "piece_group", "cover_group",
    "notes", "seconds", "label", "prepared",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """Which rows to show."""

    limit: int = 300
    status: str | None = None  # of this status alone

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ConfigError(f"limit must be at least 1, got {self.limit}")


def write_page(folder: Path, options: ShowOptions) -> Path:
    """Write DATASET/show.html and return its path.

    Raises:
        DataError: the data set was not built.
        OutputError: the page cannot be written.
    """
    built = open_built_set(folder)
    pieces = dict(zip((row.key for row in built.rows), built.prepared, strict=True))
    chosen = list(islice(_chosen(built.manifest, options.status), options.limit))
    cards = [_card(folder, row, built.prepared, pieces.get(row["key"])) for row in chosen]
    statuses = "".join(f"<option>{html.escape(name)}</option>" for name in sorted({row["status"] for row in chosen}))
    shown = f"{len(chosen):,} of {built.manifest.count:,} files"
    body = BODY.replace("{shown}", shown).replace("{statuses}", statuses).replace("{cards}", "\n".join(cards))
    page = html_page("covers and music", body, style=STYLE, script=SCRIPT)
    write_atomically(folder / PAGE, page.encode("utf-8", "replace"))
    return folder / PAGE


def _chosen(manifest: Manifest, status: str | None) -> Iterator[dict[str, Any]]:
    return (row for row in manifest.rows(COLUMNS) if status is None or row["status"] == status)


def _card(folder: Path, row: dict[str, Any], prepared: PreparedSet, piece: PreparedPiece | None) -> str:
    """Return one row as HTML."""
    roll = draw_roll(codec.decode(prepared.events(piece))) if piece else ""
    score = "" if row["match_score"] is None else f" · score {row['match_score']:.2f}"
    facts = [
        ("album", " · ".join(filter(None, (row["album"], row["album"] and row["kind"], row["release_date"])))),
        ("matched", " · ".join(filter(None, (row["why"], row["source"])))),
        ("pair", " · ".join(filter(None, (row["paired"], row["label"])))),
        ("licence", " · ".join(filter(None, (row["licence"], row["terms"] and f"terms: {row['terms']}")))),
        ("split", f"{row['split']} · {row['group']}"),
        ("alike", " · ".join(filter(None, (row["piece_group"] and "music", row["cover_group"] and "cover")))),
        ("file", row["key"]),
    ]
    if row["notes"]:
        facts.insert(0, ("music", f"{row['notes']:,} notes · {row['seconds']:.0f} s"))
    listed = "".join(f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in facts if value)
    named = html.escape(f"{row['artist'] or 'unknown'} — {row['title']}")
    return (
        f'<article data-status="{html.escape(row["status"])}"><header>{_picture(folder, row)}{roll}</header>'
        f"<h2>{named}</h2><p><b class='{html.escape(row['status'])}'>{html.escape(row['status'])}</b>{score}</p>"
        f"<dl>{listed}</dl></article>"
    )


def _picture(folder: Path, row: dict[str, Any]) -> str:
    """Return a thumbnail of the cover, linked to its source, as HTML."""
    if not row["cover"]:
        return '<span class="none">no cover</span>'
    try:
        thumb = data_uri("image/jpeg", thumbnail((folder / row["cover"]).read_bytes(), THUMBNAIL))
    except (OSError, ImageError):
        return '<span class="none">cover is gone</span>'
    image = f'<img loading="lazy" alt="cover" width="{THUMBNAIL // 2 * 2}" src="{thumb}">'
    link = str(row["cover_source"] or "")
    return f'<a href="{html.escape(link)}">{image}</a>' if link.startswith("https://") else image


def draw_roll(score: Score) -> str:
    """Return the first ROLL_BEATS beats of a score as a small piano roll, in SVG."""
    until = min(score.end, ROLL_BEATS * score.ticks_per_beat) or 1
    shown = [track.notes[track.notes[:, ONSET] < until][:MOST_NOTES] for track in score.tracks]
    pitches = np.concatenate([np.zeros(0, np.int32), *(notes[:, PITCH] for notes in shown)])
    low, high = (int(pitches.min()) - 1, int(pitches.max()) + 1) if len(pitches) else (59, 61)
    row = ROLL_HEIGHT / (high - low + 1)
    paths = []
    for number, (track, notes) in enumerate(zip(score.tracks, shown, strict=True)):
        left = notes[:, ONSET] * (ROLL_WIDTH / until)
        right = np.minimum(notes[:, ONSET] + notes[:, DURATION], until) * (ROLL_WIDTH / until)
        middle = (high - notes[:, PITCH] + 0.5) * row
        drawn = "".join(
            f"M{x:.1f} {y:.1f}h{max(end - x - 0.3, 0.8):.1f}" for x, end, y in zip(left, right, middle, strict=True)
        )
        color = DRUM_COLOR if track.is_drum else COLORS[number % len(COLORS)]
        paths.append(element("path", stroke=color, d=drawn))
    return (
        f'<svg class="roll" viewBox="0 0 {ROLL_WIDTH} {ROLL_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="piano roll" stroke-width="{max(row * 0.8, 0.8):.1f}">{"".join(paths)}</svg>'
    )


STYLE = """
body { font-size: 14px; margin: 1.5rem; }
nav { display: flex; gap: .8rem; align-items: center; flex-wrap: wrap; margin-bottom: 1rem; }
h1 { font-size: 1.2rem; margin: 0 1rem 0 0; }
input, select { font: inherit; padding: .25rem .5rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(430px, 1fr)); gap: 1rem; }
article { background: var(--card); border-radius: 8px; padding: .8rem; content-visibility: auto;
  contain-intrinsic-size: 430px 320px; }
header { display: flex; gap: .6rem; height: 144px; }
header img, .none { width: 144px; height: 144px; object-fit: contain; border-radius: 4px; background: var(--line); }
.none { display: grid; place-content: center; flex: none; color: var(--faint); }
.roll { flex: 1; min-width: 0; height: 144px; background: #16181e; border-radius: 4px; fill: none; }
h2 { font-size: 1rem; margin: .6rem 0 0; }
p { margin: .2rem 0; }
b { padding: 0 .5em; border-radius: 1em; background: #d9d9d4; color: #222; }
b.matched { background: #bfe6cf; } b.doubtful { background: #f6e2ab; }
b.corrupt, b.missing, b.failed, b.empty { background: #f3c3bd; }
dl { display: grid; grid-template-columns: 4.5rem 1fr; margin: .4rem 0 0; gap: 0 .5rem; font-size: .85rem; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
"""

BODY = """<nav><h1>covers and music</h1><span>{shown}</span>
<label>status <select id="status"><option value="">all</option>{statuses}</select></label>
<label>find <input id="find" type="search" placeholder="artist, title, album"></label></nav>
<main>
{cards}
</main>"""

SCRIPT = """
const cards = [...document.querySelectorAll("article")], status = document.getElementById("status"),
  find = document.getElementById("find");
function choose() {
  const words = find.value.toLowerCase();
  for (const card of cards)
    card.hidden = (status.value && card.dataset.status !== status.value)
      || !card.textContent.toLowerCase().includes(words);
}
status.oninput = find.oninput = choose;
"""
