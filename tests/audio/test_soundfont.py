import struct
import sys

import pytest

from imagemusic.audio import soundfont
from imagemusic.audio.soundfont import check_soundfont, default_soundfont
from imagemusic.errors import DependencyError, SynthesisError

NAME = bytes(20)


def spell(*, bag=1, generator=1, instrument=0, sample=0, end=50, without=""):
    """One preset of one instrument of one sample of 50 frames; every table ends with an empty row."""
    tables = {
        "smpl": bytes(100),
        "phdr": struct.pack("<20sHHH12x", NAME, 0, 0, 0) + struct.pack("<20sHHH12x", NAME, 0, 0, bag),
        "pbag": struct.pack("<4H", 0, 0, generator, 0),
        "pgen": struct.pack("<4H", 41, instrument, 0, 0),
        "inst": struct.pack("<20sH", NAME, 0) + struct.pack("<20sH", NAME, 1),
        "ibag": struct.pack("<4H", 0, 0, 1, 0),
        "igen": struct.pack("<4H", 53, sample, 0, 0),
        "shdr": struct.pack("<20s5I2x2H", NAME, 0, end, 5, 99, 8000, 0, 1) + bytes(46),
    }
    chunks = [k.encode() + struct.pack("<I", len(v)) + v for k, v in tables.items() if k != without]
    body = b"sfbkLIST" + struct.pack("<I", 0) + b"sdta" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_the_soundfont_that_ships_with_pretty_midi_is_whole():
    check_soundfont(default_soundfont())


def test_a_sloppy_loop_is_no_damage(tmp_path):
    (tmp_path / "small.sf2").write_bytes(spell())
    check_soundfont(tmp_path / "small.sf2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the SoundFont: No such file"),
        (b"", "not a SoundFont"),
        (b"MThd" + bytes(100), "not a SoundFont"),
        (spell()[:-1], r"\d+ of \d+ bytes"),
        (spell(without="igen"), "table igen is missing or cut"),
        (spell(bag=3), "table phdr points outside pbag"),
        (spell(generator=9), "table pbag points outside pgen"),
        (spell(instrument=1), "table pgen points outside inst"),
        (spell(sample=7), "table igen points outside shdr"),
        (spell(end=51), "table shdr points outside smpl"),
    ],
    ids=["missing", "empty", "midi", "short", "no-table", "bag", "generator", "instrument", "sample", "end"],
)
def test_a_file_that_is_no_whole_soundfont_is_refused(content, message, tmp_path):
    path = tmp_path / "some.sf2"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SynthesisError, match=rf"some\.sf2: (damaged SoundFont: )?{message}.*; name an? .*\.sf2 file"):
        check_soundfont(path)


def test_the_system_soundfont_is_preferred_only_where_it_is_wanted(monkeypatch, tmp_path):
    (tmp_path / "big.sf2").write_bytes(b"")
    monkeypatch.setattr(soundfont, "SYSTEM_SOUNDFONTS", (str(tmp_path / "big.sf2"),))
    assert default_soundfont(prefer_system=True).name == "big.sf2"
    assert default_soundfont().name == "TimGM6mb.sf2"


def test_without_any_soundfont_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(soundfont, "SYSTEM_SOUNDFONTS", ())
    monkeypatch.setitem(sys.modules, "pretty_midi", None)
    with pytest.raises(DependencyError, match="run: pip install pretty_midi"):
        default_soundfont()
