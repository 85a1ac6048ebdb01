import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import save_file

from imagemusic.generation.backends import OnnxBackend
from imagemusic.generation.step_graph import BLOCK, block_size, step_graph, write_step_graphs
from imagemusic.generation.step_shape import STEP, STEP_INT8, StepShape
from imagemusic.graphs.external_data import WEIGHTS
from tests import tiny

UNIT = StepShape(layers=1, hidden_size=1, heads_size=5)


@pytest.fixture
def unit_folder(tmp_path):
    """One unit; all its weights are zero but those of the heads, so the gates are the input: i, f, g, o."""
    save_unit(tmp_path)
    write_step_graphs(tmp_path, UNIT)
    return tmp_path


def save_unit(folder, **changes):
    weights = {name: np.full(size, 2.0 if name == "to_heads.weight" else 0.0) for name, size in UNIT.weights().items()}
    half = {f"decoder.{name}": value.astype(np.float16) for name, value in (weights | changes).items()}
    save_file(half, folder / WEIGHTS)


@pytest.mark.parametrize(("name", "close"), [(STEP, 1e-6), (STEP_INT8, 0.02)])
def test_a_step_computes_an_lstm_cell_by_hand(unit_folder, name, close):
    backend = OnnxBackend(unit_folder / name, UNIT, "kind")
    one = np.ones((1, 1), np.float32)
    heads, (hidden, cell) = backend.run(np.array([[0.0, 100.0, 0.5, 100.0]], np.float32), (one, one))
    expected = 1 + 0.5 * np.tanh(0.5)
    assert cell[0, 0] == pytest.approx(expected)
    assert hidden[0, 0] == pytest.approx(np.tanh(expected))
    assert heads[0] == pytest.approx(np.full(5, 2 * np.tanh(expected)), rel=close)


@pytest.mark.parametrize("name", [STEP, STEP_INT8])
@pytest.mark.parametrize("changes", [tiny.WINNER, {"layers": 3}], ids=["residual", "three layers"])
def test_the_graph_is_one_that_onnx_accepts(tmp_path, name, changes):
    onnx.checker.check_model(str(tiny.write_step(tiny.decoder(**changes), tmp_path) / name), full_check=True)


@pytest.mark.parametrize("name", [STEP, STEP_INT8])
def test_a_graph_holds_no_weights_of_its_own(tmp_path, name):
    graph = onnx.load(tiny.write_step(tiny.decoder(), tmp_path) / name, load_external_data=False).graph
    external = [tensor for tensor in graph.initializer if tensor.data_location == TensorProto.EXTERNAL]
    assert {tensor.data_type for tensor in external} == {TensorProto.FLOAT16}
    assert len(external) == 7  # recurrent of each layer, input and two biases of the second, heads
    assert (tmp_path / name).stat().st_size < 10_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, r"decoder\.lstm\.weight_hh_l0: no such float16 weight in model\.safetensors"),
        (np.zeros((4, 2)), r"decoder\.lstm\.weight_hh_l0: stored as \[4, 2\], need \[4, 1\]"),
    ],
)
def test_a_weight_that_is_missing_or_misshapen_is_refused(tmp_path, change, message):
    save_file({"other": np.zeros(1)}, tmp_path / WEIGHTS) if change is None else save_unit(
        tmp_path, **{"lstm.weight_hh_l0": change}
    )
    with pytest.raises(ValueError, match=message):
        write_step_graphs(tmp_path, UNIT)


def quantized(weight):
    """Run the nodes of the int8 graph that quantize one matrix: bytes (N, blocks, block) and scales (N x blocks,)."""
    shape = StepShape(layers=1, hidden_size=weight.shape[1], heads_size=len(weight))
    model = step_graph(shape, int8=True)
    for tensor in model.graph.initializer:
        if tensor.name == "to_heads.weight":
            tensor.CopyFrom(numpy_helper.from_array(weight, tensor.name))
    nodes = [node for node in model.graph.node if node.name.startswith("to_heads.weight.")]
    needed = {name for node in nodes for name in node.input}
    initializers = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    outputs = [onnx.ValueInfoProto(name=f"to_heads.weight.{end}") for end in ("int8", "scales")]
    graph = onnx.helper.make_graph(nodes, "quantize", [], outputs, initializers)
    return ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=model.opset_import[:1])).run(None, {})


def test_quantizing_by_hand():
    weight = np.zeros((2, 20), np.float32)
    weight[0, :3], weight[1, 16] = (127, -127, 63.4), 2
    found, scales = quantized(weight)  # rows of 20 are one block of 32
    assert (found.shape, found.dtype) == ((2, 1, 32), np.uint8)
    assert found[0, 0, :4].tolist() == [255, 1, 191, 128]
    assert found[1, 0, 16] == 255
    assert scales.tolist() == pytest.approx([1, 2 / 127])


def test_no_weight_moves_by_more_than_half_a_step():
    weight = np.random.default_rng(0).normal(size=(5, 200)).astype(np.float32)
    weight[2] = 0
    found, scales = quantized(weight)
    steps = scales.reshape(5, -1, 1)
    back = ((found.astype(np.float32) - 128) * steps).reshape(5, -1)[:, :200]
    assert (np.abs(back - weight) <= np.repeat(steps[..., 0], BLOCK, axis=1)[:, :200] * 0.5001).all()
    assert not back[2].any()


def test_onnxruntime_quantizes_while_loading_and_not_at_every_step(tmp_path):
    import onnxruntime

    folder = tiny.write_step(tiny.decoder(), tmp_path)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    onnxruntime.InferenceSession(folder / STEP_INT8, options, providers=["CPUExecutionProvider"])
    operators = {node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node}
    assert "MatMulNBits" in operators
    assert not {"QuantizeLinear", "ReduceMax", "Div", "Cast"} & operators


@pytest.mark.parametrize(("width", "size"), [(1, 16), (16, 16), (17, 32), (24, 32), (64, 64), (384, 64)])
def test_blocks_are_at_most_as_long_as_the_rows_need(width, size):
    assert block_size(width) == size
