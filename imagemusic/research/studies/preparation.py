"""Measure how long `imagemusic data build` takes for many files, its memory, and what a second Ray worker brings.

    imagemusic study run preparation --out docs/results/preparation.json

Files are generated below --work, which needs about 20 kB for each, and removed again: random tunes, ten files an artist
with a cover of their own.  One in fifty is another tune in another key, tempo and file; one in a thousand is damaged.

One data set grows from count to count.  Seconds of a count are those of all its blocks and of all that follows, as if
it had been built from nothing; processor seconds beside them show the load of the machine.
"""

import argparse
import hashlib
import io
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemusic.data.build.manifest import Manifest
from imagemusic.data.build.statistics import measure_set
from imagemusic.errors import DataError
from imagemusic.music.midi import midi_bytes
from imagemusic.music.score import Meter, Score, Tempo, Track
from imagemusic.research.study import Context, Figures, Study

BARS, BAR_TICKS = 24, 96
FILES_AN_ARTIST = 10
DAMAGED_EVERY = 1000
COPY_EVERY = 50
SAMPLED_EVERY_SECONDS = 0.5

# Run in a process of its own.  It prints the seconds of the first block, with the start of the workers, and of all.
BUILD = """
import sys, time
from pathlib import Path
from imagemusic.data.build.build import build

started, times = time.monotonic(), []

def progress(done, message):
    times.append(time.monotonic() - started)

build(Path(sys.argv[1]), executor=sys.argv[2], workers=int(sys.argv[3]), progress=progress)
print(times[0], times[-1])
"""


def base_tracks(seed: int) -> list[NDArray[np.int32]]:
    """Compose a melody, chords and drums (N, 4) at random."""
    rng = np.random.default_rng(seed)
    onsets = np.flatnonzero(rng.random(BARS * 8) < 0.7) * 12
    steps = np.cumsum(rng.integers(-3, 4, len(onsets)))
    melody = np.column_stack([onsets, 72 + steps % 17, np.full(len(onsets), 12), rng.integers(50, 110, len(onsets))])
    roots = rng.integers(40, 60, BARS)
    chords = np.array([[bar * BAR_TICKS, root + step, 96, 64] for bar, root in enumerate(roots) for step in (0, 4, 7)])
    beats = np.arange(BARS * 4)
    drums = np.column_stack([beats * 24, np.where(beats % 4, 42, 36), np.full_like(beats, 6), np.full_like(beats, 90)])
    return [part.astype(np.int32) for part in (melody, chords, drums)]


def tune(number: int) -> bytes:
    """Write file `number`: a tune of its own, or an earlier one in another key and tempo."""
    rng = np.random.default_rng((2, number))
    is_copy = number >= COPY_EVERY and number % COPY_EVERY == 0
    tracks = []
    shift = int(rng.integers(-6, 7)) if is_copy else 0
    for part, notes in enumerate(base_tracks(int(rng.integers(number)) if is_copy else number)):
        moved = notes + np.array([0, shift if part < 2 else 0, 0, 0], np.int32)
        tracks.append(Track(moved, (73, 0, 0)[part], part == 2))
    return midi_bytes(Score(tracks, [Tempo(0, float(rng.integers(60, 180)))], [Meter(0, 4, 4)]))


def write_files(midi: Path, dataset: Path, start: int, count: int) -> list[str]:
    """Write `count` files and their covers; return their lines of the journal."""
    lines = []
    for number in range(start, start + count):
        artist = number // FILES_AN_ARTIST
        key = f"{artist % 1000:03d}/Artist {artist}/Piece {number}.mid"
        path = midi / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"MThd, and no more" if number % DAMAGED_EVERY == 999 else tune(number))
        cover = write_cover(dataset, artist)
        release = {"source": "folder", "id": str(artist), "artist": f"Artist {artist}", "title": f"Piece {number}",
                   "album": "Album", "kind": "album", "score": 1.0, "terms": "own"}  # fmt: skip
        row = {"key": key, "sha256": None, "status": "matched", "why": "generated", "artist": f"Artist {artist}",
               "title": f"Piece {number}", "candidates": [release], "chosen": 0, "cover": cover,
               "cover_source": "generated", "licence": "CC0-1.0", "terms": "own", "paired": "exact"}  # fmt: skip
        lines.append(json.dumps(row))
    return lines


def write_cover(dataset: Path, artist: int) -> str:
    """Write the cover of an artist, unless it is there, and return its path in the data set."""
    rng = np.random.default_rng((1, artist))
    image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((96, 96))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    name = hashlib.sha256(file.getvalue()).hexdigest()
    path = dataset / "covers" / name[:2] / f"{name}.jpg"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.getvalue())
    return path.relative_to(dataset).as_posix()


def generate(work: Path, count: int, workers: int) -> None:
    """Write WORK/midi, and WORK/all with the covers and the journal of all files."""
    midi, dataset = work / "midi", work / "all"
    starts = list(range(0, count, 1000))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        sizes = [min(1000, count - start) for start in starts]
        dataset.mkdir(parents=True)
        with open(dataset / "journal.jsonl", "w") as journal:
            for lines in pool.map(partial(write_files, midi, dataset), starts, sizes):
                journal.write("\n".join(lines) + "\n")


def begin(work: Path, name: str) -> Path:
    """Make a data set without files, its covers those of all."""
    dataset = work / name
    dataset.mkdir()
    (dataset / "covers").symlink_to(work / "all" / "covers")
    header = {"format": "imagemusic dataset", "version": 1, "source": "folder", "terms": "own"}
    (dataset / "dataset.json").write_text(json.dumps(header | {"midi_dir": str(work / "midi")}))
    return dataset


def grow(dataset: Path, count: int) -> None:
    """Let the journal of a data set hold the first `count` files."""
    with open(dataset.parent / "all" / "journal.jsonl") as lines, open(dataset / "journal.jsonl", "w") as journal:
        journal.writelines(islice(lines, count))


@dataclass(slots=True)
class Peak:
    """The most memory seen at once, in bytes."""

    total: int = 0  # of all processes, shared pages counted in each
    parent: int = 0

    def look(self, process: int) -> None:
        """Sample a process and all below it."""
        sizes = [resident(one) for one in family(process)]
        self.total = max(self.total, sum(sizes))
        self.parent = max(self.parent, sizes[0])


def family(process: int) -> list[int]:
    """List a process and its descendants."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        children = []
    return [process, *(one for child in children for one in family(int(child)))]


def resident(process: int) -> int:
    """Resident memory of a process, in bytes; 0 when it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def measure(dataset: Path, engine: str, workers: int) -> dict[str, Any]:
    """Build a data set in a process of its own; return what it took and what was built.

    Raises:
        DataError: the build failed.
    """
    started, spent, peak = time.monotonic(), processor_seconds(), Peak()
    command = [sys.executable, "-c", BUILD, str(dataset), engine, str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak.look(process.pid)
            time.sleep(SAMPLED_EVERY_SECONDS)
        printed = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise DataError(f"{dataset}: the build ended with status {process.returncode}")
    seconds = time.monotonic() - started
    first, blocks = map(float, printed.split())
    found = measure_set(Manifest.open(dataset))
    return {
        "engine": engine, "workers": workers, "files": found.rows, "damaged": found.counts["status"]["corrupt"],
        "notes": found.notes, "groups": found.groups, "first_block_seconds": round(first, 1),
        "block_seconds": round(blocks, 1),
        "other_seconds": round(seconds - blocks, 1), "processor_seconds": round(processor_seconds() - spent, 1),
        "peak_bytes": peak.total, "peak_bytes_parent": peak.parent,
    }  # fmt: skip


def processor_seconds() -> float:
    """Processor time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_growth(work: Path, counts: list[int], workers: int) -> Iterator[dict[str, Any]]:
    """Build one data set as it grows; `seconds` of each count are those of a build from nothing."""
    dataset, blocks, spent = begin(work, "growing"), 0.0, 0.0
    for count in sorted(counts):
        grow(dataset, count)
        run = measure(dataset, "processes", workers)
        blocks, spent = blocks + run["block_seconds"], spent + run["processor_seconds"]
        seconds = blocks + run["other_seconds"]
        run |= {"seconds": round(seconds, 1), "notes_per_second": round(run["notes"] / seconds)}
        yield run | {"processor_seconds_so_far": round(spent, 1)}


def measure_ray(work: Path, count: int) -> Iterator[dict[str, Any]]:
    """Build the same files on Ray with one worker and with two, each from nothing."""
    for workers in (1, 2):
        dataset = begin(work, f"ray-{workers}")
        grow(dataset, count)
        yield measure(dataset, "ray", workers)


def figures_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up what was measured so far."""
    grown = [run for run in runs if run["engine"] == "processes"]
    figures: dict[str, Any] = {
        "notes_per_second": grown[-1]["notes_per_second"],
        "notes_per_processor_second": round(grown[-1]["notes"] / grown[-1]["processor_seconds_so_far"]),
        "peak_bytes": max(run["peak_bytes"] for run in grown),
        "seconds": {str(run["files"]): run["seconds"] for run in grown},
    }  # fmt: skip
    on_ray = [run["block_seconds"] - run["first_block_seconds"] for run in runs if run["engine"] == "ray"]
    if len(on_ray) == 2:  # once the workers are there
        figures["ray_speedup"] = round(on_ray[0] / on_ray[1], 2)
    return figures


class Preparation(Study):
    """Generates files, and builds them as one growing set and on Ray."""

    sources = ("generated",)
    quick = {"counts": [20, 40], "ray_count": 0, "workers": 1}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        # Multiples of a block, so that none is made twice.
        add("--counts", type=int, nargs="+", default=[25_600, 51_200, 102_400], metavar="N", help="files to build")
        add(
            "--ray-count", type=int, default=10_240, metavar="N", help="files to build on Ray, by one worker and by two"
        )

    def run(self, context: Context) -> Figures:
        options, work = context.options, context.work / "generated"
        if work.exists():
            raise DataError(f"{work}: is there already; remove it")
        try:
            generate(work, max(*options.counts, options.ray_count), options.workers)
            runs: list[dict[str, Any]] = []
            on_ray = measure_ray(work, options.ray_count) if options.ray_count else ()
            for run in chain(measure_growth(work, options.counts, options.workers), on_ray):
                runs.append(run)
                context.report(json.dumps(run))
                context.save(figures_of(runs) | {"runs": runs})
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return figures_of(runs) | {"runs": runs}


STUDY = Preparation()
