"""Parse the path of a MIDI file: artist, title, version and copy, as far as it names them.

    Queen/Bohemian_Rhapsody.1.mid                 ->  Queen | Bohemian Rhapsody | copy 1
    01 - ABBA - Dancing Queen (Live).mid          ->  ABBA | Dancing Queen | live
    Ed Sheeran/Divide/04 Perfect [Karaoke].mid    ->  Ed Sheeran | Perfect | karaoke
    yesterday.mid                                 ->  no artist | yesterday

A path may be read in more ways than one ("Yesterday - Beatles.mid" in a folder "Oldies"): the likeliest reading is the
name, the others follow in `also`.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from urllib.parse import unquote

from imagemusic.data.gather.text_normalization import normalized_key
from imagemusic.data.gather.title_parsing import parse_title, read_remark

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
SUFFIXES = re.compile(r"\.(?:midi?|kar|smf|rmi|xmf|mp3|wav|flac|ogg|m4a|mxl|txt)$", re.IGNORECASE)
# Folders of many artists' music; and titles of files whose folder is the title.
COLLECTION_NAMES = """
    midi, midis, midi files, mid, music, songs, song, files, downloads, download, data, dataset, collection, lakh, lmd,
    lmd full, clean midi, karaoke, kar, misc, miscellaneous, various, various artists, va, unknown, unknown artist,
    unknown album, untitled, none, other, others, new, old, sorted, unsorted, temp, pop, rock, jazz, blues,
    classical, classic, country, folk, metal, dance, electronic, techno, rap, hip hop, rnb, soul, funk, disco, reggae,
    latin, punk, indie, soundtrack, soundtracks, movies, movie themes, tv, tv themes, games, video games, christmas,
    xmas, holiday, oldies, hits, top 40, charts, covers, originals, traditional, anonymous, public domain,
    creative commons, 50s, 60s, 70s, 80s, 90s, 00s,
    50's, 60's, 70's, 80's, 90's, 1950s, 1960s, 1970s, 1980s, 1990s, 2000s, 2010s,
    piano, guitar, instrumental, backing tracks, backup, 0-9, a-z
"""
COLLECTIONS = frozenset(normalized_key(name) for name in COLLECTION_NAMES.split(","))
NO_TITLE_WORDS = "melody song track midi music untitled unknown main full score output piano"
NO_TITLES = frozenset(NO_TITLE_WORDS.split(" "))
NUMBERED = re.compile(
    r"^\s*(?:[\[(]\s*\d{1,3}\s*[\])]\s*[-.]?|(?:\d-)?\d{1,3}\s*(?:\.\s|\)|-\s|\s-|\.(?=[A-Za-z])|_-_|_-|-_)\s*-?|"
    r"(?:track|trk)[ _]*\d{1,3}\s*[-._ ]+|\d-\d{2}\s+|0\d[ _]+|0\d-|[a-d]\d\s+-?\s*(?=\S+\s+-))\s*(?=\S)",
    re.IGNORECASE,
)
COUNTED_BARE = re.compile(r"^[12]\d\s+(?=\w)")
# Title.1 is a copy; No.5, Pt.2 and 2.0 are not.
COPIES = (
    re.compile(
        r"(?<!\bno)(?<!\bop)(?<!\bpt)(?<!\bnr)(?<!\bvol)(?<!\bpart)(?<!\bch)(?<=\S)(?<!\D\d)(?<!^\d)\.(\d{1,2})$|(?<=\s\d)\.([1-9])$",
        re.I,
    ),
    re.compile(r"[\s_-]+\(?copy(?:[\s_]*\(?(\d{1,2})\)?)?\)?$", re.I),
    re.compile(r"\s*[(\[](\d{1,2})[)\]]$"),
    re.compile(r"[\s_]+\(?v(?:er)?\.?(\d{1,2})\)?$", re.I),
)  # fmt: skip
DASH = re.compile(r"\s+[-–—~|]+\s+|\s*--+\s*")
CARELESS_DASH = re.compile(r"\s+[-–—]|[-–—]\s+")
ADDRESS = re.compile(r"[(\[]?\s*(?:https?://|www\.)[^\s)\]]*\s*[)\]]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """The parsed name of a file."""

    artist: str | None
    title: str  # without version and guests
    version: str | None = None  # a key of title_parsing.VERSIONS: live, remix, ...; None for the plain recording
    copy: int = 0  # 1 for Title.1.mid; 0 for the file itself
    remarks: tuple[str, ...] = ()  # what else stood beside the title, as written: live at Wembley; feat. Bono
    also: tuple["Name", ...] = ()  # the other readings, likelier first


def parse_name(path: PurePath) -> Name:
    """Parse a path, relative to the folder of the collection, in every plausible way; the likeliest is returned."""
    folders = [_clean(part) for part in path.parts[:-1]]
    named = folders[-1] if folders else ""  # which may be an artist all the same
    folders = [folder for folder in folders if not _is_collection(folder)]
    stem = html.unescape(unquote(path.name))
    while shorter := SUFFIXES.sub("", stem):
        if shorter == stem:
            break
        stem = shorter
    stem, copy = _without_copy(stem.strip() or path.name)
    if folders and normalized_key(stem) in NO_TITLES and (len(folders) > 1 or DASH.search(folders[-1])):
        stem, again = _without_copy(folders.pop())
        copy = copy or again
    readings: list[Name] = []
    for artist, title in _readings(stem, folders):
        taken = parse_title(title)
        name = Name(
            artist=artist or None, title=taken.full, version=taken.version, copy=copy, remarks=taken.remarks
        )  # fmt: skip
        if name not in readings:
            readings.append(name)
    if named not in folders and len(named) > 1 and stem != named:
        readings.append(replace(readings[0], artist=named))
    return replace(readings[0], also=tuple(readings[1:]))


def _readings(stem: str, folders: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (artist, title), likeliest first; the artist is empty where the path has none."""
    tracked = NUMBERED.match(stem)
    bare = NUMBERED.sub("", stem)
    spaced = ADDRESS.sub(" ", bare.replace("_", " "))
    parts = DASH.split(spaced)
    if len(parts) == 1 and not folders:
        parts = CARELESS_DASH.split(spaced)
    numbers = r"\s*\d{0,3}\s*" if len(parts) > 2 else r"\s*"
    parts = [_clean(part) for part in parts if not re.fullmatch(numbers, part)]
    parts = parts or [_clean(stem)]
    # "Yesterday - Live" in a folder is one title; alone it may be an artist and a title.
    first = 1 if folders and not any(_same_name(parts[0], folder) for folder in folders) else 2
    cut = next((place for place in range(first, len(parts)) if _is_remark(parts[place])), len(parts))
    tail = "".join(f" - {remark}" for remark in parts[cut:])
    parts = parts[:cut]
    whole = " - ".join(parts) + tail
    near = folders[-1] if folders else ""
    # An album between the artist and numbered titles.
    owner = folders[-2] if len(folders) > 1 and tracked else near
    if len(parts) == 1:
        yield owner, parts[0] + tail
        yield from ((folder, parts[0] + tail) for folder in reversed(folders[-2:]))
        if shorter := COUNTED_BARE.sub("", parts[0]):
            yield owner, _clean(shorter) + tail
        if not folders:
            yield from _without_spaces(bare, tail)
        elif len(by := re.split(r"\s+by\s+", parts[0], maxsplit=1, flags=re.IGNORECASE)) == 2:
            yield by[1], by[0] + tail
        return
    same = [place for place, part in enumerate(parts) if any(_same_name(part, folder) for folder in folders)]
    if same:  # Queen/Queen - Radio Ga Ga
        yield parts[same[0]], " - ".join(part for place, part in enumerate(parts) if place not in same[:1]) + tail
    if len(parts) > 2:  # Artist - Album - Title
        yield parts[0], parts[-1] + tail
    yield parts[0], " - ".join(parts[1:]) + tail
    yield parts[-1], " - ".join(parts[:-1]) + tail
    if folders:
        yield owner, whole
        yield owner, parts[-1] + tail


def _without_spaces(stem: str, tail: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to split abba-dancing_queen and abba-dancing-queen; at most four."""
    if " " in stem:
        by = re.split(r"\s+by\s+", stem, maxsplit=1, flags=re.IGNORECASE)
        yield from [(by[1], by[0] + tail)] if len(by) == 2 else []
        return
    words = stem.split("-")
    for cut in range(1, min(len(words), 5)):
        artist, title = _clean(" ".join(words[:cut])), _clean(" ".join(words[cut:]))
        if artist and title:
            yield artist, title + tail


def _clean(text: str) -> str:
    """Turn underscores, CamelCase and escapes into words."""
    text = ADDRESS.sub(" ", html.unescape(unquote(text)).replace("_", " "))
    text = " ".join(text.split()).strip(" -–—")
    if " " not in text and text.count("-") > 1 and text.islower():  # dont-stop-me-now
        return text.replace("-", " ")
    if " " not in text and re.search(r"[a-z][A-Z][a-z]", text):
        text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])|(?<=[a-z])(?=\d)|(?<=[a-z])(?=I\b)", " ", text)
    return text


def _without_copy(stem: str) -> tuple[str, int]:
    for pattern in COPIES:
        if (found := pattern.search(stem)) and found.start() > 0:
            return _without_copy(stem[: found.start()])[0], int(next((group for group in found.groups() if group), 1))
    return stem, 0


def _is_remark(part: str) -> bool:
    """Return whether a part is about a version; "With or Without You" and "From Me to You" are songs."""
    return bool(read_remark(part)) and not re.match(r"(?:with|from|con|avec|mit)\b", part, re.IGNORECASE)


def _is_collection(folder: str) -> bool:
    return len(folder) < 2 or normalized_key(folder) in COLLECTIONS


def _same_name(one: str, other: str) -> bool:
    return normalized_key(one).replace(" ", "") == normalized_key(other).replace(" ", "")
