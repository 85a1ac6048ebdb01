"""What a visitor asks for exactly: fields that are empty until somebody writes into one."""

from typing import Any

import gradio as gr

from imagemusic.controls import POLYPHONY, TEMPO_BPM

MAX_BARS = 64  # one visitor must not keep the others waiting


def add_exact() -> dict[str, gr.Textbox | gr.Number]:
    """Lay out the fields where the page is being built, closed at first; by the names in `ComposeOptions`."""
    with gr.Accordion("Exact", open=False, elem_id="exact"):
        with gr.Row():
            key = _words("Key", "D dorian")
            meter = _words("Meter", "3/4")
        with gr.Row():
            tempo_bpm = _number("Tempo, beats a minute", *TEMPO_BPM)
            bars = _number("Bars, instead of seconds", 1, MAX_BARS)
        instruments = _words("Instruments: these and no others", "piano, cello, drums")
        with gr.Row():
            pitch_range = _words("Range", "C3-C6")
            polyphony = _number("Notes at once", *POLYPHONY)
    return {
        "key": key, "meter": meter, "tempo_bpm": tempo_bpm, "bars": bars, "instruments": instruments,
        "pitch_range": pitch_range, "polyphony": polyphony,
    }  # fmt: skip


def exact_options(**fields: str | float | None) -> dict[str, Any]:
    """Turn what the fields hold into fields of `ComposeOptions`: not the empty ones, nor seconds beside bars."""
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    if "bars" in given:
        given.pop("seconds", None)
    return given


def _words(label: str, example: str) -> gr.Textbox:
    return gr.Textbox("", label=label, placeholder=example, max_lines=1, min_width=120)


def _number(label: str, low: float, high: float) -> gr.Number:
    whole = 0 if isinstance(low, int) else None
    return gr.Number(None, label=label, minimum=low, maximum=high, precision=whole, min_width=120)
