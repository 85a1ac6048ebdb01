import numpy as np
import onnx
import pytest
from onnx import TensorProto
from safetensors.numpy import save_file

from imagemusic.model.graph import point_into, step_graph
from imagemusic.model.stepping import OnnxEngine, State
from tests import tiny


def test_a_step_computes_an_lstm_cell_by_hand(tmp_path):
    # One unit; all its weights are zero, so the gates are what comes in: i, f, g, o.
    shapes = {"lstm.weight_hh_l0": (4, 1), "to_heads.weight": (5, 1), "to_heads.bias": (5,)}
    stored = {f"decoder.{name}": np.zeros(shape, np.float16) for name, shape in shapes.items()}
    stored["decoder.to_heads.weight"][:] = 2
    save_file(stored, tmp_path / "w.safetensors")
    graph = point_into(step_graph(layers=1, hidden_size=1, heads_size=5), tmp_path / "w.safetensors", "decoder")
    (tmp_path / "step.onnx").write_bytes(graph.SerializeToString())
    gates = np.array([[0.0, 100.0, 0.5, 100.0]], np.float32)
    one = np.full((1, 1, 1), 1.0, np.float32)
    heads, state = OnnxEngine(tmp_path / "step.onnx").run(gates, State(one, one))
    cell = 1 + 0.5 * np.tanh(0.5)
    assert state.cell[0, 0, 0] == pytest.approx(cell)
    assert state.hidden[0, 0, 0] == pytest.approx(np.tanh(cell))
    assert heads[0] == pytest.approx(np.full(5, 2 * np.tanh(cell)))


def test_a_graph_holds_no_weights_of_its_own(tmp_path):
    tiny.write_step(tiny.decoder(), tmp_path)
    graph = onnx.load(tmp_path / "step.onnx", load_external_data=False).graph
    weights = [tensor for tensor in graph.initializer if tensor.dims and tensor.data_type == TensorProto.FLOAT16]
    assert all(tensor.data_location == TensorProto.EXTERNAL for tensor in weights)
    assert len(weights) == 7  # recurrent and bias of each layer, inward of the second, heads
    assert (tmp_path / "step.onnx").stat().st_size < 10_000


def test_the_graph_is_one_that_onnx_accepts(tmp_path):
    tiny.write_step(tiny.decoder(layers=3), tmp_path)
    onnx.checker.check_model(str(tmp_path / "step.onnx"))


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
        point_into(step_graph(layers=1, hidden_size=1, heads_size=5), tmp_path / "w.safetensors", "decoder")
