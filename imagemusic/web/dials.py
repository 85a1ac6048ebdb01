"""The dials on the page: sliders that follow the picture until the visitor moves one.

    slider moved ──> "arousal=0.8" among those set by hand ──> ComposeOptions.dials
    picture, or what is set by hand, changed ──> the other sliders show the values that the picture now gives

The dials that are set by hand are one list of words, as on the command line, so that clients of the page's API write
the same words, and removing a word frees its dial.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from imagemusic.compose.explain import ends_of
from imagemusic.compose.options import ComposeOptions, parse_dials
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.targets import Dial
from imagemusic.errors import ImageMusicError
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES

FROM_PICTURE = "from the picture"

# Replaces the word of a slider that was moved.  The outer list is of the outputs: there is one.
SET_BY_HAND = "(words, value) => [[...(words || []).filter((word) => !word.startsWith('NAME=')), 'NAME=' + value]]"


@dataclass(frozen=True, slots=True)
class DialControls:
    """The components that set dials and show them."""

    ensemble: gr.Dropdown
    by_hand: gr.Dropdown  # words such as arousal=0.8
    sliders: dict[str, gr.Slider]  # by the name of the dial


def add_dials() -> DialControls:
    """Lay out the dials where the page is being built, closed at first."""
    with gr.Accordion("Dials", open=False, elem_id="dials"):
        ensemble = gr.Dropdown([FROM_PICTURE, *ENSEMBLES], value=FROM_PICTURE, label="Who plays")
        by_hand = gr.Dropdown(
            [], value=[], multiselect=True, allow_custom_value=True, label="Set by you", elem_id="by-hand",
            info="All follow the picture; move a slider to set one",
        )  # fmt: skip
        sliders = {
            name: gr.Slider(
                -1, 1, 0, step=0.05, precision=2, label=name.capitalize(), info=" … ".join(ends_of(name)),
                buttons=[], elem_id=f"dial-{name}",
            )
            for name in DIALS
        }  # fmt: skip
        reset = gr.Button("All from the picture", size="sm", elem_id="reset-dials")
    for name, slider in sliders.items():
        moved = SET_BY_HAND.replace("NAME", name)
        slider.input(None, [by_hand, slider], by_hand, js=moved, api_visibility="private")
    reset.click(None, None, [by_hand, ensemble], js=f"() => [[], '{FROM_PICTURE}']", api_visibility="private")
    return DialControls(ensemble, by_hand, sliders)


def follow_picture(
    controls: DialControls, model: ImageMusic, picture: gr.Image, seed: gr.Number, *, concurrency_id: str | None = None
) -> None:
    """Update the sliders whenever the picture, the seed, or what is set by hand changes."""

    def read(path: str | None, seed: int | None, ensemble: str, by_hand: list[str]) -> list[Any]:
        try:
            options = ComposeOptions(seed=seed or 0, **dial_options(ensemble, by_hand))
            dials = {} if path is None else model.targets(model.encode(Path(path)), options).dials
        except ImageMusicError:  # shown when it is uploaded, or when a piece is composed
            dials = {}
        return show_dials(dials, by_hand)

    gr.on(
        [picture.change, seed.change, controls.by_hand.change, controls.ensemble.change],
        read,
        [picture, seed, controls.ensemble, controls.by_hand],
        list(controls.sliders.values()),
        trigger_mode="always_last",
        concurrency_id=concurrency_id,
        show_progress="hidden",
        api_visibility="private",
    )


def dial_options(ensemble: str, by_hand: list[str] | None) -> dict[str, Any]:
    """Turn what the controls hold into fields of `ComposeOptions`.

    Raises:
        ConfigError: a word is not a dial and a number.
    """
    return {"ensemble": None if ensemble == FROM_PICTURE else ensemble, "dials": parse_dials(by_hand or [])}


def show_dials(dials: Mapping[str, Dial], by_hand: list[str] | None) -> list[Any]:
    """Return the value of each slider; those that are set by hand stay, as the visitor may be moving them."""
    kept = {word.partition("=")[0] for word in by_hand or []}
    return [gr.skip() if name in kept or name not in dials else round(float(dials[name].value), 2) for name in DIALS]
