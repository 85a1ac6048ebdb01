"""Count what a data set holds, in one pass over its manifest."""

import html
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from imagemusic.data.build.blocks import DRUMS
from imagemusic.data.build.manifest import Manifest
from imagemusic.music.instruments import instrument_name

COUNTED = ("status", "paired", "source", "licence", "terms", "split")
NO_LABEL = "not stated"
PLOT_WIDTH, BAR_HEIGHT, BAR_ROOM = 720, 18, 330  # pixels
MOST_BARS = 20


@dataclass(slots=True)
class Statistics:
    """Counts of rows and of what they hold; one of each column of COUNTED, by its values."""

    rows: int = 0
    notes: int = 0
    seconds: float = 0.0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in COUNTED})
    instruments: Counter[str] = field(default_factory=Counter)  # pieces in which each plays
    covers: int = 0  # different ones
    groups: int = 0
    duplicate_pieces: int = 0  # rows with a near-duplicate of their music
    duplicate_covers: int = 0  # rows whose cover, or a similar one, others have
    failures: dict[str, str] = field(default_factory=dict)  # the first files that could not be used, and why


MOST_FAILURES = 20  # named


def measure_set(manifest: Manifest) -> Statistics:
    """Count what a data set holds; splits, terms and the like over usable rows alone."""
    found = Statistics()
    covers: set[bytes] = set()
    groups: set[str] = set()
    columns = (
        *COUNTED,
        "key",
        "why",
        "notes",
        "seconds",
        "programs",
        "cover_sha256",
        "group",
        "piece_group",
        "cover_group",
    )
    for row in manifest.rows(columns):
        found.rows += 1
        found.counts["status"][row["status"]] += 1
        if not row["notes"]:
            if len(found.failures) < MOST_FAILURES:
                found.failures[row["key"]] = row["why"]
            continue
        for name in COUNTED[1:]:
            found.counts[name][row[name] or NO_LABEL] += 1
        found.notes += row["notes"]
        found.seconds += row["seconds"]
        found.instruments.update({instrument_name(min(p, 127), p == DRUMS) for p in row["programs"]})
        groups.add(row["group"])
        if row["cover_sha256"]:
            covers.add(bytes.fromhex(row["cover_sha256"]))
        found.duplicate_pieces += row["piece_group"] is not None
        found.duplicate_covers += row["cover_group"] is not None
    found.covers, found.groups = len(covers), len(groups)
    return found


def statistics_table(found: Statistics) -> dict[str, object]:
    """Return the counts as a nested table for printing."""
    table: dict[str, object] = {
        "MIDI files": found.rows, "notes": found.notes, "hours of music": round(found.seconds / 3600, 2),
        "covers": found.covers, "groups that share a split": found.groups,
        "pieces with a near-duplicate": found.duplicate_pieces,
        "pieces whose cover others have": found.duplicate_covers,
    }  # fmt: skip
    for name, counts in found.counts.items():
        table[name] = dict(counts.most_common())
    table["instruments"] = dict(found.instruments.most_common(MOST_BARS))
    if found.failures:
        table["not usable"] = found.failures
    return table


def draw_statistics(found: Statistics) -> str:
    """Return a bar chart of the counts, as SVG."""
    parts: list[str] = []
    y = 10
    for title, counts in (found.counts | {"instruments": found.instruments}).items():
        y += BAR_HEIGHT + 6
        parts.append(f'<text x="10" y="{y}" class="title">{html.escape(title)}</text>')
        y += 6
        for name, count, width in _bars(counts):
            y += BAR_HEIGHT
            parts.append(
                f'<text x="10" y="{y}">{html.escape(name)[:48]}</text>'
                f'<rect x="{PLOT_WIDTH - BAR_ROOM - 70}" y="{y - 11}" width="{width}" height="13" rx="2"/>'
                f'<text x="{PLOT_WIDTH - BAR_ROOM - 64 + width}" y="{y}">{count:,}</text>'
            )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{PLOT_WIDTH}" height="{y + 20}" font-family="sans-serif" '
        f'font-size="12"><style>rect{{fill:#3572a5}}.title{{font-weight:bold;font-size:14px}}</style>'
        f'<rect width="100%" height="100%" style="fill:#fff"/>{"".join(parts)}</svg>\n'
    )


def _bars(counts: Mapping[str, int]) -> list[tuple[str, int, int]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_BARS]
    return [(name, count, max(1, round(BAR_ROOM * count / ordered[0][1]))) for name, count in ordered]
