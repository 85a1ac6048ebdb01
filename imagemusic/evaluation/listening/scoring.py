"""Score listeners' answers against the key: shares of right answers, with intervals."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DataError
from imagemusic.evaluation.listening.kit import KEY_FORMAT, SIDES, VERSION
from imagemusic.evaluation.listening.page import ANSWERS_FORMAT

CONFIDENCE = 0.95
LEAST_LISTENERS = 5  # for an interval over listeners
RESAMPLES = 10_000  # of the bootstrap over listeners
CAVEAT = (
    "The interval over all answers assumes that they are independent. They are not: a listener's answers are alike, "
    "and all hear the same pieces; it is too narrow."
)

Answers = dict[str, dict[str, str]]  # listener -> trial -> side


@dataclass(frozen=True, slots=True)
class Tally:
    """Number of right answers and of all answers."""

    right: int
    answered: int

    @property
    def share(self) -> float:
        """Share of right answers; chance is 0.5."""
        return self.right / self.answered

    @property
    def interval(self) -> tuple[float, float]:
        """Exact binomial 95 % interval of the share."""
        return binomial_interval(self.right, self.answered)


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a listening test."""

    listeners: Mapping[str, Tally]
    overall: Tally
    trials: int  # questions of the kit
    over_listeners: tuple[float, float] | None  # 95 % interval of the mean share; None with too few listeners

    def to_json(self) -> dict[str, Any]:
        """Return all figures as plain values."""

        def plain(tally: Tally) -> dict[str, Any]:
            values = {"right": tally.right, "answered": tally.answered, "share": tally.share}
            return values | {"interval": list(tally.interval)}

        return {
            "listeners": {name: plain(tally) for name, tally in self.listeners.items()},
            "overall": plain(self.overall),
            "trials": self.trials,
            "over_listeners": list(self.over_listeners) if self.over_listeners else None,
            "confidence": CONFIDENCE,
            "caveat": CAVEAT,
        }


def binomial_interval(right: int, answered: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the exact interval of a binomial share; Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404."""
    tail = (1 - confidence) / 2
    counts = np.arange(answered + 1)
    factorials = np.cumsum(np.log(np.maximum(counts, 1)))
    log_coefficients = factorials[-1] - factorials - factorials[::-1]

    def probabilities(share: float) -> NDArray[np.float64]:
        return np.exp(log_coefficients + counts * math.log(share) + (answered - counts) * math.log1p(-share))

    low = 0.0 if right == 0 else _solve(lambda share: float(probabilities(share)[right:].sum()) - tail)
    high = 1.0 if right == answered else _solve(lambda share: tail - float(probabilities(share)[: right + 1].sum()))
    return low, high


def _solve(rising: Callable[[float], float]) -> float:
    """Return the zero of an increasing function on 0..1, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def score(key: Path, answers: Sequence[Path]) -> Result:
    """Score files of answers against a key.

    Raises:
        DataError: the key or an answer is missing, damaged, of another kit, or given twice.
    """
    kit, correct = read_key(key)
    given: Answers = {}
    for path in answers:
        for listener, trial, side in read_answers(path, kit, correct):
            own = given.setdefault(listener, {})
            if trial in own:
                raise DataError(f"{path}: listener {listener!r} answered trial {trial} twice, perhaps in another file")
            own[trial] = side
    listeners = {
        name: Tally(sum(correct[trial] == side for trial, side in own.items()), len(own)) for name, own in given.items()
    }
    overall = Tally(
        sum(tally.right for tally in listeners.values()), sum(tally.answered for tally in listeners.values())
    )
    return Result(listeners, overall, len(correct), _over_listeners([tally.share for tally in listeners.values()]))


def _over_listeners(shares: Sequence[float]) -> tuple[float, float] | None:
    """Return the bootstrap interval of the mean share over listeners; None with fewer than LEAST_LISTENERS."""
    if len(shares) < LEAST_LISTENERS:
        return None
    means = np.random.default_rng(0).choice(np.array(shares), (RESAMPLES, len(shares))).mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def read_key(path: Path) -> tuple[str, dict[str, str]]:
    """Read the id of a kit and the right side of each of its trials.

    Raises:
        DataError: the file is missing, damaged, not a key, or of another version.
    """
    table = _read_json(path, _read(path))
    if not isinstance(table, dict) or table.get("format") != KEY_FORMAT:
        raise DataError(f"{path}: not the key of a listening kit; it is named KIT-key.json")
    _check_version(path, table)
    try:
        correct = {row["trial"]: row["correct"] for row in table["trials"]}
        kit = str(table["kit"])
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: damaged key ({error})") from error
    if not correct or not set(correct.values()) <= set(SIDES):
        raise DataError(f"{path}: damaged key (a trial without a right side)")
    return kit, correct


def read_answers(path: Path, kit: str, correct: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Read (listener, trial, side) of each answer in a JSON or CSV file that the page saved.

    Raises:
        DataError: it is not such a file, empty, or of another kit.
    """
    text = _read(path)
    rows = _json_rows(path, text) if text.lstrip().startswith("{") else _csv_rows(path, text)
    if not rows:
        raise DataError(f"{path}: no answers in it")
    found = []
    for number, row in enumerate(rows, 1):
        if row.get("kit") != kit:
            raise DataError(f"{path}: answers of kit {row.get('kit')}, but the key is of kit {kit}")
        trial, side = row.get("trial"), row.get("choice")
        if trial not in correct:
            raise DataError(f"{path}: answer {number}: no trial {trial} in this kit")
        if side not in SIDES:
            raise DataError(f"{path}: answer {number}: choice must be left or right, got {side!r}")
        found.append((str(row.get("listener") or path.stem), str(trial), str(side)))
    return found


def _json_rows(path: Path, text: str) -> list[dict[str, Any]]:
    table = _read_json(path, text)
    if table.get("format") != ANSWERS_FORMAT:
        raise DataError(f"{path}: not the answers of a listening kit")
    _check_version(path, table)
    answers = table.get("answers")
    if not isinstance(answers, list) or not all(isinstance(row, dict) for row in answers):
        raise DataError(f"{path}: damaged answers")
    return [{**row, "kit": table.get("kit"), "listener": table.get("listener")} for row in answers]


def _csv_rows(path: Path, text: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text))
    if missing := {"kit", "listener", "trial", "choice"} - set(reader.fieldnames or ()):
        raise DataError(f"{path}: not the answers of a listening kit; column {sorted(missing)[0]} is missing")
    return list(reader)


def _check_version(path: Path, table: Mapping[str, Any]) -> None:
    if table.get("version") != VERSION:
        raise DataError(f"{path}: version {table.get('version')}, this imagemusic reads {VERSION}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # spreadsheets write a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise DataError(f"{path}: cannot be read ({reason})") from error


def _read_json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: damaged JSON ({error})") from error
