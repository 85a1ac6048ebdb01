"""Validate, save and draw curves at set steps of a training."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.callbacks import Callback

from imagemusic.data.prepared import PreparedSet
from imagemusic.events.vocabulary import FIELDS
from imagemusic.files import replace_atomically
from imagemusic.model.decoder import NoteDecoder
from imagemusic.training.curves import draw_curves
from imagemusic.training.evaluation import bits_per_note, count_predictions, piece_nats
from imagemusic.training.settings import TrainOptions


class Recorder(Callback):
    """Lightning callback that validates, saves and draws curves at set steps."""

    def __init__(self, run: Path, prepared: PreparedSet, options: TrainOptions) -> None:
        self.run, self.prepared, self.options = run, prepared, options
        pieces = sorted(prepared.select("validation"), key=lambda piece: piece.id)
        order = np.random.default_rng(0).permutation(len(pieces))[: options.validation_pieces]
        self.pieces = [pieces[i] for i in order if pieces[i].rows < 8192]
        self.predictions = count_predictions(prepared, self.pieces)

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        step, options = trainer.global_step, self.options
        metrics: dict[str, float] = {}
        if trainer.is_global_zero and step % options.log_every == 0:
            metrics |= {name: float(value) for name, value in trainer.logged_metrics.items()}
        if trainer.is_global_zero and (step % options.validate_every == 0 or step == options.steps):
            validation = self._validate(module.decoder)
            trainer.logger.log_metrics(validation, step)  # lightning itself logs the training metrics only
            metrics |= validation
            module.decoder.train()
        if metrics:
            _append(self.run / "metrics.csv", {"step": float(step)} | metrics)
        if step % options.save_every == 0 or step == options.steps:
            if not trainer.is_global_zero:
                trainer.save_checkpoint(self.run / "last.ckpt")  # all processes take part; this one writes nothing
                return
            with replace_atomically(self.run / "last.ckpt") as temporary:
                trainer.save_checkpoint(temporary)
            draw_curves(self.run / "metrics.csv", self.run / "curves.png")

    def _validate(self, decoder: NoteDecoder) -> dict[str, float]:
        if not self.pieces:  # a small data set may have no validation split
            return {}
        results = list(piece_nats(decoder, self.prepared, self.pieces))
        pieces = [piece for piece, _, _ in results]
        bits = bits_per_note([nats for _, nats, _ in results], pieces)
        metrics = {f"validation/bits/{name}": value for name, value in bits.items()}
        return metrics | {
            f"validation/accuracy/{name}": sum(correct[name] for _, _, correct in results)
            / max(self.predictions[name], 1)
            for name in FIELDS
        }


def _append(path: Path, row: dict[str, float]) -> None:
    """Append the metrics of a step as lines (step, metric, value)."""
    is_new = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["step", "metric", "value"])
        writer.writerows([int(row["step"]), name, f"{value:.6g}"] for name, value in row.items() if name != "step")


def drop_rows_after(step: int, path: Path) -> None:
    """Drop the lines of later steps than `step` from metrics.csv: those steps are trained again."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines[1:] if line.endswith("\n") and int(line.partition(",")[0]) <= step]
    path.write_text("".join(lines[:1] + kept), encoding="utf-8")
