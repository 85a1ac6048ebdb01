"""Time the whole path on this machine, and gather the headline figures in one file.

    python scripts/benchmark_compose.py --picture data/examples/NAME.png --out docs/results/compose.json

Times `imagemusic compose` as a process, the notes alone, and a training step against a plain nn.LSTM.  Takes what
scripts/benchmark_speed.py, scripts/measure_bits.py and scripts/prepare_corpora.py measured from docs/results, where it
is there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from timing import seconds_each
from torch import nn

from imagemusic.checkpoint import open_checkpoint, resolve
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.events.vocabulary import FIELDS
from imagemusic.model.decoder import NoteDecoder
from imagemusic.reports.results import write_result
from imagemusic.training.loading import load_decoder
from imagemusic.training.precision import cpu_autocast

REPEATS = 5
GATHERED = {  # file of another script -> its figures, and what they are called here
    "speed": {"window_ratio": "window_ratio"},
    "bits_per_note": {"bits_per_note": "bits_per_note", "ratio_to_markov": "ratio_to_markov"},
    "prepare": {"notes_per_second": "prepare_notes_per_second"},
}


def timed_process(words: list[str]) -> tuple[float, int]:
    """Run a command; return its wall seconds and its peak memory in bytes."""
    # A child inherits the high-water mark of whoever starts it, and torch is large: a small process starts it.
    code = (
        "import resource, subprocess, sys, time; t = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(time.perf_counter() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"benchmark_compose: error: {' '.join(words)} failed: {done.stderr.strip()}")
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak)


def training_ratio(decoder: NoteDecoder, batch: int = 32, window: int = 192) -> dict[str, float]:
    """Notes a second of a training step, and of a plain nn.LSTM language model with as many parameters."""
    config = decoder.config
    sizes = config.sizes | {"interval": 50}
    columns = {name: torch.randint(0, size, (batch, window)) for name, size in sizes.items()}
    columns["last_pitch"] = torch.randint(0, 128, (batch, window))
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
        heads, _ = ours(columns, condition, ours.initial_state(condition))
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--results", type=Path, default=Path("docs/results"), help="where the other figures lie")
    parser.add_argument("--out", type=Path, default=Path("docs/results/compose.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "imagemusic", "compose", str(arguments.picture), "--out", folder]
        words += ["--checkpoint", arguments.checkpoint] if arguments.checkpoint else []
        timed_process(words)
        runs = [timed_process(words) for _ in range(REPEATS)]
    model = ImageMusic.from_pretrained(arguments.checkpoint)
    reading = model.encode(arguments.picture)
    pieces = [model.compose_features(reading, ComposeOptions(seed=seed)) for seed in range(2 * REPEATS)]
    torch.set_num_threads(2)
    decoder = load_decoder(open_checkpoint(resolve(arguments.checkpoint)))
    figures = {
        "compose_seconds": float(np.median([seconds for seconds, _ in runs])),
        "compose_seconds_range": [min(seconds for seconds, _ in runs), max(seconds for seconds, _ in runs)],
        "compose_peak_bytes": max(peak for _, peak in runs),
        "notes_seconds": float(np.median([piece.compose_seconds for piece in pieces])),
        "notes_seconds_range": [f(piece.compose_seconds for piece in pieces) for f in (min, max)],
        "training": training_ratio(decoder),
        "checkpoint": model.checkpoint.id,
    }
    for file, names in GATHERED.items():
        path = arguments.results / f"{file}.json"
        if path.exists():
            measured = json.loads(path.read_text())
            figures |= {name: measured[key] for key, name in names.items()}
    print(json.dumps(figures, indent=1))
    write_result(arguments.out, figures, seed=0, data=[arguments.picture.name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
