"""Kit for a blind listening test (two-alternative forced choice): a piece, the picture it was made from, and another.

    pictures ──► trials: the right picture, another one ──► pieces, composed and rendered
                                                            ├─ KIT/          page, sounds, pictures: for listeners
                                                            └─ KIT-key.json  the answers: for the experimenter

The kit does not reveal the answers: file names are hashes with a secret that is in the key only, order and sides are
drawn from that secret, all files have the same date, and pictures are written without metadata.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import ConfigError, DataError, OutputError
from imagemusic.evaluation.listening.page import page_html, readme
from imagemusic.executors import Progress
from imagemusic.files import replace_folder, write_atomically
from imagemusic.version import __version__
from imagemusic.vision.image import load_image, picture_hash

KEY_FORMAT, VERSION = "imagemusic listening key", 1
TRIALS = (1, 200)
SOUNDS = ("mp3", "ogg")
SIDES = ("left", "right")
PICTURE_PIXELS = 640


@dataclass(frozen=True, slots=True, kw_only=True)
class KitOptions:
    """Contents of a kit.

    Raises:
        ConfigError: a value is out of range.
    """

    trials: int = 24
    seconds: float = 20.0  # length of a piece
    seed: int = 0  # decides the pieces and the pairs of pictures
    format: str = "mp3"

    def __post_init__(self) -> None:
        if not TRIALS[0] <= self.trials <= TRIALS[1]:
            raise ConfigError(f"trials must be in {TRIALS[0]}..{TRIALS[1]}, got {self.trials}")
        if self.format not in SOUNDS:
            raise ConfigError(f"unknown sound format {self.format!r}; choose from {', '.join(SOUNDS)}")
        ComposeOptions(seconds=self.seconds, seed=self.seed)  # checks both


@dataclass(frozen=True, slots=True)
class Trial:
    """One question: indices of the pictures, and the variation of the piece for the right one."""

    right: int
    other: int
    variation: int


def plan_trials(pictures: int, trials: int, rng: np.random.Generator) -> list[Trial]:
    """Return `trials` random pairs of `pictures` indices, in rounds in each of which a picture appears at most once.

    Which of a pair is right is random, so that no answer follows from another.  Each round has its own variation.
    """
    planned: list[Trial] = []
    variation = 0
    while len(planned) < trials:
        variation += 1
        order = rng.permutation(pictures).tolist()
        pairs = zip(order[::2], order[1::2], strict=False)  # of an odd number, one is left out
        planned += [Trial(right, other, variation) for right, other in pairs]
    return planned[:trials]


def key_path(out: Path) -> Path:
    """Return the path of a kit's key, beside the kit's folder."""
    out = out.resolve()
    return out.with_name(f"{out.name}-key.json")


def make_kit(
    model: ImageMusic,
    pictures: Sequence[Path],
    out: Path,
    options: KitOptions,
    *,
    progress: Progress = lambda done, message: None,
    secret: bytes | None = None,
) -> Path:
    """Write a kit and its key, both or neither, and return the key's path.

    Args:
        pictures: files with the same pixels count once.
        progress: receives progress.
        secret: bytes that names, order and sides depend on; random by default.

    Raises:
        DataError: fewer than two different pictures.
        ImageError: a picture cannot be read.
        OutputError: `out` or its key exists already, or cannot be written.
    """
    key = key_path(out)
    for path in (out, key):
        if path.exists():
            raise OutputError(f"{path}: exists already; a kit and its key are never written over, choose another name")
    different = list({picture_hash(path): path for path in pictures}.items())
    if len(different) < 2:
        raise DataError(f"a listening kit needs two different pictures or more, got {len(different)}")
    secret = secret or secrets.token_bytes(16)
    trials = plan_trials(len(different), options.trials, np.random.default_rng(options.seed))
    hidden = np.random.default_rng(list(secret))
    try:
        with replace_folder(out) as partial:
            (partial / "pictures").mkdir()
            (partial / "sounds").mkdir()
            rows: list[dict[str, Any]] = []
            for number, trial in enumerate(trials):
                progress(number / len(trials), f"trial {number + 1} of {len(trials)}")
                side = SIDES[hidden.integers(2)]
                rows.append(_write_trial(model, different, trial, side, partial, options, _namer(secret, number)))
            order = hidden.permutation(len(rows)).tolist()
            kit = _name(secret, "kit")
            _write_page(partial, kit, [rows[index] for index in order], options)
            _same_date(partial)
            table = {
                "format": KEY_FORMAT, "version": VERSION, "kit": kit, "secret": secret.hex(),
                "options": asdict(options), "imagemusic": __version__, "checkpoint_id": model.checkpoint.id,
                "engine": model.stepper.backend.name, "trials": [rows[index] for index in order],
            }  # fmt: skip
            write_atomically(key, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    except BaseException:
        key.unlink(missing_ok=True)  # of no use without its kit
        raise
    return key


def _write_trial(
    model: ImageMusic,
    pictures: Sequence[tuple[str, Path]],
    trial: Trial,
    side: str,
    folder: Path,
    options: KitOptions,
    name: Callable[[str], str],
) -> dict[str, Any]:
    """Compose, render and write the files of one trial; return its row of the key."""
    compose = ComposeOptions(seconds=options.seconds, seed=options.seed, variation=trial.variation)
    piece = model.compose(pictures[trial.right][1], compose)
    sound = f"sounds/{name('sound')}.{options.format}"
    piece.render().save(folder / sound)
    row: dict[str, Any] = {"trial": name("trial"), "correct": side, "sound": sound, "variation": trial.variation}
    for place in SIDES:
        found, path = pictures[trial.right if place == side else trial.other]
        shown = f"pictures/{name(place)}.jpg"
        image = load_image(path, at_least=PICTURE_PIXELS)
        image.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
        image.info.clear()  # else Pillow writes a JPEG's comment again
        image.save(folder / shown, "JPEG", quality=88)
        row[place] = {"file": shown, "picture": path.name, "hash": found}
    return row


def _write_page(folder: Path, kit: str, rows: Sequence[dict[str, Any]], options: KitOptions) -> None:
    trials = [
        {"trial": row["trial"], "sound": row["sound"], **{side: row[side]["file"] for side in SIDES}} for row in rows
    ]
    (folder / "index.html").write_text(page_html(kit, trials), encoding="utf-8")
    (folder / "README.md").write_text(readme(len(rows), options.seconds), encoding="utf-8")


def _name(secret: bytes, *what: object) -> str:
    return hashlib.sha256(secret + repr(what).encode()).hexdigest()[:16]


def _namer(secret: bytes, number: int) -> Callable[[str], str]:
    return lambda what: _name(secret, number, what)


def _same_date(folder: Path) -> None:
    """Set one date for all files: the order in which they were written would reveal the answers."""
    date = (folder / "index.html").stat().st_mtime
    for path in folder.rglob("*"):
        os.utime(path, (date, date))
