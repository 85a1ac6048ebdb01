import pytest

from imagemusic.music.midi.names import decode_name


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"Violin I\0 \r\n", "Violin I"),
        ("Flöte für Élise".encode(), "Flöte für Élise"),
        ("Flöte für Élise".encode("latin-1"), "Flöte für Élise"),
        ("Françoise".encode("latin-1"), "Françoise"),
        ("ピアノ".encode("shift_jis"), "ピアノ"),
        ("右手 (ピアノ solo)".encode("shift_jis"), "右手 (ピアノ solo)"),
        ("右手".encode("shift_jis"), "右手"),
        ("ピアノ 右手".encode(), "ピアノ 右手"),
        (b"Right hand\r\nPiano", "Right hand Piano"),
        (b"Line1\nLine2\x1b[31m\x07", "Line1 Line2 [31m"),
        (b"", ""),
        (b"\xff\xfe", "ÿþ"),
    ],
)
def test_names_are_read_in_the_encoding_that_fits_and_put_on_one_line(data, name):
    assert decode_name(data) == name
