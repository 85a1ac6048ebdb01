"""Training: a TOML file in, a run directory out, stopped and resumed at any step.

RUN/config.toml        what was asked for
RUN/last.ckpt          weights, optimizer, step and carried states: where to go on from
RUN/metrics.csv        loss and accuracy by step, in total and for each field; TensorBoard files beside it
RUN/curves.png         the same, drawn
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: two spinning threads starve each other

import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import default_convert

from imagemusic.checkpoint import open_checkpoint
from imagemusic.data.corpora.catalogue import CORPORA
from imagemusic.data.pairing import Pictures
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import ConfigError
from imagemusic.events.vocabulary import FIELDS
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.model.decoder import DecoderState, NoteDecoder
from imagemusic.training.batches import BatchSource
from imagemusic.training.card import model_card
from imagemusic.training.curves import last_values
from imagemusic.training.export import Sources, export_checkpoint, read_decoder
from imagemusic.training.precision import runnable_precision
from imagemusic.training.recorder import Recorder, forget_after
from imagemusic.training.restore import interpolate_weights, load_weights
from imagemusic.training.settings import TrainConfig, TrainOptions, decoder_config, layout_for, read_config


def _rank() -> int:
    """Number of this process; lightning starts this same command for every further one."""
    return int(os.environ.get("LOCAL_RANK", 0))


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
        first = self.decoder.initial_state(condition[:, 0])
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
        parts = [] if self.carried is None else [torch.as_tensor(self.all_gather(part)) for part in self.carried]
        shape = (self.trainer.world_size, self.decoder.config.layers, -1, self.decoder.config.hidden_size)
        checkpoint["carried"] = [part.reshape(shape) for part in parts]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        parts = [part[self.global_rank].to(self.device) for part in checkpoint["carried"]]
        self.carried = DecoderState(*parts) if parts else None


def train(config_path: Path, *, resume: bool = True) -> Path:
    """Train as a TOML file says, going on from RUN/last.ckpt when it is there; return the run directory.

    Raises:
        ConfigError: the file has an unknown or impossible setting.
        DataError: what it names is missing.
    """
    config = read_config(config_path)
    options, run = config.training, Path(config.training.run)
    prepared = PreparedSet.open(Path(options.prepared))
    pictures = Pictures.open(Path(options.pictures), "train")
    if unknown := sorted({*options.corpora, *config.batches.corpus_weights} - CORPORA.keys()):
        raise ConfigError(f"{config_path}: unknown corpus {unknown[0]!r}; choose from {', '.join(CORPORA)}")
    layout = layout_for(pictures.embeddings.shape[-1])
    pieces = tuple(p for p in prepared.select("train") if not options.corpora or p.corpus in options.corpora)
    if _rank() == 0:
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.toml").write_bytes(config_path.read_bytes())
    fit(config, prepared, pictures, layout, pieces, resume=resume)
    if options.encoder and _rank() == 0:
        export_run(run, config, prepared, layout, pieces)
    return run


def fit(
    config: TrainConfig,
    prepared: PreparedSet,
    pictures: Pictures,
    layout: ConditionLayout,
    pieces: tuple[PreparedPiece, ...],
    *,
    resume: bool = True,
) -> None:
    """Train a decoder on pieces and pictures into the run's directory, going on from RUN/last.ckpt when it is there."""
    options, run = config.training, Path(config.training.run)
    if options.threads:
        torch.set_num_threads(options.threads)
    lightning.seed_everything(options.seed, verbose=False)
    source = BatchSource(
        prepared, pieces, pictures, layout, config.batches, options.seed, share=(_rank(), options.devices)
    )
    decoder = NoteDecoder(decoder_config(config.decoder, layout))
    if options.init_from:
        load_weights(decoder, open_checkpoint(Path(options.init_from)))
    module = NoteTraining(decoder, options)

    run.mkdir(parents=True, exist_ok=True)
    last = run / "last.ckpt" if resume and (run / "last.ckpt").exists() else None
    first = int(torch.load(last, weights_only=True)["global_step"]) if last else 0
    if _rank() == 0:
        forget_after(first, run / "metrics.csv")
    trainer = lightning.Trainer(
        accelerator=options.accelerator, devices=options.devices, max_steps=options.steps,
        precision=runnable_precision(options.precision, options.accelerator),  # type: ignore[arg-type]
        gradient_clip_val=options.clip_norm, log_every_n_steps=options.log_every,
        logger=TensorBoardLogger(run, name="", version="tensorboard"), callbacks=[Recorder(run, prepared, options)],
        use_distributed_sampler=False, strategy="ddp" if options.devices > 1 else "auto",
        enable_checkpointing=False, enable_model_summary=False, default_root_dir=run,
    )  # fmt: skip
    if first < options.steps:
        trainer.fit(module, _Steps(source, first, options.steps), ckpt_path=last, weights_only=True)


def export_run(
    run: Path, config: TrainConfig, prepared: PreparedSet, layout: ConditionLayout, pieces: tuple[PreparedPiece, ...]
) -> Path:
    """Write RUN/checkpoint from RUN/last.ckpt."""
    options = config.training
    decoder, step = read_decoder(run / "last.ckpt", decoder_config(config.decoder, layout))
    if options.init_weight:
        interpolate_weights(decoder, open_checkpoint(Path(options.init_from)), options.init_weight)
    facts = asdict(config.decoder) | asdict(config.batches)
    precision = runnable_precision(options.precision, options.accelerator)
    facts |= {"precision": precision, "steps": step, "processes": options.devices, "notes": options.notes}
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
