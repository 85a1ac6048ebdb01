"""Fonts for names: Pillow's own where it has all letters, else one of ours; what neither has is not drawn."""

from functools import cache

from PIL import ImageFont

from imagemusic.resources import FONT

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
NO_CHARACTER = "\uffff"  # drawn as what a font shows for characters that it lacks
PROBE_SIZE = 24


def drawable(text: str) -> str:
    """Return a text on one line without the characters that none of the fonts has."""
    kept = "".join(character if _has(_ours(PROBE_SIZE), character) else " " for character in text)
    return " ".join(kept.split())


def font_of(text: str, size: float) -> Font:
    """Return the font to draw a text with."""
    return _plain(size) if all(character.isascii() or character == "·" for character in text) else _ours(size)


@cache
def _plain(size: float) -> Font:
    return ImageFont.load_default(size)


@cache
def _ours(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)


@cache
def _has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    if character.isspace() or not character.isprintable():
        return False
    return bytes(font.getmask(character)) != bytes(font.getmask(NO_CHARACTER))
