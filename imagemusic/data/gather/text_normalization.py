"""Normalize a name for comparison: case, accents, alphabets, articles, numbers, punctuation.

    "The Rolling Stones"  ->  rollin stones         "Guns N' Roses"     ->  guns roses
    "Сарума"              ->  saruma                "Part II"           ->  part 2
    "P!nk"                ->  pink                  "Y.M.C.A."          ->  ymca

Both sides of a comparison are normalized by the same rules, so a rule only has to be harmless, not right.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

CYRILLIC = "a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya i yi ye g dj j lj nj c dz u"
GREEK = "a v g d e z i th i k l m n x o p r s s t y f ch ps o"
# Latin letters that do not decompose, then Cyrillic and Greek as most file names write them.
LETTERS = dict(
    zip("æœøðđħıĸłŋþŧßə", ("ae", "oe", "o", "d", "d", "h", "i", "k", "l", "ng", "th", "t", "ss", "e"), strict=True)
)
LETTERS |= dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґђјљњћџў",
        CYRILLIC.split(),
        strict=True,
    )
)
LETTERS |= dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψω",
        GREEK.split(),
        strict=True,
    )
)
LETTERS |= dict.fromkeys("ъьʹʺ", "") | dict.fromkeys("’‘ʼ´`′", "'") | dict.fromkeys("‐‑‒–—―", "-")

# Unicode names kana by their Kunrei romanisation; these differ from Hepburn.
KANA = {"si": "shi", "ti": "chi", "tu": "tsu", "hu": "fu", "zi": "ji", "di": "ji", "du": "zu", "wo": "o"}

ARTICLES = frozenset(("the", "a", "an", "el", "la", "los", "las", "le", "les", "il", "der", "das"))
ENGLISH_ARTICLES = frozenset(("the", "a", "an"))
JOINERS = frozenset(("and", "n", "y", "und", "et"))
ABBREVIATIONS = {
    "pt": "part", "vol": "volume", "mister": "mr", "doctor": "dr", "saint": "st", "u": "you", "ya": "you",
    "versus": "vs", "xmas": "christmas", "thru": "through", "til": "till", "cuz": "cause", "nite": "night",
    "symphonie": "symphony", "luv": "love",
}  # fmt: skip
UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
NUMBERS = {word: number for number, word in enumerate(UNITS.split(" "))}
TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
TENS = {word: 10 * number for number, word in enumerate(TENS_WORDS.split(" "), start=2)}
NUMBERED_WORDS = "part volume no op act chapter symphony sonata movement mvt episode number book suite"
NUMBERED = frozenset(NUMBERED_WORDS.split(" "))
ROMAN_NUMBER = re.compile(r"x{0,2}(?:ix|iv|v?i{0,3})")
ROMAN = {"i": 1, "v": 5, "x": 10}

# Spellings of one phoneme, for names that came from another alphabet or lost their umlauts.
PHONEMES = (
    ("shch", "sh"), ("sch", "sh"), ("kh", "h"), ("zh", "j"), ("ts", "c"), ("tz", "c"), ("ph", "f"), ("oe", "o"),
    ("ue", "u"), ("ae", "a"), ("aa", "a"), ("ou", "o"), ("ck", "k"), ("w", "v"), ("x", "ks"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NormalizedText:
    """A name in the form in which names are compared."""

    key: str  # the words that count, joined by single spaces
    articles: tuple[str, ...]  # what was left out at both ends
    compact: str  # letters and digits alone, without joiners, numbers as they were written
    numbers: tuple[str, ...]  # every run of digits in `key`, sorted
    latin: bool  # nothing had to be transliterated


def normalized_key(text: str) -> str:
    """Return the words of a name that count, so that spellings of one name are equal; idempotent."""
    return normalize(text).key


@lru_cache(maxsize=1 << 16)
def normalize(text: str) -> NormalizedText:
    """Normalize a name for comparison; a name of punctuation alone stays as it is."""
    folded = fold(text)
    plain = _words(folded)
    if not plain:
        left = "".join(folded.split())
        return NormalizedText(left, (), left, (), text.isascii())
    plain = _without_joiners(plain)
    words = _with_digits([ABBREVIATIONS.get(word, word) for word in plain])
    articles = []
    while len(words) > 1 and words[0] in ARTICLES:
        articles.append(words.pop(0))
    while len(words) > 1 and words[-1] == "the":
        articles.append(words.pop())
    words = [word[:-1] if len(word) > 4 and word.endswith("ing") else word for word in words]
    key = " ".join(words)
    numbers = tuple(sorted(re.findall(r"\d+", key), key=int))
    return NormalizedText(key, tuple(articles), "".join(plain), numbers, text.isascii())


def _without_joiners(words: list[str]) -> list[str]:
    """Remove "and" everywhere, and "n", "y", "und", "et" between two words of more than one letter."""
    last = len(words) - 1
    # "U" counts as "you", or normalizing twice would remove more.
    long = [len(ABBREVIATIONS.get(word, word)) > 1 for word in words]
    kept = [
        word
        for place, word in enumerate(words)
        if word != "and" and not (word in JOINERS and 0 < place < last and long[place - 1] and long[place + 1])
    ]
    return kept or words[:1]


@lru_cache(maxsize=1 << 14)
def phonetic_key(key: str) -> str:
    """Reduce a normalized key to what all transliterations of it share."""
    for written, phoneme in PHONEMES:
        key = key.replace(written, phoneme)
    key = re.sub(r"[yj](?=[aeou])|i(?=[aou])", "", key)
    return re.sub(r"([^\d\s])\1+", r"\1", key.replace("y", "i").replace("j", "i"))


def fold(text: str) -> str:
    """Return text in lower-case Latin letters without accents; scripts without a rule, as Chinese, stay."""
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFKC", text).casefold()
    return _kana("".join(_letter(letter) for letter in unicodedata.normalize("NFKC", composed)))


@lru_cache(maxsize=1 << 14)
def _letter(letter: str) -> str:
    if letter.isascii():
        return letter
    if letter in LETTERS:
        return LETTERS[letter]
    script, _, called = unicodedata.name(letter, "").rpartition(" ")
    if script == "HANGUL SYLLABLE":
        return called.lower()
    if script in ("HIRAGANA LETTER", "KATAKANA LETTER"):
        return KANA.get(called.lower(), called.lower())
    if script in ("HIRAGANA LETTER SMALL", "KATAKANA LETTER SMALL"):
        return "<" + called.lower()  # joined to its neighbours by _kana
    parts = [part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)]
    return "".join(LETTERS.get(part, part) for part in parts if part != "ー")


def _kana(text: str) -> str:
    """Join small kana to their neighbours: shi<ya is sha, i<tuta is itta."""
    if "<" not in text:
        return text
    text = re.sub(r"<tu([bcdfghjkmnprstwyz])", r"\1\1", text)
    text = re.sub(r"(sh|ch|j)i<y([auo])", r"\1\2", text)
    text = re.sub(r"([bgkmnprh])i<(y[auo])", r"\1\2", text)
    return re.sub(r"[aeiou]<([aeiou])", r"\1", text).replace("<", "")


def _words(folded: str) -> list[str]:
    """Split folded text into words of letters and digits."""
    text = folded.replace("'", "").replace("&", " and ").replace("+", " and ")
    if "$" in text or "!" in text or "@" in text:  # P!nk, A$AP, Curren$y
        text = re.sub(r"\$(?=[a-z])|(?<=[a-z])\$", "s", text)
        text = re.sub(r"(?<=[a-z])!(?=[a-z])", "i", text)
        text = re.sub(r"(?<=[a-z])@(?=[a-z])", "a", text)
    if "." in text:
        text = re.sub(r"\b([a-z])\.(?=[a-z]\b)", r"\1", text)  # y.m.c.a.
    return re.findall(r"[^\W_]+", text)


def _with_digits(words: list[str]) -> list[str]:
    """Write number words and Roman numerals as digits."""
    made: list[str] = []
    tens = 0  # a word like "twenty" just before, still open for a unit
    for position, word in enumerate(words):
        unit = NUMBERS.get(word)
        if tens and unit is not None and 0 < unit < 10:
            made[-1] = str(tens + unit)
            tens = 0
            continue
        tens = TENS.get(word, 0)
        after_count = position > 0 and words[position - 1] in NUMBERED
        if tens:
            made.append(str(tens))
        elif unit is not None:
            made.append(str(unit))
        elif word[0] in ROMAN and (len(word) > 1 or after_count) and ROMAN_NUMBER.fullmatch(word):
            made.append(str(_roman(word)))
        elif word[0].isdecimal() and word.isdecimal():
            made.append(str(int(word)))
        else:
            made.append(word)
    return made


def _roman(word: str) -> int:
    values = [ROMAN[letter] for letter in word]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))
