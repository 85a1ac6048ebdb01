from imagemusic.compose.targets import Dial
from imagemusic.web.readout import dials_html


def seen(**values):
    return {name: Dial(value, "picture") for name, value in values.items()}


def test_a_dial_is_a_bar_from_the_middle_to_its_value():
    assert 'style="left:50.0%;width:25.0%"' in dials_html(seen(valence=0.5))
    assert 'style="left:0.0%;width:50.0%"' in dials_html(seen(valence=-3.0))


def test_its_ends_are_named():
    html = dials_html(seen(arousal=0.0, sparkle=0.0))
    assert "<span>calm</span><span>excited</span>" in html
    assert "<span>low</span><span>high</span>" in html


def test_dials_stand_under_where_they_come_from():
    html = dials_html({"mode": Dial(0.1, "implied"), "loudness": Dial(0.1, "guessed"), "valence": Dial(0.2, "picture")})
    assert html.index("What it saw") < html.index("valence") < html.index("What such music is like")
    assert html.index("What such music is like") < html.index("mode") < html.index("loudness")
    assert "What you set" not in html


def test_an_ensemble_is_named():
    assert "strings" in dials_html({"ensemble": Dial("strings", "implied")})


def test_a_name_cannot_smuggle_markup_into_the_page():
    assert "<b>" not in dials_html({"<b>": Dial(1.0, "picture"), "x": Dial("<b>", "picture")})
