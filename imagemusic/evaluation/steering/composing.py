"""Many pieces composed and measured, each once: what was measured is kept in a file, so a killed run goes on.

Job ──> known in pieces.jsonl? ──yes──> Measured
               └─no─> compose, here or in worker processes ──> Measured, appended to the file
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from imagemusic.compose.feedback import FeedbackOptions
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.session import Session, Switches
from imagemusic.evaluation.steering.measures import Measured, measured
from imagemusic.generation.generate import generate
from imagemusic.music.score import Score
from imagemusic.vision.features import ImageFeatures

COMPOSING = 4  # raise it whenever the same wishes come to be other pieces: what was measured of the old ones is stale
CHUNK = 48  # pieces that a worker takes at a time, written side by side

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ComposeJob:
    """A piece to compose."""

    reading: ImageFeatures
    options: ComposeOptions
    masked: bool = True  # as shipped; False: nothing says who may play, nothing holds repetition or silence back

    def key(self, checkpoint_id: str) -> str:
        """Name what the piece depends on."""
        seen = self.reading
        told = json.dumps([COMPOSING, checkpoint_id, seen.hash, self.options.to_json(), self.masked], sort_keys=True)
        numbers = seen.embedding.tobytes() + seen.dial_mean.tobytes() + seen.dial_sd.tobytes()
        return hashlib.sha256(told.encode() + numbers).hexdigest()[:20]


class Composer:
    """Composes and measures, and remembers."""

    def __init__(self, model: ImageMusic, memory: Path, *, workers: int = 1, report: Report | None = None) -> None:
        self.model, self.memory, self.workers = model, memory, workers
        self.report = report or (lambda message: None)
        self._known = dict(_remembered(memory))
        self._pool: ProcessPoolExecutor | None = None

    def measure(self, jobs: Sequence[ComposeJob], what: str) -> list[Measured]:
        """Compose and measure each job; those that were composed before are only looked up."""
        keys = [job.key(self.model.checkpoint.id) for job in jobs]
        fresh = {key: job for key, job in zip(keys, jobs, strict=True) if key not in self._known}
        done = 0
        with self.memory.open("a", encoding="utf-8") as file:
            for key, found in self._composed(fresh):
                self._known[key] = found
                file.write(json.dumps({"key": key} | found.to_json()) + "\n")
                file.flush()
                done += 1
                if done % CHUNK == 0 or done == len(fresh):
                    self.report(f"{what}: {done} of {len(fresh)} pieces")
        return [self._known[key] for key in keys]

    def _composed(self, fresh: dict[str, ComposeJob]) -> Iterator[tuple[str, Measured]]:
        items = list(fresh.items())
        chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
        groups = [[job for _, job in chunk] for chunk in chunks]
        if self.workers > 1 and len(chunks) > 1 and self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=get_context("spawn"), initializer=_open,
                initargs=(self.model.checkpoint.folder,),
            )  # fmt: skip
        found = self._pool.map(_measure_there, groups) if self._pool else (_measure(self.model, g) for g in groups)
        for chunk, pieces in zip(chunks, found, strict=True):
            yield from zip([key for key, _ in chunk], pieces, strict=True)

    def __enter__(self) -> "Composer":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _remembered(memory: Path) -> Iterator[tuple[str, Measured]]:
    """Read the pieces measured before; a line cut short by a kill is passed over."""
    if not memory.exists():
        return
    for line in memory.read_text(encoding="utf-8").splitlines():
        try:
            table = json.loads(line)
            yield table["key"], Measured.from_json(table)
        except (ValueError, KeyError, TypeError):
            continue


_worker: list[ImageMusic] = []


def _open(folder: Path) -> None:
    _worker.append(ImageMusic.from_pretrained(folder))


def _measure_there(jobs: list[ComposeJob]) -> list[Measured]:
    return _measure(_worker[0], jobs)


def _measure(model: ImageMusic, jobs: Sequence[ComposeJob]) -> list[Measured]:
    return [measured(score, model.checkpoint.scale) for score in compose_jobs(model, jobs)]


def compose_jobs(model: ImageMusic, jobs: Sequence[ComposeJob]) -> Iterator[Score]:
    """Compose the jobs, those of each kind side by side, and give them in order."""
    pieces = model.compose_batch([(job.reading, job.options) for job in jobs if job.masked])
    masked = iter([piece.score for piece in pieces])
    unmasked = iter(compose_unmasked(model, [job for job in jobs if not job.masked]))
    for job in jobs:
        yield next(masked if job.masked else unmasked)


def compose_unmasked(
    model: ImageMusic, jobs: Sequence[ComposeJob], *, feedback: FeedbackOptions | None = None
) -> list[Score]:
    """Compose with the codec's own rules alone: any instruments, any silence, any repetition."""
    switches = Switches(instrumentation=False, silence=False, repetition_penalty=False)
    sessions = [Session(model, job.reading, job.options, switches=switches, feedback=feedback) for job in jobs]
    generate(model.stepper, [session.request for session in sessions])
    return [session.score() for session in sessions]
