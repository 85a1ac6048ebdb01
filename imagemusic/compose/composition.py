"""A finished piece and everything needed to compose it again: options, features, targets, backend, versions.

The record is a JSON file beside the music.  It holds the notes too, so that the piece survives where it cannot be
composed again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imagemusic.compose.options import OPTIONS_OF_0_1, ComposeOptions
from imagemusic.compose.takes import Take
from imagemusic.compose.targets import Dial, Targets
from imagemusic.errors import DataError
from imagemusic.music.dials import AFFECT_DIALS
from imagemusic.music.score import Key, Meter, Score, Tempo, Track
from imagemusic.plan.plan import Plan
from imagemusic.vision.features import ImageFeatures

if TYPE_CHECKING:
    from PIL import Image

    from imagemusic.audio.waveform import Waveform
    from imagemusic.export.source import ExportSource

RECORD_VERSION = 1
# Names in records of version 0.1 -> today's; they are read until version 0.3.
RENAMED_OPTIONS = {"recurrence": "repetition_bonus"}
RENAMED_SOURCES = {"implied": "sampled", "guessed": "estimated"}


def backend_choice(recorded: str) -> str:
    """Return the backend (generation/backends.py) that a record names, like "onnxruntime 1.31.1 int8"; else its own."""
    match recorded.split():
        case ["onnxruntime", _, "int8"]:
            return "int8"
        case ["onnxruntime", _, "fp32"]:
            return "onnx"
        case ["torch", _, "fp32"]:
            return "torch"
    return recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A piece with where it came from."""

    score: Score
    targets: Targets
    options: ComposeOptions
    features: ImageFeatures
    checkpoint_id: str
    backend: str
    take: Take = field(default_factory=Take)
    plan: Plan | None = None  # form and chords; None where nothing was planned
    versions: Mapping[str, str] = field(default_factory=dict)
    compose_seconds: float = 0.0

    @property
    def picture_hash(self) -> str:
        """sha256 of the picture's RGB pixels."""
        return self.features.hash

    @property
    def dials(self) -> Mapping[str, Dial]:
        """The target of every dial, by name."""
        return self.targets.dials

    @property
    def ensemble(self) -> str:
        """The ensemble that plays."""
        return self.targets.ensemble

    def describe(self) -> dict[str, Any]:
        """Say how the piece was made, for people."""
        first = self.score.meters[0] if self.score.meters else None
        return {
            "seconds": round(self.score.seconds, 1),
            "notes": self.score.note_count,
            "tracks": [track.name for track in self.score.tracks],
            "meter": f"{first.numerator}/{first.denominator}" if first else "not known",
            "ensemble": f"{self.targets.ensemble} ({self.targets.ensemble_source})",
            "style": f"{self.targets.style or 'none'} ({self.targets.style_source})",
            "dials": {name: f"{dial.value:+.2f} ({dial.source})" for name, dial in self.dials.items()},
            "seed": self.options.seed,
            "checkpoint": self.checkpoint_id,
        }

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
        picture = self.features
        return {
            "record_version": RECORD_VERSION,
            "options": self.options.to_json(),
            "checkpoint_id": self.checkpoint_id,
            "backend": self.backend,
            "take": self.take.to_json(),
            "plan": self.plan.to_json() if self.plan else None,
            "versions": dict(self.versions),
            "compose_seconds": round(self.compose_seconds, 3),
            "picture": {
                "hash": picture.hash,
                "embedding": picture.embedding.tolist(),
                "dial_mean": picture.dial_mean.tolist(),
                "dial_sd": picture.dial_sd.tolist(),
            },
            "dials": {name: asdict(dial) for name, dial in self.dials.items()},
            "ensemble": {"name": self.targets.ensemble, "source": self.targets.ensemble_source},
            "style": {"name": self.targets.style, "source": self.targets.style_source},
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

    def save(self, path: str | Path, *, synth: str = "auto", soundfont: Path | None = None) -> None:
        """Write the piece in the format that the suffix names: .mid, .wav, .mp3, .flac, .ogg, .png (piano roll), .json.

        Args:
            synth: the synthesizer, for sound: auto, fluidsynth or tinysoundfont.
            soundfont: a .sf2 file to play with; None for the synthesizer's own.

        Raises:
            ConfigError: no format has this suffix.
            SynthesisError: the piece cannot be played.
            DependencyError: no synthesizer is installed.
            OutputError: the file cannot be written.
        """
        from imagemusic.export.formats import save

        save(self.export_source(synth=synth, soundfont=soundfont), path)

    def export_source(self, *, synth: str = "auto", soundfont: Path | None = None) -> "ExportSource":
        """Return the piece as the exporters (export/formats.py) take it."""
        from imagemusic.export.source import ExportSource

        return ExportSource(score=self.score, record=self.record(), synth=synth, soundfont=soundfont)


def load_record(path: str | Path) -> Composition:
    """Read a composition record.

    Raises:
        DataError: the file is missing, or is not a record that this version reads.
    """
    from imagemusic.compose.record_schema import Record  # pydantic takes a while to import
    from imagemusic.schemas import check_json, read_json

    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such record")
    try:
        table = read_json(path, DataError)
    except DataError as error:
        raise DataError(f"{path}: not a composition record") from error
    if not isinstance(table, dict) or "record_version" not in table:
        raise DataError(f"{path}: not a composition record")
    if table["record_version"] != RECORD_VERSION:
        raise DataError(f"{path}: record version {table['record_version']}, this imagemusic reads {RECORD_VERSION}")
    check_json(Record, table, f"{path}: damaged composition record", DataError)
    try:
        return _from_record(table)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{path}: damaged composition record ({error})") from error


def _from_record(table: Mapping[str, Any]) -> Composition:
    known = {option.name for option in fields(ComposeOptions)}
    options = {RENAMED_OPTIONS.get(name, name): value for name, value in table["options"].items()}
    options = OPTIONS_OF_0_1 | options
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
        targets=_targets(table),
        options=ComposeOptions(**{name: value for name, value in options.items() if name in known}),
        features=ImageFeatures(
            picture["hash"],
            *(np.array(picture[name], np.float32) for name in ("embedding", "dial_mean", "dial_sd")),
        ),
        checkpoint_id=table["checkpoint_id"],
        take=_take(table.get("take", {})),
        plan=Plan.from_json(table["plan"]) if table.get("plan") else None,
        backend=str(table.get("backend") or table["engine"]),
        versions=dict(table["versions"]),
        compose_seconds=table["compose_seconds"],
    )


def _take(table: Mapping[str, Any]) -> Take:
    reasons = {str(name): float(value) for name, value in table.get("reasons", {}).items()}
    return Take(int(table.get("kept", 0)), tuple(float(score) for score in table.get("scores", ())), reasons)


def _targets(table: Mapping[str, Any]) -> Targets:
    """Read the targets of a record; those of version 0.1 hold the ensemble among the dials."""
    dials = {name: dict(dial) for name, dial in table["dials"].items()}
    old = dials.pop("ensemble", None)
    ensemble = {"name": old["value"], "source": old["source"]} if old else table["ensemble"]
    for name, dial in dials.items():
        dial["source"] = RENAMED_SOURCES.get(dial["source"], dial["source"])
        if old:
            dial["conditioned"] = name not in AFFECT_DIALS and dial["source"] != "estimated"
    source = RENAMED_SOURCES.get(ensemble["source"], ensemble["source"])
    style = table.get("style") or {"name": None, "source": "sampled"}
    return Targets(
        {name: Dial(**dial) for name, dial in dials.items()}, str(ensemble["name"]), source, style["name"],
        style["source"],
    )  # fmt: skip
