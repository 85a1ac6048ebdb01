"""The ways in which files are misnamed, for the study matching.

Nothing here uses the rules that are measured: words, alphabets and versions are listed here again, in other ways.
"""

import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

GUESTS = re.compile(r"\s*[(\[](?:feat\.?|ft\.?|featuring|with)\s+([^)\]]+)[)\]]", re.IGNORECASE)
NEARBY = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopqsdfghjklaxcvbnmz", strict=True))
# Passport spelling, which is not the one that the matching knows best.
CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        re.split(r"\s", "a b v g d e yo zh z i j k l m n o p r s t u f h c ch sh sch - y - e ju ja".replace("-", "")),
        strict=True,
    )
)
GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"}
NUMBER_WORDS = {
    "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "7": "seven", "10": "ten", "20": "twenty",
}  # fmt: skip
PLAIN = "{artist}/{title}.mid"
ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V", "6": "VI", "7": "VII"}


@dataclass(frozen=True, slots=True)
class File:
    """A file name in the making."""

    artist: str
    title: str
    shape: str = PLAIN

    @property
    def path(self) -> str:
        """Put the name together; a slash in a name is an underscore, as on every disk."""
        return self.shape.format(artist=self.artist.replace("/", "_"), title=self.title.replace("/", "_"))


Distortion = Callable[[random.Random, File], File]


def _typo(rng: random.Random, file: File, change: Callable[[str, int], str]) -> File:
    """Change one letter of the artist or the title, in a word of five letters or more."""
    field = rng.choice(("artist", "title", "title"))
    text = getattr(file, field)
    places = [
        match.start() + offset
        for match in re.finditer(r"[A-Za-z]{4,}", text)
        for offset in range(len(match.group()) - 1)
    ]
    if len(text) < 6 or not places:
        return file
    return replace(file, **{field: change(text, rng.choice(places))})


def letters_swapped(rng: random.Random, file: File) -> File:
    return _typo(rng, file, lambda text, at: text[:at] + text[at + 1] + text[at] + text[at + 2 :])


def letter_missing(rng: random.Random, file: File) -> File:
    return _typo(rng, file, lambda text, at: text[:at] + text[at + 1 :])


def letter_doubled(rng: random.Random, file: File) -> File:
    return _typo(rng, file, lambda text, at: text[: at + 1] + text[at:])


def letter_beside(rng: random.Random, file: File) -> File:
    return _typo(rng, file, lambda text, at: text[:at] + NEARBY[text[at].lower()] + text[at + 1 :])


def case(rng: random.Random, file: File) -> File:
    change = rng.choice((str.lower, str.upper))
    return replace(file, artist=change(file.artist), title=change(file.title))


def accents_lost(rng: random.Random, file: File) -> File:
    def bare(text: str) -> str:
        return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))

    return replace(file, artist=bare(file.artist), title=bare(file.title))


def article_lost(rng: random.Random, file: File) -> File:
    cut = re.compile(r"^(?:The|A|An|Los|Las|El|La)\s+(?=\w)")
    return replace(file, artist=cut.sub("", file.artist), title=cut.sub("", file.title))


def article_last(rng: random.Random, file: File) -> File:
    return replace(file, artist=re.sub(r"^(The|Los)\s+(.+)$", r"\2, \1", file.artist))


def article_added(rng: random.Random, file: File) -> File:
    return file if re.match(r"(The|A|Los|La|El)\b", file.artist) else replace(file, artist="The " + file.artist)


def guests_lost(rng: random.Random, file: File) -> File:
    return replace(file, title=GUESTS.sub("", file.title))


def guests_respelled(rng: random.Random, file: File) -> File:
    way = rng.choice((r" ft. \1", r" ft \1", r" featuring \1", r" (ft. \1)", r" [Feat \1]"))
    return replace(file, title=GUESTS.sub(way, file.title))


def guests_moved(rng: random.Random, file: File) -> File:
    found = GUESTS.search(file.title)
    if not found:
        return file
    joint = rng.choice((" feat. ", " & ", " ft ", ", ", " and ", " with "))
    return replace(file, artist=file.artist + joint + found.group(1), title=GUESTS.sub("", file.title))


def joiner(rng: random.Random, file: File) -> File:
    def other(text: str) -> str:
        return text.replace(" & ", " and ") if " & " in text else re.sub(r"\band\b", "&", text)

    return replace(file, artist=other(file.artist), title=other(file.title))


def transliterated(rng: random.Random, file: File) -> File:
    def latin(text: str) -> str:
        return "".join(
            new.capitalize() if one.isupper() else new
            for one in unicodedata.normalize("NFC", text)
            for new in [CYRILLIC.get(one.lower(), GERMAN.get(one.lower(), one.lower()))]
        )

    made = replace(file, artist=latin(file.artist), title=latin(file.title))
    return made if (made.artist + made.title).lower() != (file.artist + file.title).lower() else file


def swapped(rng: random.Random, file: File) -> File:
    return replace(
        file, shape=rng.choice(("{title} - {artist}.mid", "MIDI/{title} - {artist}.mid", "{title}/{artist}.mid"))
    )


def artist_in_name(rng: random.Random, file: File) -> File:
    shapes = ("{artist} - {title}.mid", "{artist}/{artist} - {title}.mid", "Rock/{artist} - {title}.mid")
    return replace(file, shape=rng.choice(shapes))


def album_folder(rng: random.Random, file: File) -> File:
    number = rng.randint(1, 18)
    shapes = (
        f"{{artist}}/Some Album/{number:02d} - {{title}}.mid",
        f"{{artist}}/Some Album/{number:02d}. {{title}}.mid",
    )
    return replace(file, shape=rng.choice(shapes))


def underscores(rng: random.Random, file: File) -> File:
    return replace(file, artist=file.artist.replace(" ", "_"), title=file.title.replace(" ", "_"))


def hyphens(rng: random.Random, file: File) -> File:
    def slug(text: str) -> str:
        return re.sub(r"[\s_-]+", "-", re.sub(r"[^\w\s-]", "", text)).strip("-").lower()

    return replace(file, artist=slug(file.artist), title=slug(file.title)) if slug(file.title) else file


def run_together(rng: random.Random, file: File) -> File:
    def camel(text: str) -> str:
        return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[^\W_]+", text.replace("'", "")))

    return replace(file, artist=camel(file.artist), title=camel(file.title)) if camel(file.title) else file


def punctuation_lost(rng: random.Random, file: File) -> File:
    def bare(text: str) -> str:
        return " ".join(re.sub(r"[-/]", " ", re.sub(r"[^\w\s/-]", "", text)).split())

    made = replace(file, artist=bare(file.artist), title=bare(file.title))
    return made if made.artist and made.title else file


def track_number(rng: random.Random, file: File) -> File:
    number = rng.randint(1, 20)
    shape = rng.choice(("{{artist}}/{0:02d} - {{title}}.mid", "{0:02d} - {{artist}} - {{title}}.mid"))
    return replace(file, shape=shape.format(number))


def track_number_bare(rng: random.Random, file: File) -> File:
    number = rng.randint(1, 20)
    shape = rng.choice(
        ("{{artist}}/{0:02d} {{title}}.mid", "{{artist}}/1-{0:02d} {{title}}.mid", "{{artist}}/{0}. {{title}}.mid")
    )
    return replace(file, shape=shape.format(number))


def copy(rng: random.Random, file: File) -> File:
    return replace(file, shape=file.shape.removesuffix(".mid") + f".{rng.randint(1, 5)}.mid")


def copy_otherwise(rng: random.Random, file: File) -> File:
    end = rng.choice((" (1)", " (2)", " - Copy", " - Copy (2)", "_copy"))
    return replace(file, shape=file.shape.removesuffix(".mid") + end + ".mid")


def edit_lost(rng: random.Random, file: File) -> File:
    """Leave out what does not change the recording."""
    what = re.compile(
        r"\s+-\s+(?:\d{4}\s+)?(?:Digital\s+)?(?:Radio Edit|Radio Mix|Single Version|Original Mix|Remaster(?:ed)?)"
        r"(?:\s+(?:Version|\d{4}))*$"
    )
    return replace(file, title=what.sub("", file.title))


def edit_in_brackets(rng: random.Random, file: File) -> File:
    first, *rest = file.title.split(" - ")
    return replace(file, title=first + "".join(f" ({part})" for part in rest)) if "(" not in "".join(rest) else file


def part_respelled(rng: random.Random, file: File) -> File:
    def other(match: re.Match[str]) -> str:
        number = match.group(1)
        return rng.choice(
            (f"Part {ROMAN.get(number, number)}", f"pt.{number}", f"Part {NUMBER_WORDS.get(number, number)}")
        )

    return replace(file, title=re.sub(r"\b(?:Pt|Part)\.?\s*(\d)\b", other, file.title))


def number_spelled(rng: random.Random, file: File) -> File:
    return replace(
        file, title=re.sub(r"\b(?:1|2|3|4|5|7|10|20)\b", lambda match: NUMBER_WORDS[match.group()], file.title)
    )


def subtitle_lost(rng: random.Random, file: File) -> File:
    """Leave out what stands in brackets, where that is no version."""
    if re.search(
        r"(?i)remix|mix\b|edit|live|version|feat|acoustic|demo|karaoke|instrumental|vivo|ver\.|\d", file.title
    ):
        return file
    made = re.sub(r"\s*\([^)]*\)\s*", " ", file.title).strip()
    return replace(file, title=made) if len(made) > 3 else file


# The threshold is chosen on the first, and judged on the second.
CHOOSING: dict[str, Distortion] = {
    rule.__name__: rule
    for rule in (
        case, accents_lost, article_lost, guests_lost, letters_swapped, letter_missing, underscores, track_number,
        swapped, copy, edit_in_brackets, number_spelled,
    )
}  # fmt: skip
JUDGING: dict[str, Distortion] = {
    rule.__name__: rule
    for rule in (
        transliterated, article_last, article_added, guests_respelled, guests_moved, joiner, letter_doubled,
        letter_beside, artist_in_name, album_folder, hyphens, run_together, punctuation_lost, track_number_bare,
        copy_otherwise, edit_lost, part_respelled, subtitle_lost,
    )
}  # fmt: skip


def distort(
    rng: random.Random, artist: str, title: str, rules: dict[str, Distortion], first: str
) -> tuple[str, tuple[str, ...]]:
    """Misname a file in one way and sometimes in a second; return its path and the ways, none where the first fails."""
    file = File(artist, title)
    used: list[str] = []
    count = 2 if rng.random() < 0.35 else 1
    for name in (first, *rng.sample(list(rules), len(rules))):
        made = rules[name](rng, file)
        if made != file and not (made.shape != file.shape and file.shape != PLAIN):
            file, used = made, [*used, name]
        if not used:
            break
        if len(used) == count:
            break
    return file.path, tuple(used)
