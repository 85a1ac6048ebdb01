import gradio as gr
import pytest

from imagemusic.compose.targets import Dial
from imagemusic.errors import ConfigError
from imagemusic.music.dials import DIALS
from imagemusic.web.dials import FROM_PICTURE, dial_options, show_dials

READ = {name: Dial(number / 10, "picture") for number, name in enumerate(DIALS)}


def test_nothing_set_leaves_all_to_the_picture():
    assert dial_options(FROM_PICTURE, []) == {"ensemble": None, "dials": {}}
    assert dial_options(FROM_PICTURE, None) == {"ensemble": None, "dials": {}}


def test_what_is_set_becomes_options():
    assert dial_options("strings", ["mode=-0.5"]) == {"ensemble": "strings", "dials": {"mode": -0.5}}


def test_a_word_that_is_no_dial_is_refused():
    with pytest.raises(ConfigError, match="dial 'loud' is not a name and a number"):
        dial_options(FROM_PICTURE, ["loud"])


def test_sliders_show_what_the_picture_says():
    assert show_dials(READ, []) == pytest.approx([number / 10 for number in range(len(DIALS))])


def test_a_slider_that_was_moved_stays_where_it_is():
    shown = show_dials(READ, ["arousal=0.9"])
    assert shown[DIALS.index("arousal")] == gr.skip()
    assert shown[DIALS.index("tempo")] == pytest.approx(0.2)


def test_a_dial_that_nobody_knows_leaves_its_slider_alone():
    assert show_dials({}, None) == [gr.skip()] * len(DIALS)
