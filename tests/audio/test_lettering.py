import pytest

from imagemusic.audio.lettering import drawable, font_of


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("Violin I", "Violin I"),
        ("Flöte für Élise", "Flöte für Élise"),
        ("Скрипка", "Скрипка"),
        ("Βιολί", "Βιολί"),
        ("🎹 פסנתר", "פסנתר"),
        ("ピアノ solo", "solo"),
        ("ピアノ", ""),
        ("two\nlines\x1b", "two lines"),
        ("a\udcffb", "a b"),
        ("", ""),
    ],
)
def test_what_no_font_has_is_left_out_instead_of_drawn_as_a_box(name, drawn):
    assert drawable(name) == drawn


def test_plain_names_keep_the_font_of_pillow():
    assert font_of("Violin · Flute", 13).getname() == font_of("", 13).getname()
    assert font_of("Flöte", 13).getname()[0] == "DejaVu Sans"
