"""Time the whole path on this machine, and gather the headline figures in one file.

    imagemusic study run compose --out docs/results/compose.json

Times `imagemusic compose` as a process, the notes alone, and a training step against a plain nn.LSTM.  Takes what
speed, bits_per_note and scripts/prepare_corpora.py measured from --results, where it is there.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from imagemusic.checkpoint import open_checkpoint, resolve
from imagemusic.compose.options import ComposeOptions
from imagemusic.errors import OutputError
from imagemusic.events.memory.pointers import LEVELS, POINTERS
from imagemusic.events.vocabulary import FIELDS, GAP, PLAN_SIZES
from imagemusic.model.decoder import NoteDecoder
from imagemusic.research.studies.timing import seconds_each
from imagemusic.research.study import Context, Figures, Study
from imagemusic.resources import EXAMPLES
from imagemusic.training.loading import load_decoder
from imagemusic.training.precision import cpu_autocast

GATHERED = {  # file of another study -> its figures, and what they are called here
    "speed": {"window_ratio": "window_ratio"},
    "bits_per_note": {"bits_per_note": "bits_per_note", "ratio_to_markov": "ratio_to_markov"},
    "prepare": {"notes_per_second": "prepare_notes_per_second"},
}


def timed_process(words: list[str]) -> tuple[float, int]:
    """Run a command; return its wall seconds and its peak memory in bytes.

    Raises:
        OutputError: the command failed.
    """
    # A child inherits the peak memory of the process that starts it, and torch is large: a small process starts it.
    code = (
        "import resource, subprocess, sys, time; t = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(time.perf_counter() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutputError(f"{' '.join(words)}: failed: {done.stderr.strip()}")
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak)


def training_ratio(decoder: NoteDecoder, batch: int, window: int) -> dict[str, float]:
    """Measure notes a second of a training step, and of a plain nn.LSTM language model with as many parameters.

    The batch holds `batch` sequences of `window` events, of random values.
    """
    config = decoder.config
    sizes = config.sizes | {"interval": 50}
    columns = {name: torch.randint(0, size, (batch, window)) for name, size in sizes.items()}
    columns["last_pitch"] = torch.randint(0, 128, (batch, window))
    columns |= {name: torch.randint(0, size, (batch, window)) for name, size in PLAN_SIZES.items()}
    shape = batch, window, len(FIELDS), len(POINTERS)
    columns |= {"memory_values": torch.randint(0, 16, shape), "memory_levels": torch.randint(0, LEVELS, shape)}
    weights = {name: torch.ones(batch, window) for name in FIELDS}
    condition = torch.zeros(batch, config.condition_size)
    ours = decoder.train()
    parameters = sum(p.numel() for p in ours.parameters())
    vocabulary = sum(config.sizes[name] for name in FIELDS)
    # 16 H^2 of two LSTM layers and twice V x H of embedding and output
    hidden = int((-2 * vocabulary + (4 * vocabulary**2 + 64 * parameters) ** 0.5) / 32)
    embedding, lstm = nn.Embedding(vocabulary, hidden), nn.LSTM(hidden, hidden, 2, batch_first=True)
    head = nn.Linear(hidden, vocabulary)
    plain = nn.ModuleList([embedding, lstm, head])
    tokens = torch.randint(0, vocabulary, (batch, window))

    def our_loss() -> torch.Tensor:
        before = columns | {"memory_levels": columns["memory_levels"][:, :, GAP]}
        heads, _ = ours(before, condition, ours.initial_state(condition))
        nats, _ = ours.loss(heads, columns, weights)
        return torch.stack(list(nats.values())).sum()

    def plain_loss() -> torch.Tensor:
        return nn.functional.cross_entropy(head(lstm(embedding(tokens))[0]).flatten(0, 1).float(), tokens.flatten())

    result = {"parameters": float(parameters), "plain_parameters": float(sum(p.numel() for p in plain.parameters()))}
    for name, loss, module in (("ours", our_loss, ours), ("plain", plain_loss, plain)):
        optimizer = torch.optim.AdamW(module.parameters())

        def step(loss: Callable[[], torch.Tensor] = loss, optimizer: torch.optim.Optimizer = optimizer) -> None:
            with cpu_autocast():
                value = loss()
            optimizer.zero_grad()
            value.backward()
            optimizer.step()

        result[f"{name}_notes_per_second"] = batch * window / seconds_each(step, 4)
    return result | {"ratio": result["ours_notes_per_second"] / result["plain_notes_per_second"]}


class ComposeTime(Study):
    """Times composing as a process, composing alone, and training."""

    quick = {"repeats": 1, "batch": 2, "window": 16}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--picture", type=Path, default=EXAMPLES / "meadow.jpg", help="(the bundled meadow)")
        parser.add_argument("--results", type=Path, default=Path("docs/results"), help="where the other figures lie")
        parser.add_argument("--repeats", type=int, default=5, metavar="N", help="timed processes (%(default)s)")
        parser.add_argument("--batch", type=int, default=32, metavar="N", help="of a training step (%(default)s)")
        parser.add_argument("--window", type=int, default=192, metavar="N", help="events of each (%(default)s)")

    def run(self, context: Context) -> Figures:
        options = context.options
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-m", "imagemusic", "compose", str(options.picture), "--out", folder]
            words += ["--checkpoint", options.checkpoint] if options.checkpoint else []
            timed_process(words)
            runs = [timed_process(words) for _ in range(options.repeats)]
        model = context.model
        features = model.encode(options.picture)
        seeds = range(2 * options.repeats)
        notes = [model.compose_features(features, ComposeOptions(seed=seed)).compose_seconds for seed in seeds]
        seconds = [wall for wall, _ in runs]
        threads = torch.get_num_threads()
        torch.set_num_threads(2)
        decoder = load_decoder(open_checkpoint(resolve(options.checkpoint)))
        figures = {
            "compose_seconds": float(np.median(seconds)),
            "compose_seconds_range": [min(seconds), max(seconds)],
            "compose_peak_bytes": max(peak for _, peak in runs),
            "notes_seconds": float(np.median(notes)),
            "notes_seconds_range": [min(notes), max(notes)],
            "training": training_ratio(decoder, options.batch, options.window),
            "checkpoint": model.checkpoint.id,
        }
        torch.set_num_threads(threads)
        for file, names in GATHERED.items():
            path = options.results / f"{file}.json"
            if path.exists():
                measured = json.loads(path.read_text())
                figures |= {name: measured[key] for key, name in names.items()}
        context.sources = [options.picture.name]
        return figures


STUDY = ComposeTime()
