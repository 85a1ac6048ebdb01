"""Changes to gradio that its settings do not offer."""

import sys
import traceback
from types import SimpleNamespace
from typing import NoReturn

import gradio as gr
from gradio import processing_utils, queueing, routes


def harden_gradio() -> None:
    """Keep what visitors send out of the logs, and fetch nothing from addresses that they send."""
    quiet = SimpleNamespace(print_exc=print_frames, format_exc=traceback.format_exc)
    for module in (queueing, routes):
        module.__dict__["traceback"] = quiet
    processing_utils.async_ssrf_protected_download = refuse_address


def print_frames() -> None:
    """Print where the error that is being handled was raised, and its type; its message quotes what was sent."""
    kind, error, _ = sys.exc_info()
    if kind is not None and error is not None:
        print("".join(traceback.format_tb(error.__traceback__)[-4:]) + kind.__name__, file=sys.stderr)


async def refuse_address(url: str, cache_dir: str) -> NoReturn:
    """Refuse to fetch a file.

    Raises:
        gradio.Error: always.
    """
    raise gr.Error("Send the picture itself, not its address.", print_exception=False)
