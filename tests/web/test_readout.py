from imagemusic.compose.targets import Dial, Targets
from imagemusic.web.readout import targets_html


def html_of(dials, ensemble="strings", source="sampled"):
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


def test_dials_and_the_ensemble_stand_under_where_they_come_from():
    dials = {"mode": Dial(0.1, "sampled"), "loudness": Dial(0.1, "estimated"), "valence": Dial(0.2, "picture")}
    html = html_of(dials)
    assert html.index("What it saw") < html.index("valence") < html.index("What such music is like")
    assert html.index("What such music is like") < html.index("mode") < html.index("loudness") < html.index("strings")
    assert "What you set" not in html
    html = html_of(dials, "band", "you")
    assert html.index("What you set") < html.index("band")


def test_a_name_cannot_smuggle_markup_into_the_page():
    assert "<b>" not in html_of({"<b>": Dial(1.0, "picture")}, "<b>")
