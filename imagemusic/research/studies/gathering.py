"""Measure how fast covers are looked up, and whether a kill loses or doubles anything.

    imagemusic study run gathering --out docs/results/gathering.json

A server on this machine, tests/servers.py of the repository, stands in for Spotify and MusicBrainz.  A run is killed
(SIGKILL) at random points and begun again until it is done; the journal must be that of an undisturbed run, to the
byte, and no file that was done may be looked up again.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from imagemusic.data.gather.catalogues import SourceOptions, make_source
from imagemusic.data.gather.cover_store import remove_unfinished
from imagemusic.data.gather.gather import GatherOptions, Lookup, find_midi, gather, read_statuses
from imagemusic.data.gather.journal import JOURNAL, Header, Journal, begin, read_rows
from imagemusic.errors import DependencyError
from imagemusic.research.study import Context, Figures, Study

LONGEST_WAIT_SECONDS = 0.004  # from a row to a kill: about as long as a lookup takes at best


class Gathering(Study):
    """Kills runs, then measures lookups a second on Spotify's stand-in and the pace on MusicBrainz's."""

    sources = ("songs made up by tests/servers.py",)
    seed = 20261121
    quick = {"kills": 2, "killed_files": 12, "files": 12, "paced_files": 3}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--files", type=int, default=300, metavar="N", help="to look up for the speed (%(default)s)")
        add("--kills", type=int, default=20, metavar="N", help="(%(default)s)")
        add("--killed-files", type=int, default=120, metavar="N", help="of the set that is killed (%(default)s)")
        add("--paced-files", type=int, default=8, metavar="N", help="at one a second (%(default)s)")

    def run(self, context: Context) -> Figures:
        options = context.options
        songs = stand_in_songs()
        # On a machine that does other work too, `chrt -f 10` gives the figures of an idle one.
        idle = os.sched_getscheduler(0) != os.SCHED_OTHER
        figures: Figures = {"scheduler": "real time" if idle else "normal"}
        with tempfile.TemporaryDirectory() as place, serving(max(options.files, options.killed_files)) as server:
            work = Path(place)
            midi = write_midi(work / "killed midi", songs, options.killed_files)
            figures |= measure_kills(work, midi, server, options.kills, options.seed)
            if options.files:
                figures |= measure_speed(work, write_midi(work / "midi", songs, options.files))
            if options.paced_files:
                figures |= measure_pace(work, write_midi(work / "paced midi", songs, options.paced_files), server)
        return figures

    def passed(self, figures: Figures) -> bool:
        return figures["same_bytes"] and not figures["lost"] + figures["doubled"] + figures["covers_left_over"]


def stand_in_songs() -> Any:
    """Import the songs that the server knows.

    Raises:
        DependencyError: this is no checkout of the repository.
    """
    try:
        return import_module("tests.songs")
    except ModuleNotFoundError as error:
        raise DependencyError(
            "gathering runs in a checkout alone: it needs tests/servers.py, tests/songs.py"
        ) from error


@contextlib.contextmanager
def serving(songs: int) -> Iterator[str]:
    """Start the server in a process of its own; yield its address."""
    command = [sys.executable, "-m", "tests.servers", str(songs)]
    before = dict(os.environ)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        names = ("SPOTIFY_API", "SPOTIFY_ACCOUNTS", "MUSICBRAINZ", "COVERART")
        os.environ |= {f"IMAGEMUSIC_{name}_URL": url for name in names}
        os.environ |= {"SPOTIPY_CLIENT_ID": "id", "SPOTIPY_CLIENT_SECRET": "secret", "no_proxy": "127.0.0.1"}
        try:
            yield url
        finally:
            process.kill()
            os.environ.clear()
            os.environ.update(before)


def write_midi(folder: Path, songs: Any, count: int) -> Path:
    """Write MIDI files for the first songs of the server; return the folder."""
    for number in range(count):
        path = folder / songs.song_of(number).key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(songs.midi_of(200.0))
    return folder


def requests_to(server: str) -> list[tuple[float, str, dict[str, str]]]:
    """Return the time, path and fields of every request to the server so far."""
    with urllib.request.urlopen(f"{server}/_asked") as answer:
        return json.load(answer)


def look_up(midi: Path, out: Path, source_name: str = "spotify") -> float:
    """Look up all files in this process, as `imagemusic data match` does; return the seconds it took."""
    started = time.perf_counter()
    about = SourceOptions(midi_dir=midi, accept_spotify_terms=True, contact="me@example.org")
    source, options = make_source(source_name, about, lambda line: None), GatherOptions()
    begin(out, Header(source=source.name, terms=source.terms, midi_dir=str(midi), size=options.size))
    with Journal(out) as journal:
        remove_unfinished(out)
        lookup = Lookup(midi, out, source, options.size)
        for _ in gather(find_midi(midi), read_statuses(out, lookup), journal, lookup, options):
            pass
    return time.perf_counter() - started


def measure_kills(work: Path, midi: Path, server: str, kills: int, seed: int) -> dict[str, Any]:
    """Kill a run at random points; count what is lost or doubled against an undisturbed one."""
    look_up(midi, work / "undisturbed")
    points = random.Random(seed)
    files, out = len(find_midi(midi)), work / "killed"
    repeated = 0
    for written in sorted(points.sample(range(files - 1), kills)):
        finished = searches_of(out)
        before = len(requests_to(server))
        run_and_kill(midi, out, written, points.uniform(0, LONGEST_WAIT_SECONDS))
        repeated += sum(fields.get("q") in finished for _, _, fields in requests_to(server)[before:])
    look_up(midi, out)

    expected = {row["key"]: row for row in read_rows(work / "undisturbed")}
    rows = [json.loads(line) for line in (out / JOURNAL).read_text().splitlines()]
    found = {row["key"]: row for row in rows}
    covers = {path.name for path in (out / "covers").rglob("*") if path.is_file()}
    return {
        "kills": kills,
        "files": files,
        "lost": sum(found.get(key) != row for key, row in expected.items()),
        "doubled": len(rows) - len(found) + repeated,
        "same_bytes": (out / JOURNAL).read_bytes() == (work / "undisturbed" / JOURNAL).read_bytes(),
        "covers_left_over": len(covers ^ {Path(row["cover"]).name for row in expected.values() if row["cover"]}),
    }


def searches_of(out: Path) -> set[str]:
    """List the searches for files that are done."""
    rows = read_rows(out) if out.exists() else ()
    return {f'track:"{row["title"]}" artist:"{row["artist"]}"' for row in rows}


def run_and_kill(midi: Path, out: Path, rows: int, seconds: float) -> None:
    """Look up in a fork of this process, and kill it some time after so many rows are written."""
    child = os.fork()
    if not child:
        try:
            look_up(midi, out)
        finally:
            os._exit(0)
    journal = out / JOURNAL
    while not journal.exists() or journal.read_bytes().count(b"\n") < rows:
        time.sleep(0.0005)
    time.sleep(seconds)
    assert os.waitpid(child, os.WNOHANG)[0] == 0, f"the run was over before it could be killed at row {rows}"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def measure_speed(work: Path, midi: Path) -> dict[str, Any]:
    """Look up files one at a time, every one with a cover of its own; the first run is not counted."""
    look_up(midi, work / "warm")
    seconds = look_up(midi, work / "timed")
    files = len(find_midi(midi))
    return {"lookups": files, "lookups_per_second": round(files / seconds, 1)}


def measure_pace(work: Path, midi: Path, server: str) -> dict[str, Any]:
    """Measure requests a second to MusicBrainz's stand-in, which must not pass one."""
    before = len(requests_to(server))
    look_up(midi, work / "paced", "musicbrainz")
    times = [when for when, path, _ in requests_to(server)[before:] if path.startswith("/ws/2/")]
    rate = (len(times) - 1) / (times[-1] - times[0])
    return {"musicbrainz_lookups": len(times), "musicbrainz_per_second": round(rate, 3)}


STUDY = Gathering()
