from imagemusic.web.readout import dials_html


def test_a_dial_is_a_bar_from_the_middle_to_its_value():
    assert 'style="left:50.0%;width:25.0%"' in dials_html({"valence": 0.5})
    assert 'style="left:0.0%;width:50.0%"' in dials_html({"valence": -3.0})


def test_its_ends_are_named():
    html = dials_html({"arousal": 0.0, "sparkle": 0.0})
    assert "<span>calm</span><span>excited</span>" in html
    assert "<span>low</span><span>high</span>" in html


def test_what_is_not_known_is_not_shown():
    assert "tempo" not in dials_html({"tempo": None})


def test_a_name_cannot_smuggle_markup_into_the_page():
    assert "<b>" not in dials_html({"<b>": 1.0})
