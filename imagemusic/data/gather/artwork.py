"""Read the pictures in the tags of audio files, of every format that mutagen reads.

    ID3 (MP3, WAV, AIFF)  APIC                  MP4        covr
    FLAC, Ogg             picture blocks        ASF (WMA)  WM/Picture
    Ogg of old            coverart              APEv2      Cover Art (Front)

A damaged picture, an empty one, or a link to one counts as none.
"""

import base64
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from imagemusic.errors import DependencyError

SUFFIXES = """
    .mp3 .mp2 .flac .ogg .oga .opus .spx .m4a .m4b .mp4 .aac .wma .asf .aif .aiff .wav .ape .mpc .wv .tta .ofr .dsf
    .dff .tak
"""
AUDIO_SUFFIXES = frozenset(SUFFIXES.split())
FRONT = 3  # the type of a picture that is the front cover, in ID3, FLAC and ASF alike
OTHER = 0
LINK = "-->"  # instead of a MIME type in ID3 and FLAC: the data is an address


def read_artwork(path: Path) -> list[bytes]:
    """Return the pictures in the tags of an audio file, front covers first; none where it has no tags.

    Raises:
        DependencyError: mutagen is not installed.
    """
    try:
        import mutagen
    except ImportError as error:
        message = f"{path}: artwork in audio files needs mutagen; run: pip install 'imagemusic[audiotags]'"
        raise DependencyError(message) from error
    try:
        audio: Any = mutagen.File(path)
    except Exception:  # damaged files raise errors of many types, and have no artwork
        return []
    pictures = [] if audio is None else [found for found in _pictures(audio) if found[1]]
    return [data for _, data in sorted(pictures, key=lambda picture: picture[0] != FRONT)]


def _pictures(audio: Any) -> Iterator[tuple[int, bytes]]:
    """Yield (type, bytes) of each picture."""
    yield from _blocks(getattr(audio, "pictures", ()))
    tags = audio.tags
    # Vorbis comments iterate over pairs, the others over names.
    for name in () if tags is None else dict.fromkeys(tags.keys()):
        kind, values = name.lower(), tags[name]
        if kind == "covr":
            yield from ((FRONT, bytes(cover)) for cover in values)
        elif name.startswith("APIC"):
            yield from _blocks([values])
        elif kind == "metadata_block_picture":
            yield from _blocks(filter(None, map(_parse_flac_block, values)))
        elif kind == "coverart":  # of Ogg files before picture blocks: the picture alone
            yield from ((FRONT, _decoded(text)) for text in values)
        elif kind == "wm/picture":
            yield from filter(None, (_parse_asf(bytes(value.value)) for value in values))
        elif kind.startswith("cover art"):  # a file name, a null byte, the picture
            yield FRONT if "front" in kind else OTHER, bytes(values.value).partition(b"\0")[2]


def _blocks(pictures: Iterable[Any]) -> Iterator[tuple[int, bytes]]:
    """Yield (type, bytes) of ID3 frames or FLAC blocks that are no links."""
    return ((picture.type, picture.data) for picture in pictures if picture.mime != LINK)


def _parse_flac_block(text: str) -> Any:
    """Return a FLAC picture block from base64, None where it is damaged."""
    from mutagen import MutagenError
    from mutagen.flac import Picture

    try:
        return Picture(_decoded(text))
    except (MutagenError, struct.error, ValueError, LookupError):
        return None


def _parse_asf(data: bytes) -> tuple[int, bytes] | None:
    """Return (type, bytes) of a WM/Picture: type, size, MIME type, description, picture; None where it is cut short."""
    if len(data) < 9:
        return None
    kind, size = struct.unpack_from("<BI", data)
    picture = data[len(data) - size :]
    # The two texts between are UTF-16, each with two null bytes at its end.
    return (kind, picture) if size <= len(data) - 9 else None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""
