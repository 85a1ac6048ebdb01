"""The style of a piece, as its corpus tells: by title, by tag, else what the whole corpus is."""

import re

from imagemusic.data.corpora.piece import Piece
from imagemusic.music.styles import STYLES

# The first pattern that a title holds decides, then the first that a tag holds.
BY_TITLE = {
    "waltz": r"wal(tz|zer)|valse|vals\b|l[äa]ndler",
    "march": r"\bmarche?s?\b|marsch|marcia",
    "ragtime": r"\brags?\b|ragtime|cakewalk",
    "swing": r"\bswing\b",
    "blues": r"\bblues\b",
    "rock": r"\brock(in)?\b",
    "techno": r"\btechno\b|\bbangin\b",
    "latin": r"\btangos?\b|samba|bossa|rumba|\bdanza\b|habanera",
}
BY_TAG = {
    "hymn": r"^hymn|^gospel",
    "folk": r"^folk",
    "renaissance": r"^renaissance",
    "baroque": r"^baroque",
    "march": r"^march",
    "ragtime": r"^jazz$",  # Mutopia's: nearly all are rags
    "classical": r"^classical$",
    "romantic": r"^roman",
    "funk": r"^(funk|soul|afrobeat|hiphop|neworleans)",
    "latin": r"^(latin|afrocuban|highlife|reggae)",
    "rock": r"^(rock|punk)",
    "pop": r"^(pop|country|dance)",
    "blues": r"^blues",
}
BY_CORPUS = {
    "openscore-lieder": "lied",
    "openscore-quartets": "quartet",
    "hauptstimme": "orchestral",
    "pop909": "pop",
    "freedoom": "rock",
    "freedoom-history": "rock",
    "blasphemer": "ambient",
}
DANCES = ("openscore-lieder", "openscore-quartets", "pop909")  # a song about a march is none


def style_of(piece: Piece) -> str:
    """Return the style of a piece, one of STYLES; "" where its corpus does not tell."""
    if piece.corpus not in DANCES:
        for style, pattern in BY_TITLE.items():
            if re.search(pattern, piece.title.lower()):
                return style
    if piece.corpus == "groove-midi" and piece.tags and piece.tags[0].startswith("jazz"):
        return "swing"
    for tag in piece.tags:
        for style, pattern in BY_TAG.items():
            if re.search(pattern, tag.lower()):
                return style
    found = BY_CORPUS.get(piece.corpus, "")
    assert not found or found in STYLES
    return found
