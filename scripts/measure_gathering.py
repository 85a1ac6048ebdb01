"""How fast is gathering, and does it lose or double anything when it is killed?

    PYTHONPATH=. python scripts/measure_gathering.py

A server on this machine stands in for Spotify and MusicBrainz, in a process of its own.  A run is killed (SIGKILL) at
random points and begun again until it is through; the journal must be that of an undisturbed run, to the byte, and
nothing may be asked again for a file that was done.
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
from pathlib import Path
from typing import Any

from imagemusic.commands.cli import main as imagemusic
from imagemusic.data.gather.journal import JOURNAL, read_rows
from imagemusic.reports.results import write_result
from tests.songs import midi_of, song_of

SEED = 20261121
PACED_FILES = 8  # at one a second
LONGEST_WAIT_SECONDS = 0.004  # from a row to a kill: about as long as a lookup takes at best
MATCH = ("--source", "spotify", "--accept-spotify-terms")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=300, help="to look up for the speed (default 300)")
    parser.add_argument("--kills", type=int, default=20, help="default 20")
    parser.add_argument("--killed-files", type=int, default=120, help="of the set that is killed (default 120)")
    parser.add_argument("--paced-files", type=int, default=PACED_FILES, help=f"default {PACED_FILES}")
    parser.add_argument("--out", type=Path, default=Path("docs/results/gathering.json"))
    settings = parser.parse_args()

    # On a machine that does other work too, `chrt -f 10` gives the figures of an idle one.
    figures: dict[str, Any] = {"scheduler": "normal" if os.sched_getscheduler(0) == os.SCHED_OTHER else "real time"}
    with tempfile.TemporaryDirectory() as place, serving(max(settings.files, settings.killed_files)) as server:
        work = Path(place)
        figures |= measure_kills(work, server, settings.killed_files, settings.kills)
        if settings.files:
            figures |= measure_speed(work, server, settings.files)
        if settings.paced_files:
            figures |= measure_pace(work, server, settings.paced_files)
    write_result(settings.out, figures, data=["songs made up by tests/servers.py"], seed=SEED)
    print(json.dumps(figures, indent=1))
    return 0


@contextlib.contextmanager
def serving(songs: int) -> Iterator[str]:
    """Start the server in a process of its own; yield its address."""
    command = [sys.executable, "-m", "tests.servers", str(songs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        os.environ |= dict.fromkeys(
            (f"IMAGEMUSIC_{name}_URL" for name in ("SPOTIFY_API", "SPOTIFY_ACCOUNTS", "MUSICBRAINZ", "COVERART")), url
        )
        os.environ |= {"SPOTIPY_CLIENT_ID": "id", "SPOTIPY_CLIENT_SECRET": "secret", "no_proxy": "127.0.0.1"}
        try:
            yield url
        finally:
            process.kill()


def save_midi(folder: Path, count: int) -> Path:
    """Write MIDI files for the first songs of the server."""
    for number in range(count):
        path = folder / song_of(number).key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(midi_of(200.0))
    return folder


def asked(server: str) -> list[tuple[float, str, dict[str, str]]]:
    """Return everything the server was asked so far."""
    with urllib.request.urlopen(f"{server}/_asked") as answer:
        return json.load(answer)


def match(midi: Path, out: Path, *more: str) -> float:
    """Gather in this process without a word; return the seconds it took."""
    started = time.perf_counter()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        status = imagemusic(["data", "match", str(midi), "--out", str(out), *more])
    assert status == 0, f"{out}: exit status {status}"
    return time.perf_counter() - started


def measure_kills(work: Path, server: str, files: int, kills: int) -> dict[str, Any]:
    """Kill a run at random points; count what is lost or doubled against an undisturbed one."""
    midi = save_midi(work / "killed midi", files)
    match(midi, work / "undisturbed", *MATCH)
    points = random.Random(SEED)
    out = work / "killed"
    asked_again = 0
    for written in sorted(points.sample(range(files - 1), kills)):
        finished = searches_of(out)
        before = len(asked(server))
        run_and_kill(midi, out, written, points.uniform(0, LONGEST_WAIT_SECONDS))
        asked_again += sum(fields.get("q") in finished for _, _, fields in asked(server)[before:])
    match(midi, out, *MATCH)

    wanted = {row["key"]: row for row in read_rows(work / "undisturbed")}
    lines = (out / JOURNAL).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    found = {row["key"]: row for row in rows}
    covers = {path.name for path in (out / "covers").rglob("*") if path.is_file()}
    return {
        "kills": kills,
        "files": files,
        "lost": sum(found.get(key) != row for key, row in wanted.items()),
        "doubled": len(rows) - len(found) + asked_again,
        "same_bytes": (out / JOURNAL).read_bytes() == (work / "undisturbed" / JOURNAL).read_bytes(),
        "covers_left_over": len(covers ^ {Path(row["cover"]).name for row in wanted.values() if row["cover"]}),
    }


def searches_of(out: Path) -> set[str]:
    """List the questions for files that are done."""
    rows = read_rows(out) if out.exists() else ()
    return {f'track:"{row["title"]}" artist:"{row["artist"]}"' for row in rows}


def run_and_kill(midi: Path, out: Path, rows: int, seconds: float) -> None:
    """Gather in a fork of this process and kill it some time after so many rows are written."""
    child = os.fork()
    if not child:
        try:
            match(midi, out, *MATCH)
        finally:
            os._exit(0)
    journal = out / JOURNAL
    while not journal.exists() or journal.read_bytes().count(b"\n") < rows:
        time.sleep(0.0005)
    time.sleep(seconds)
    assert os.waitpid(child, os.WNOHANG)[0] == 0, f"the run was over before it could be killed at row {rows}"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def measure_speed(work: Path, server: str, files: int) -> dict[str, Any]:
    """Look up files one at a time, every one with a cover of its own."""
    midi = save_midi(work / "midi", files)
    match(midi, work / "warm", *MATCH)
    seconds = match(midi, work / "timed", *MATCH)
    return {"lookups": files, "lookups_per_second": round(files / seconds, 1)}


def measure_pace(work: Path, server: str, files: int) -> dict[str, Any]:
    """Ask MusicBrainz's stand-in under MusicBrainz's rule."""
    midi = save_midi(work / "paced midi", files)
    before = len(asked(server))
    match(midi, work / "paced", "--contact", "nobody@example.org")
    times = [when for when, path, _ in asked(server)[before:] if path.startswith("/ws/2/")]
    rate = (len(times) - 1) / (times[-1] - times[0])
    return {"musicbrainz_lookups": len(times), "musicbrainz_per_second": round(rate, 3)}


if __name__ == "__main__":
    sys.exit(main())
