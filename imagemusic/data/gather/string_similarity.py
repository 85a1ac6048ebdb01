"""Similarity of two names, 0..1: edit distance of the letters, then words, then numbers.

"Stairway to Heaven"  "Stairway to Haeven"      one typo: nearly 1
"Come with Me"        "Come to Me"              few letters, but another word
"Part 1"              "Part 2"                  one letter, but another number
"""

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

from imagemusic.data.gather.text_normalization import (
    ARTICLES,
    ENGLISH_ARTICLES,
    JOINERS,
    NormalizedText,
    normalize,
    phonetic_key,
)

OTHER_ARTICLE = 0.98  # "The One" and "One"
OTHER_FOREIGN_ARTICLE = 0.95  # "El Fantasma" and "Fantasma"
OTHER_SPACES = 0.98  # "Lovesong" and "Love Song"
OTHER_ALPHABET = 0.96  # equal phonetic keys
OTHER_NUMBER = 0.5
MISSING_NUMBER = 0.7
OTHER_WORD = 0.75  # per word without a similar word on the other side
# Cost of 0, 1, 2 and 3 edits, in letters.  One typo is cheap, more are not; an edit that leaves the word is cheaper.
EDIT_COSTS = (0.0, 0.8, 2.0, 3.4)
COST_OF_MORE_EDITS = 1.7
SUBSTITUTED, TRANSPOSED, DOUBLED = 1.0, 0.6, 0.5

# Words that make another title when they change, however few letters that takes.
DISTINCT_WORDS = frozenset(
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
def similarity(one: str, other: str, strictness: float = 1.0) -> float:
    """Return the similarity, 0..1 and symmetric, of two names as written; 1 for two spellings of one name.

    Args:
        strictness: multiplies the cost of edits.
    """
    return compare(normalize(one), normalize(other), strictness)


def compare(a: NormalizedText, b: NormalizedText, strictness: float = 1.0) -> float:
    """Return the similarity, 0..1, of two normalized names."""
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
        keys = phonetic_key(a.key), phonetic_key(b.key)
        found = max(found, OTHER_ALPHABET * (1.0 if keys[0] == keys[1] else _by_letters(*keys, strictness)))
    if a.numbers != b.numbers and _number_misspelled(a, b):
        found = _by_letters(a.compact, b.compact, strictness)
    elif found > 0.3 and a.numbers != b.numbers:
        found *= MISSING_NUMBER if not a.numbers or not b.numbers else OTHER_NUMBER
    return article * found


def _number_misspelled(a: NormalizedText, b: NormalizedText) -> bool:
    """Return whether one typo in a number word is all that differs: "Five Finger Death Punch", "ive Finger ..."."""
    digits = [re.findall(r"\d+", name.compact) for name in (a, b)]
    return digits[0] == digits[1] and len(a.compact) > 6 and OSA.distance(a.compact, b.compact, score_cutoff=1) == 1


def _by_letters(a: str, b: str, strictness: float) -> float:
    longest = max(len(a), len(b))
    if min(len(a), len(b)) < 0.5 * longest:
        return 0.0
    joined = a.replace(" ", ""), b.replace(" ", "")
    if joined[0] == joined[1]:
        return OTHER_SPACES
    edits = OSA.distance(*joined, score_cutoff=longest // 2)
    found = max(0.0, 1 - strictness * _cost(*joined, edits) / longest)
    if found < 0.4:
        return found
    return found * OTHER_WORD ** _unmatched_words(a.split(), b.split())


def _cost(a: str, b: str, edits: int) -> float:
    """Return the cost, in letters, of so many edits."""
    if edits == 1:
        if len(a) == len(b):
            return TRANSPOSED if sorted(a) == sorted(b) else SUBSTITUTED
        if a + "s" == b or b + "s" == a:
            return SUBSTITUTED
        return DOUBLED if _undoubled(a) == _undoubled(b) else EDIT_COSTS[1]
    return EDIT_COSTS[edits] if edits < len(EDIT_COSTS) else COST_OF_MORE_EDITS * edits


def _unmatched_words(a: list[str], b: list[str]) -> float:
    """Count the words of both sides without a similar word on the other; articles count a quarter."""
    left, right = [], list(b)
    for word in a:
        if word in right:
            right.remove(word)
        else:
            left.append(word)
    if "".join(left) == "".join(right):
        return 0.0
    # The halves of a split word, or two words run together, are similar only when joined.
    if left and right and _word_similarity("".join(left), "".join(right)) >= 0.75:
        return 0.0
    for word in list(left):
        best = max(right, key=lambda other: _word_similarity(word, other), default=None)
        if best is not None and _word_similarity(word, best) >= 0.6:
            left.remove(word)
            right.remove(best)
    return sum(0.25 if word in ARTICLES or word in JOINERS else 1.0 for word in left + right)


def _undoubled(text: str) -> str:
    return re.sub(r"(.)\1+", r"\1", text)


@lru_cache(maxsize=1 << 15)
def _word_similarity(one: str, other: str) -> float:
    """Return the similarity of two words; 0 for two of DISTINCT_WORDS and for numbers."""
    if one in DISTINCT_WORDS and other in DISTINCT_WORDS or one.isdecimal() or other.isdecimal():
        return 0.0
    return 1 - float(OSA.distance(one, other)) / max(len(one), len(other))
