"""What the record of a piece must hold, from version 0.1 on."""

from typing import Annotated, Any

from pydantic import Field

from imagemusic.schemas import Schema, Tick

Program = Annotated[int, Field(ge=0, le=127)]
Pitch = Annotated[int, Field(ge=0, le=127)]
Velocity = Annotated[int, Field(ge=1, le=127)]
Duration = Annotated[int, Field(ge=1, lt=2**31)]
Three = Annotated[list[float], Field(min_length=3, max_length=3)]


class TrackRecord(Schema):
    """A track."""

    name: str
    program: Program
    is_drum: bool
    notes: list[tuple[Tick, Pitch, Duration, Velocity]]


class ScoreRecord(Schema):
    """The piece itself."""

    ticks_per_beat: Annotated[int, Field(ge=1, le=32_767)]
    tempos: list[tuple[Tick, float]]
    meters: list[tuple[Tick, int, int]]
    keys: list[tuple[Tick, int, bool]] = []
    tracks: list[TrackRecord]


class PictureRecord(Schema):
    """What the encoder saw."""

    hash: str
    embedding: Annotated[list[float], Field(min_length=1)]
    dial_mean: Three
    dial_sd: Three


class DialRecord(Schema):
    """The target of a dial; in version 0.1 also the ensemble, by name."""

    value: float | str
    source: str
    conditioned: bool = True


class EnsembleRecord(Schema):
    """What plays."""

    name: str
    source: str


class StyleRecord(Schema):
    """The style that was aimed at."""

    name: str | None
    source: str


class TakeRecord(Schema):
    """Which take was kept."""

    kept: Annotated[int, Field(ge=0)] = 0
    scores: list[float] = []
    reasons: dict[str, float] = {}


class Record(Schema):
    """The record of a piece."""

    record_version: int
    options: dict[str, Any]
    checkpoint_id: str
    backend: str | int | None = None
    engine: str | None = None  # its name in version 0.1
    take: TakeRecord = TakeRecord()
    plan: dict[str, Any] | None = None  # not before version 0.3
    versions: dict[str, str]
    compose_seconds: float
    picture: PictureRecord
    dials: dict[str, DialRecord]
    ensemble: EnsembleRecord | None = None
    style: StyleRecord | None = None  # not before version 0.3
    score: ScoreRecord
