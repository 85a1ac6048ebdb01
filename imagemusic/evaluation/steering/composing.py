"""Compose and measure many pieces, with a cache on disk, so that a run that was killed resumes.

ComposeJob ──> in pieces.jsonl? ──yes──> Measured
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

COMPOSING = 4  # cache version; raise it whenever the same request composes to another piece
CHUNK = 48  # pieces that a worker composes in one batch

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ComposeJob:
    """A piece to compose."""

    reading: ImageFeatures
    options: ComposeOptions
    masked: bool = True  # False: without constraints on instruments, repetition and silence

    def key(self, checkpoint_id: str) -> str:
        """Return the cache key, a hash of everything that the piece depends on."""
        image = self.reading
        settings = json.dumps(
            [COMPOSING, checkpoint_id, image.hash, self.options.to_json(), self.masked], sort_keys=True
        )
        numbers = image.embedding.tobytes() + image.dial_mean.tobytes() + image.dial_sd.tobytes()
        return hashlib.sha256(settings.encode() + numbers).hexdigest()[:20]


class Composer:
    """Composes and measures pieces, with a cache in the file `memory`; a context manager that ends its workers."""

    def __init__(self, model: ImageMusic, memory: Path, *, workers: int = 1, report: Report | None = None) -> None:
        self.model, self.memory, self.workers = model, memory, workers
        self.report = report or (lambda message: None)
        self._known = dict(_remembered(memory))
        self._pool: ProcessPoolExecutor | None = None

    def measure(self, jobs: Sequence[ComposeJob], what: str) -> list[Measured]:
        """Return the measurements of each job's piece, in order; `what` names the jobs in progress messages."""
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
    """Yield the cached measurements by key; a line cut short by a kill is skipped."""
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
    """Yield the scores of the jobs in order; masked and unmasked jobs are composed as one batch each."""
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
