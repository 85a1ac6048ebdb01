"""Measure how far a match can be trusted, and choose the threshold above which one is accepted.

    python scripts/measure_matching.py --catalog DIR --pairs MAEVE/pairs.csv ULTRASTAR/pairs.csv

Tracks of a catalogue are misnamed as files are; a search then returns the right recording among others, or, as often,
only others.  A match is right when the release on top is accepted and is the recording.  The threshold is chosen on
half of the artists, under one set of misnamings and of near misses, and judged on the other half under other misnamings
and all near misses.
"""

import argparse
import csv
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path, PurePath
from typing import Any

import distortions
import near_misses
from near_misses import Catalogue, Miss, Track, half_of, read_catalogue
from tqdm import tqdm

from imagemusic.data.gather.file_names import parse_name
from imagemusic.data.gather.matching import REVIEW_THRESHOLD, THRESHOLD, rank, score
from imagemusic.data.gather.releases import Release
from imagemusic.reports.results import write_result

TRIES = 4000  # before another misnaming is taken
GRID = [round(0.5 + 0.01 * step, 2) for step in range(50)]
ARRANGED = re.compile(r"\s*\((?:ensemble|etude)\)$")  # said of the file, not of the song
WANTED_PRECISION = 0.99


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
    """What became of a case."""

    case: Case
    score: float  # of the release on top
    hit: bool  # the release on top is the right one
    top: Track | None


def heard(rng: random.Random, seconds: float | None) -> float | None:
    """Make up the duration of a MIDI file of a track: unknown, near, or cut short."""
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
            yield Case(path, heard(rng, track.seconds), tuple(offered), right, used, kind)


def release_of(track: Track) -> Release:
    return Release(
        source="catalogue", id=track.title, artist=track.artist, title=track.title, album=track.album,
        kind="album", seconds=track.seconds, release_date=track.date or None,
    )  # fmt: skip


def judge(cases: Iterable[Case], what: str) -> list[Outcome]:
    """Match every case."""
    outcomes = []
    for case in tqdm(list(cases), desc=what, unit="file", mininterval=5):
        pairs = [(release_of(track), track) for track in case.offered]
        best = rank(parse_name(PurePath(case.path)), case.seconds, [release for release, _ in pairs])[0]
        top = next(track for release, track in pairs if release is best.release)
        outcomes.append(Outcome(case, best.score, is_right(case.right, top), top))
    return outcomes


def is_right(right: Track | None, found: Track) -> bool:
    """Say whether what was found is the recording, as far as names can tell."""
    if right is None:
        return False
    return near_misses.letters(right.artist + right.title) == near_misses.letters(found.artist + found.title)


def real_cases(path: Path, catalogue: Catalogue) -> Iterable[Case]:
    """Ask for each file of a list of pairs among all of the list, its own song in other versions, and songs of the
    catalogue that are called the same; then again without the right one."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["title"]]
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
    """Give the 95 % confidence interval of a share (Wilson 1927)."""
    if not count:
        return [0.0, 1.0]
    z = 1.96
    middle = (hits + z * z / 2) / (count + z * z)
    half = z * sqrt(hits * (count - hits) / count + z * z / 4) / (count + z * z)
    return [round(middle - half, 4), round(middle + half, 4)]


def summary(outcomes: Sequence[Outcome], threshold: float) -> dict[str, Any]:
    """Count what a threshold makes of the outcomes."""
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
    """Return the lowest threshold whose precision is as wanted even at the lower end of its interval."""
    sure = [step for step in GRID if summary(outcomes, step)["precision_interval"][0] >= WANTED_PRECISION]
    return min(sure, default=1.0)


def tables(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Tell what is found under each misnaming, and what is wrongly accepted of each near miss."""
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


def plot(path: Path, chosen_on: list[dict[str, float]], judged_on: list[dict[str, float]]) -> None:
    """Draw precision and recall over the threshold."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    for points, style, what in ((chosen_on, "--", "chosen on"), (judged_on, "-", "judged on")):
        for key, colour in (("precision", "tab:blue"), ("recall", "tab:orange")):
            axes.plot(
                [p["threshold"] for p in points], [p[key] for p in points], style, color=colour, label=f"{key}, {what}"
            )
    axes.axvline(THRESHOLD, color="grey", linewidth=0.8)
    axes.set(xlabel="threshold", ylim=(0.5, 1.005), title="Matching of file names with releases")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", type=Path, required=True, help="folder of spotify_songs.csv and spotify_20k/")
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], help="lists of real files: midi, artist, title")
    parser.add_argument("--files", type=int, default=2000, help="right ones in each half; as many near misses")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/results/matching.json"))
    arguments = parser.parse_args()
    try:
        tracks = read_catalogue(arguments.catalog)
    except OSError as error:
        print(f"measure_matching: error: {error}", file=sys.stderr)
        return 1
    catalogue, rng = Catalogue(tracks), random.Random(arguments.seed)
    halves = [[track for track in tracks if half_of(track.artist) == half] for half in (0, 1)]
    cases = [
        list(make_cases(rng, catalogue, half, ways, misses, arguments.files))
        for half, ways, misses in (
            (halves[0], distortions.CHOOSING, near_misses.CHOOSING),
            (halves[1], distortions.JUDGING, near_misses.JUDGING),
        )
    ]
    fast = speed(cases[1][:1000])
    chosen_on, judged_on = judge(cases[0], "choosing"), judge(cases[1], "judging")
    real = {path.parent.name: judge(real_cases(path, catalogue), path.parent.name) for path in arguments.pairs}
    judged = summary(judged_on, THRESHOLD)
    figures = {
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
            name: summary(outcomes, THRESHOLD)
            | {"not_found": [outcome.case.path for outcome in outcomes if outcome.case.right and not taken(outcome)]}
            for name, outcomes in real.items()
        },
        "scores_per_second": fast,
        "artists": [len({track.artist for track in half}) for half in halves],
        "tracks": len(tracks),
        "curve": curve(judged_on),
        "curve_when_choosing": curve(chosen_on),
    }
    write_result(arguments.out, figures, data=["catalogue of tracks", *real], seed=arguments.seed)
    plot(arguments.out.with_suffix(".png"), figures["curve_when_choosing"], figures["curve"])
    for what in ("threshold_chosen", "judged_on", "chosen_on", "by_misnaming", "by_near_miss", "scores_per_second"):
        print(what, figures[what])
    for name, found in figures["real_names"].items():
        print(name, found)
    return 0


def taken(outcome: Outcome) -> bool:
    return outcome.hit and outcome.score >= THRESHOLD


if __name__ == "__main__":
    sys.exit(main())
