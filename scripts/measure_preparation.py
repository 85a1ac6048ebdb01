"""How long `imagemusic data build` takes for many files, how much memory, and what a second Ray worker brings.

    python scripts/measure_preparation.py --work FOLDER --result docs/results/preparation.json

Files are generated below --work, which needs about 10 kB for each, and removed again: variations of a hundred tunes,
transposed, their bars in another order, by ten files an artist with a cover of their own; one in a thousand is damaged.
Every count is built from nothing, on two processes unless told otherwise.
"""

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemusic.data.manifest import Manifest
from imagemusic.data.statistics import measure_set
from imagemusic.music.midi import midi_bytes
from imagemusic.music.score import ONSET, PITCH, Meter, Score, Tempo, Track
from imagemusic.training.results import write_result

TUNES, BARS, BAR_TICKS = 100, 24, 96
FILES_AN_ARTIST = 10
DAMAGED_EVERY = 1000
SAMPLED_EVERY_SECONDS = 0.5


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


def vary(number: int) -> bytes:
    """Write variation `number` of its tune: another key, tempo and order of bars."""
    rng = np.random.default_rng(number)
    shift, places = int(rng.integers(-6, 7)), rng.permutation(BARS)
    tracks = []
    for part, notes in enumerate(base_tracks(number % TUNES)):
        moved = notes.copy()
        moved[:, ONSET] = places[notes[:, ONSET] // BAR_TICKS] * BAR_TICKS + notes[:, ONSET] % BAR_TICKS
        if part < 2:
            moved[:, PITCH] += shift
        tracks.append(Track(moved[np.argsort(moved[:, ONSET], kind="stable")], (73, 0, 0)[part], part == 2))
    return midi_bytes(Score(tracks, [Tempo(0, float(rng.integers(60, 180)))], [Meter(0, 4, 4)]))


def write_files(midi: Path, dataset: Path, start: int, count: int) -> list[str]:
    """Write some files and covers; return their lines of the journal."""
    lines = []
    for number in range(start, start + count):
        artist = number // FILES_AN_ARTIST
        key = f"{artist % 1000:03d}/Artist {artist}/Piece {number}.mid"
        path = midi / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"MThd, and no more" if number % DAMAGED_EVERY == 999 else vary(number))
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


def first_of(work: Path, count: int) -> Path:
    """Make a data set of the first `count` files, its covers those of all."""
    dataset = work / f"first-{count}"
    dataset.mkdir()
    (dataset / "covers").symlink_to(work / "all" / "covers")
    header = {"format": "imagemusic dataset", "version": 1, "source": "folder", "terms": "own"}
    (dataset / "dataset.json").write_text(json.dumps(header | {"midi_dir": str(work / "midi")}))
    with open(work / "all" / "journal.jsonl") as lines, open(dataset / "journal.jsonl", "w") as journal:
        journal.writelines(line for _, line in zip(range(count), lines, strict=False))
    return dataset


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
    """Build a data set in a process of its own and remove what was built; return seconds, notes and memory."""
    command = [sys.executable, "-m", "imagemusic", "data", "build", str(dataset), "--engine", engine]
    started, peak = time.monotonic(), Peak()
    with subprocess.Popen([*command, "--workers", str(workers)], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak.look(process.pid)
            time.sleep(SAMPLED_EVERY_SECONDS)
    if process.returncode:
        raise SystemExit(f"measure_preparation: error: building {dataset.name} ended with {process.returncode}")
    seconds = time.monotonic() - started
    found = measure_set(Manifest.open(dataset))
    shutil.rmtree(dataset / "notes")
    (dataset / "manifest.parquet").unlink()
    return {
        "engine": engine, "workers": workers, "files": found.rows, "damaged": found.counts["status"]["corrupt"],
        "notes": found.notes, "seconds": round(seconds, 1), "notes_per_second": round(found.notes / seconds),
        "files_per_second": round(found.rows / seconds, 1), "peak_bytes": peak.total, "peak_bytes_parent": peak.parent,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for generated files; removed at the end")
    parser.add_argument("--counts", type=int, nargs="+", default=[25_000, 50_000, 100_000], help="files to build")
    parser.add_argument("--ray-count", type=int, default=10_000, help="files to build on Ray, by one worker and by two")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--result", type=Path, help="write the figures there as JSON")
    arguments = parser.parse_args()
    work = arguments.work / "preparation"
    if work.exists():
        print(f"measure_preparation: error: {work}: is there already; remove it", file=sys.stderr)
        return 1
    try:
        generate(work, max(*arguments.counts, arguments.ray_count), arguments.workers)
        runs = []
        jobs = [(count, "processes", arguments.workers) for count in arguments.counts]
        jobs += [(arguments.ray_count, "ray", workers) for workers in (1, 2)] if arguments.ray_count else []
        for count, engine, workers in jobs:
            dataset = work / f"first-{count}"
            runs.append(measure(dataset if dataset.exists() else first_of(work, count), engine, workers))
            print(json.dumps(runs[-1]), flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    largest = max((run for run in runs if run["engine"] == "processes"), key=lambda run: run["files"])
    figures: dict[str, Any] = {
        "notes_per_second": largest["notes_per_second"], "peak_bytes": largest["peak_bytes"],
        "seconds": {str(run["files"]): run["seconds"] for run in runs if run["engine"] == "processes"},
    }  # fmt: skip
    on_ray = {run["workers"]: run["seconds"] for run in runs if run["engine"] == "ray"}
    if on_ray:
        figures["ray_speedup"] = round(on_ray[1] / on_ray[2], 2)
    if arguments.result:
        write_result(arguments.result, figures | {"runs": runs}, data=["generated"])
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
