"""Two ways to credit artists -> how alike they are, 0..1.

"Tom Petty"              "Tom Petty and the Heartbreakers"      the first named is the same
"Ed Sheeran & Bieber"    "Ed Sheeran", guest Justin Bieber
"Joel, Billy"            "Billy Joel"
"J.S. Bach"              "Johann Sebastian Bach"
"""

import re
from functools import lru_cache

from imagemusic.data.gather.string_similarity import likeness as any_likeness
from imagemusic.data.gather.text_normalization import ENGLISH_ARTICLES, spell

STRICTNESS = 1.3  # a letter makes another artist sooner than another song of the same one
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
def artist_likeness(artist: str, guests: tuple[str, ...], told: str, told_guests: tuple[str, ...]) -> float:
    """Compare two artists, each with the guests that its title names."""
    found = likeness(artist, told)
    if found >= FIRST_NAMED:
        return found
    found = max(found, _person(artist, told))
    named, other = credits(artist), credits(told)
    if len(named) > 1 or len(other) > 1:
        partners = len(named) > 1 and len(other) > 1
        strangers = partners and not any(likeness(a, b) > 0.8 for a in named[1:] for b in other[1:])
        if strangers:
            return max(found, OTHER_PARTNERS * likeness(named[0], other[0]))
        found = max(found, FIRST_NAMED * likeness(named[0], other[0]))
    named += [guest for text in guests for guest in credits(text)]
    other += [guest for text in told_guests for guest in credits(text)]
    if found < ALSO_NAMED:
        also = [likeness(named[0], one) for one in other] + [likeness(one, other[0]) for one in named]
        found = max(found, ALSO_NAMED * max(also))
    return found


def likeness(one: str, other: str) -> float:
    """Compare the names of two artists."""
    return any_likeness(one, other, STRICTNESS)


def credits(text: str) -> list[str]:
    """List the artists that a credit names, as written; the credit itself where it cannot be cut."""
    return [part for part in CREDITS.split(text) if part.strip(" .'\"()[]")] or [text]


def _person(artist: str, told: str) -> float:
    """Compare the names of persons: surname first, surname alone, initials, middle names."""
    one, other = _in_order(artist), _in_order(told)
    if not one or not other or one[-1] != other[-1]:
        return 0.0
    if one == other:
        return FIRST_NAMED
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) == 1:
        return SURNAME if len(shorter[0]) > 3 else 0.0
    rest = iter(longer[:-1])
    return INITIALS if all(any(_stands_for(word, full) for full in rest) for word in shorter[:-1]) else 0.0


def _in_order(text: str) -> list[str]:
    """List the words of a name, surname last."""
    surname, comma, first = text.partition(",")
    spelled = spell(f"{first} {surname}" if comma and "," not in first else text)
    words = [*(word for word in spelled.articles if word not in ENGLISH_ARTICLES), *spelled.key.split()]  # Les Gordon
    return [
        letter
        for word in words[:-1]
        for letter in (word if len(word) < 3 and word.isalpha() and "." in text else [word])
    ] + words[-1:]


def _stands_for(word: str, full: str) -> bool:
    return word == full or (len(word) == 1 and full.startswith(word)) or (len(full) == 1 and word.startswith(full))
