"""Track names: bytes to text."""

import re

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
KANA = re.compile(r"[\u3041-\u30ff]")
LETTERS = re.compile(r"[A-Za-z]")


def decode_name(data: bytes) -> str:
    """Return a name on one line, without control characters: of UTF-8, Shift-JIS and Latin-1 the first that fits.

    Nearly any two bytes are a character in Shift-JIS, so it is accepted only with kana, or without Latin letters.
    """
    try:
        return _one_line(data.decode())
    except UnicodeDecodeError:
        pass
    try:
        japanese = data.decode("shift_jis")
        if KANA.search(japanese) or not LETTERS.search(japanese):
            return _one_line(japanese)
    except UnicodeDecodeError:
        pass
    return _one_line(data.decode("latin-1"))


def _one_line(text: str) -> str:
    return CONTROLS.sub(" ", text).strip()
