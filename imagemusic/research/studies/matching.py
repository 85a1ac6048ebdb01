"""Measure how far a match can be trusted, and choose the threshold above which one is accepted.

    imagemusic study run matching --data DATA --out docs/results/matching.json

Tracks of a catalogue are misnamed as files are; a search then returns the right recording among others, or, as often,
only others.  A match is right when the release on top is accepted and is the recording.  The threshold is chosen on
half of the artists, under one set of misnamings and of near misses, and judged on the other half under other misnamings
and all near misses.  Real file names come from the data sets pairs and ultrastar, where they are there.
"""

import argparse
import csv
import random
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tqdm import tqdm

from imagemusic.data.gather.file_names import parse_name
from imagemusic.data.gather.matching import REVIEW_THRESHOLD, THRESHOLD, rank, score
from imagemusic.data.gather.releases import Release
from imagemusic.errors import DataError
from imagemusic.evaluation.intervals import wilson
from imagemusic.research.studies import distortions, near_misses
from imagemusic.research.studies.near_misses import Catalogue, Miss, Track, half_of, read_catalogue
from imagemusic.research.study import Context, Figures, Study

TRIES = 4000  # before another misnaming is taken
GRID = [round(0.5 + 0.01 * step, 2) for step in range(50)]
ARRANGED = re.compile(r"\s*\((?:ensemble|etude)\)$")  # a property of the file, not of the song
TARGET_PRECISION = 0.99


@dataclass(frozen=True, slots=True)
class Case:
    """A file, what a search for it returns, and which of that is right."""

    path: str
    seconds: float | None
    offered: tuple[Track, ...]
    right: Track | None  # None for a near miss
    ways: tuple[str, ...]  # in which the file is misnamed
    kind: str  # of the near miss, or "right"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The match of a case."""

    case: Case
    score: float  # of the release on top
    hit: bool  # the release on top is the right one
    top: Track | None


def draw_seconds(rng: random.Random, seconds: float | None) -> float | None:
    """Draw the duration of a MIDI file of a track: unknown, near, or cut short."""
    draw = rng.random()
    if seconds is None or draw < 0.3:
        return None
    return seconds * (rng.gauss(1, 0.04) if draw < 0.9 else rng.uniform(0.4, 1.1))


def make_cases(
    rng: random.Random,
    catalogue: Catalogue,
    tracks: Sequence[Track],
    ways: dict[str, distortions.Distortion],
    misses: dict[str, Miss],
    files: int,
) -> Iterable[Case]:
    """Make `files` files whose recording is found among others, and as many for which only others are found."""
    for number in range(files):
        for kind in ("right", list(misses)[number % len(misses)]):
            for attempt in range(2 * TRIES):  # some misnamings and near misses do not go together
                way = list(ways)[(number if attempt < TRIES else attempt) % len(ways)]
                track = rng.choice(tracks)
                path, used = distortions.distort(rng, track.artist, track.title, ways, way)
                miss = misses[kind](rng, catalogue, track) if used and kind != "right" else None
                if used and (miss or kind == "right"):
                    break
            else:
                continue
            others = [misses[name](rng, catalogue, track) for name in rng.sample(list(misses), 4)]
            offered = [other for other in (*others, *catalogue.other_titles(track, 2), miss) if other]
            if kind == "right":
                offered.append(track)
            rng.shuffle(offered)
            right = track if kind == "right" else None
            yield Case(path, draw_seconds(rng, track.seconds), tuple(offered), right, used, kind)


def release_of(track: Track) -> Release:
    return Release(
        source="catalogue", id=track.title, artist=track.artist, title=track.title, album=track.album,
        kind="album", seconds=track.seconds, release_date=track.date or None,
    )  # fmt: skip


def match(cases: Iterable[Case], what: str) -> list[Outcome]:
    """Match every case."""
    outcomes = []
    for case in tqdm(list(cases), desc=what, unit="file", mininterval=5):
        pairs = [(release_of(track), track) for track in case.offered]
        best = rank(parse_name(PurePath(case.path)), case.seconds, [release for release, _ in pairs])[0]
        top = next(track for release, track in pairs if release is best.release)
        outcomes.append(Outcome(case, best.score, is_right(case.right, top), top))
    return outcomes


def is_right(right: Track | None, found: Track) -> bool:
    """Return whether what was found is the recording, as far as names show."""
    if right is None:
        return False
    return near_misses.letters(right.artist + right.title) == near_misses.letters(found.artist + found.title)


def real_cases(path: Path, catalogue: Catalogue) -> Iterable[Case]:
    """Search each file of a list of pairs among all of the list, its own song in other versions, and songs of the
    catalogue with the same title; then again without the right one."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("title")]
    named = {row["midi"]: Track(row["artist"], ARRANGED.sub("", row["title"]), "", None, "") for row in rows}
    rng = random.Random(0)
    pool = list(dict.fromkeys(named.values()))
    for midi, right in named.items():
        same_name = catalogue.by_base[near_misses.base(right.title)]
        alike = [track for track in same_name if not catalogue.same(track, right)][:10]
        versions = [miss(rng, catalogue, right) for miss in (near_misses.live, near_misses.karaoke, near_misses.remix)]
        wrong = [track for track in (*pool, *alike, *versions) if track and not is_right(right, track)]
        for kind, offered, truth in (("right", [right, *wrong], right), ("absent", wrong, None)):
            yield Case(midi.removeprefix("midis/"), None, tuple(offered), truth, (), kind)


def interval(hits: int, count: int) -> list[float]:
    """Return the 95 % interval of a share, rounded."""
    return [round(end, 4) for end in wilson(hits, count)]


def summary(outcomes: Sequence[Outcome], threshold: float) -> dict[str, Any]:
    """Measure precision and recall of a threshold."""
    accepted = [outcome for outcome in outcomes if outcome.score >= threshold]
    hits, there = sum(outcome.hit for outcome in accepted), sum(outcome.case.right is not None for outcome in outcomes)
    doubtful = sum(REVIEW_THRESHOLD <= outcome.score < threshold for outcome in outcomes)
    return {
        "precision": round(hits / max(len(accepted), 1), 4),
        "precision_interval": interval(hits, len(accepted)),
        "recall": round(hits / max(there, 1), 4),
        "recall_interval": interval(hits, there),
        "files": len(outcomes), "of_which_there": there, "accepted": len(accepted), "doubtful": doubtful,
    }  # fmt: skip


def curve(outcomes: Sequence[Outcome]) -> list[dict[str, float]]:
    points = []
    for threshold in GRID:
        found = summary(outcomes, threshold)
        points.append({"threshold": threshold, "precision": found["precision"], "recall": found["recall"]})
    return points


def choose(outcomes: Sequence[Outcome]) -> float:
    """Return the lowest threshold whose precision reaches the target even at the lower end of its interval."""
    sure = [step for step in GRID if summary(outcomes, step)["precision_interval"][0] >= TARGET_PRECISION]
    return min(sure, default=1.0)


def tables(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Count what is found under each misnaming, and what is wrongly accepted of each near miss."""
    by_way, by_miss = defaultdict(list), defaultdict(list)
    for outcome in outcomes:
        good = outcome.score >= THRESHOLD
        if outcome.case.right:
            for way in outcome.case.ways:
                by_way[way].append(good and outcome.hit)
        else:
            by_miss[outcome.case.kind].append(good)
    return {
        "by_misnaming": {
            way: {
                "files": len(hits), "recall": round(sum(hits) / len(hits), 4),
                "interval": interval(sum(hits), len(hits)),
            }
            for way, hits in sorted(by_way.items())
        },
        "by_near_miss": {
            miss: {
                "files": len(taken), "wrongly_accepted": sum(taken), "also_when_choosing": miss in near_misses.CHOOSING,
            }
            for miss, taken in sorted(by_miss.items())
        },
    }  # fmt: skip


def speed(cases: Sequence[Case]) -> dict[str, int]:
    """Count how many scores are made in a second of one core's time, of names never seen before and of known ones."""
    work = [
        (parse_name(PurePath(case.path)), case.seconds, [release_of(track) for track in case.offered]) for case in cases
    ]
    calls, found = sum(len(releases) for _, _, releases in work), {}
    for what in ("first_time", "again"):
        begun = time.process_time()
        for name, seconds, releases in work:
            for release in releases:
                score(name, seconds, release)
        found[what] = round(calls / (time.process_time() - begun))
    return found


class Matching(Study):
    """Chooses the threshold on one half of the artists and judges it on the other, and on real file names."""

    needs = ("catalogue",)
    quick = {"files": 40}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--files", type=int, default=2000, metavar="N",
            help="right ones in each half; as many near misses (%(default)s)",
        )  # fmt: skip

    def run(self, context: Context) -> Figures:
        try:
            tracks = read_catalogue(context.data.path("catalogue"))
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error
        catalogue, rng = Catalogue(tracks), random.Random(context.options.seed)
        halves = [[track for track in tracks if half_of(track.artist) == half] for half in (0, 1)]
        cases = [
            list(make_cases(rng, catalogue, half, ways, misses, context.options.files))
            for half, ways, misses in (
                (halves[0], distortions.CHOOSING, near_misses.CHOOSING),
                (halves[1], distortions.JUDGING, near_misses.JUDGING),
            )
        ]
        fast = speed(cases[1][:1000])
        chosen_on, judged_on = match(cases[0], "choosing"), match(cases[1], "judging")
        lists = [path for name in ("pairs", "ultrastar") if (path := context.data.find(name))]
        real = {path.parent.name: match(real_cases(path, catalogue), path.parent.name) for path in lists}
        context.sources = ["catalogue of tracks", *real]
        judged = summary(judged_on, THRESHOLD)
        return {
            "precision": judged["precision"],
            "recall": judged["recall"],
            "threshold": THRESHOLD,
            "review_threshold": REVIEW_THRESHOLD,
            "threshold_chosen": choose(chosen_on),
            "judged_on": judged,
            "chosen_on": summary(chosen_on, THRESHOLD),
            **tables(judged_on),
            "by_misnaming_when_choosing": tables(chosen_on)["by_misnaming"],
            "real_names": {
                name: summary(found, THRESHOLD) | {"not_found": not_found(found)} for name, found in real.items()
            },
            "scores_per_second": fast,
            "artists": [len({track.artist for track in half}) for half in halves],
            "tracks": len(tracks),
            "curve": curve(judged_on),
            "curve_when_choosing": curve(chosen_on),
        }

    def plot(self, figures: Figures) -> Any:
        """Draw precision and recall over the threshold."""
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(6, 4), layout="tight")
        for name, style, label in (("curve_when_choosing", "--", "chosen on"), ("curve", "-", "judged on")):
            for key, colour in (("precision", "tab:blue"), ("recall", "tab:orange")):
                thresholds, values = zip(*[(p["threshold"], p[key]) for p in figures[name]], strict=True)
                axes.plot(thresholds, values, style, color=colour, label=f"{key}, {label}")
        axes.axvline(figures["threshold"], color="grey", linewidth=0.8)
        axes.set(xlabel="threshold", ylim=(0.5, 1.005), title="Matching of file names with releases")
        axes.grid(alpha=0.3)
        axes.legend(loc="lower left")
        return figure


def not_found(outcomes: Sequence[Outcome]) -> list[str]:
    """List the files whose recording was offered and not accepted."""
    return [one.case.path for one in outcomes if one.case.right and not (one.hit and one.score >= THRESHOLD)]


STUDY = Matching()
