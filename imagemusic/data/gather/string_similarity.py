"""Two names -> how alike they are, 0..1: letters first, then words, then numbers.

"Stairway to Heaven"  "Stairway to Haeven"      one slip of the hand: nearly 1
"Come with Me"        "Come to Me"              few letters, but another word
"Part 1"              "Part 2"                  one letter, but another number
"""

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

from imagemusic.data.gather.text_normalization import ARTICLES, ENGLISH_ARTICLES, JOINERS, Spelling, sound, spell

OTHER_ARTICLE = 0.98  # "The One" and "One"
OTHER_FOREIGN_ARTICLE = 0.95  # "El Fantasma" and "Fantasma"
OTHER_SPACES = 0.98  # "Lovesong" and "Love Song"
OTHER_ALPHABET = 0.96  # equal when heard
OTHER_NUMBER = 0.5
MISSING_NUMBER = 0.7
OTHER_WORD = 0.75  # each word that nothing on the other side resembles
# Letters' worth of slips of the hand.  The first is forgiven, more are not; a slip that makes no other word is cheaper.
SLIPS = (0.0, 0.8, 2.0, 3.4)
FURTHER_SLIP = 1.7
SUBSTITUTED, TRANSPOSED, DOUBLED = 1.0, 0.6, 0.5

# Short words that make another title when they change, however few letters that takes.
SMALL = frozenset(
    re.findall(
        r"\w+",
        """
        i me my mine you your yours he him his she her hers it its we us our they them their this that these those who
        what when where why how in on at up down out off over under to for from with without into no not never ever
        dont wont cant can is are was were be am will would do did does so if all any some one day night man woman boy
        girl intro outro prelude interlude first second third last north south east west summer winter spring autumn
        black white red blue green mother father sister brother king queen love hate life live like lie new now here
        there good bad boys girls men women days nights
        """,
    )
)


@lru_cache(maxsize=1 << 17)
def likeness(one: str, other: str, strictness: float = 1.0) -> float:
    """Compare two names as written; 1 for spellings of one name, symmetric; slips cost more when strict."""
    return compare(spell(one), spell(other), strictness)


def compare(a: Spelling, b: Spelling, strictness: float = 1.0) -> float:
    """Compare two spelled names."""
    article = 1.0
    if a.articles != b.articles:
        article = OTHER_ARTICLE if {*a.articles, *b.articles} <= ENGLISH_ARTICLES else OTHER_FOREIGN_ARTICLE
    if a.key == b.key:
        return article
    if a.compact == b.compact:
        return OTHER_SPACES
    if not a.key or not b.key:
        return 0.0
    found = _by_letters(a.key, b.key, strictness)
    if not (a.latin and b.latin):
        heard, told = sound(a.key), sound(b.key)
        found = max(found, OTHER_ALPHABET * (1.0 if heard == told else _by_letters(heard, told, strictness)))
    if a.numbers != b.numbers and _number_misspelled(a, b):
        found = _by_letters(a.compact, b.compact, strictness)
    elif found > 0.3 and a.numbers != b.numbers:
        found *= MISSING_NUMBER if not a.numbers or not b.numbers else OTHER_NUMBER
    return article * found


def _number_misspelled(a: Spelling, b: Spelling) -> bool:
    """Say whether a slip in a number word is all that differs: "Five Finger Death Punch", "ive Finger Death Punch"."""
    digits = [re.findall(r"\d+", spelling.compact) for spelling in (a, b)]
    return digits[0] == digits[1] and len(a.compact) > 6 and OSA.distance(a.compact, b.compact, score_cutoff=1) == 1


def _by_letters(a: str, b: str, strictness: float) -> float:
    longest = max(len(a), len(b))
    if min(len(a), len(b)) < 0.5 * longest:
        return 0.0
    joined = a.replace(" ", ""), b.replace(" ", "")
    if joined[0] == joined[1]:
        return OTHER_SPACES
    slips = OSA.distance(*joined, score_cutoff=longest // 2)
    found = max(0.0, 1 - strictness * _cost(*joined, slips) / longest)
    if found < 0.4:
        return found
    return found * OTHER_WORD ** _foreign_words(a.split(), b.split())


def _cost(a: str, b: str, slips: int) -> float:
    """Say how many letters' worth of difference so many slips are."""
    if slips == 1:
        if len(a) == len(b):
            return TRANSPOSED if sorted(a) == sorted(b) else SUBSTITUTED
        if a + "s" == b or b + "s" == a:
            return SUBSTITUTED
        return DOUBLED if _undoubled(a) == _undoubled(b) else SLIPS[1]
    return SLIPS[slips] if slips < len(SLIPS) else FURTHER_SLIP * slips


def _foreign_words(a: list[str], b: list[str]) -> float:
    """Count the words of either side that nothing on the other resembles; articles count a quarter."""
    left, right = [], list(b)
    for word in a:
        if word in right:
            right.remove(word)
        else:
            left.append(word)
    if "".join(left) == "".join(right):
        return 0.0
    # A word torn in two, or two run together, resembles nothing alone.
    if left and right and _word_likeness("".join(left), "".join(right)) >= 0.75:
        return 0.0
    for word in list(left):
        best = max(right, key=lambda other: _word_likeness(word, other), default=None)
        if best is not None and _word_likeness(word, best) >= 0.6:
            left.remove(word)
            right.remove(best)
    return sum(0.25 if word in ARTICLES or word in JOINERS else 1.0 for word in left + right)


def _undoubled(text: str) -> str:
    return re.sub(r"(.)\1+", r"\1", text)


@lru_cache(maxsize=1 << 15)
def _word_likeness(one: str, other: str) -> float:
    """Compare two words; 0 for two different small words and for numbers."""
    if one in SMALL and other in SMALL or one.isdecimal() or other.isdecimal():
        return 0.0
    return 1 - float(OSA.distance(one, other)) / max(len(one), len(other))
