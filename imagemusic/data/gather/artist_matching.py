"""Similarity of two artist credits, 0..1.

"Tom Petty"              "Tom Petty and the Heartbreakers"      the first named is the same
"Ed Sheeran & Bieber"    "Ed Sheeran", guest Justin Bieber
"Joel, Billy"            "Billy Joel"
"J.S. Bach"              "Johann Sebastian Bach"
"""

import re
from functools import lru_cache

from imagemusic.data.gather.string_similarity import similarity as string_similarity
from imagemusic.data.gather.text_normalization import ENGLISH_ARTICLES, normalize

STRICTNESS = 1.3  # one letter more often makes another artist than another title
FIRST_NAMED = 0.98
OTHER_PARTNERS = 0.85  # "Diego & Victor" and "Diego & Arnaldo"
ALSO_NAMED = 0.93
INITIALS = 0.95
SURNAME = 0.88
CREDITS = re.compile(
    r"\s*(?:[,;/&+|]|\b(?:and|feat|ft|featuring|with|vs|versus|x|y|und|et|presents|pres|con|meets)\b\.?)\s*",
    re.IGNORECASE,
)


@lru_cache(maxsize=1 << 16)
def artist_similarity(artist: str, guests: tuple[str, ...], other_artist: str, other_guests: tuple[str, ...]) -> float:
    """Return the similarity, 0..1, of two credits, each with the guests that its title names."""
    found = name_similarity(artist, other_artist)
    if found >= FIRST_NAMED:
        return found
    found = max(found, _person_similarity(artist, other_artist))
    named, other = split_credit(artist), split_credit(other_artist)
    if len(named) > 1 or len(other) > 1:
        partners = len(named) > 1 and len(other) > 1
        strangers = partners and not any(name_similarity(a, b) > 0.8 for a in named[1:] for b in other[1:])
        if strangers:
            return max(found, OTHER_PARTNERS * name_similarity(named[0], other[0]))
        found = max(found, FIRST_NAMED * name_similarity(named[0], other[0]))
    named += [guest for text in guests for guest in split_credit(text)]
    other += [guest for text in other_guests for guest in split_credit(text)]
    if found < ALSO_NAMED:
        also = [name_similarity(named[0], one) for one in other] + [name_similarity(one, other[0]) for one in named]
        found = max(found, ALSO_NAMED * max(also))
    return found


def name_similarity(one: str, other: str) -> float:
    """Return the similarity, 0..1, of two artists' names."""
    return string_similarity(one, other, STRICTNESS)


def split_credit(text: str) -> list[str]:
    """Split a credit into the artists that it names, as written; one that names none is returned whole."""
    return [part for part in CREDITS.split(text) if part.strip(" .'\"()[]")] or [text]


def _person_similarity(artist: str, other_artist: str) -> float:
    """Return the similarity of two personal names: surname first, surname alone, initials, middle names."""
    one, other = _name_words(artist), _name_words(other_artist)
    if not one or not other or one[-1] != other[-1]:
        return 0.0
    if one == other:
        return FIRST_NAMED
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) == 1:
        return SURNAME if len(shorter[0]) > 3 else 0.0
    rest = iter(longer[:-1])
    return INITIALS if all(any(_stands_for(word, full) for full in rest) for word in shorter[:-1]) else 0.0


def _name_words(text: str) -> list[str]:
    """Return the words of a name, surname last."""
    surname, comma, first = text.partition(",")
    normalized = normalize(f"{first} {surname}" if comma and "," not in first else text)
    # In "Les Gordon" the article is part of the name.
    words = [*(word for word in normalized.articles if word not in ENGLISH_ARTICLES), *normalized.key.split()]
    return [
        letter
        for word in words[:-1]
        for letter in (word if len(word) < 3 and word.isalpha() and "." in text else [word])
    ] + words[-1:]


def _stands_for(word: str, full: str) -> bool:
    return word == full or (len(word) == 1 and full.startswith(word)) or (len(full) == 1 and word.startswith(full))
