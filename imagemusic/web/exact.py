"""Exact constraints on the page: text fields, empty at first.

Numbers are text fields, too: gradio's number fields turn from empty to 0 when the accordion around them is opened.
"""

from typing import Any

import gradio as gr

from imagemusic.compose.options import ENDINGS
from imagemusic.errors import ConfigError

# One visitor must not keep the others waiting.
MAX_BARS = 64
MAX_TAKES = 8


def add_exact() -> dict[str, gr.Textbox | gr.Dropdown]:
    """Add the fields to the page, closed at first; return them by the names in `ComposeOptions`."""
    with gr.Accordion("Exact", open=False, elem_id="exact"):
        with gr.Row():
            key = _field("Key", "D dorian")
            meter = _field("Meter", "3/4")
        with gr.Row():
            tempo_bpm = _field("Beats a minute", "96")
            bars = _field("Bars, not seconds", "16")
        instruments = _field("Instruments: these and no others", "piano, cello, drums")
        with gr.Row():
            pitch_range = _field("Range", "C3-C6")
            polyphony = _field("Notes at once", "4")
        with gr.Row():
            form = _field("Form: auto, free or letters", "AABA")
            ending = gr.Dropdown([("As fits", ""), *ENDINGS], value="", label="Ending", min_width=120)
            takes = _field(f"Takes, of 1 to {MAX_TAKES}; the best is kept", "3")
    return {
        "key": key, "meter": meter, "tempo_bpm": tempo_bpm, "bars": bars, "instruments": instruments,
        "pitch_range": pitch_range, "polyphony": polyphony, "form": form, "ending": ending, "takes": takes,
    }  # fmt: skip


def exact_options(*, seconds: float, **fields: str | None) -> dict[str, Any]:
    """Return fields of `ComposeOptions`: those that are not empty, and seconds where no bars are given.

    Raises:
        ConfigError: a number cannot be read, or there are more bars or takes than the page offers.
    """
    given: dict[str, Any] = {name: text.strip() for name, text in fields.items() if text and text.strip()}
    if "tempo_bpm" in given:
        given["tempo_bpm"] = _number("tempo", given["tempo_bpm"])
    if "polyphony" in given:
        given["polyphony"] = _whole("notes at once", given["polyphony"])
    if "takes" in given:
        given["takes"] = _whole("takes", given["takes"])
        if not 1 <= given["takes"] <= MAX_TAKES:
            raise ConfigError(f"takes must be in 1..{MAX_TAKES} on this page, got {given['takes']}")
    if "bars" not in given:
        return given | {"seconds": seconds}
    given["bars"] = _whole("bars", given["bars"])
    if not 1 <= given["bars"] <= MAX_BARS:
        raise ConfigError(f"bars must be in 1..{MAX_BARS} on this page, got {given['bars']}")
    return given


def _number(what: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"{what} must be a number, such as 96, got {text!r}") from error


def _whole(what: str, text: str) -> int:
    number = _number(what, text)
    if not number.is_integer():
        raise ConfigError(f"{what} must be a whole number, such as 4, got {text!r}")
    return int(number)


def _field(label: str, example: str) -> gr.Textbox:
    return gr.Textbox("", label=label, placeholder=example, max_lines=1, min_width=120)
