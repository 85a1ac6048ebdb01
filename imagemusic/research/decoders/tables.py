"""Runs that are done -> figures, and tables to read."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.data.prepared import PreparedPiece
from imagemusic.evaluation.intervals import bootstrap
from imagemusic.research.decoders.bench import Bench, has_drums
from imagemusic.research.decoders.running import RunOptions, bits
from imagemusic.research.decoders.variants import VARIANTS

# What the others of a group are compared with.
REFERENCE = {"decoders": "lstm", "conditions": "none", "settings": "lstm"}


def tabulate(bench: Bench, folder: Path, options: RunOptions) -> dict[str, Any]:
    """Put together the runs in a folder that were made with these options; the others are named as missing."""
    settings = json.loads(json.dumps(asdict(options)))
    runs = {name: _results(folder, name, settings, bench) for name in VARIANTS}
    speeds = json.loads((folder / "speed.json").read_text()) if (folder / "speed.json").exists() else {}
    pieces = {
        "all": bench.test,
        "without_drums": [piece for piece in bench.test if not has_drums(bench.prepared, piece)],
    } | {
        corpus: [piece for piece in bench.test if piece.corpus == corpus]
        for corpus in sorted({piece.corpus for piece in bench.test})
    }
    variants = {
        name: _row(found, runs[REFERENCE[VARIANTS[name].group]], bench, pieces)
        | {"group": VARIANTS[name].group, "about": VARIANTS[name].about, "notes_per_second": speeds.get(name)}
        for name, found in runs.items()
        if found
    }
    return {
        "notes_seen": options.notes,
        "options": settings,
        "done": {name: [run["seed"] for run in found] for name, found in runs.items() if found},
        "missing": [name for name, found in runs.items() if not found],
        "training_pieces": len(bench.training),
        "training_notes": sum(piece.notes for piece in bench.training),
        "pieces": {name: len(kept) for name, kept in pieces.items()},
        "notes": {name: sum(piece.notes for piece in kept) for name, kept in pieces.items()},
        "validation_notes": sum(piece.notes for piece in bench.validation),
        "share_of_held_out_notes_reproduced": round(bench.coverage, 4),
        "tokens_per_note": {name: round(_tokens_per_note(bench, name), 3) for name in bench.tokens},
        "variants": variants,
    }


def _results(folder: Path, name: str, settings: dict[str, Any], bench: Bench) -> list[dict[str, Any]]:
    """Read the runs of a variant with these settings, on the pieces of this bench."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob(f"{name}-[0-9]*/result.json"))]
    pieces = {piece.id for piece in bench.test}
    kept = (run for run in found if settings.items() <= run["options"].items() and run["test"].keys() == pieces)
    return sorted(kept, key=lambda run: run["seed"])


def _tokens_per_note(bench: Bench, name: str) -> float:
    spelled = [len(bench.tokens[name].encode(bench.prepared.events(piece))) for piece in bench.test]
    return sum(spelled) / sum(piece.notes for piece in bench.test)


def _row(
    runs: list[dict[str, Any]],
    reference: list[dict[str, Any]],
    bench: Bench,
    pieces: dict[str, Sequence[PreparedPiece]],
) -> dict[str, Any]:
    test = {name: [bits(run["test"], kept) for run in runs] for name, kept in pieces.items() if kept}
    row: dict[str, Any] = {
        "seeds": len(runs),
        "parameters": runs[0]["parameters"],
        "width": runs[0]["width"],
        "validation_bits_per_note": _mean([bits(run["validation"], bench.validation) for run in runs]),
        "test_bits_per_note": _mean(test["all"]),
        "test_bits_by_seed": [round(value, 4) for value in test["all"]],
        "by_part": {name: _mean(values) for name, values in test.items() if name != "all"},
        "cpu_seconds": _mean([run["cpu_seconds"] for run in runs]),
        "curve": runs[0]["curve"],
    }
    if reference and reference[0]["name"] != runs[0]["name"]:
        # The same pieces under both, the mean of their seeds; groups of pieces are drawn again.
        notes = np.array([piece.notes for piece in bench.test])
        nats, other = (
            np.mean([[run["test"][piece.id] for piece in bench.test] for run in some], axis=0)
            for some in (runs, reference)
        )
        more = (nats - other) / math.log(2)
        row["more_than_reference"] = bootstrap(
            lambda chosen: float(more[chosen].sum() / notes[chosen].sum()), [piece.group for piece in bench.test]
        ).to_json() | {"reference": reference[0]["name"]}
    if "dials" in runs[0]:
        row["dials"] = runs[0]["dials"]
    return row


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)


def markdown(figures: dict[str, Any]) -> str:
    """Lay the figures out as tables, the best of each group on validation first."""
    lines = [
        f"Seen by each: {figures['notes_seen']:,} notes.  Scored: {figures['pieces']['all']} test pieces, "
        f"{figures['notes']['all']:,} notes; validation {figures['validation_notes']:,} notes.  "
        "Intervals are 95 %, from 1,000 draws of groups of pieces; what another seed would change they do not tell.",
        "",
    ]
    for group, reference in REFERENCE.items():
        rows = {name: row for name, row in figures["variants"].items() if group == row["group"] or name == reference}
        lines += [
            f"| {group} | | seeds | parameters | validation | test | more than `{reference}` | no drums | CPU s "
            "| notes/s |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for name, row in sorted(rows.items(), key=lambda item: item[1]["validation_bits_per_note"]):
            more = row.get("more_than_reference")
            speed = row["notes_per_second"]
            lines.append(
                f"| `{name}` | {row['about']} | {row['seeds']} | {row['parameters'] / 1e6:.2f} M "
                f"| {row['validation_bits_per_note']:.3f} | {row['test_bits_per_note']:.3f} | {interval(more)} "
                f"| {row['by_part'].get('without_drums', float('nan')):.3f} | {row['cpu_seconds']:.0f} "
                f"| {'' if speed is None else format(speed, '.0f')} |"
            )
        lines.append("")
    told = {name: row["dials"] for name, row in figures["variants"].items() if "dials" in row}
    if told:
        bands = [band for band in next(iter(told.values()))["null"]]
        lines += [
            "| told right dials, bits per note saved against | " + " | ".join(f"notes {band}" for band in bands) + " |",
            "|---|" + "---|" * len(bands),
        ]
        for name, dials in told.items():
            for other in (key for key in dials if key != "right_bits_per_note"):
                cells = " | ".join(interval(dials[other][band]) for band in bands)
                lines.append(f"| `{name}`, {other} | {cells} |")
        lines.append("")
    missing = ", ".join(figures["missing"])
    return "\n".join(lines) + (f"\nNot run: {missing}.\n" if missing else "")


def interval(figure: dict[str, Any] | None) -> str:
    """A figure with its interval, in one cell."""
    if not figure:
        return ""
    if figure["low"] is None:
        return f"{figure['value']:+.3f}"
    return f"{figure['value']:+.3f} ({figure['low']:+.3f} to {figure['high']:+.3f})"
