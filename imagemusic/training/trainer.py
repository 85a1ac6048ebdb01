"""Training: a TOML file in, a run directory out, stopped and resumed at any step.

    RUN/config.toml        what was asked for
    RUN/last.ckpt          weights, optimizer, step and carried states: where to go on from
    RUN/metrics.csv        loss and accuracy by step, in total and for each field; TensorBoard files beside it
    RUN/curves.png         the same, drawn
"""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: two spinning threads starve each other

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import default_convert

from imagemusic.config import from_table, read_toml
from imagemusic.data.dataset import PreparedPiece, PreparedSet
from imagemusic.data.pairing import Pictures
from imagemusic.errors import ConfigError
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.model.decoder import DecoderConfig, DecoderState, NoteDecoder
from imagemusic.model.fields import FIELDS
from imagemusic.music import codec, context
from imagemusic.music.dials import DIALS, ENSEMBLES
from imagemusic.training.batches import BatchOptions, BatchSource
from imagemusic.training.card import model_card
from imagemusic.training.curves import draw_curves, last_values
from imagemusic.training.evaluation import bits_per_note, count_guesses, piece_nats
from imagemusic.training.export import Sources, export_checkpoint, read_decoder

SIZES = (
    dict(zip(codec.FIELDS, codec.SIZES, strict=True))
    | dict(zip(context.CONTEXT, context.CONTEXT_SIZES, strict=True))
    | {"remaining": context.REMAINING_SIZE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """The [training] table."""

    prepared: str  # directory of scripts/prepare_corpora.py
    pictures: str  # file of scripts/train_encoder.py
    run: str  # directory to write
    encoder: str = ""  # directory of scripts/train_encoder.py; when named, training ends with RUN/checkpoint
    corpora: tuple[str, ...] = ()  # empty: all that were prepared
    steps: int = 5000
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 0
    precision: str = "32-true"  # or "bf16-mixed"
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
        if self.precision not in ("32-true", "bf16-mixed"):
            raise ConfigError(f"precision must be 32-true or bf16-mixed, got {self.precision!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderOptions:
    """The [decoder] table: the shape that a person chooses."""

    hidden_size: int = 512
    layers: int = 2
    head_size: int = 192
    condition_hidden: int = 256
    condition_every_step: bool = True
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if min(self.hidden_size, self.layers, self.head_size, self.condition_hidden) < 1 or not 0 <= self.dropout < 1:
            raise ConfigError("hidden_size, layers, head_size and condition_hidden must be above 0, dropout in 0..1")


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
        name: from_table(kind, tables.get(name, {}), where=f"{path}: [{name}]") for name, kind in kinds.items()
    }
    return TrainConfig(**parts)


def layout_for(embedding_size: int) -> ConditionLayout:
    """Condition layout of every model of this version of the package."""
    return ConditionLayout(embedding_size=embedding_size, dials=DIALS, ensembles=ENSEMBLES)


def decoder_config(options: DecoderOptions, layout: ConditionLayout) -> DecoderConfig:
    """Shape of the decoder for the codec of this version of the package."""
    return DecoderConfig(
        sizes=SIZES, condition_size=layout.size, drums=codec.DRUMS, no_pitch=context.NO_PITCH,
        hidden_size=options.hidden_size, layers=options.layers, head_size=options.head_size,
        condition_hidden=options.condition_hidden, condition_every_step=options.condition_every_step,
        dropout=options.dropout,
    )  # fmt: skip


class _Steps:
    """The batches of all steps, as tensors, of which those before `first` are done.

    Lightning counts the steps that are done against the whole length, and takes a loader that has a state at its word.
    """

    def __init__(self, source: BatchSource, first: int, steps: int) -> None:
        self.source, self.first, self.steps = source, first, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        return (default_convert(self.source.batch(step)) for step in range(self.first, self.steps))

    def state_dict(self) -> dict[str, Any]:
        return {}  # a batch is a function of its step

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class NoteTraining(lightning.LightningModule):
    """One decoder being trained, with the states that its streams carry."""

    def __init__(self, decoder: NoteDecoder, options: TrainOptions) -> None:
        super().__init__()
        self.decoder, self.options = decoder, options
        self.carried: DecoderState | None = None

    def training_step(self, batch: Any, index: int) -> Tensor:
        # Dropout must be a function of the step alone, or a resumed run would differ.
        torch.manual_seed((self.options.seed * 1_000_003 + self.global_step) * 64 + self.global_rank)
        before, target, weights, condition, fresh, _ = batch  # the loader has made tensors of the arrays
        first = self.decoder.initial_state(condition)
        state = first
        if self.carried is not None:
            fresh = fresh[None, :, None]  # (B,) -> (L, B, H)
            state = DecoderState(*(torch.where(fresh, new, old) for new, old in zip(first, self.carried, strict=True)))
        heads, after = self.decoder(before, condition, state)
        self.carried = DecoderState(*(part.detach().float() for part in after))
        nats, right = self.decoder.loss(heads, target, weights)
        counts = {name: weights[name].sum().clamp(min=1) for name in FIELDS}
        loss = torch.stack(list(nats.values())).sum() / counts["gap"]
        metrics = {f"train/loss/{name}": nats[name].detach() / counts[name] for name in FIELDS}
        metrics |= {f"train/accuracy/{name}": right[name] / counts[name] for name in FIELDS}
        self.log_dict(metrics, batch_size=1)
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=1)
        return loss

    def configure_optimizers(self) -> Any:
        options = self.options
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, betas=(0.9, 0.98)
        )

        def rate(step: int) -> float:
            if step < options.warmup_steps:
                return (step + 1) / options.warmup_steps
            done = (step - options.warmup_steps) / max(1, options.steps - options.warmup_steps)
            return float(0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(done, 1.0))))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Every process comes here, and the first one writes for all: (processes, L, B, H)
        parts = [] if self.carried is None else [self.all_gather(part) for part in self.carried]
        shape = (self.trainer.world_size, self.decoder.config.layers, -1, self.decoder.config.hidden_size)
        checkpoint["carried"] = [part.reshape(shape) for part in parts]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        parts = [part[self.global_rank].to(self.device) for part in checkpoint["carried"]]
        self.carried = DecoderState(*parts) if parts else None


class _Recorder(Callback):
    """Validate, save and write curves at set steps."""

    def __init__(self, run: Path, prepared: PreparedSet, options: TrainOptions) -> None:
        self.run, self.prepared, self.options = run, prepared, options
        pieces = sorted(prepared.select("validation"), key=lambda piece: piece.id)
        keep = np.random.default_rng(0).permutation(len(pieces))[: options.validation_pieces]
        self.pieces = [pieces[i] for i in keep if pieces[i].rows < 8192]
        self.guesses = count_guesses(prepared, self.pieces)

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        step, options = trainer.global_step, self.options
        metrics: dict[str, float] = {}
        if trainer.is_global_zero and step % options.log_every == 0:
            metrics |= {name: float(value) for name, value in trainer.logged_metrics.items()}
        if trainer.is_global_zero and (step % options.validate_every == 0 or step == options.steps):
            metrics |= self._validate(module.decoder)
            module.decoder.train()
        if metrics:
            _append(self.run / "metrics.csv", {"step": float(step)} | metrics)
        if step % options.save_every == 0 or step == options.steps:
            trainer.save_checkpoint(self.run / "next.ckpt")
            if not trainer.is_global_zero:
                return
            os.replace(self.run / "next.ckpt", self.run / "last.ckpt")
            draw_curves(self.run / "metrics.csv", self.run / "curves.png")

    def _validate(self, decoder: NoteDecoder) -> dict[str, float]:
        results = list(piece_nats(decoder, self.prepared, self.pieces))
        pieces = [piece for piece, _, _ in results]
        bits = bits_per_note([nats for _, nats, _ in results], pieces)
        metrics = {f"validation/bits/{name}": value for name, value in bits.items()}
        return metrics | {
            f"validation/accuracy/{name}": sum(right[name] for _, _, right in results) / max(self.guesses[name], 1)
            for name in FIELDS
        }


def _append(path: Path, row: dict[str, float]) -> None:
    """Add a row of (step, metric, value) lines."""
    is_new = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["step", "metric", "value"])
        writer.writerows([int(row["step"]), name, f"{value:.6g}"] for name, value in row.items() if name != "step")


def _forget_after(step: int, path: Path) -> None:
    """Drop the rows of later steps than `step`, which are trained again."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines[1:] if line.endswith("\n") and int(line.partition(",")[0]) <= step]
    path.write_text("".join(lines[:1] + kept), encoding="utf-8")


def train(config_path: Path, *, resume: bool = True) -> Path:
    """Train as a TOML file says, going on from RUN/last.ckpt when it is there; return the run directory.

    Raises:
        ConfigError: the file has an unknown or impossible setting.
        DataError: what it names is missing.
    """
    config = read_config(config_path)
    options, run = config.training, Path(config.training.run)
    if options.threads:
        torch.set_num_threads(options.threads)
    lightning.seed_everything(options.seed, verbose=False)
    prepared = PreparedSet.open(Path(options.prepared))
    pictures = Pictures.open(Path(options.pictures), "train")
    layout = layout_for(pictures.embeddings.shape[-1])
    pieces = tuple(p for p in prepared.select("train") if not options.corpora or p.corpus in options.corpora)
    rank = int(os.environ.get("LOCAL_RANK", 0))  # lightning starts this same command for every further process
    source = BatchSource(
        prepared, pieces, pictures, layout, config.batches, options.seed, share=(rank, options.devices)
    )
    module = NoteTraining(NoteDecoder(decoder_config(config.decoder, layout)), options)

    if rank == 0:
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.toml").write_bytes(config_path.read_bytes())
    last = run / "last.ckpt" if resume and (run / "last.ckpt").exists() else None
    first = int(torch.load(last, weights_only=True)["global_step"]) if last else 0
    if rank == 0:
        _forget_after(first, run / "metrics.csv")
    trainer = lightning.Trainer(
        accelerator=options.accelerator, devices=options.devices, precision=options.precision, max_steps=options.steps,  # type: ignore[arg-type]
        gradient_clip_val=options.clip_norm, log_every_n_steps=options.log_every,
        logger=TensorBoardLogger(run, name="", version="tensorboard"), callbacks=[_Recorder(run, prepared, options)],
        use_distributed_sampler=False, strategy="ddp" if options.devices > 1 else "auto",
        enable_checkpointing=False, enable_model_summary=False, default_root_dir=run,
    )  # fmt: skip
    if first < options.steps:
        trainer.fit(module, _Steps(source, first, options.steps), ckpt_path=last, weights_only=True)
    if options.encoder and rank == 0:
        export_run(run, config, prepared, layout, pieces)
    return run


def export_run(
    run: Path, config: TrainConfig, prepared: PreparedSet, layout: ConditionLayout, pieces: tuple[PreparedPiece, ...]
) -> Path:
    """Write RUN/checkpoint from RUN/last.ckpt."""
    options = config.training
    decoder, step = read_decoder(run / "last.ckpt", decoder_config(config.decoder, layout))
    facts = asdict(config.decoder) | asdict(config.batches) | {"precision": options.precision, "steps": step}
    training = {
        "step": step,
        "config": json.loads(json.dumps(asdict(config))),
        "corpora": {
            name: sum(p.notes for p in pieces if p.corpus == name) for name in sorted({p.corpus for p in pieces})
        },
        "validation": last_values(run / "metrics.csv", "validation/"),
        "versions": {name: version(name) for name in ("torch", "lightning", "numpy", "symusic")},
    }
    sources = Sources(encoder=Path(options.encoder), pictures=Path(options.pictures))
    card = model_card(facts, pieces, Path("docs/results"))
    return export_checkpoint(run / "checkpoint", decoder, layout, prepared, sources, training=training, card=card)
