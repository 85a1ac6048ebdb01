"""Pages of studies, from the results that they wrote: one a study, and an index with a line for each."""

import json
from pathlib import Path

from imagemusic.errors import DataError
from imagemusic.reports.markdown import table
from imagemusic.research.study import RUNS, Figures, Study, load_study, save_plot

RESULTS = Path("docs/results")  # the figures that are published


def find_result(study: Study, results: Path | None = None) -> Path:
    """Return the file of figures in a folder: by default the published one, or else that of the last run here."""
    places = [results] if results else [RESULTS, RUNS]
    paths = [place / study.result_file for place in places]
    return next((path for path in paths if path.exists()), paths[0])


def read_result(path: Path) -> Figures:
    """Read the figures that a study wrote.

    Raises:
        DataError: the file cannot be read, or is no JSON object.
    """
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = f"make it with imagemusic study run {path.stem} --out {path}"
        raise DataError(f"{path}: cannot be read ({error.strerror}); {hint}") from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); run the study again") from error
    if not isinstance(figures, dict):
        raise DataError(f"{path}: not the result of a study: no object of figures")
    return figures


def render_page(study: Study, figures: Figures, plot: str = "") -> str:
    """Write the page of a study: question, finding, plot, tables, and how the figures were made."""
    parts = [f"# {study.question}", study.finding(figures), f"![{study.name}]({plot})" if plot else ""]
    parts.append(study.report(figures))
    how = figures.get("how", {})
    if how:
        parts.append(f"Made by `{how['command']}` at commit {how['commit']}, {how['date']}, seed {how['seed']}.")
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def write_pages(names: list[str], results: Path | None, out: Path) -> list[Path]:
    """Write OUT/NAME.md for each study that has a result, and OUT/README.md as their index; return the pages."""
    out.mkdir(parents=True, exist_ok=True)
    rows, pages = [], []
    for name in names:
        study = load_study(name)
        path = find_result(study, results)
        figures = read_result(path) if path.exists() else {}
        if figures:
            pages.append(out / f"{name}.md")
            drawn = save_plot(study, figures, out / f"{name}.png")
            pages[-1].write_text(render_page(study, figures, f"{name}.png" if drawn else ""), encoding="utf-8")
        rows.append(
            [
                f"[{name}]({name}.md)" if figures else name,
                study.question,
                study.finding(figures) if figures else "not run",
            ]
        )
    index = out / "README.md"
    index.write_text(f"# Studies\n\n{table(('study', 'question', 'finding'), rows)}", encoding="utf-8")
    return [*pages, index]
