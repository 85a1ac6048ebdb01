"""What the study matching offers beside the right recording: other songs and versions with similar names."""

import csv
import hashlib
import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from rapidfuzz import fuzz, process

ALBUM_OF_VERSIONS = re.compile(r"(?i)\b(?:live|unplugged|vivo|karaoke|tribute|concert|acoustic|instrumental)")
VERSION = re.compile(
    r"(?i)\b(?:remix|mix|live|acoustic|demo|karaoke|instrumental|vivo|version|versión|edit|unplugged|acústico|session"
    r"|sessions|interlude|commentary|skit|rehearsal|medley|acapella|take \d|rework|bootleg|cover|performance|ver\.)"
)
GUESTS = re.compile(r"\s*[(\[](?:feat\.?|ft\.?|featuring|with)\s[^)\]]+[)\]]", re.IGNORECASE)
LIVE = (
    "{} - Live", "{} (Live)", "{} [Live]", "{} - Live at Wembley Stadium", "{} (Live in Paris, 1998)", "{} - Ao Vivo",
    "{} - Live From The Roxy / 2004", "{} (En Vivo)", "{} - MTV Unplugged", "{} - BBC Session",
)  # fmt: skip
REMIXES = (
    "{} - {n} Remix", "{} ({n} Remix)", "{} - {n} Club Mix", "{} [{n} Extended Mix]", "{} - {n} Edit", "{} (Remix)",
    "{} - Extended Mix", "{} ({n} Bootleg)",
)  # fmt: skip
OTHERS = (
    "{} - Acoustic", "{} (Acoustic Version)", "{} - Demo", "{} (Instrumental)", "{} - Instrumental Version",
    "{} (A Cappella)", "{} (Piano Version)", "{} - Spanish Version", "{} - Orchestral Version", "{} (Sped Up)",
    "{} (Reprise)", "{} - Stripped",
)  # fmt: skip
KARAOKE = (
    "{} (Karaoke Version)", "{} - Karaoke", "{} (In the Style of {a}) [Karaoke Version]",
    "{} (Originally Performed by {a})", "{} [Backing Track]", "{} - Karaoke Instrumental Version",
    "{} (Made Famous by {a})",
)  # fmt: skip
KARAOKE_SINGERS = ("{a}", "Karaoke All Stars", "The Karaoke Channel", "Sing Along Hits", "{a} Tribute Band")
COVERS = ("{} (Cover)", "{} - Tribute to {a}", "{} ({a} Cover)", "{} (Lullaby Version)", "{} (8-Bit Version)")
REMIXERS = ("Tom Novak", "DJ Rex", "Lumen", "Kalle & Pim", "Night Owls")


@dataclass(frozen=True, slots=True)
class Track:
    """A line of a catalogue."""

    artist: str
    title: str
    album: str
    seconds: float | None
    date: str


@lru_cache(maxsize=1 << 18)
def letters(text: str) -> str:
    """Keep letters and digits, without case and accents."""
    plain = unicodedata.normalize("NFD", text.casefold())
    return "".join(one for one in plain if one.isalnum())


@lru_cache(maxsize=1 << 17)
def base(title: str) -> str:
    """Cut a title at the first bracket or dash that stands free."""
    cut = re.split(r"\s[-–]\s|\s*[(\[]", title, maxsplit=1)[0]
    return letters(re.sub(r"(?i)\s(?:feat|ft|featuring)\b.*", "", cut)) or letters(title)


def partners(artist: str) -> set[str]:
    """Cut a credit into the artists it names."""
    return {letters(re.sub(r"(?i)^the\s", "", part.strip())) for part in re.split(r",|&| x | and ", artist)}


def is_plain(track: Track) -> bool:
    """Return whether a track names no version, not even a remaster or a radio edit."""
    return not re.search(VERSION.pattern + r"|\s-\s|\s(?:feat|ft)\b(?![^(]*\))", track.title)


class Catalogue:
    """Tracks by artist and by title."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self.tracks = list(tracks)
        self.by_artist: dict[str, list[Track]] = defaultdict(list)
        self.by_base: dict[str, list[Track]] = defaultdict(list)
        for track in tracks:
            self.by_artist[letters(track.artist)].append(track)
            self.by_base[base(track.title)].append(track)

    @cached_property
    def words(self) -> list[str]:
        found = {
            word for track in self.tracks for word in re.findall(r"[A-Za-z]{4,}", re.split(r"[-(\[]", track.title)[0])
        }
        return sorted(
            word for word in found if not VERSION.fullmatch(word) and word.lower() not in ("feat", "featuring")
        )

    @cached_property
    def artists(self) -> list[str]:
        return sorted({track.artist for track in self.tracks})

    def same(self, one: Track, other: Track) -> bool:
        """Return whether two tracks may be one recording; then neither is a near miss of the other."""
        if base(one.title) != base(other.title) and fuzz.ratio(base(one.title), base(other.title)) < 92:
            return False
        both = letters(one.artist + one.title), letters(other.artist + other.title)
        shared = letters(one.artist) in both[1] or letters(other.artist) in both[0]
        shared = shared or bool(partners(one.artist) & partners(other.artist))
        together = one.seconds and other.seconds and abs(one.seconds - other.seconds) < 2
        return bool(shared or together)

    def other_titles(self, track: Track, count: int) -> list[Track]:
        """List other songs of the artist, most similar titles first."""
        others = [other for other in self.by_artist[letters(track.artist)] if not self.same(track, other)]
        found = process.extract(track.title, [other.title for other in others], scorer=fuzz.ratio, limit=count)
        return [others[place] for _, _, place in found]

    def other_artists(self, track: Track) -> list[Track]:
        """List songs of the same title by others."""
        return [other for other in self.by_base[base(track.title)] if not self.same(track, other)]


def read_catalogue(folder: Path) -> list[Track]:
    """Read the tracks of both files, each artist and title once."""
    tracks: dict[tuple[str, str], Track] = {}
    with open(folder / "spotify_songs.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if ALBUM_OF_VERSIONS.search(row["track_album_name"]) and not VERSION.search(row["track_name"]):
                continue  # the title does not name the version
            if row["track_artist"] and row["track_name"] and row["track_name"] != "NA":
                seconds, date = float(row["duration_ms"]) / 1000, row["track_album_release_date"]
                track = Track(row["track_artist"], row["track_name"], row["track_album_name"], seconds, date)
                tracks.setdefault((track.artist.casefold(), track.title.casefold()), track)
    with open(folder / "spotify_20k" / "album_tracks.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if ALBUM_OF_VERSIONS.search(row["album"]) and not VERSION.search(row["title"]):
                continue
            if row["artist"] and row["title"]:
                track = Track(row["artist"], row["title"], row["album"], None, row["release_date"])
                tracks.setdefault((track.artist.casefold(), track.title.casefold()), track)
    return list(tracks.values())


def half_of(artist: str) -> int:
    """Put an artist into one of two halves, the same in every run."""
    return hashlib.sha256(letters(artist).encode()).digest()[0] % 2


Miss = Callable[[random.Random, Catalogue, Track], Track | None]


def _dressed(rng: random.Random, track: Track, forms: Sequence[str], artist: str = "{a}") -> Track:
    """Give a track a version, most often with another length."""
    title = rng.choice(forms).format(GUESTS.sub("", track.title), a=track.artist, n=rng.choice(REMIXERS))
    seconds = track.seconds and track.seconds * rng.uniform(0.8, 1.3)
    return replace(track, title=title, artist=artist.format(a=track.artist), seconds=seconds)


def other_title(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    return rng.choice(catalogue.other_titles(track, 3) or [None])


def other_artist(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    return rng.choice(catalogue.other_artists(track) or [None])


def live(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    return _dressed(rng, track, LIVE) if is_plain(track) else None


def live_album(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    album = rng.choice(("Live at the Apollo", "MTV Unplugged", "In Concert", f"{track.album} (Live)", "Live in Tokyo"))
    return replace(track, album=album) if is_plain(track) else None


def remix(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    return _dressed(rng, track, REMIXES) if is_plain(track) else None


def karaoke(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    return _dressed(rng, track, KARAOKE, rng.choice(KARAOKE_SINGERS)) if is_plain(track) else None


def cover(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    return _dressed(rng, track, COVERS) if is_plain(track) else None


def other_version(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    return _dressed(rng, track, OTHERS) if is_plain(track) else None


def plain_for_version(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    """Offer the plain song where a version is named."""
    hard = re.search(r"(?i)\b(?:remix|live|acoustic|demo|instrumental|vivo|unplugged|acapella)\b", track.title)
    plain = re.split(r"\s-\s|\s*[(\[]", track.title, maxsplit=1)[0]
    return replace(track, title=plain, album=plain) if hard and plain and not VERSION.search(plain) else None


def other_remix(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    if not re.search(r"(?i)\w+ remix\b", track.title):
        return None
    plain = re.split(r"\s-\s|\s*[(\[]", track.title, maxsplit=1)[0]
    return replace(track, title=f"{plain} - {rng.choice(REMIXERS)} Remix") if not VERSION.search(plain) else None


def other_part(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    """Change the number in a title, or give it one."""
    first = re.split(r"\s[-–]\s|\s*[(\[]|\s(?i:feat|ft)\b", track.title, maxsplit=1)[0]
    found = re.search(r"\d+", first)
    if found:
        number = int(found.group()) + rng.choice((1, 1, 2, 10))
        made = first[: found.start()] + str(number) + first[found.end() :]
    elif re.search(r"(?i)\b(?:pt|part)\b", track.title) or not first:
        return None
    else:
        made = first + rng.choice((", Pt. 2", " Part 2", " 2", " II", " (Part 2)", " - Pt. 2"))
    return replace(track, title=made + track.title[len(first) :])


def part_of_title(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    """Lengthen or shorten a title by words, as One and One More Time."""
    plain = GUESTS.sub("", track.title)
    words = plain.split()
    if len(words) > 2 and is_plain(track) and "(" not in plain and rng.random() < 0.4:
        return replace(track, title=" ".join(words[: rng.randint(1, len(words) - 1)]))
    more = " ".join(rng.sample(catalogue.words, rng.randint(1, 2)))
    return (
        replace(track, title=f"{plain} {more}" if rng.random() < 0.7 else f"{more} {plain}")
        if is_plain(track)
        else None
    )


def other_word(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    """Put another word in place of one."""
    words = [match for match in re.finditer(r"[A-Za-z]{3,}", track.title) if is_plain(track)]
    if not words:
        return None
    at, word = rng.choice(words), rng.choice(catalogue.words)
    made = replace(track, title=track.title[: at.start()] + word + track.title[at.end() :])
    return None if catalogue.same(track, made) else made


def similar_artist(rng: random.Random, catalogue: Catalogue, track: Track) -> Track | None:
    """Give the title to the artist of the most similar name."""
    if letters(track.artist) in letters(track.title):
        return None
    found = process.extract(track.artist, catalogue.artists, scorer=fuzz.ratio, limit=4)
    names = [name for name, _, _ in found if letters(name) not in letters(track.artist + track.title)]
    names = [name for name in names if not partners(name) & partners(track.artist)]
    names = [name for name in names if letters(track.artist) not in letters(name)]
    return replace(track, artist=names[0], seconds=None) if names else None


CHOOSING: dict[str, Miss] = {
    miss.__name__: miss for miss in (other_title, other_artist, live, remix, other_part, other_word, similar_artist)
}
JUDGING: dict[str, Miss] = CHOOSING | {
    miss.__name__: miss
    for miss in (
        live_album, karaoke, cover, other_version, plain_for_version, other_remix, part_of_title,
    )
}  # fmt: skip
