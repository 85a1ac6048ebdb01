"""Parse a title: the song, its version, its guests.

    "I Don't Care (with Justin Bieber) - Loud Luxury Remix"  ->  I Don't Care | Justin Bieber | remix: loud luxury

A remark is what stands in brackets or after " - ".  Some mark another recording (live, karaoke, remix, ...), some the
same one (remastered, radio edit, ...), some name guests, and any other is part of the title.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from rapidfuzz.distance import OSA

from imagemusic.data.gather.text_normalization import fold

# Patterns of remarks that mark another recording; the first that matches names the version.
LANGUAGES = (
    "spanish|english|french|german|italian|japanese|korean|chinese|mandarin|portuguese|dutch|russian|swedish|polish|"
    "espanol|ingles|deutsch|francais|italiano|portugues|castellano"
)
VERSIONS = {
    "karaoke": r"karaoke|backing tracks?|sing ?along|in the style of|originally (?:performed|by|made)|made famous|"
    r"minus one|playback|no vocals?|without vocals?|guide melody",
    "cover": r"cover|covered|covers|tribute|renditions?|lullaby|lullabies|8 ?bit|music box|as performed by",
    "live": r"^live|live$|live (?:at|from|in|on|version|\d)|en vivo|ao vivo|dal vivo|en directo|in concert|"
    r"en concierto|concert|sessions?|tour|spotify studios|performance|broadcast",
    "remix": r"remix|remixed|remixes|rmx|rework|reworked|bootleg|flip|mash ?up|vip|dub|refix|extended|club|megamix|"
    r"chopped|screwed|chopnotslop|nightcore|sped up|speed up|slowed|reverb",
    "instrumental": r"instrumental|instrumentals|instrumentale|strumentale",
    "acoustic": r"acoustic|acustico|acustica|acoustique|akustik|unplugged|stripped|naked",
    "a cappella": r"a ?cappella|a ?capella",
    "demo": r"demo|demos|rough|outtakes?|alt(?:ernate|ernative)? (?:version|take|mix)|take \d+|rehearsals?|"
    r"early (?:version|take|mix)|unreleased|work in progress",
    "orchestral": r"orchestral|orchestra|symphonic|philharmonic|strings",
    "rerecorded": r"re ?record(?:ed|ing)|taylors",
    "language": rf"(?:{LANGUAGES})(?: (?:version|ver|edit|mix|remix))?|(?:en|in|auf|em) (?:{LANGUAGES})",
    "part": r"interlude|intro|outro|skit|reprise|prelude|medley|snippet|excerpt|freestyle|cypher",
    "talk": r"commentary|comentario|interview|spoken|behind the song|voice memo",
    "arrangement": r"arr|arranged|arrangement|ensemble|etude|quartet|trio|duet|solo|^easy|piano|guitar|violin|cello|"
    r"flute|organ|saxophone|sax|brass|harp|ukulele|simplified|beginner|advanced",
}
PATTERNS = {version: re.compile(rf"\b(?:{words})\b") for version, words in VERSIONS.items()}
# In the title of an album these mark all of its tracks as live, karaoke or covers.
ALBUMS = {
    "live": re.compile(
        r"\blive (?:at|from|in|on)\b|[(\[-] ?live\b|^live!?$|\bunplugged\b|\bin concert\b|\b(?:en|ao) vivo\b"
    ),
    "karaoke": re.compile(r"\bkaraoke\b|\bin the style of\b|\bmade famous\b|\bbacking tracks?\b|\bsing ?along\b"),
    "cover": re.compile(r"\btribute\b|\blullaby renditions\b|\b8.?bit\b"),
}  # fmt: skip

# Words of remarks that leave the recording the same.
SAME_WORDS = (
    "remaster remastered remasterizado remastering remasterise digital digitally radio edit single album original "
    "mono stereo explicit clean dirty bonus track tracks version versions versione ver mix deluxe edition official "
    "video audio lyric lyrics hq hd main ep lp full short expanded anniversary edited mixed the in of years year inch "
    "cd midi mid gm gs xg sc55 format kar file complete final copy new long old amended uncut remasterizada"
)
SAME = frozenset(SAME_WORDS.split(" "))
GENERIC_WORDS = (
    "version ver versione mix remix remixed rmx edit live vivo ao en karaoke acoustic acustico acustica instrumental "
    "demo cover acapella cappella the a an at in from on of for by and with recorded session sessions original"
)
GENERIC = frozenset(GENERIC_WORDS.split(" "))

# Words of remarks that are recognised with one typo, and words one letter away from "live" that are not it.
DISTINCTIVE = frozenset(("live", "remix", "karaoke", "acoustic", "instrumental", "unplugged", "extended", "interlude"))
CORRECTABLE = tuple(
    sorted(
        {word for word in SAME if len(word) > 4} | DISTINCTIVE
        | {"edit", "acapella", "commentary", "session", "sessions", "bootleg", "remixed", "orchestral", "rehearsal"}
    )
)  # fmt: skip
LOOKALIKE_WORDS = "love life like lie lime line five give dive exit alive olive lives lived liver hive jive lite liv"
LOOKALIKES = frozenset(LOOKALIKE_WORDS.split(" "))

GUESTS = re.compile(r"^\W*(?:feat|ft|featuring|with|w/|con|avec|mit)\b\.?\s*(.+)$", re.IGNORECASE)
BARE_GUESTS = re.compile(r"\s+(?:feat\b\.?|ft\b\.?|featuring\b)\s*(.+)$", re.IGNORECASE)
BEHIND_GUESTS = re.compile(  # feat Zyra Jai Wolf Remix
    r"\b(?:remix|club mix|radio edit|version|live|karaoke|acoustic|instrumental|demo|vivo|remaster(?:ed)?)\b",
    re.IGNORECASE,
)
BRACKETS = re.compile(r"\s*[(\[{]([^()\[\]{}]*)[)\]}]\s*")
OPEN, CLOSE = "\x01", "\x02"  # replace brackets that are part of the title
KEPT = re.compile(r"\x01[^\x01\x02]*\x02")
DASH = re.compile(r"\s+[-–—~|]+\s+")
# Without brackets only these endings are remarks: "Long Live" is a song.
BARE = re.compile(
    r"^(.+?\S)\s+((?:the\s+)?karaoke(?:\s+version)?|(?:original\s+)?instrumental(?:\s+version)?|live\s+version|"
    r"acoustic(?:\s+version)?|unplugged|radio\s+(?:edit|mix|version)|(?:single|album)\s+version|original\s+mix|"
    r"(?:extended|club)\s+(?:mix|version|edit)|(?:\d{4}\s+)?remaster(?:ed)?(?:\s+\d{4})?(?:\s+version)?|remix|"
    r"demo(?:\s+version)?|a\s?cappella|cover|en\s+vivo|ao\s+vivo|live\s+(?:at|from|in)\s+.+)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Title:
    """A parsed title; texts are as written."""

    base: str  # without any remark
    full: str  # with the remarks that are part of the title: Escape (The Piña Colada Song)
    guests: tuple[str, ...] = ()
    versions: frozenset[str] = frozenset()  # keys of VERSIONS, or "other"
    details: frozenset[str] = frozenset()  # words that distinguish one remix or concert from another
    same: frozenset[str] = frozenset()  # words of remarks that leave the recording the same
    remarks: tuple[str, ...] = ()  # those that are not part of the title
    whole: str = ""  # all of it

    @property
    def version(self) -> str | None:
        """Return the first version in the order of VERSIONS; None for the plain recording."""
        return next((version for version in (*VERSIONS, "other") if version in self.versions), None)


@dataclass(frozen=True, slots=True)
class Remark:
    """A parsed remark; false where it is part of the title."""

    guests: str = ""
    versions: frozenset[str] = frozenset()
    details: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.guests or self.versions or self.same)


@lru_cache(maxsize=1 << 16)
def parse_title(text: str, remarks: tuple[str, ...] = ()) -> Title:
    """Parse a title, with the remarks already known of it."""
    found = list(remarks)

    def lift(match: re.Match[str]) -> str:
        inside = match.group(1).strip()
        if not inside or read_remark(inside):
            found.append(inside)
            return " "
        return f" {OPEN}{inside}{CLOSE} "

    bare = text.replace("_", " ")
    while BRACKETS.search(bare):  # inner brackets first
        bare = BRACKETS.sub(lift, bare)
    first, *rest = _joined(DASH.split(bare.strip()))
    found += [part for part in rest if read_remark(part)]
    if guests := BARE_GUESTS.search(first):
        found.append(guests.group(0).strip())
        first = first[: guests.start()]
    while ending := BARE.match(first):
        first = ending.group(1)
        found.append(ending.group(2))
    base = " ".join(KEPT.sub(" ", first).split())
    if not base:  # nothing but remarks: they are the title
        return Title(text.strip(), text.strip(), whole=text.strip())
    rest = [part for part in rest if not read_remark(part)]
    full = " - ".join([" ".join(part.split()) for part in (first, *rest)])
    found = [remark for remark in found if remark]
    read = [read_remark(remark) for remark in found]
    return Title(
        base,
        full.replace(OPEN, "(").replace(CLOSE, ")"),
        tuple(remark.guests for remark in read if remark.guests),
        frozenset().union(*(remark.versions for remark in read)),
        frozenset().union(*(remark.details for remark in read)),
        frozenset().union(*(remark.same for remark in read)),
        tuple(found),
        " ".join((text, *remarks)),
    )


def _joined(parts: list[str]) -> list[str]:
    """Join the parts after a version, as the date of a concert, to it."""
    made = parts[:1]
    for part in parts[1:]:
        if len(made) > 1 and read_remark(made[-1]).versions and not read_remark(part):
            made[-1] += ", " + part
        else:
            made.append(part)
    return made


@lru_cache(maxsize=1 << 14)
def read_remark(text: str) -> Remark:
    """Parse a remark."""
    if guests := GUESTS.match(text):
        behind = read_remark(guests.group(1)) if BEHIND_GUESTS.search(guests.group(1)) else Remark()
        return replace(behind, guests=guests.group(1).strip())
    folded = fold(text).replace("'", "")
    words = re.findall(r"[^\W_]+", folded)
    if not words:
        return Remark()
    words = [_corrected(word) for word in words]
    spaced = " ".join(words)
    if words[0] == "from" or re.search(r"\b(?:soundtrack|motion picture|https?|www)\b", spaced):
        return Remark(same=frozenset({"from"}))
    distinctive = [word for word in words if word not in SAME and not re.fullmatch(r"\d+(?:st|nd|rd|th)?", word)]
    if not distinctive:
        marks = frozenset(words) - {"the", "in", "of"}
        year = re.fullmatch(r"(?:19|20)\d\d", spaced)
        return Remark(same=marks) if year or not all(word.isdecimal() for word in words) else Remark()
    versions = frozenset(version for version, pattern in PATTERNS.items() if pattern.search(spaced))
    if not versions and words[-1] in ("mix", "edit"):
        versions = frozenset({"remix"})
    if not versions and re.search(r"\b(?:version|ver|versione|cut)$", spaced):
        versions = frozenset({"other"})
    if not versions:
        return Remark()
    if len(versions) > 1:
        versions -= {"arrangement"}
    details = frozenset(words) - GENERIC
    return Remark(versions=versions, details=details)


@lru_cache(maxsize=1 << 14)
def _corrected(word: str) -> str:
    """Correct one typo in a word that is common in remarks."""
    if len(word) < 3 or word in SAME or word in DISTINCTIVE or word in LOOKALIKES:
        return word
    return next((known for known in CORRECTABLE if OSA.distance(word, known, score_cutoff=1) == 1), word)


@lru_cache(maxsize=1 << 14)
def album_versions(album: str, artist: str) -> frozenset[str]:
    """Return the versions that an album and its artist imply for its tracks: live, karaoke, cover."""
    folded = fold(album)
    found = {version for version, pattern in ALBUMS.items() if pattern.search(folded)}
    named = fold(artist)
    found |= {version for version in ("karaoke", "cover") if ALBUMS[version].search(named)}
    return frozenset(found)
