import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import save_file

from imagemusic.errors import CheckpointError, ImageMusicWarning
from imagemusic.generation.backends import OnnxBackend
from imagemusic.generation.graph_files import ENCODER, WEIGHTS, load_encoder_graph
from imagemusic.generation.step_graph import (
    BLOCK,
    IR_VERSION,
    OPSET,
    StepShape,
    block_size,
    externalize_weights,
    int8_step_graph,
    quantize,
    step_graph,
)
from imagemusic.vision.encoder import ImageEncoder
from tests import tiny

UNIT = StepShape(layers=1, hidden_size=1, heads_size=5)


def unit_weights():
    """One unit; all its weights are zero but those of the heads, so the gates are what comes in: i, f, g, o."""
    return {name: np.full(size, 2.0 if name == "to_heads.weight" else 0.0) for name, size in UNIT.weights().items()}


def step_by_hand(engine):
    gates = np.array([[0.0, 100.0, 0.5, 100.0]], np.float32)
    one = np.ones((1, 1), np.float32)
    heads, (hidden, cell) = engine.run(gates, (one, one))
    expected = 1 + 0.5 * np.tanh(0.5)
    assert cell[0, 0] == pytest.approx(expected)
    assert hidden[0, 0] == pytest.approx(np.tanh(expected))
    return heads[0], np.full(5, 2 * np.tanh(expected))


def test_a_step_computes_an_lstm_cell_by_hand(tmp_path):
    half = {f"decoder.{name}": value.astype(np.float16) for name, value in unit_weights().items()}
    save_file(half, tmp_path / "w.safetensors")
    engine = OnnxBackend(step_graph(UNIT, tmp_path / "w.safetensors"), UNIT, "fp32", tmp_path)
    heads, expected = step_by_hand(engine)
    assert heads == pytest.approx(expected)


def test_the_graph_of_a_residual_step_is_sound(tmp_path):
    onnx.checker.check_model(str(tiny.write_step(tiny.decoder(**tiny.WINNER), tmp_path) / "step.onnx"), full_check=True)


def test_a_step_of_bytes_computes_the_same_cell():
    weights = {name: value.astype(np.float32) for name, value in unit_weights().items()}
    heads, expected = step_by_hand(OnnxBackend(int8_step_graph(UNIT, weights), UNIT, "int8"))
    assert heads == pytest.approx(expected, rel=0.02)


def test_a_graph_holds_no_weights_of_its_own(tmp_path):
    tiny.write_step(tiny.decoder(), tmp_path)
    graph = onnx.load(tmp_path / "step.onnx", load_external_data=False).graph
    assert {tensor.data_type for tensor in graph.initializer} == {TensorProto.FLOAT16}
    assert all(tensor.data_location == TensorProto.EXTERNAL for tensor in graph.initializer)
    assert len(graph.initializer) == 7  # recurrent of each layer, inward and two biases of the second, heads
    assert (tmp_path / "step.onnx").stat().st_size < 10_000


def test_the_graph_is_one_that_onnx_accepts(tmp_path):
    tiny.write_step(tiny.decoder(layers=3), tmp_path)
    onnx.checker.check_model(str(tmp_path / "step.onnx"), full_check=True)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({}, r"decoder\.lstm\.weight_hh_l0: no such weight in w\.safetensors"),
        ({"decoder.lstm.weight_hh_l0": np.zeros((4, 2), np.float16)}, r"stored as F16 \[4, 2\], need F16 \[4, 1\]"),
        ({"decoder.lstm.weight_hh_l0": np.zeros((4, 1), np.float32)}, r"stored as F32 \[4, 1\], need F16 \[4, 1\]"),
    ],
)
def test_a_weight_that_is_missing_or_misshapen_is_refused(tmp_path, stored, message):
    save_file(stored | {"other": np.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=message):
        step_graph(UNIT, tmp_path / "w.safetensors")


def test_a_graph_is_pointed_to_the_weights_that_are_stored(tmp_path):
    save_file({"encoder.w": np.arange(2, dtype=np.float16)}, tmp_path / "w.safetensors")
    constants = [onnx.numpy_helper.from_array(np.zeros(2, np.float32), name) for name in ("w", "unknown")]
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])] for name in ("x", "y")]
    nodes = [helper.make_node("Sum", ["x", "w", "unknown"], ["y"])]
    model = helper.make_model(helper.make_graph(nodes, "g", *sides, constants))
    made = externalize_weights(model, tmp_path / "w.safetensors", "encoder").graph
    assert [tensor.name for tensor in made.initializer] == ["w.f16", "unknown"]
    assert [node.op_type for node in made.node] == ["Cast", "Sum"]
    assert list(made.node[0].output) == ["w"]


def test_a_graph_whose_weights_lie_elsewhere_is_pointed_there_with_a_notice(tmp_path):
    values = {"encoder.w": np.array([1, 2], np.float16)}
    save_file(values, tmp_path / WEIGHTS)
    constants = [onnx.numpy_helper.from_array(np.zeros(2, np.float32), name) for name in ("w", "unknown")]
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])] for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Sum", ["x", "w", "unknown"], ["y"])], "g", *sides, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)

    def spelled():
        return externalize_weights(model, tmp_path / WEIGHTS, "encoder").SerializeToString()

    (tmp_path / ENCODER).write_bytes(spelled())
    assert load_encoder_graph(tmp_path) == spelled()  # as onnx itself spells it
    save_file({"a": np.zeros(99, np.float16)} | values, tmp_path / WEIGHTS)  # which lies before the other
    with pytest.warns(ImageMusicWarning, match=r"encoder\.onnx: stale or damaged, made again"):
        mended = load_encoder_graph(tmp_path)
    assert mended == spelled() == (tmp_path / ENCODER).read_bytes()
    session = onnxruntime.InferenceSession(tmp_path / ENCODER)
    assert session.run(None, {"x": np.zeros(2, np.float32)})[0].tolist() == [1, 2]


@pytest.mark.parametrize("content", [b"\x00" * 100, b"\x3a\xff", b"\x3a", b"\x3f"])
def test_an_encoder_that_is_no_graph_is_refused_in_one_line(tmp_path, content):
    save_file({"encoder.w": np.zeros(2, np.float16)}, tmp_path / WEIGHTS)
    (tmp_path / ENCODER).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"encoder\.onnx: not a usable encoder graph") as caught:
        ImageEncoder(tmp_path, 32)
    assert "\n" not in str(caught.value)


def test_quantizing_by_hand():
    weight = np.zeros((2, 20), np.float32)
    weight[0, :3], weight[1, 16] = (127, -127, 63.4), 2
    quantized, scales = quantize(weight)  # rows of 20 lie in one block of 32
    assert quantized.shape == (2, 1, 32)
    assert quantized[0, 0, :4].tolist() == [255, 1, 191, 128]
    assert quantized[1, 0, 16] == 255
    assert scales.tolist() == pytest.approx([1, 2 / 127])


def test_no_weight_moves_by_more_than_half_a_step():
    weight = np.random.default_rng(0).normal(size=(5, 200)).astype(np.float32)
    weight[2] = 0
    quantized, scales = quantize(weight)
    steps = scales.reshape(5, -1, 1)
    back = ((quantized.astype(np.float32) - 128) * steps).reshape(5, -1)[:, :200]
    assert (np.abs(back - weight) <= np.repeat(steps[..., 0], BLOCK, axis=1)[:, :200] * 0.5001).all()
    assert not back[2].any()


@pytest.mark.parametrize(("width", "size"), [(1, 16), (16, 16), (17, 32), (24, 32), (64, 64), (384, 64)])
def test_blocks_are_no_longer_than_the_rows_ask(width, size):
    assert block_size(width) == size
