"""Training curves: metrics.csv to a figure."""

import csv
from collections import defaultdict
from pathlib import Path


def read_metrics(metrics: Path) -> dict[str, list[tuple[int, float]]]:
    """Read every metric as (step, value) pairs."""
    series: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with open(metrics, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            series[row["metric"]].append((int(row["step"]), float(row["value"])))
    return series


def last_values(metrics: Path, prefix: str) -> dict[str, float]:
    """Read the last value of each metric whose name starts with `prefix`."""
    series = read_metrics(metrics) if metrics.exists() else {}
    return {name.removeprefix(prefix): values[-1][1] for name, values in series.items() if name.startswith(prefix)}


def draw_curves(metrics: Path, out: Path) -> None:
    """Draw loss, bits per note and accuracy by step, in total and for each field, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    series = read_metrics(metrics)
    panels = (
        ("training loss, nats", "train/loss"),
        ("training accuracy", "train/accuracy"),
        ("validation, bits per note", "validation/bits"),
        ("validation accuracy", "validation/accuracy"),
    )
    figure, axes = pyplot.subplots(2, 2, figsize=(13, 8), layout="constrained")
    for axis, (title, prefix) in zip(axes.flat, panels, strict=True):
        for name in sorted(name for name in series if name == prefix or name.startswith(prefix + "/")):
            steps, values = zip(*series[name], strict=True)
            axis.plot(steps, values, label=name.removeprefix(prefix).strip("/") or "total", linewidth=1)
        axis.set_title(title)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize=8)
    figure.savefig(out, dpi=110)
    pyplot.close(figure)
