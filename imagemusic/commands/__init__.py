"""Commands of the command line that have files of their own; `cli` registers each."""

from argparse import ArgumentParser
from typing import Protocol


class Commands(Protocol):
    """Adds a command, with its examples shown below its help, and returns its parser."""

    def __call__(self, name: str, summary: str, examples: str) -> ArgumentParser:
        """The command's module then adds arguments and sets `run`, arguments -> exit status, with `set_defaults`."""
        ...
