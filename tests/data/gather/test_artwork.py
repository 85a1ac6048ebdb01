import base64
import sys

import pytest

from imagemusic.data.gather.artwork import read_artwork
from imagemusic.errors import DependencyError
from tests.datasets import put
from tests.tagged_audio import MP3_FRAME, block, encoded, flac, mp3, ogg, wma

pytest.importorskip("mutagen")


def artwork(tmp_path, name, data):
    return read_artwork(put(tmp_path / name, data))


def test_the_front_cover_comes_before_other_pictures(tmp_path):
    assert artwork(tmp_path, "a.mp3", mp3((4, b"back"), (3, b"front"))) == [b"front", b"back"]
    assert artwork(tmp_path, "a.flac", flac(block(b"back", 4), block())) == [b"front", b"back"]
    assert artwork(tmp_path, "a.ogg", ogg(title="One", metadata_block_picture=encoded())) == [b"front"]
    assert artwork(tmp_path, "b.ogg", ogg(coverart=base64.b64encode(b"front").decode())) == [b"front"]
    assert artwork(tmp_path, "a.wma", wma(b"front")) == [b"front"]


@pytest.mark.parametrize("name", ["mp4", "ape"])
def test_artwork_in_tags_of_other_formats_is_found(tmp_path, monkeypatch, name):
    import mutagen
    from mutagen.apev2 import APEv2
    from mutagen.mp4 import MP4Cover

    if name == "mp4":
        tags = {"covr": [MP4Cover(b"front")], "disk": [(1, 2)]}
    else:
        tags = APEv2()
        tags["Cover Art (Back)"], tags["Cover Art (Front)"] = b"b.jpg\0back", b"f.jpg\0front"
        tags["Title"] = "One"
    monkeypatch.setattr(mutagen, "File", lambda path: type("Audio", (), {"tags": tags})())
    assert read_artwork(tmp_path / "a")[0] == b"front"


def test_tags_without_a_picture_have_no_artwork(tmp_path):
    assert artwork(tmp_path, "a.flac", flac(title="One", artist="Ann")) == []
    assert artwork(tmp_path, "a.ogg", ogg(title="One", artist="Ann")) == []
    assert artwork(tmp_path, "a.mp3", MP3_FRAME * 4) == []


@pytest.mark.parametrize("text", ["", "no base64!", base64.b64encode(b"\0\0\0\3\0\0\0\x0aimag").decode()])
def test_a_damaged_picture_block_counts_as_none(tmp_path, text):
    assert artwork(tmp_path, "a.ogg", ogg(metadata_block_picture=text)) == []
    assert artwork(tmp_path, "a.wma", wma(b"front", missing=len(b"front") + 24)) == []


def test_a_link_and_an_empty_picture_count_as_none(tmp_path):
    assert artwork(tmp_path, "a.mp3", mp3((3, b"http://example.org/x.jpg"), mime="-->")) == []
    assert artwork(tmp_path, "b.mp3", mp3((3, b""))) == []


@pytest.mark.parametrize("data", [b"", b"no audio at all", b"fLaC" + b"\xff" * 40, b"OggS" + b"\0" * 90])
@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "wma", "m4a", "ape"])
def test_a_damaged_audio_file_has_no_artwork(tmp_path, suffix, data):
    assert artwork(tmp_path, f"a.{suffix}", data) == []


def test_without_mutagen_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mutagen", None)
    with pytest.raises(DependencyError, match=r"a\.mp3: .* pip install 'imagemusic\[audiotags\]'"):
        artwork(tmp_path, "a.mp3", b"")
