"""`imagemusic study`: list the studies, run one, write pages of their results."""

import argparse
from pathlib import Path

from imagemusic.commands import Commands, adder
from imagemusic.commands.terminal import notice

EXAMPLES = """
  imagemusic study list
  imagemusic study run controls --quick
  imagemusic study report controls"""
RUN_EXAMPLES = """
  imagemusic study run controls --out controls.json
  imagemusic study run quality --data DATA --set covers=my_covers --out quality.json
  imagemusic study run decoders --help"""
REPORT_EXAMPLES = """
  imagemusic study report controls
  imagemusic study report --results runs/studies --out pages
  imagemusic study report decoders --page docs/decoders.md"""


def register(commands: Commands) -> None:
    """Add `study` with its commands."""
    study = commands("study", "answer a question about the model or the data, by measuring", EXAMPLES)
    add = adder(study.add_subparsers(required=True, dest="what", metavar="WHAT", title="what to do"))

    add("list", "name the studies and their questions", "\n  imagemusic study list").set_defaults(run=run_list)

    run = add("run", "run one study; imagemusic study run NAME --help names its options", RUN_EXAMPLES)
    run.add_argument("name", metavar="NAME", help="one of imagemusic study list")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help="--quick, --data ROOT, --out FILE and more")
    run.set_defaults(run=run_run, parser=type(run))

    report = add("report", "write what studies found as Markdown", REPORT_EXAMPLES)
    report.add_argument("name", metavar="NAME", nargs="?", help="one study (default: all that have a result)")
    report.add_argument("--results", type=Path, metavar="DIR", help="(docs/results, then runs/studies)")
    report.add_argument("--out", type=Path, metavar="DIR", help="folder for a page a study, and an index")
    report.add_argument("--page", type=Path, metavar="FILE.md", help="put the tables of NAME between marks of a page")
    report.set_defaults(run=run_report)


def run_list(arguments: argparse.Namespace) -> int:
    from imagemusic.research.studies import STUDIES

    width = max(map(len, STUDIES))
    for name, question in STUDIES.items():
        print(f"{name:{width}}  {question}")
    return 0


def run_run(arguments: argparse.Namespace) -> int:
    from imagemusic.research.study import load_study, parse_options, run_study

    study = load_study(arguments.name)
    parser = arguments.parser(prog=f"imagemusic study run {study.name}", description=study.question)
    options = parse_options(study, parser, arguments.words)
    figures = run_study(study, options, notice)
    print(study.report(figures))
    print(options.out)
    return 0 if study.passed(figures) else 1


def run_report(arguments: argparse.Namespace) -> int:
    from imagemusic.errors import ConfigError
    from imagemusic.reports.markdown import put_between_marks
    from imagemusic.research.studies import STUDIES
    from imagemusic.research.study import load_study
    from imagemusic.research.study_pages import find_result, read_result, render_page, write_pages

    if arguments.page and not arguments.name:
        raise ConfigError("--page needs the NAME of a study")
    if arguments.name and not arguments.out:
        study = load_study(arguments.name)
        figures = read_result(find_result(study, arguments.results))
        if arguments.page:
            put_between_marks(arguments.page, study.report(figures))
            print(arguments.page)
        else:
            print(render_page(study, figures), end="")
        return 0
    names = [arguments.name] if arguments.name else list(STUDIES)
    for page in write_pages(names, arguments.results, arguments.out or Path("docs/studies")):
        print(page)
    return 0
