"""Decoder training: a TOML file in, a run directory out; it can be stopped and resumed at any step.

RUN/config.toml        the settings
RUN/last.ckpt          weights, optimizer, step and carried states, to resume from
RUN/metrics.csv        loss and accuracy by step, in total and by field; TensorBoard files beside it
RUN/curves.png         the same as a figure

Lightning runs the loop, because it trains in several processes (DDP).
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: two spinning threads starve each other

import lightning
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
from imagemusic.model.decoder import DecoderState, NoteDecoder
from imagemusic.training.batches import BatchSource
from imagemusic.training.card import model_card
from imagemusic.training.condition_sampler import TrainingData
from imagemusic.training.curves import last_values
from imagemusic.training.export import Sources, export_checkpoint
from imagemusic.training.loading import interpolate_weights, load_trained_decoder, load_weights
from imagemusic.training.loop import check_finite, make_optimizer, warmup_cosine
from imagemusic.training.precision import runnable_precision
from imagemusic.training.recorder import Recorder, drop_rows_after
from imagemusic.training.settings import TrainConfig, TrainOptions, decoder_config, layout_for, read_config


def _rank() -> int:
    """Number of this process; lightning starts this same command for every further one."""
    return int(os.environ.get("LOCAL_RANK", 0))


class _Batches:
    """The batches of all steps as tensors, from step `first` on.

    Lightning compares the number of steps done with the whole length, and trusts a loader that has a state.
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


class DecoderTraining(lightning.LightningModule):
    """A decoder in training, with the states that its streams carry over."""

    def __init__(self, decoder: NoteDecoder, options: TrainOptions) -> None:
        super().__init__()
        self.decoder, self.options = decoder, options
        self.carried_state: DecoderState | None = None

    def training_step(self, batch: Any, index: int) -> Tensor:
        """Compute the loss (a scalar) of a `Batch` of tensors: nats per event, summed over fields.

        Raises:
            ConfigError: the loss is not finite.
        """
        # Dropout must be a function of the step alone, or a resumed run would differ.
        torch.manual_seed((self.options.seed * 1_000_003 + self.global_step) * 64 + self.global_rank)
        before, target, weights, condition, reset, _ = batch
        state = initial = self.decoder.initial_state(condition[:, 0])
        if self.carried_state is not None:
            reset = reset[None, :, None]  # (B,) -> (L, B, H)
            pairs = zip(initial, self.carried_state, strict=True)
            state = DecoderState(*(torch.where(reset, new, carried) for new, carried in pairs))
        heads, after = self.decoder(before, condition, state)
        self.carried_state = DecoderState(*(part.detach().float() for part in after))
        nats, correct = self.decoder.loss(heads, target, weights)
        counts = {name: weights[name].sum().clamp(min=1) for name in FIELDS}
        loss = torch.stack(list(nats.values())).sum() / counts["gap"]
        check_finite(loss.detach(), self.global_step)
        metrics = {f"train/loss/{name}": nats[name].detach() / counts[name] for name in FIELDS}
        metrics |= {f"train/accuracy/{name}": correct[name] / counts[name] for name in FIELDS}
        self.log_dict(metrics, batch_size=1)
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=1)
        return loss

    def configure_optimizers(self) -> Any:
        options = self.options
        optimizer = make_optimizer(self.parameters(), options.learning_rate, options.weight_decay)
        rate = partial(warmup_cosine, warmup=options.warmup_steps, end=options.steps)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Every process comes here, and the first one writes for all: (processes, L, B, H)
        parts = [] if self.carried_state is None else [torch.as_tensor(self.all_gather(p)) for p in self.carried_state]
        shape = (self.trainer.world_size, self.decoder.config.layers, -1, self.decoder.config.hidden_size)
        checkpoint["carried"] = [part.reshape(shape) for part in parts]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        parts = [part[self.global_rank].to(self.device) for part in checkpoint["carried"]]
        self.carried_state = DecoderState(*parts) if parts else None


def train(config_path: Path, *, resume: bool = True) -> Path:
    """Train as a TOML file says, resuming from RUN/last.ckpt where it exists; return the run directory.

    Raises:
        ConfigError: the file has an unknown or impossible setting, or the loss is not finite.
        DataError: a file that it names is missing.
    """
    config = read_config(config_path)
    options, run = config.training, Path(config.training.run)
    prepared = PreparedSet.open(Path(options.prepared))
    pictures = Pictures.open(Path(options.pictures), "train")
    if unknown := sorted({*options.corpora, *config.batches.corpus_weights} - CORPORA.keys()):
        raise ConfigError(f"{config_path}: unknown corpus {unknown[0]!r}; choose from {', '.join(CORPORA)}")
    pieces = tuple(p for p in prepared.select("train") if not options.corpora or p.corpus in options.corpora)
    data = TrainingData(prepared, pieces, pictures, layout_for(pictures.embeddings.shape[-1]))
    if _rank() == 0:
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.toml").write_bytes(config_path.read_bytes())
    fit(config, data, resume=resume)
    if options.encoder and _rank() == 0:
        export_run(run, config, data)
    return run


def fit(config: TrainConfig, data: TrainingData, *, resume: bool = True) -> None:
    """Train a decoder on pieces and pictures into the run's directory, resuming from RUN/last.ckpt where it exists.

    Raises:
        ConfigError: the loss is not finite.
        DataError: there are no pieces.
    """
    options, run = config.training, Path(config.training.run)
    if options.threads:
        torch.set_num_threads(options.threads)
    lightning.seed_everything(options.seed, verbose=False)
    share = _rank(), options.devices
    source = BatchSource(data, config.batches, options.seed, share, memory=config.decoder.memory)
    decoder = NoteDecoder(decoder_config(config.decoder, data.layout))
    if options.init_from:
        load_weights(decoder, open_checkpoint(Path(options.init_from)))
    module = DecoderTraining(decoder, options)

    run.mkdir(parents=True, exist_ok=True)
    last = run / "last.ckpt" if resume and (run / "last.ckpt").exists() else None
    first = int(torch.load(last, weights_only=True)["global_step"]) if last else 0
    if _rank() == 0:
        drop_rows_after(first, run / "metrics.csv")
    trainer = lightning.Trainer(
        accelerator=options.accelerator, devices=options.devices, max_steps=options.steps,
        precision=runnable_precision(options.precision, options.accelerator),  # type: ignore[arg-type]
        gradient_clip_val=options.clip_norm, log_every_n_steps=options.log_every,
        logger=TensorBoardLogger(run, name="", version="tensorboard"),
        callbacks=[Recorder(run, data.prepared, options)],
        use_distributed_sampler=False, strategy="ddp" if options.devices > 1 else "auto",
        enable_checkpointing=False, enable_model_summary=False, default_root_dir=run,
    )  # fmt: skip
    if first < options.steps:
        trainer.fit(module, _Batches(source, first, options.steps), ckpt_path=last, weights_only=True)


def notes_by_corpus(pieces: tuple[PreparedPiece, ...]) -> dict[str, int]:
    """Count the notes of pieces by corpus, in alphabetical order."""
    return {
        name: sum(piece.notes for piece in pieces if piece.corpus == name)
        for name in sorted({piece.corpus for piece in pieces})
    }


def export_run(run: Path, config: TrainConfig, data: TrainingData) -> Path:
    """Write RUN/checkpoint from RUN/last.ckpt; return it."""
    options = config.training
    decoder, step = load_trained_decoder(run / "last.ckpt", decoder_config(config.decoder, data.layout))
    if options.init_weight:
        interpolate_weights(decoder, open_checkpoint(Path(options.init_from)), options.init_weight)
    precision = runnable_precision(options.precision, options.accelerator)
    facts = asdict(config.decoder) | asdict(config.batches)
    facts |= {"precision": precision, "steps": step, "processes": options.devices, "notes": options.notes}
    training = {
        "step": step,
        "config": json.loads(json.dumps(asdict(config))),
        "corpora": notes_by_corpus(data.pieces),
        "validation": last_values(run / "metrics.csv", "validation/"),
        "versions": library_versions(),
    }
    planner = Path(options.planner) if options.planner else None
    sources = Sources(encoder=Path(options.encoder), pictures=Path(options.pictures), planner=planner)
    card = model_card(facts, data.pieces, Path("docs/results"))
    return export_checkpoint(
        run / "checkpoint", decoder, data.layout, data.prepared, sources, training=training, card=card
    )


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that training depends on."""
    return {name: version(name) for name in ("torch", "lightning", "numpy", "symusic")}
