"""Score how well the releases that a search returned fit the name of a MIDI file, and rank them.

    score = artist x title x version x duration x reading        each in 0..1, so all of them must agree

THRESHOLD and REVIEW_THRESHOLD were chosen by the study matching, which also measures precision and recall.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from imagemusic.data.gather.artist_matching import artist_similarity
from imagemusic.data.gather.file_names import Name
from imagemusic.data.gather.releases import Release
from imagemusic.data.gather.string_similarity import MISSING_NUMBER, similarity
from imagemusic.data.gather.text_normalization import normalize
from imagemusic.data.gather.title_parsing import Title, album_versions, parse_title

THRESHOLD = 0.86  # at or above it a release is accepted
REVIEW_THRESHOLD = 0.6  # from here to THRESHOLD a release goes to review

OTHER_READING = 0.97  # another reading of the file's path than the likeliest
SWAPPED = 0.96  # artist and title in each other's place
RUN_TOGETHER = 0.95  # artist and title without a separator
UNKNOWN_ARTIST = 0.8  # a title alone is never enough
SUBTITLE = 0.96  # "Escape" for "Escape (The Piña Colada Song)"
TAIL = 0.78  # "Ay Amor" for "Ay Amor - Reggaeton": undecided
OTHER_GUESTS = 0.93
SAME_WORDS = 0.93  # similarity of two whole titles, remarks included, from which on they are the same
HOPELESS = 0.3  # title similarity below which the artist is not compared

# Factors of the score where the versions differ.
OTHER_PERFORMERS = frozenset(("karaoke", "cover"))
OTHER_PERFORMER = 0.4  # karaoke or a cover where the name has neither
OTHER_RECORDING = 0.65
OTHER_DETAILS = 0.75  # another remix, another concert
NO_DETAILS = 0.95  # just "live"
NO_REMIXER = 0.83  # just "remix", of which there may be many
OTHER_EDIT = 0.98  # remastered, radio edit
ARRANGED = 0.97  # the file's notes are an arrangement of the same song

# Relative difference of two durations at which the factor starts to fall, at which it stops, and its least value.
LENIENT, STRICT, LEAST_DURATION_FACTOR = 0.1, 0.5, 0.88
BEST_KINDS = ("album", "single", "ep", "other", "compilation")


@dataclass(frozen=True, slots=True)
class Match:
    """A release and how well it fits a name."""

    release: Release
    score: float
    why: str  # what agrees and what does not, in words


@dataclass(frozen=True, slots=True)
class Parts:
    """The factors of a score, and notes that explain it."""

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
    """Return how well a release fits a name and a duration in seconds, 0..1."""
    return _compare(name, seconds, release).score


def rank(name: Name, seconds: float | None, releases: Iterable[Release]) -> list[Match]:
    """Rank releases by their score, best first; ties by kind, then oldest first."""
    matches = []
    for release in releases:
        parts = _compare(name, seconds, release)
        matches.append(Match(release, parts.score, _why(parts)))

    def order(match: Match) -> tuple[float, int, str]:
        return -round(match.score, 6), BEST_KINDS.index(match.release.kind), match.release.release_date or "9999"

    return sorted(matches, key=order)


def _compare(name: Name, seconds: float | None, release: Release) -> Parts:
    """Compare every reading of a name with a release; return the parts of the best."""
    duration, notes = _duration(seconds, release.seconds)
    best = Parts(notes=("another artist and title",))
    if not release.title or not release.artist:
        return best
    for reading in (name, *name.also):
        weight = 1.0 if reading is name else OTHER_READING
        if best.score >= weight * duration * SWAPPED:
            break
        title = parse_title(reading.title, reading.remarks or ((reading.version,) if reading.version else ()))
        if reading.artist is None:
            ways = [_without_artist(title, release)]
        else:
            ways = [_with_artist(reading.artist, title, release, 1.0)]
            if ways[0].score < SWAPPED - 0.1:
                ways.append(_with_artist(title.full, parse_title(reading.artist, title.remarks), release, SWAPPED))
        for way in ways:
            if way.score * weight * duration > best.score:
                explained = way.notes if reading is name else (*way.notes, "another reading of the path")
                best = Parts(way.artist, way.title, way.version, duration, way.reading * weight, (*explained, *notes))
    return best


def _with_artist(artist: str, title: Title, release: Release, weight: float) -> Parts:
    """Compare an artist and a title with those of a release."""
    offered = parse_title(release.title)
    words = _title_similarity(title, offered)
    version, notes = _version(title, offered, release)
    apart = abs(len(title.whole) - len(offered.whole))
    if title.remarks != offered.remarks and words * version < OTHER_EDIT and apart < 0.4 * len(offered.whole):
        whole = similarity(title.whole, offered.whole)
        if whole > SAME_WORDS:  # brackets lost, or others: the same title
            words, title = OTHER_EDIT * whole, offered
            version, notes = _version(offered, offered, release)
    if words < HOPELESS:
        return Parts(title=words, notes=("another title",))
    named = artist_similarity(artist, title.guests, release.artist, offered.guests)
    if weight < 1:
        notes = ("artist and title swapped", *notes)
    return Parts(named, words, version, reading=weight, notes=notes)


def _without_artist(title: Title, release: Release) -> Parts:
    """Compare a title, which may include the artist, with a release."""
    offered = parse_title(release.title)
    version, notes = _version(title, offered, release)
    orders = (f"{release.artist} {offered.full}", f"{offered.full} {release.artist}")
    both = max(similarity(title.full, joined) for joined in orders)
    alone = _title_similarity(title, offered)
    if RUN_TOGETHER * both > UNKNOWN_ARTIST * alone:
        return Parts(1.0, both, version, reading=RUN_TOGETHER, notes=("artist and title in one", *notes))
    return Parts(1.0, alone, version, reading=UNKNOWN_ARTIST, notes=("no artist", *notes))


def _title_similarity(title: Title, offered: Title) -> float:
    """Return the similarity of two titles, with and without the brackets of one of them."""
    found = similarity(title.full, offered.full)
    if found == 1 or (title.base == title.full and offered.base == offered.full):
        return found
    for one, other in ((title.base, offered.full), (title.full, offered.base)):
        cut = SUBTITLE if " - " not in title.full + offered.full else TAIL
        same_numbers = normalize(title.full).numbers == normalize(offered.full).numbers
        found = max(found, cut * similarity(one, other) * (1.0 if same_numbers else MISSING_NUMBER))
    return found


def _version(title: Title, offered: Title, release: Release) -> tuple[float, tuple[str, ...]]:
    """Return the factor of the versions, and notes; a name without a version means the plain recording."""
    wanted, found = title.versions, offered.versions
    by_album = album_versions(release.album, release.artist)
    found |= by_album & OTHER_PERFORMERS if found else by_album
    guests = title.guests and offered.guests and not _share_guests(title.guests, offered.guests)
    factor = OTHER_GUESTS if guests else 1.0
    notes = ("other guests",) if guests else ()
    if wanted == found:
        if title.details != offered.details:
            factor *= _details(title.details, offered.details, NO_REMIXER if "remix" in wanted else NO_DETAILS)
            notes = (*notes, f"which {'/'.join(sorted(wanted))} may differ")
        elif title.same != offered.same:
            factor *= OTHER_EDIT
        if wanted != offered.versions:  # from the album alone
            factor *= OTHER_EDIT
        return factor, notes
    if wanted == {"arrangement"} and not found:
        return factor * ARRANGED, notes
    note = f"version: {_listed(wanted)} wanted, {_listed(found)} found"
    if OTHER_PERFORMERS & (found - wanted):
        return factor * OTHER_PERFORMER, (*notes, note)
    return factor * OTHER_RECORDING, (*notes, note)


def _details(wanted: frozenset[str], offered: frozenset[str], missing: float) -> float:
    texts = [" ".join(sorted(words)) for words in (wanted, offered)]
    numbers = [[number for number in normalize(text).numbers if len(number) < 3] for text in texts]
    if numbers[0] != numbers[1]:  # "Remix" and "Remix II"
        return OTHER_DETAILS
    if not wanted or not offered:
        return missing
    found = similarity(*texts)
    if found >= 0.8:
        return found
    return missing if wanted < offered or offered < wanted else OTHER_DETAILS


def _share_guests(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return artist_similarity(", ".join(some), (), ", ".join(others), ()) >= 0.8


def _duration(seconds: float | None, offered: float | None) -> tuple[float, tuple[str, ...]]:
    """Return the factor of two durations in seconds, and notes; MIDI files are often cut short, so it falls slowly."""
    if not seconds or not offered:
        return 1.0, ()
    apart = abs(seconds - offered) / max(seconds, offered)
    far = min(1.0, max(0.0, (apart - LENIENT) / (STRICT - LENIENT)))
    return 1 - (1 - LEAST_DURATION_FACTOR) * far, (f"{seconds:.0f} s against {offered:.0f} s",) if far else ()


def _listed(versions: frozenset[str]) -> str:
    return " and ".join(sorted(versions)) or "plain"


def _why(parts: Parts) -> str:
    return "; ".join((f"artist {parts.artist:.2f}", f"title {parts.title:.2f}", *parts.notes))
