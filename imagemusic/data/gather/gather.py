"""Match MIDI files with releases of a catalogue: write a journal row and a cover for each.

    Artist/Title.mid ── names ──> Query ── Source.find ──> releases ── matching ──> the best ── Source.fetch ──> cover
           │                                                              │                                        │
           └── damaged: corrupt                       low score: unmatched, doubtful                           matched

A row is written after the cover that it names, so a killed process loses only the files it was working on.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from imagemusic.data.gather.cover_store import store_cover
from imagemusic.data.gather.file_names import MIDI_SUFFIXES, Name, parse_name
from imagemusic.data.gather.journal import Journal, Row, read_rows
from imagemusic.data.gather.matching import REVIEW_THRESHOLD, THRESHOLD, Match, rank
from imagemusic.data.gather.once_cache import OnceCache
from imagemusic.data.gather.releases import COVER_LICENCE, IDS_ONLY, Query, Release, Source
from imagemusic.errors import (
    ConfigError,
    DataError,
    DependencyError,
    GatheringStopped,
    NotAPicture,
    NotThere,
    ScoreError,
)
from imagemusic.music.midi import read_midi

MOST_CANDIDATES = 5  # kept of each file
MOST_READINGS = 3  # of a path, each a search
MOST_FAILURES = 10  # in a row, from which on the server counts as down
MOST_WORKERS = 32
CACHED = 4096  # answers


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherOptions:
    """Settings of `gather`."""

    size: int = 500  # pixels of covers
    workers: int = 1  # concurrent requests
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 4000:
            raise ConfigError(f"size must be in 32..4000 pixels, got {self.size}")
        if not 1 <= self.workers <= MOST_WORKERS:
            raise ConfigError(f"workers must be in 1..{MOST_WORKERS}, got {self.workers}")


def find_midi(folder: Path) -> list[str]:
    """List the MIDI files of a folder and its folders, as sorted paths with forward slashes.

    Raises:
        DataError: there is no such folder, or no MIDI file in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    keys = [
        Path(place, name).relative_to(folder).as_posix()
        for place, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(MIDI_SUFFIXES) and not name.startswith("._")  # which macOS leaves beside files
    ]
    if not keys:
        raise DataError(f"{folder}: no MIDI files in it; looked for {', '.join(MIDI_SUFFIXES)}")
    return sorted(keys)


def read_statuses(folder: Path, lookup: "Lookup") -> dict[str, str]:
    """Return the status of each file done in an earlier run, and give its covers to `lookup`."""
    statuses = {}
    for row in read_rows(folder):
        statuses[row["key"]] = row["status"]
        if row["cover"]:
            lookup.remember(row)
    return statuses


def gather(
    keys: Sequence[str], statuses: dict[str, str], journal: Journal, lookup: "Lookup", options: GatherOptions
) -> Iterator[Row]:
    """Look up the files without a status; yield each row once it is in the journal and in `statuses`.

    Raises:
        GatheringStopped: no further file can be looked up now; the rows so far are kept.
    """
    again = {"failed"} if options.retry_failed else set()
    todo = [key for key in keys if key not in statuses or statuses[key] in again]
    failures = 0
    for row in _in_order(lookup.row, todo, options.workers):
        journal.append(row)
        statuses[row["key"]] = row["status"]
        yield row
        failures = failures + 1 if row["status"] == "failed" else 0
        if failures >= MOST_FAILURES and not lookup.source.exact:
            why = f"{failures} files failed one after another, the last with {row['why']}"
            again_later = "when it is back, give the same command with --retry-failed"
            raise GatheringStopped(f"{lookup.source.name}: {why}; {again_later}")


class Lookup:
    """GroupingKeys up MIDI files in a catalogue and returns journal rows; thread-safe."""

    def __init__(self, midi_dir: Path, folder: Path, source: Source, size: int) -> None:
        self.source = source
        self._midi_dir, self._folder, self._size = midi_dir, folder, size
        self._found: OnceCache[list[Release]] = OnceCache(CACHED)
        self._covers: OnceCache[str] = OnceCache(CACHED)
        self._stored: dict[str, str] = {}  # id of a release -> its cover in the folder

    def remember(self, row: Row) -> None:
        """Use the cover of an earlier row instead of fetching it again."""
        self._stored[row["candidates"][row["chosen"]]["id"]] = row["cover"]

    def row(self, key: str) -> Row:
        """Look up one MIDI file and return its journal row.

        Raises:
            GatheringStopped: no file can be looked up now.
        """
        name = parse_name(PurePosixPath(key))
        row: Row = {
            "key": key, "sha256": None, "status": "failed", "why": "", "artist": name.artist, "title": name.title,
            "version": name.version, "seconds": None, "candidates": [], "chosen": None, "cover": None,
            "cover_source": None, "licence": None, "terms": self.source.terms, "paired": None,
        }  # fmt: skip
        path = self._midi_dir / key
        if path.exists() and not path.is_file():  # reading a pipe would block
            return row | {"why": "not a regular file"}
        try:
            data = path.read_bytes()
            row["sha256"] = hashlib.sha256(data).hexdigest()
            score = read_midi(data, controls=False).score
        except OSError as error:
            return row | {"why": f"cannot be read ({error.strerror})"}
        except ScoreError as error:
            return row | {"status": "corrupt", "why": str(error).removeprefix("MIDI bytes: ")}
        if not score.note_count:
            return row | {"status": "corrupt", "why": "no notes in it"}
        row["seconds"] = round(score.seconds, 3)
        try:
            return row | self._match(key, name, row["seconds"])
        except GatheringStopped:
            raise
        except DataError as error:
            return row | {"why": str(error)}

    def choose(self, row: Row, number: int | None) -> Row:
        """Resolve a doubtful row as a reviewer chose: a candidate, counted from 0, or none of them.

        Raises:
            DataError: the cover cannot be fetched.
        """
        resolved = row | {"status": "unmatched", "why": "a person chose none", "chosen": None}
        if number is None:
            return resolved
        release = Release.from_json(row["candidates"][number])
        return resolved | self._with_cover(release, number, "a person chose it")

    def _match(self, key: str, name: Name, seconds: float) -> dict[str, Any]:
        if self.source.exact:
            return self._first_cover(Query(key=key, artist=name.artist or "", title=name.title, seconds=seconds))
        ranked = self._search(key, name, seconds)
        if ranked is None:
            return {"status": "unmatched", "why": "its name has no artist; name files Artist/Title.mid"}
        candidates = [_candidate(match.release, match.score) for match in ranked[:MOST_CANDIDATES]]
        best = ranked[0].score if ranked else 0.0
        why = self._why(ranked)
        if best < REVIEW_THRESHOLD:
            return {"status": "unmatched", "why": why, "candidates": candidates}
        if best < THRESHOLD:
            return {"status": "doubtful", "why": why, "candidates": candidates}
        refused: DataError | None = None
        for number, match in enumerate(ranked[:MOST_CANDIDATES]):
            if match.score >= THRESHOLD:
                try:
                    return {"candidates": candidates} | self._with_cover(match.release, number, why)
                except (NotThere, NotAPicture) as error:
                    refused = refused or error
        if isinstance(refused, NotAPicture):
            raise refused
        return {"status": "unmatched", "why": f"no cover: {refused}", "candidates": candidates}

    def _first_cover(self, query: Query) -> dict[str, Any]:
        """Return the first cover of a source whose releases are exact that is a picture.

        Raises:
            DataError, DependencyError: why the first that is there cannot be used, if none can.
        """
        refused: DataError | DependencyError | None = None
        try:
            releases = self.source.find(query)
        except NotThere as error:
            return {"status": "unmatched", "why": str(error)}
        for release in releases:
            try:
                cover = self._with_cover(release, 0, "where it lies")
            except GatheringStopped:
                raise
            except NotThere:
                continue
            except (DataError, DependencyError) as error:
                refused = refused or error
                continue
            names = {"artist": release.artist or None, "title": release.title}
            return names | {"candidates": [_candidate(release, 1.0)]} | cover
        if refused:
            raise refused
        return {"status": "unmatched", "why": "no cover found for it"}

    def _search(self, key: str, name: Name, seconds: float) -> list[Match] | None:
        """Search with each reading of the path until one is accepted; None when no reading has an artist."""
        readings = [reading for reading in (name, *name.also) if reading.artist][:MOST_READINGS]
        found: list[Release] = []
        ranked: list[Match] = []
        for reading in readings:
            artist, title = reading.artist or "", reading.title
            find = partial(self.source.find, Query(key=key, artist=artist, title=title, seconds=seconds))
            new = self._found.get(f"{artist}\0{title}", find)
            found += [release for release in new if release not in found]
            ranked = rank(name, seconds, found)
            if ranked and ranked[0].score >= THRESHOLD:
                break
        return ranked if readings else None

    def _why(self, ranked: Sequence[Match]) -> str:
        if not ranked:
            return "the catalogue has nothing like it"
        if self.source.terms in IDS_ONLY:  # the reasons quote the catalogue
            return f"score {ranked[0].score:.2f}"
        return ranked[0].why

    def _with_cover(self, release: Release, number: int, why: str) -> dict[str, Any]:
        cover = self._stored.get(release.id)
        if cover is None or not (self._folder / cover).exists():
            cover = self._covers.get(release.id, lambda: self._fetch(release))
            self._stored[release.id] = cover
        return {
            "cover": cover, "cover_source": release.page, "licence": release.licence or COVER_LICENCE,
            "status": "matched", "why": why, "chosen": number, "paired": "exact",
        }  # fmt: skip

    def _fetch(self, release: Release) -> str:
        return store_cover(self._folder, self.source.fetch(release, self._size), release.page)


def _candidate(release: Release, score: float) -> dict[str, Any]:
    return release.to_json() | {"score": round(score, 4)}


def _in_order(work: Callable[[str], Row], keys: Sequence[str], workers: int) -> Iterator[Row]:
    """Yield rows in the order of the keys, made by threads; when one stops, rows that are under way are finished."""
    if workers == 1:
        yield from map(work, keys)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Row]] = deque()
        try:
            for key in keys:
                waiting.append(pool.submit(work, key))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except GatheringStopped:
            for future in waiting:
                if not future.cancel() and not future.exception():
                    yield future.result()
            raise
        finally:
            for future in waiting:
                future.cancel()
