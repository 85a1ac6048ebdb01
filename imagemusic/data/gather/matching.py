"""A name and the releases that a search returned -> how well each fits, best first.

    score = artist x title x version x duration x reading        each in 0..1, so that all of them must agree

THRESHOLD and REVIEW_THRESHOLD were chosen by the study matching, which also says how far to trust them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from imagemusic.data.gather.artist_matching import artist_likeness
from imagemusic.data.gather.file_names import Name
from imagemusic.data.gather.releases import Release
from imagemusic.data.gather.string_similarity import MISSING_NUMBER, likeness
from imagemusic.data.gather.text_normalization import spell
from imagemusic.data.gather.title_parsing import Title, album_versions, parse_title

THRESHOLD = 0.86  # at or above it a release is accepted
REVIEW_THRESHOLD = 0.6  # from here up to it a person is asked

OTHER_READING = 0.97  # of the file's path than the likeliest
SWAPPED = 0.96  # artist and title in each other's place
RUN_TOGETHER = 0.95  # artist and title with nothing between
UNKNOWN_ARTIST = 0.8  # a title alone is never enough
SUBTITLE = 0.96  # "Escape" for "Escape (The Piña Colada Song)"
TAIL = 0.78  # "Ay Amor" for "Ay Amor - Reggaeton": nobody knows
OTHER_GUESTS = 0.93
SAME_WORDS = 0.93  # of two titles with all their remarks: then they say the same
HOPELESS = 0.3  # a title like that is not looked into further

# What is left of a score where the versions differ.
SOMEBODY_ELSE = frozenset(("karaoke", "cover"))
BY_SOMEBODY_ELSE = 0.4  # karaoke and covers, where nobody asked for one
OTHER_RECORDING = 0.65
OTHER_DETAILS = 0.75  # another remix, another concert
NO_DETAILS = 0.95  # just "live"
NO_REMIXER = 0.83  # just "remix", of which there may be many
OTHER_EDIT = 0.98  # remastered, radio edit
ARRANGED = 0.97  # the file says that its notes are: the song is still the song

# How far two durations may be apart, as a share of the longer, before it costs, and how much it costs at most.
LENIENT, STRICT, TOO_LONG = 0.1, 0.5, 0.88
BEST_KINDS = ("album", "single", "ep", "other", "compilation")


@dataclass(frozen=True, slots=True)
class Match:
    """A release and how well it fits a name."""

    release: Release
    score: float
    why: str  # what agrees and what does not, for a person


@dataclass(frozen=True, slots=True)
class Parts:
    """What a score is the product of, and what to say of it."""

    artist: float = 0.0
    title: float = 0.0
    version: float = 1.0
    duration: float = 1.0
    reading: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        return self.artist * self.title * self.version * self.duration * self.reading


def score(name: Name, seconds: float | None, release: Release) -> float:
    """Say how well a release fits a name and a duration, 0..1."""
    return _compare(name, seconds, release).score


def rank(name: Name, seconds: float | None, releases: Iterable[Release]) -> list[Match]:
    """Order releases by how well they fit, best first; equal ones by kind, then oldest first."""
    matches = []
    for release in releases:
        parts = _compare(name, seconds, release)
        matches.append(Match(release, parts.score, _why(parts)))

    def order(match: Match) -> tuple[float, int, str]:
        return -round(match.score, 6), BEST_KINDS.index(match.release.kind), match.release.release_date or "9999"

    return sorted(matches, key=order)


def _compare(name: Name, seconds: float | None, release: Release) -> Parts:
    """Compare every reading of a name with a release; the best counts."""
    duration, notes = _duration(seconds, release.seconds)
    best = Parts(notes=("another artist and title",))
    if not release.title or not release.artist:
        return best
    for reading in (name, *name.also):
        worth = 1.0 if reading is name else OTHER_READING
        if best.score >= worth * duration * SWAPPED:
            break
        title = parse_title(reading.title, reading.remarks or ((reading.version,) if reading.version else ()))
        if reading.artist is None:
            ways = [_without_artist(title, release)]
        else:
            ways = [_as_told(reading.artist, title, release, 1.0)]
            if ways[0].score < SWAPPED - 0.1:
                ways.append(_as_told(title.full, parse_title(reading.artist, title.remarks), release, SWAPPED))
        for way in ways:
            if way.score * worth * duration > best.score:
                said = way.notes if reading is name else (*way.notes, "another reading of the path")
                best = Parts(way.artist, way.title, way.version, duration, way.reading * worth, (*said, *notes))
    return best


def _as_told(artist: str, title: Title, release: Release, worth: float) -> Parts:
    """Compare an artist and a title with a release's."""
    told = parse_title(release.title)
    words = _title_likeness(title, told)
    version, notes = _version(title, told, release)
    apart = abs(len(title.whole) - len(told.whole))
    if title.remarks != told.remarks and words * version < OTHER_EDIT and apart < 0.4 * len(told.whole):
        whole = likeness(title.whole, told.whole)
        if whole > SAME_WORDS:  # brackets lost, or other ones: it says the same
            words, title = OTHER_EDIT * whole, told
            version, notes = _version(told, told, release)
    if words < HOPELESS:
        return Parts(title=words, notes=("another title",))
    named = artist_likeness(artist, title.guests, release.artist, told.guests)
    if worth < 1:
        notes = ("artist and title swapped", *notes)
    return Parts(named, words, version, reading=worth, notes=notes)


def _without_artist(title: Title, release: Release) -> Parts:
    """Compare a title alone, or with the artist in it, with a release."""
    told = parse_title(release.title)
    version, notes = _version(title, told, release)
    both = max(likeness(title.full, f"{a} {b}") for a, b in ((release.artist, told.full), (told.full, release.artist)))
    alone = _title_likeness(title, told)
    if RUN_TOGETHER * both > UNKNOWN_ARTIST * alone:
        return Parts(1.0, both, version, reading=RUN_TOGETHER, notes=("artist and title in one", *notes))
    return Parts(1.0, alone, version, reading=UNKNOWN_ARTIST, notes=("no artist", *notes))


def _title_likeness(title: Title, told: Title) -> float:
    """Compare two titles, with and without what stands in brackets in one of them."""
    found = likeness(title.full, told.full)
    if found == 1 or (title.base == title.full and told.base == told.full):
        return found
    for one, other in ((title.base, told.full), (title.full, told.base)):
        cut = SUBTITLE if " - " not in title.full + told.full else TAIL
        same_numbers = spell(title.full).numbers == spell(told.full).numbers
        found = max(found, cut * likeness(one, other) * (1.0 if same_numbers else MISSING_NUMBER))
    return found


def _version(title: Title, told: Title, release: Release) -> tuple[float, tuple[str, ...]]:
    """Compare what both say about the version; a name that says nothing means the plain recording."""
    wanted, offered = title.versions, told.versions
    by_album = album_versions(release.album, release.artist)
    offered |= by_album & SOMEBODY_ELSE if offered else by_album
    guests = title.guests and told.guests and not _share_guests(title.guests, told.guests)
    factor = OTHER_GUESTS if guests else 1.0
    notes = ("other guests",) if guests else ()
    if wanted == offered:
        if title.details != told.details:
            factor *= _details(title.details, told.details, NO_REMIXER if "remix" in wanted else NO_DETAILS)
            notes = (*notes, f"which {'/'.join(sorted(wanted))} may differ")
        elif title.same != told.same:
            factor *= OTHER_EDIT
        if wanted != told.versions:  # only the album says so
            factor *= OTHER_EDIT
        return factor, notes
    if wanted == {"arrangement"} and not offered:
        return factor * ARRANGED, notes
    note = f"version: {_listed(wanted)} wanted, {_listed(offered)} found"
    if SOMEBODY_ELSE & (offered - wanted):
        return factor * BY_SOMEBODY_ELSE, (*notes, note)
    return factor * OTHER_RECORDING, (*notes, note)


def _details(wanted: frozenset[str], offered: frozenset[str], unsaid: float) -> float:
    counts = [
        [number for number in spell(" ".join(sorted(words))).numbers if len(number) < 3] for words in (wanted, offered)
    ]
    if counts[0] != counts[1]:  # "Remix" and "Remix II"
        return OTHER_DETAILS
    if not wanted or not offered:
        return unsaid
    found = likeness(" ".join(sorted(wanted)), " ".join(sorted(offered)))
    if found >= 0.8:
        return found
    return unsaid if wanted < offered or offered < wanted else OTHER_DETAILS


def _share_guests(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return artist_likeness(", ".join(some), (), ", ".join(others), ()) >= 0.8


def _duration(seconds: float | None, told: float | None) -> tuple[float, tuple[str, ...]]:
    """Say what two durations leave of a score: notes are often cut short, so never too little."""
    if not seconds or not told:
        return 1.0, ()
    apart = abs(seconds - told) / max(seconds, told)
    far = min(1.0, max(0.0, (apart - LENIENT) / (STRICT - LENIENT)))
    return 1 - (1 - TOO_LONG) * far, (f"{seconds:.0f} s against {told:.0f} s",) if far else ()


def _listed(versions: frozenset[str]) -> str:
    return " and ".join(sorted(versions)) or "plain"


def _why(parts: Parts) -> str:
    return "; ".join((f"artist {parts.artist:.2f}", f"title {parts.title:.2f}", *parts.notes))
