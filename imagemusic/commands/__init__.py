"""The command line: a file for each command, which `cli` registers."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any, Protocol


class Commands(Protocol):
    """Adds a command, with its examples shown below its help, and returns its parser."""

    def __call__(self, name: str, summary: str, examples: str) -> ArgumentParser:
        """The command's module then adds arguments and sets `run`, arguments -> exit status, with `set_defaults`."""
        ...


def adder(parsers: Any) -> Commands:
    """Return what adds commands to the sub-parsers of a parser, each with its summary and its examples as help."""

    def add(name: str, summary: str, examples: str) -> ArgumentParser:
        return parsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"examples:{examples}",
            formatter_class=RawDescriptionHelpFormatter,
        )

    return add
