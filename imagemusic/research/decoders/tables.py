"""Figures and Markdown tables of the finished runs."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.data.prepared import PreparedPiece
from imagemusic.evaluation.intervals import bootstrap
from imagemusic.research.decoders.benchmark import Benchmark, has_drums
from imagemusic.research.decoders.runner import RunOptions, bits
from imagemusic.research.decoders.variants import VARIANTS

# The variant with which the others of a group are compared.
REFERENCE = {"decoders": "lstm", "conditions": "none", "settings": "lstm"}


def tabulate(benchmark: Benchmark, folder: Path, options: RunOptions) -> dict[str, Any]:
    """Collect the runs in a folder that were made with these options; the others are listed as missing."""
    settings = json.loads(json.dumps(asdict(options)))
    runs = {name: _results(folder, name, settings, benchmark) for name in VARIANTS}
    speeds = json.loads((folder / "speed.json").read_text()) if (folder / "speed.json").exists() else {}
    pieces = {
        "all": benchmark.test,
        "without_drums": [piece for piece in benchmark.test if not has_drums(benchmark.prepared, piece)],
    } | {
        corpus: [piece for piece in benchmark.test if piece.corpus == corpus]
        for corpus in sorted({piece.corpus for piece in benchmark.test})
    }
    variants = {
        name: _row(found, runs[REFERENCE[VARIANTS[name].group]], benchmark, pieces)
        | {"group": VARIANTS[name].group, "about": VARIANTS[name].about, "notes_per_second": speeds.get(name)}
        for name, found in runs.items()
        if found
    }
    return {
        "notes_seen": options.notes,
        "options": settings,
        "done": {name: [run["seed"] for run in found] for name, found in runs.items() if found},
        "missing": [name for name, found in runs.items() if not found],
        "training_pieces": len(benchmark.training),
        "training_notes": sum(piece.notes for piece in benchmark.training),
        "pieces": {name: len(kept) for name, kept in pieces.items()},
        "notes": {name: sum(piece.notes for piece in kept) for name, kept in pieces.items()},
        "validation_notes": sum(piece.notes for piece in benchmark.validation),
        "share_of_held_out_notes_reproduced": round(benchmark.coverage, 4),
        "tokens_per_note": {name: round(_tokens_per_note(benchmark, name), 3) for name in benchmark.tokens},
        "variants": variants,
    }


def _results(folder: Path, name: str, settings: dict[str, Any], benchmark: Benchmark) -> list[dict[str, Any]]:
    """Read the runs of a variant with these settings, on the pieces of this benchmark."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob(f"{name}-[0-9]*/result.json"))]
    pieces = {piece.id for piece in benchmark.test}
    kept = (run for run in found if settings.items() <= run["options"].items() and run["test"].keys() == pieces)
    return sorted(kept, key=lambda run: run["seed"])


def _tokens_per_note(benchmark: Benchmark, name: str) -> float:
    counts = [len(benchmark.tokens[name].encode(benchmark.prepared.events(piece))) for piece in benchmark.test]
    return sum(counts) / sum(piece.notes for piece in benchmark.test)


def _row(
    runs: list[dict[str, Any]],
    reference: list[dict[str, Any]],
    benchmark: Benchmark,
    pieces: dict[str, Sequence[PreparedPiece]],
) -> dict[str, Any]:
    test = {name: [bits(run["test"], kept) for run in runs] for name, kept in pieces.items() if kept}
    row: dict[str, Any] = {
        "seeds": len(runs),
        "parameters": runs[0]["parameters"],
        "width": runs[0]["width"],
        "validation_bits_per_note": _mean([bits(run["validation"], benchmark.validation) for run in runs]),
        "test_bits_per_note": _mean(test["all"]),
        "test_bits_by_seed": [round(value, 4) for value in test["all"]],
        "by_part": {name: _mean(values) for name, values in test.items() if name != "all"},
        "cpu_seconds": _mean([run["cpu_seconds"] for run in runs]),
        "curve": runs[0]["curve"],
    }
    if reference and reference[0]["name"] != runs[0]["name"]:
        # Mean over seeds, the same pieces for both; a bootstrap over groups of pieces.
        notes = np.array([piece.notes for piece in benchmark.test])
        nats, other = (
            np.mean([[run["test"][piece.id] for piece in benchmark.test] for run in some], axis=0)
            for some in (runs, reference)
        )
        increase = (nats - other) / math.log(2)
        row["more_than_reference"] = bootstrap(
            lambda chosen: float(increase[chosen].sum() / notes[chosen].sum()),
            [piece.group for piece in benchmark.test],
        ).to_json() | {"reference": reference[0]["name"]}
    if "dials" in runs[0]:
        row["dials"] = runs[0]["dials"]
    return row


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)


def markdown(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown tables, the best of each group on validation first."""
    lines = [
        f"Seen by each: {figures['notes_seen']:,} notes.  Scored: {figures['pieces']['all']} test pieces, "
        f"{figures['notes']['all']:,} notes; validation {figures['validation_notes']:,} notes.  "
        "Intervals are 95 %, from a bootstrap of 1,000 samples of groups of pieces; they do not cover the seed.",
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
    conditioned = {name: row["dials"] for name, row in figures["variants"].items() if "dials" in row}
    if conditioned:
        bands = [band for band in next(iter(conditioned.values()))["null"]]
        lines += [
            "| bits per note saved by the right dials against | "
            + " | ".join(f"notes {band}" for band in bands)
            + " |",
            "|---|" + "---|" * len(bands),
        ]
        for name, dials in conditioned.items():
            for other in (key for key in dials if key != "right_bits_per_note"):
                cells = " | ".join(interval(dials[other][band]) for band in bands)
                lines.append(f"| `{name}`, {other} | {cells} |")
        lines.append("")
    missing = ", ".join(figures["missing"])
    return "\n".join(lines) + (f"\nNot run: {missing}.\n" if missing else "")


def interval(figure: dict[str, Any] | None) -> str:
    """Format a figure with its interval for one cell."""
    if not figure:
        return ""
    if figure["low"] is None:
        return f"{figure['value']:+.3f}"
    return f"{figure['value']:+.3f} ({figure['low']:+.3f} to {figure['high']:+.3f})"
