"""Time loading of exported, checked graphs, against graphs that are rebuilt and compared at every load.

    git worktree add BASELINE f4c92eb     # the last commit that rebuilt them
    imagemusic study run graph_loading --baseline BASELINE --out docs/results/graphs.json

Both trees load the bundled model in turn, in processes of their own; times are of the processor, on one thread.  The
third way, an int8 graph that stores its quantized matrices, is written by ONNX Runtime and loaded beside the graph that
quantizes them while it is loaded.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import onnxruntime

from imagemusic.checkpoint import BUNDLED, open_checkpoint
from imagemusic.errors import DataError
from imagemusic.generation.step_shape import STEP_INT8
from imagemusic.graphs.external_data import WEIGHTS, check_external_data, read_spans
from imagemusic.graphs.session import load_session
from imagemusic.research.study import Context, Figures, Study
from imagemusic.vision.encoder import ENCODER

REPEATS = 5
GRAPHS = {
    "rebuilt": (
        "graphs/onnx_format.py", "generation/step_graph.py", "generation/graph_files.py", "training/unpacking.py",
    ),
    "exported": (
        "graphs/external_data.py", "graphs/session.py", "graphs/weights.py",
        "generation/step_graph.py", "generation/step_shape.py",
    ),
}  # fmt: skip
# Files that both have and that load or write graphs.
AROUND = ("checkpoint.py", "generation/backends.py", "vision/encoder.py", "training/export.py")
RESTORING = {"rebuilt": ("training/restore.py",), "exported": ("training/loading.py",)}
LOAD = """
import json, time
from imagemusic.compose.pipeline import ImageMusic
def load():
    started = time.process_time()
    ImageMusic.from_pretrained()
    return 1000 * (time.process_time() - started)
print(json.dumps([load() for _ in range({})]))
"""


def loading_times(trees: dict[str, Path], rounds: int) -> dict[str, Any]:
    """Time `ImageMusic.from_pretrained()` of each tree in turn: the first load of a process, and the quickest (ms)."""
    found: dict[str, list[list[float]]] = {name: [] for name in trees}
    for number in range(rounds):
        for name in list(trees)[:: 1 if number % 2 else -1]:
            environment = os.environ | {"PYTHONPATH": str(trees[name]), "OPENBLAS_NUM_THREADS": "1"}
            command = [sys.executable, "-c", LOAD.format(REPEATS)]
            ran = subprocess.run(command, env=environment, cwd=trees[name], capture_output=True, text=True, check=True)
            found[name].append(json.loads(ran.stdout))
    return {
        name: {
            "first_ms": round(median(times[0] for times in loads), 1),
            "quickest_ms": round(min(min(times) for times in loads), 1),
            "median_of_quickest_ms": round(median(min(times) for times in loads), 1),
        }
        for name, loads in found.items()
    }


def milliseconds(function: Callable[[], object]) -> float:
    """Return the processor time of the quickest of 20 runs."""
    quickest = float("inf")
    for _ in range(20):
        started = time.process_time()
        function()
        quickest = min(quickest, time.process_time() - started)
    return round(1000 * quickest, 2)


def int8_graphs(folder: Path) -> dict[str, Any]:
    """Compare the int8 graph of a checkpoint with one that stores its quantized matrices: ms to load, bytes on disk."""
    weights = (folder / WEIGHTS).read_bytes()
    with tempfile.TemporaryDirectory() as temporary:
        stored = Path(temporary) / STEP_INT8
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(stored)
        options.log_severity_level = 3
        options.add_external_initializers_from_files_in_memory([WEIGHTS], [weights], [len(weights)])
        onnxruntime.InferenceSession((folder / STEP_INT8).read_bytes(), options, providers=["CPUExecutionProvider"])
        return {
            "quantized_while_loading": {
                "bytes": (folder / STEP_INT8).stat().st_size,
                "load_cpu_ms": milliseconds(lambda: load_session(folder / STEP_INT8, "decoder")),
            },
            "stored": {"bytes": stored.stat().st_size, "load_cpu_ms": milliseconds(lambda: load_session(stored))},
        }


def lines(tree: Path, files: tuple[str, ...]) -> int:
    """Count the lines of some files of the package in a tree."""
    return sum(len((tree / "imagemusic" / file).read_text(encoding="utf-8").splitlines()) for file in files)


class GraphLoading(Study):
    """Loads the bundled model with this tree and with an earlier one."""

    sources = ("the bundled checkpoint",)
    not_quick = "it compares this tree with the checkout of an earlier commit"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--baseline", type=Path, metavar="DIR", help="a checkout of commit f4c92eb; required")
        parser.add_argument("--rounds", type=int, default=12, metavar="N", help="(%(default)s)")

    def run(self, context: Context) -> Figures:
        options = context.options
        if options.baseline is None or not (options.baseline / "imagemusic").is_dir():
            raise DataError("--baseline must name a checkout of commit f4c92eb: git worktree add BASELINE f4c92eb")
        trees = {"rebuilt": options.baseline.resolve(), "exported": Path(__file__).parents[3]}
        encoder, spans = (BUNDLED / ENCODER).read_bytes(), read_spans((BUNDLED / WEIGHTS).read_bytes())
        bundled = {name: tree / "imagemusic" / "checkpoints" / "default" for name, tree in trees.items()}
        return {
            "checkpoint": open_checkpoint(BUNDLED).id,
            "rounds": options.rounds,
            "from_pretrained_cpu_ms": loading_times(trees, options.rounds),
            "check_of_the_encoder_graph_cpu_ms": milliseconds(lambda: check_external_data(encoder, spans, "encoder")),
            "int8": int8_graphs(BUNDLED),
            "checkpoint_bytes": {
                name: sum(file.stat().st_size for file in folder.iterdir()) for name, folder in bundled.items()
            },
            "lines": {
                name: {
                    "graphs": lines(tree, GRAPHS[name]),
                    "with_all_that_loads_or_writes_them": lines(tree, GRAPHS[name] + AROUND + RESTORING[name]),
                }
                for name, tree in trees.items()
            },
        }


STUDY = GraphLoading()
