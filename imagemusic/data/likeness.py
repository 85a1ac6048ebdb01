"""Two names -> how alike they are, 0..1: letters first, then words, then numbers.

"Stairway to Heaven"  "Stairway to Haeven"      one slip of the hand: nearly 1
"Come with Me"        "Come to Me"              few letters, but another word
"Part 1"              "Part 2"                  one letter, but another number
"""

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

from imagemusic.data.spelling import ARTICLES, JOINERS, Spelling, sound, spell

OTHER_ARTICLE = 0.98  # "The One" and "One"
OTHER_SPACES = 0.98  # "Lovesong" and "Love Song"
OTHER_ALPHABET = 0.96  # equal when heard
OTHER_NUMBER = 0.5
MISSING_NUMBER = 0.7
OTHER_WORD = 0.75  # each word that nothing on the other side resembles
SLIP = 1.6  # times the share of letters that differ

# Short words that make another title when they change, however few letters that takes.
SMALL = frozenset(
    re.findall(
        r"\w+",
        """
        i me my mine you your yours he him his she her hers it its we us our they them their this that these those who
        what when where why how in on at up down out off over under to for from with without into no not never ever
        dont wont cant can is are was were be am will would do did does so if all any some one day night man woman boy
        girl love hate life live like lie new now here there good bad boys girls men women days nights
        """,
    )
)


@lru_cache(maxsize=1 << 17)
def likeness(one: str, other: str) -> float:
    """Compare two names as written; 1 for spellings of one name, symmetric."""
    return compare(spell(one), spell(other))


def compare(a: Spelling, b: Spelling) -> float:
    """Compare two spelled names."""
    if a.key == b.key:
        return 1.0 if a.exact == b.exact or _without_joiners(a) == _without_joiners(b) else OTHER_ARTICLE
    if a.compact == b.compact:
        return OTHER_SPACES
    if not a.key or not b.key:
        return 0.0
    found = _by_letters(a.key, b.key)
    if not (a.latin and b.latin):
        heard, told = sound(a.key), sound(b.key)
        found = max(found, OTHER_ALPHABET * (1.0 if heard == told else _by_letters(heard, told)))
    if found > 0.3 and a.numbers != b.numbers:
        found *= MISSING_NUMBER if not a.numbers or not b.numbers else OTHER_NUMBER
    return found


def _without_joiners(spelling: Spelling) -> list[str]:
    return [word for word in spelling.exact.split() if word not in JOINERS]


def _by_letters(a: str, b: str) -> float:
    longest = max(len(a), len(b))
    if min(len(a), len(b)) < 0.5 * longest:
        return 0.0
    joined = a.replace(" ", ""), b.replace(" ", "")
    if joined[0] == joined[1]:
        return OTHER_SPACES
    slips = OSA.distance(*joined, score_cutoff=longest // 2)
    found = max(0.0, 1 - SLIP * slips / longest)
    if found < 0.4:
        return found
    return found * OTHER_WORD ** _foreign_words(a.split(), b.split())


def _foreign_words(a: list[str], b: list[str]) -> float:
    """Count the words of either side that nothing on the other resembles; articles count a quarter."""
    left = [word for word in a if word not in b]
    right = [word for word in b if word not in a]
    if "".join(left) == "".join(right):
        return 0.0
    total = 0.0
    for word in list(left):
        best = max(right, key=lambda other: _word_likeness(word, other), default=None)
        if best is not None and _word_likeness(word, best) >= 0.6:
            left.remove(word)
            right.remove(best)
    # A word torn in two, or two run together, resembles nothing alone.
    if left and right and _word_likeness("".join(left), "".join(right)) >= 0.75:
        return 0.0
    for words in (left, right):
        total += sum(0.25 if word in ARTICLES or word in JOINERS else 1.0 for word in words)
    return total


@lru_cache(maxsize=1 << 15)
def _word_likeness(one: str, other: str) -> float:
    """Compare two words; 0 for two different small words and for numbers."""
    if one in SMALL and other in SMALL or one.isdecimal() or other.isdecimal():
        return 0.0
    return 1 - float(OSA.distance(one, other)) / max(len(one), len(other))
