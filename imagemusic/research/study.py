"""The harness of the studies: a study asks one question of the model or the data; the rest is done here.

    imagemusic study list | run NAME [options] | report [NAME]

    options, data sets by name ──> Context ──> Study.run ──> figures ──> OUT.json with its provenance, OUT.png
                                                                └──────> Study.report: Markdown

A study is one module of research/studies/ and one line of `STUDIES` there; docs/contributing.md shows a whole one.
"""

import argparse
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from imagemusic.errors import ConfigError, DependencyError
from imagemusic.executors import EXECUTORS, executor_named
from imagemusic.reports.figure_cache import FigureCache, cache_key
from imagemusic.reports.markdown import figure_tables
from imagemusic.reports.results import write_result
from imagemusic.research.data_sets import DataSets, data_set_path
from imagemusic.research.studies import STUDIES

if TYPE_CHECKING:
    from imagemusic.compose.pipeline import ImageMusic

Figures = dict[str, Any]
Job = TypeVar("Job")
Result = TypeVar("Result")

RUNS = Path("runs/studies")
QUICK = Path("runs/quick")  # apart, so that no quick figure is taken for a real one


@dataclass
class Context:
    """What a run may use."""

    study: "Study"
    options: argparse.Namespace
    report: Callable[[str], None]  # prints one line on the error stream
    data: DataSets
    sources: list[str] = field(default_factory=list)  # names of the data, for the record

    @property
    def work(self) -> Path:
        """Folder for what is kept between runs."""
        folder: Path = self.options.work
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @cached_property
    def model(self) -> "ImageMusic":
        """The model of --checkpoint.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        from imagemusic.compose.pipeline import ImageMusic

        return ImageMusic.from_pretrained(self.options.checkpoint)

    def keep(self, name: str, make: Callable[[], Figures], *depends_on: object) -> Figures:
        """Return `make()`, or what an earlier run kept under this name if all it depends on is the same."""
        return FigureCache(self.work, cache_key(self.study.name, *depends_on), self.report)(name, make)

    def map(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> list[Result]:
        """Return function(job) for each job, in order, on --workers of --executor."""
        run = executor_named(self.options.executor, self.options.workers)
        done = run(partial(_numbered, function), enumerate(jobs), self.options.workers)
        return [result for _, result in sorted(done, key=lambda pair: pair[0])]

    def save(self, figures: Figures) -> None:
        """Write the figures with their provenance to --out."""
        write_result(self.options.out, figures, data=self.sources, seed=self.options.seed)


def _numbered(function: Callable[[Job], Result], job: tuple[int, Job]) -> tuple[int, Result]:
    return job[0], function(job[1])


class Study(ABC):
    """One question, and how it is answered."""

    needs: ClassVar[Sequence[str]] = ()  # data sets without which it does not run, of DATA_SETS
    sources: ClassVar[Sequence[str]] = ()  # names of the data, for the record
    variants: ClassVar[Sequence[str]] = ()  # of which --only chooses some
    seeds: ClassVar[int] = 0  # repetitions with other random numbers, for --seeds; 0: it has none
    seed: ClassVar[int] = 0  # default of --seed
    quick: ClassVar[Mapping[str, Any]] = {}  # options of a run that takes seconds
    not_quick: ClassVar[str] = ""  # or the reason why there is none

    @property
    def name(self) -> str:
        """The name of its module."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def question(self) -> str:
        """What it asks."""
        return STUDIES[self.name]

    @property
    def result_file(self) -> str:
        """Name of the file of its figures in a folder of results."""
        return f"{self.name}.json"

    def add_options(self, parser: argparse.ArgumentParser) -> None:  # noqa: B027 (few studies have options of their own)
        """Add options of its own; each may be in `quick`."""

    @abstractmethod
    def run(self, context: Context) -> Figures:
        """Measure; the figures must be JSON.  `context.options` holds its options."""

    def passed(self, figures: Figures) -> bool:
        """Return whether the figures are as they must be; the exit status is 1 if not."""
        return True

    def finding(self, figures: Figures) -> str:
        """Say in one sentence what was found."""
        return ""

    def report(self, figures: Figures) -> str:
        """Write the figures as Markdown."""
        return figure_tables({name: value for name, value in figures.items() if name != "how"})

    def plot(self, figures: Figures) -> Any:
        """Draw a matplotlib figure; None if there is none."""
        return None


def load_study(name: str) -> Study:
    """Import one study.

    Raises:
        ConfigError: there is no such study.
        DependencyError: a library that it needs is not installed.
    """
    if name not in STUDIES:
        raise ConfigError(f"unknown study {name!r}; choose from {', '.join(STUDIES)}")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: spinning threads take each other's core
    try:
        study: Study = import_module(f"imagemusic.research.studies.{name}").STUDY
    except ModuleNotFoundError as error:
        extras = "'imagemusic[train,research,gather,dataset]'"
        raise DependencyError(f"the study {name} needs {error.name}; run: pip install {extras}") from error
    return study


def add_options(study: Study, parser: argparse.ArgumentParser) -> None:
    """Add the options that all studies share, and those of this one."""
    parser.add_argument(
        "--quick", action="store_true", help=study.not_quick or "a run of seconds, to see that it works"
    )
    parser.add_argument("--out", type=Path, default=RUNS / study.result_file, metavar="FILE", help="(%(default)s)")
    parser.add_argument("--data", type=Path, metavar="ROOT", help=f"folder of the data sets: {', '.join(study.needs)}")
    parser.add_argument(
        "--set", type=data_set_path, action="append", default=[], metavar="NAME=PATH", help="where one data set lies"
    )
    parser.add_argument("--checkpoint", metavar="DIR", help="the model: a folder or hub id (the one that ships)")
    parser.add_argument("--seed", type=int, default=study.seed, metavar="N", help="of random numbers (%(default)s)")
    parser.add_argument("--work", type=Path, default=RUNS / study.name, metavar="DIR", help="for what a run keeps")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), metavar="N", help="processes")
    parser.add_argument("--executor", default="processes", choices=list(EXECUTORS))
    if study.variants:
        parser.add_argument(
            "--only", nargs="+", choices=study.variants, default=list(study.variants), metavar="VARIANT",
            help=f"some of {', '.join(study.variants)}",
        )  # fmt: skip
    if study.seeds:
        parser.add_argument("--seeds", type=int, default=study.seeds, metavar="N", help="repetitions (%(default)s)")
    study.add_options(parser)


def parse_options(study: Study, parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Read the options of a run; with --quick, those of `Study.quick` are the defaults.

    Raises:
        ConfigError: --quick, and the study has no quick run; or fewer than one seed.
    """
    add_options(study, parser)
    options = parser.parse_args(words)
    if options.quick:
        if study.not_quick:
            raise ConfigError(f"{study.name} has no --quick: {study.not_quick}")
        parser.set_defaults(out=QUICK / study.result_file, work=QUICK / study.name, **study.quick)
        options = parser.parse_args(words)
    if study.seeds and options.seeds < 1:
        raise ConfigError(f"--seeds must be at least 1, got {options.seeds}")
    return options


def run_study(study: Study, options: argparse.Namespace, report: Callable[[str], None]) -> Figures:
    """Run a study; write its figures to --out, and its plot beside them.

    Raises:
        ImageMusicError: a data set is missing, or whatever the study raises.
    """
    data = DataSets(options.data, dict(options.set))
    for name in study.needs:
        data.path(name)
    context = Context(study, options, report, data, list(study.sources))
    figures = study.run(context)
    context.save(figures)
    save_plot(study, figures, options.out.with_suffix(".png"))
    return figures


def save_plot(study: Study, figures: Figures, path: Path) -> bool:
    """Write the plot of a study; return whether it has one."""
    plot = study.plot(figures)
    if plot is None:
        return False
    plot.savefig(path, dpi=110)
    return True
