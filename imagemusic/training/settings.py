"""The settings of a training file, and the shapes that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagemusic.config import current_names, from_table, read_toml
from imagemusic.errors import ConfigError
from imagemusic.events.vocabulary import SLOT, VOCABULARY
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.model.decoder import DecoderConfig
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.styles import STYLES
from imagemusic.training.precision import FLOAT32, MIXED_BFLOAT16

# Names of settings before 0.2 -> today's.
RENAMED = {
    "start": "init_from",
    "keep_of_start": "init_weight",
    "forget_events": "event_dropout",
    "hide_velocity": "velocity_dropout",
    "contrary_picture": "mismatch_prob",
    "other_content": "content_swap_prob",
    "rough": "piece_level",
    "guessed": "noisy",
}
SHARES = (
    "drop_condition", "piece_level", "noisy", "drop_embedding", "drop_ensemble", "drop_remaining", "drop_state",
    "velocity_dropout", "mismatch_prob", "content_swap_prob", "drop_chords", "drop_answers", "drop_style",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """The [training] table."""

    prepared: str  # directory of scripts/prepare_corpora.py
    pictures: str  # file of scripts/train_encoder.py
    run: str  # directory to write
    init_from: str = ""  # checkpoint directory whose decoder weights to begin with; empty: random weights
    init_weight: float = 0.0  # share of the initial weights in the exported ones, see loading.interpolate_weights
    notes: str = ""  # text for the model card
    encoder: str = ""  # directory of scripts/train_encoder.py; when named, training ends with RUN/checkpoint
    planner: str = ""  # directory of scripts/train_planner.py, which the checkpoint then holds, too
    corpora: tuple[str, ...] = ()  # empty: all that were prepared
    steps: int = 5000
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 0
    precision: str = FLOAT32  # or "bf16-mixed", see training/precision.py
    accelerator: str = "auto"
    threads: int = 0  # 0: torch's choice
    devices: int = 1  # processes, each with a batch of its own; on CPUs two of one thread beat one of two
    log_every: int = 20
    validate_every: int = 500
    validation_pieces: int = 48
    save_every: int = 250

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or self.save_every < 1:
            raise ConfigError("steps, learning_rate and save_every must be above 0")
        if not 0 <= self.init_weight < 1 or (self.init_weight and not self.init_from):
            raise ConfigError(f"init_weight must be in 0..1, below 1, and needs init_from; got {self.init_weight}")
        if self.precision not in (FLOAT32, MIXED_BFLOAT16):
            raise ConfigError(f"precision must be 32-true or bf16-mixed, got {self.precision!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderOptions:
    """The [decoder] table: the part of the decoder's shape that can be chosen."""

    hidden_size: int = 512
    layers: int = 2
    head_size: int = 192
    condition_hidden: int = 256
    condition_every_step: bool = True
    condition_scales: bool = True
    residual: bool = True
    dropout: float = 0.1
    event_dropout: float = 0.0
    memory: bool = False  # the decoder reads pointers into the notes so far, and a plan of the bars

    def __post_init__(self) -> None:
        if min(self.hidden_size, self.layers, self.head_size, self.condition_hidden) < 1 or not 0 <= self.dropout < 1:
            raise ConfigError("hidden_size, layers, head_size and condition_hidden must be above 0, dropout in 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The [batches] table: how windows are sampled and which parts of the condition are dropped."""

    batch_size: int = 32
    window: int = 192  # events
    corpus_weights: Mapping[str, float] = field(default_factory=dict)  # times a corpus is read in an epoch; default 1
    transpose: int = 5  # semitones up or down at most
    drop_condition: float = 0.1  # share of pieces with the null condition of classifier-free guidance
    piece_level: float = 0.1  # share of pieces conditioned on the dials of the whole piece, see condition_sampler.py
    noisy: float = 0.2  # share of pieces conditioned on dials with the noise of an image encoder
    drop_embedding: float = 0.25
    drop_ensemble: float = 0.3
    drop_style: float = 0.4
    drop_remaining: float = 0.1
    drop_state: float = 0.0  # share of windows inside a piece whose state is reset, not carried over
    header_weight: float = 1.0  # weight of a header row in the loss: there are few, and they choose the instruments
    velocity_dropout: float = 0.3  # share of pieces whose velocities are predicted but not read
    mismatch_prob: float = 0.15  # share of pieces with a picture that disagrees with the dials
    content_swap_prob: float = 0.0  # share of pictures paired by dials that get another picture's content
    pairing_temperature: float = 0.25
    drop_chords: float = 0.5  # share of pieces whose chords are hidden
    drop_answers: float = 0.4  # share of pieces whose form is hidden: which bar answers which

    def __post_init__(self) -> None:
        if min(self.batch_size, self.window) < 1 or not 0 <= self.transpose <= 12 or not self.pairing_temperature > 0:
            raise ConfigError("batch_size, window and pairing_temperature must be above 0, transpose in 0..12")
        for name in SHARES:
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise ConfigError(f"{name} must be in 0..1, got {share}")
        if not 0 < self.header_weight < float("inf"):
            raise ConfigError(f"header_weight must be above 0 and finite, got {self.header_weight}")
        if self.drop_condition + self.piece_level + self.noisy > 1:
            raise ConfigError("drop_condition, piece_level and noisy are shares of the pieces: together at most 1")
        if not all(weight >= 0 for weight in self.corpus_weights.values()):
            raise ConfigError(f"corpus_weights must be 0 or more, got {dict(self.corpus_weights)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """A whole training file."""

    training: TrainOptions
    decoder: DecoderOptions = field(default_factory=DecoderOptions)
    batches: BatchOptions = field(default_factory=BatchOptions)


def read_config(path: Path) -> TrainConfig:
    """Read a training file.

    Raises:
        ConfigError: an unknown table or setting, or a value out of range.
    """
    tables = read_toml(path)
    kinds: dict[str, type] = {"training": TrainOptions, "decoder": DecoderOptions, "batches": BatchOptions}
    if unknown := sorted(tables.keys() - kinds.keys()):
        raise ConfigError(f"{path}: unknown table [{unknown[0]}]; choose from {', '.join(kinds)}")
    parts: dict[str, Any] = {
        name: from_table(kind, current_names(tables.get(name, {}), RENAMED, where=where), where=where)
        for name, kind in kinds.items()
        for where in [f"{path}: [{name}]"]
    }
    return TrainConfig(**parts)


def layout_for(embedding_size: int) -> ConditionLayout:
    """Return the condition layout of every model of this version of the package."""
    return ConditionLayout(embedding_size=embedding_size, dials=DIALS, ensembles=ENSEMBLES, styles=STYLES)


def decoder_config(options: DecoderOptions, layout: ConditionLayout) -> DecoderConfig:
    """Return the shape of a decoder for the vocabulary of this version of the package."""
    return DecoderConfig(
        sizes=VOCABULARY, condition_size=layout.size, first_header=SLOT,
        hidden_size=options.hidden_size, layers=options.layers, head_size=options.head_size,
        condition_hidden=options.condition_hidden, condition_every_step=options.condition_every_step,
        condition_scales=options.condition_scales, residual=options.residual,
        dropout=options.dropout, event_dropout=options.event_dropout, memory=options.memory,
    )  # fmt: skip
