import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: threads change the last bits of a product

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window
# A busy machine is slow, not wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

try:
    import torch
except ImportError:  # the core alone is installed
    torch = None
else:
    # Tiny tensors on many threads spend their time waiting for each other.
    torch.set_num_threads(1)


def pytest_configure(config):
    # A processor without a bfloat16 LSTM: tests pass in float32 too.
    line = "ignore:this processor runs no bfloat16 LSTM:imagemusic.errors.ImageMusicWarning"
    config.addinivalue_line("filterwarnings", line)


@pytest.fixture(autouse=True)
def fixed_seed():
    np.random.seed(0)
    if torch is not None:
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Path:
    """A whole checkpoint with an untrained decoder; its encoder sees the mean colour of a picture."""
    return write_tiny_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_memory_checkpoint(tmp_path_factory) -> Path:
    """The same with a memory, a planner and styles."""
    return write_tiny_checkpoint(tmp_path_factory.mktemp("models") / "tiny", memory=True)


def write_tiny_checkpoint(folder: Path, *, memory: bool = False) -> Path:
    pytest.importorskip("torch")
    from imagemusic.checkpoint import write_checkpoint
    from imagemusic.events import codec
    from imagemusic.model.conditioning import ConditionLayout
    from imagemusic.music.dials import DIALS, DialNormalizer, measure
    from imagemusic.music.ensembles import ENSEMBLES
    from imagemusic.music.score import Note, Score, Tempo, Track
    from imagemusic.music.styles import STYLES
    from imagemusic.plan.network import PlannerConfig
    from tests import tiny

    layout = ConditionLayout(embedding_size=3, dials=DIALS, ensembles=ENSEMBLES, styles=STYLES if memory else ())
    decoder = tiny.decoder(condition_size=layout.size, **tiny.WINNER, memory=memory)
    shape = decoder.config
    tunes = [
        Score([Track([Note(24 * i, pitch + i, 24, 60 + i) for i in range(8)])], [Tempo(0, bpm)])
        for pitch, bpm in ((48, 80.0), (60, 120.0), (72, 160.0))
    ]
    cues = [measure(tune) for tune in tunes]
    scale = DialNormalizer.fit(cues)
    prior = [[scale.dials(cue)[name] for name in DIALS] for cue in cues]
    config = {
        "encoder": {"name": "mean colour", "size": 32},
        "decoder": asdict(shape),
        "codec": asdict(codec.CodecConfig()),
        "condition": asdict(layout),
        "dials": scale.to_json(),
        "pictures": dict.fromkeys(("valence", "arousal", "tempo"), [-1.0, 0.0, 1.0]),
    }
    weights = {f"decoder.{name}": value for name, value in tiny.weights_of(decoder).items()}
    weights |= {"prior.dials": np.array(prior, float), "prior.ensembles": np.zeros(len(tunes))}
    if memory:
        planner, rng = PlannerConfig(dials=DIALS, ensembles=ENSEMBLES, hidden=8, head=8), np.random.default_rng(0)
        config["planner"] = asdict(planner)
        weights |= {f"planner.{name}": 0.3 * rng.standard_normal(size) for name, size in planner.shapes().items()}
        weights["prior.styles"] = np.array([0.0, 1.0, -1.0])
    write_checkpoint(folder, config, weights, mean_colour_graph(), training={}, card="# Untrained, for tests\n")
    return folder


def mean_colour_graph():
    """Build pixels (1, 3, S, S) -> embedding (1, 3), dial_mean (1, 3) in -1..1, dial_sd (1, 3)."""
    import onnx
    from onnx import helper, numpy_helper

    def value(name, *shape):
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["embedding"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["embedding", "two"], ["doubled"]),
        helper.make_node("Sub", ["doubled", "one"], ["dial_mean"]),
        helper.make_node("Sigmoid", ["embedding"], ["dial_sd"]),
    ]
    constants = [numpy_helper.from_array(np.float32(number), name) for name, number in (("one", 1), ("two", 2))]
    outputs = [value(name, 1, 3) for name in ("embedding", "dial_mean", "dial_sd")]
    graph = helper.make_graph(nodes, "encoder", [value("pixels", 1, 3, "S", "S")], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
