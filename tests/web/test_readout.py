from imagemusic.compose.targets import Dial, Targets
from imagemusic.web.readout import targets_html


def html_of(dials, ensemble="piano", source="sampled"):
    return targets_html(Targets(dials, ensemble, source))


def seen(**values):
    return {name: Dial(value, "picture") for name, value in values.items()}


def test_a_dial_is_a_bar_from_the_middle_to_its_value():
    assert 'style="left:50.0%;width:25.0%"' in html_of(seen(valence=0.5))
    assert 'style="left:0.0%;width:50.0%"' in html_of(seen(valence=-3.0))


def test_its_ends_are_named():
    html = html_of(seen(arousal=0.0, sparkle=0.0))
    assert "<span>calm</span><span>excited</span>" in html
    assert "<span>low</span><span>high</span>" in html


def test_dials_stand_under_where_they_come_from():
    html = html_of({"mode": Dial(0.1, "sampled"), "loudness": Dial(0.1, "estimated"), "valence": Dial(0.2, "picture")})
    assert html.index("What it saw") < html.index("valence") < html.index("What such music is like")
    assert html.index("What such music is like") < html.index("mode") < html.index("loudness")
    assert "What you set" not in html
    assert html.index("What such music is like") < html.index("ensemble")


def test_an_ensemble_is_named():
    html = html_of({}, "strings", "you")
    assert html.index("What you set") < html.index("strings")


def test_a_name_cannot_smuggle_markup_into_the_page():
    assert "<b>" not in html_of({"<b>": Dial(1.0, "picture")}, "<b>")
