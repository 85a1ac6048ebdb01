"""Audio files of no sound, with tags and pictures in them."""

import base64
import io
import struct

import numpy as np
import pytest

MP3_FRAME = b"\xff\xfb\x90\x00" + b"\0" * 413


def block(data=b"front", kind=3, mime="image/jpeg"):
    """A FLAC picture block."""
    picture = pytest.importorskip("mutagen.flac").Picture()
    picture.type, picture.data, picture.mime = kind, data, mime
    return picture


def encoded(data=b"front", kind=3):
    """A FLAC picture block as Ogg files hold it."""
    return base64.b64encode(block(data, kind).write()).decode()


def mp3(*pictures, mime="image/jpeg"):
    """Bytes of an MP3 file with pictures (type, bytes)."""
    id3 = pytest.importorskip("mutagen.id3")
    tags, file = id3.ID3(), io.BytesIO(MP3_FRAME * 4)
    for number, (kind, data) in enumerate(pictures):
        tags.add(id3.APIC(encoding=3, mime=mime, type=kind, desc=str(number), data=data))
    tags.save(file)
    return file.getvalue()


def _tagged(kind, audio_type, tags, pictures=()):
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, np.zeros(4410), 44100, format=kind)
    file.seek(0)
    audio = audio_type(file)
    for name, value in tags.items():
        audio[name] = [value]
    for picture in pictures:
        audio.add_picture(picture)
    file.seek(0)
    audio.save(file)
    return file.getvalue()


def ogg(**tags):
    """Bytes of an Ogg Vorbis file with comments."""
    return _tagged("OGG", pytest.importorskip("mutagen.oggvorbis").OggVorbis, tags)


def flac(*pictures, **tags):
    """Bytes of a FLAC file with picture blocks and comments."""
    return _tagged("FLAC", pytest.importorskip("mutagen.flac").FLAC, tags, pictures)


def wma(picture, missing=0):
    """Bytes of the header of an ASF file: an album title, and a WM/Picture that lacks some bytes at its end."""
    value = struct.pack("<BI", 3, len(picture)) + "image/jpeg\0\0".encode("utf-16-le") + picture
    items = [("WM/AlbumTitle", 0, "First\0".encode("utf-16-le")), ("WM/Picture", 1, value[: len(value) - missing])]
    content = struct.pack("<H", len(items))
    for name, kind, data in items:
        text = f"{name}\0".encode("utf-16-le")
        content += struct.pack("<H", len(text)) + text + struct.pack("<HH", kind, len(data)) + data
    extended = bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850") + struct.pack("<Q", len(content) + 24) + content
    header = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
    return header + struct.pack("<QIBB", len(extended) + 30, 1, 1, 2) + extended
