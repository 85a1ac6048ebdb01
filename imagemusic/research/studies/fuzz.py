"""Give mutated MIDI files, pictures and records to the library.

    imagemusic study run fuzz --inputs 10000 --out docs/results/fuzz.json

Right is a result, or an error of ours, within 5 s.  Bytes are flipped, cut, doubled and overwritten; of JSON also
values are exchanged for ones of another type, size or sign, and keys are lost.
"""

import argparse
import copy
import io
import json
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imagemusic.audio.performance import actions, merge_tracks
from imagemusic.audio.pianoroll import draw_piano_roll
from imagemusic.audio.synthesis import check_playable
from imagemusic.compose.composition import load_record
from imagemusic.compose.options import ComposeOptions
from imagemusic.data.corpora.user_midi import read_user_midi, user_piece
from imagemusic.data.prepared import prepare_piece
from imagemusic.errors import ImageMusicError
from imagemusic.music.midi import midi_bytes, read_midi
from imagemusic.music.score import Note, Score, Tempo, Track, note_array
from imagemusic.research.study import Context, Figures, Study
from imagemusic.resources import EXAMPLES
from imagemusic.vision.image import load_pixels

LIMIT_SECONDS = 5.0
BATCH = 50  # inputs a job
MOST_MUTATIONS = 4
STRANGE: tuple[Any, ...] = (None, True, -1, 0, 2**31, 2**63, 1e308, float("nan"), "", "x", "\0", [], {}, [[]], [None])
PICTURE_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")


class Hang(BaseException):
    """An input took too long; no `except Exception` catches it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise Hang in the main thread after some seconds."""

    def stop(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with one to four changes."""
    mutated = bytearray(data)
    for _ in range(rng.integers(1, MOST_MUTATIONS + 1)):
        at = int(rng.integers(len(mutated) + 1))
        until = at + int(rng.integers(1, 20))
        match rng.integers(6):
            case 0:
                mutated[at : at + 1] = rng.bytes(1)
            case 1:
                mutated[at : at + 1] = bytes([(0, 0x7F, 0x80, 0xFF)[rng.integers(4)]])
            case 2:
                del mutated[at:until]
            case 3:
                mutated[at:at] = mutated[at:until]
            case 4:
                mutated[at:until] = rng.bytes(until - at)
            case _:
                del mutated[at + len(mutated) // 2 :]
    return bytes(mutated)


def mutate_json(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a JSON file with a strange value or without a key in one to four places; one in five by its bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(data, rng)
    table = json.loads(data)
    for _ in range(rng.integers(1, MOST_MUTATIONS + 1)):
        parent = table
        while parent:
            key = (
                list(parent)[rng.integers(len(parent))] if isinstance(parent, dict) else int(rng.integers(len(parent)))
            )
            if not isinstance(parent[key], dict | list) or not parent[key] or rng.random() < 0.2:
                if rng.random() < 0.2:
                    del parent[key]
                else:
                    parent[key] = copy.deepcopy(STRANGE[rng.integers(len(STRANGE))])
                break
            parent = parent[key]
    return json.dumps(table).encode()


def use_midi(data: bytes) -> None:
    """Read, write, draw, perform and prepare a MIDI file."""
    reading = read_midi(data, fold_pedal=True)
    midi_bytes(reading.score)
    draw_piano_roll(reading.score, width=320, height=200)
    check_playable(reading.score)
    actions(*merge_tracks(reading.score, reading.controls), 8000)
    piece = user_piece(read_user_midi(data), key="a.mid", title="a", licence="")
    if piece:
        prepare_piece(piece)


def use_record(data: bytes) -> None:
    """Load the record of a piece, and write the piece and its record again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_bytes(data)
        piece = load_record(path)
    midi_bytes(piece.score)
    json.dumps(piece.record())


def use_picture(data: bytes) -> None:
    """Read a picture as the encoder gets it."""
    load_pixels(data)


USES: dict[str, tuple[Callable[[bytes], None], Callable[[bytes, np.random.Generator], bytes]]] = {
    "midi": (use_midi, mutate_bytes),
    "picture": (use_picture, mutate_bytes),
    "record": (use_record, mutate_json),
}


def midi_seeds() -> list[bytes]:
    """Return small MIDI files that hold what the format has."""
    notes = note_array([Note(24 * i, 60 + i % 12, 24, 40 + i) for i in range(40)])
    score = Score([Track(notes, 40, name="Violin"), Track(notes, 0, True)], [Tempo(0, 90), Tempo(96, 120)])
    controls = bytes.fromhex(
        "00b04000 00b00764 00b00a20 00b06500 00b06400 00b0060c 00e00060 00c049 00f0057e7f0901f7 00ff0103616263"
    )
    played = controls + b"".join(bytes([0x60, 0x90, 60 + i, 80, 0x83, 0x10, 0x80, 60 + i, 0]) for i in range(20))
    track = played + b"\0\xb0\x7b\0\0\xff\x2f\0"
    chunk = b"MTrk" + len(track).to_bytes(4, "big") + track
    header = b"MThd\0\0\0\6\0\1\0\2"
    return [midi_bytes(score), header + b"\x01\xe0" + chunk * 2, header[:9] + b"\2\0\2\xe7\x28" + chunk * 2]


def picture_seeds() -> list[bytes]:
    """Return one picture in several formats."""
    picture = Image.linear_gradient("L").resize((64, 48)).convert("RGB")
    seeds = []
    for name in PICTURE_FORMATS:
        data = io.BytesIO()
        picture.save(data, name)
        seeds.append(data.getvalue())
    return seeds


def try_inputs(kind: str, seeds: list[bytes], numbers: tuple[int, ...]) -> dict[str, Any]:
    """Use the mutated inputs of some numbers; return counts, the errors that are not ours, and the most memory (MB)."""
    use, mutate = USES[kind]
    counts: Counter[str] = Counter()
    foreign, slowest = [], 0.0
    for number in numbers:
        rng = np.random.default_rng([number, len(kind)])
        data = mutate(seeds[number % len(seeds)], rng)
        started = time.perf_counter()
        try:
            with warnings.catch_warnings(), time_limit(LIMIT_SECONDS):
                warnings.simplefilter("ignore")
                use(data)
            counts["used"] += 1
        except ImageMusicError:
            counts["refused"] += 1
        except Hang:
            counts["hangs"] += 1
            foreign.append(f"{number}: more than {LIMIT_SECONDS:g} s")
        except Exception as error:  # what this study looks for
            counts["foreign"] += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            foreign.append(f"{number}: {type(error).__name__} in {Path(place.filename).name}:{place.lineno}")
        slowest = max(slowest, time.perf_counter() - started)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"kind": kind, "counts": counts, "foreign": foreign, "slowest_s": slowest, "memory_mb": memory}


def _try(seeds: dict[str, list[bytes]], job: tuple[str, tuple[int, ...]]) -> dict[str, Any]:
    kind, numbers = job
    return try_inputs(kind, seeds[kind], numbers)


class Fuzz(Study):
    """Uses mutated inputs of each kind."""

    sources = ("files made by the study", "a record of the bundled model")
    variants = tuple(USES)
    quick = {"inputs": 60}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--inputs", type=int, default=10_000, metavar="N", help="of all kinds (%(default)s)")

    def run(self, context: Context) -> Figures:
        kinds = context.options.only
        seeds = {"midi": midi_seeds(), "picture": picture_seeds()}
        if "record" in kinds:
            piece = context.model.compose(EXAMPLES / "meadow.jpg", ComposeOptions(seconds=8, seed=context.options.seed))
            seeds["record"] = [json.dumps(piece.record()).encode()]
        each = -(-context.options.inputs // len(kinds))
        first = 10**6 * context.options.seed
        jobs = [
            (kind, tuple(range(first + start, first + min(start + BATCH, each))))
            for kind in kinds
            for start in range(0, each, BATCH)
        ]
        done = context.map(partial(_try, seeds), jobs)
        figures = {}
        for kind in kinds:
            own = [result for result in done if result["kind"] == kind]
            counts: Counter[str] = sum((result["counts"] for result in own), Counter())
            foreign = [line for result in own for line in result["foreign"]]
            for line in foreign:
                context.report(f"{kind} {line}")
            figures[kind] = {
                "inputs": counts.total(),
                "used": counts["used"],
                "refused": counts["refused"],
                "foreign": counts["foreign"],
                "hangs": counts["hangs"],
                "slowest_s": round(max(result["slowest_s"] for result in own), 2),
                "memory_mb": max(result["memory_mb"] for result in own),
            }
        return {"kinds": figures}

    def passed(self, figures: Figures) -> bool:
        return all(kind["foreign"] == kind["hangs"] == 0 for kind in figures["kinds"].values())


STUDY = Fuzz()
