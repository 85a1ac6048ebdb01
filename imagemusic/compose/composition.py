"""A finished piece and everything needed to compose it again: options, picture, dials, engine, versions.

The record is a JSON file beside the music.  It holds the notes too, so that the piece survives where it cannot be
composed again.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.compose.constraints import ExactOptions
from imagemusic.errors import ConfigError, DataError, OutputError
from imagemusic.generation.sampling import check, check_names, check_whole
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.score import Key, Meter, Score, Tempo, Track

if TYPE_CHECKING:
    from PIL import Image

    from imagemusic.audio.waveform import Waveform

RECORD_VERSION = 1
RENAMED = {"recurrence": "repetition_bonus"}  # options of earlier records -> today's
PICTURE_SIZE = (32, 1024)
DECIDED = {"tempo": "tempo_bpm", "mode": "key", "polyphony": "polyphony"}  # dial -> what, asked for exactly, settles it


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeOptions(ExactOptions):
    """What a person may ask for; every front end builds one of these."""

    seed: int = 0
    variation: int = 1  # other music for the same picture and seed
    dials: Mapping[str, float] = field(default_factory=dict)  # set by hand, -1..1: they win over the picture
    ensemble: str | None = None  # who plays; None leaves it to the instruments, or else to the picture
    size: int | None = None  # side of the picture as the encoder sees it, in pixels; None: as it was trained

    def __post_init__(self) -> None:
        # slots make a new class, so the zero-argument super() would not find it.
        ExactOptions.__post_init__(self)
        check_names("dials", self.dials, "dial", DIALS)
        for name, value in self.dials.items():
            check(f"dial {name}", value, -1, 1)
        for dial, control in DECIDED.items():
            if dial in self.dials and (exact := getattr(self, control)) is not None:
                raise ConfigError(f"dial {dial}: {control} {exact} decides it; leave out one of the two")
        if self.ensemble is not None and self.ensemble not in ENSEMBLES:
            raise ConfigError(f"unknown ensemble {self.ensemble!r}; choose from {', '.join(ENSEMBLES)}")
        if self.ensemble is not None and self.inferred_ensemble not in (None, self.ensemble):
            raise ConfigError(
                f"ensemble {self.ensemble}: {', '.join(map(str, self.instruments or ()))} make "
                f"{self.inferred_ensemble}; "
                "leave out one of the two"
            )
        if self.size is not None:
            check_whole("size", self.size)
            check("size", self.size, *PICTURE_SIZE)
        check_whole("seed", self.seed)
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must be 0 or more and below 2**63, got {self.seed}")
        check_whole("variation", self.variation)
        if self.variation < 1:
            raise ConfigError(f"variation must be 1 or more, got {self.variation}")

    @property
    def requested_ensemble(self) -> str | None:
        """The ensemble that was asked for, by its name or by its instruments."""
        return self.ensemble or self.inferred_ensemble


def parse_dials(settings: Iterable[str]) -> dict[str, float]:
    """Read dials that are written as `arousal=0.8`; the last one counts where a dial is set twice.

    Raises:
        ConfigError: one is not a name and a number.
    """
    dials = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            dials[name.strip()] = float(value)
        except ValueError as error:
            raise ConfigError(f"dial {setting!r} is not a name and a number, such as arousal=0.8") from error
    return dials


def engine_choice(recorded: str) -> str:
    """Find the engine (generation/backends.py) that a record names, like "onnxruntime 1.31.1 int8"; else its own."""
    match recorded.split():
        case ["onnxruntime", _, "int8"]:
            return "int8"
        case ["onnxruntime", _, "fp32"]:
            return "onnx"
        case ["torch", _, "fp32"]:
            return "torch"
    return recorded


@dataclass(frozen=True, slots=True, eq=False)
class ImageFeatures:
    """What the encoder saw in a picture."""

    hash: str  # of the RGB pixels
    embedding: NDArray[np.float32]  # (E,)
    dial_mean: NDArray[np.float32]  # (3,): valence, arousal, tempo as ranks in -1..1
    dial_sd: NDArray[np.float32]  # (3,): how unsure that is


@dataclass(frozen=True, slots=True)
class Dial:
    """One number that shaped the music."""

    value: float | str  # -1..1, or the name of an ensemble
    source: str  # "picture", "implied", "guessed" (see compose/targets.py) or "you"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A piece with where it came from."""

    score: Score
    dials: Mapping[str, Dial]
    options: ComposeOptions
    picture: ImageFeatures
    checkpoint_id: str
    engine: str
    versions: Mapping[str, str] = field(default_factory=dict)
    compose_seconds: float = 0.0

    @property
    def picture_hash(self) -> str:
        """sha256 of the picture's RGB pixels."""
        return self.picture.hash

    def render(self, **options: Any) -> "Waveform":
        """Play the piece; options go to `audio.synthesis.render`."""
        from imagemusic.audio.synthesis import render

        return render(self.score, **options)

    def piano_roll(self, **options: Any) -> "Image.Image":
        """Draw the piece; options go to `audio.pianoroll.draw_piano_roll`."""
        from imagemusic.audio.pianoroll import draw_piano_roll

        return draw_piano_roll(self.score, **options)

    def record(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        picture = self.picture
        return {
            "record_version": RECORD_VERSION,
            "options": asdict(self.options),
            "checkpoint_id": self.checkpoint_id,
            "engine": self.engine,
            "versions": dict(self.versions),
            "compose_seconds": round(self.compose_seconds, 3),
            "picture": {
                "hash": picture.hash,
                "embedding": picture.embedding.tolist(),
                "dial_mean": picture.dial_mean.tolist(),
                "dial_sd": picture.dial_sd.tolist(),
            },
            "dials": {name: asdict(dial) for name, dial in self.dials.items()},
            "score": {
                "ticks_per_beat": self.score.ticks_per_beat,
                "tempos": [[t.tick, t.bpm] for t in self.score.tempos],
                "meters": [[m.tick, m.numerator, m.denominator] for m in self.score.meters],
                "keys": [[k.tick, k.fifths, k.minor] for k in self.score.keys],
                "tracks": [
                    {"name": t.name, "program": t.program, "is_drum": t.is_drum, "notes": t.notes.tolist()}
                    for t in self.score.tracks
                ],
                "note_columns": ["onset_ticks", "pitch", "duration_ticks", "velocity"],
            },
        }

    def save_record(self, path: str | Path) -> None:
        """Write the record as JSON.

        Raises:
            OutputError: the file cannot be written.
        """
        path = Path(path)
        waiting = path.with_name(path.name + ".partial")
        try:
            waiting.write_text(json.dumps(self.record(), ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(waiting, path)
        except OSError as error:
            with suppress(OSError):
                waiting.unlink()
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def load_record(path: str | Path) -> Composition:
    """Read a composition record.

    Raises:
        DataError: the file is missing, or is not a record that this version reads.
    """
    path = Path(path)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such record") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a composition record") from error
    if not isinstance(table, dict) or "record_version" not in table:
        raise DataError(f"{path}: not a composition record")
    if table["record_version"] != RECORD_VERSION:
        raise DataError(f"{path}: record version {table['record_version']}, this imagemusic reads {RECORD_VERSION}")
    try:
        return _from_record(table)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{path}: damaged composition record ({error})") from error


def _from_record(table: Mapping[str, Any]) -> Composition:
    known = {option.name for option in fields(ComposeOptions)}
    options = {RENAMED.get(name, name): value for name, value in table["options"].items()}
    picture, score = table["picture"], table["score"]
    tracks = [
        Track(np.array(t["notes"], np.int32).reshape(-1, 4), program=t["program"], is_drum=t["is_drum"], name=t["name"])
        for t in score["tracks"]
    ]
    return Composition(
        score=Score(
            tracks,
            [Tempo(*change) for change in score["tempos"]],
            [Meter(*change) for change in score["meters"]],
            [Key(*change) for change in score.get("keys", ())],
            ticks_per_beat=score["ticks_per_beat"],
        ),
        dials={name: Dial(**dial) for name, dial in table["dials"].items()},
        options=ComposeOptions(**{name: value for name, value in options.items() if name in known}),
        picture=ImageFeatures(
            picture["hash"],
            *(np.array(picture[name], np.float32) for name in ("embedding", "dial_mean", "dial_sd")),
        ),
        checkpoint_id=table["checkpoint_id"],
        engine=str(table["engine"]),
        versions=dict(table["versions"]),
        compose_seconds=table["compose_seconds"],
    )
