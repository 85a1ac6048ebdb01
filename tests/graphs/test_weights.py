import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from imagemusic.graphs.external_data import WEIGHTS
from imagemusic.graphs.weights import externalize_weights, inline_weights, placeholder


@pytest.fixture
def weights(tmp_path):
    """A file that holds w = 1, 2."""
    save_file({"encoder.w": np.array([1, 2], np.float16)}, tmp_path / WEIGHTS)
    return tmp_path / WEIGHTS


def sum_of(*constants):
    """Build y = x + every constant."""
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])] for name in ("x", "y")]
    nodes = [helper.make_node("Sum", ["x", *(constant.name for constant in constants)], ["y"])]
    graph = helper.make_graph(nodes, "g", *sides, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def zeros(name, size=2):
    return numpy_helper.from_array(np.zeros(size, np.float32), name)


def write_graph(weights, *constants):
    path = weights.with_name("g.onnx")
    path.write_bytes(externalize_weights(sum_of(*constants), weights, "encoder").SerializeToString())
    return path


def test_a_stored_weight_is_taken_from_the_file_and_others_stay(weights):
    made = externalize_weights(sum_of(zeros("w"), zeros("unknown")), weights, "encoder").graph
    assert [tensor.name for tensor in made.initializer] == ["w.f16", "unknown"]
    assert [node.op_type for node in made.node] == ["Cast", "Sum"]
    assert list(made.node[0].output) == ["w"]


def test_any_onnx_runtime_reads_the_graph_from_its_folder(weights):
    session = onnxruntime.InferenceSession(write_graph(weights, zeros("w")), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.ones(2, np.float32)})[0].tolist() == [2, 3]


def test_weights_come_back_into_their_graph(weights):
    model = inline_weights(write_graph(weights, zeros("w"), zeros("unknown")), "encoder")
    onnx.checker.check_model(model)
    found = {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in model.graph.initializer}
    assert found == {"w": [1, 2], "unknown": [0, 0]}
    assert [node.op_type for node in model.graph.node] == ["Sum"]


def test_a_weight_that_is_gone_is_refused(weights):
    path = write_graph(weights, zeros("w"))
    save_file({"other": np.zeros(1, np.float16)}, weights)
    with pytest.raises(ValueError, match=r"encoder\.w is missing"):
        inline_weights(path, "encoder")


def test_a_weight_of_another_shape_is_refused(weights):
    with pytest.raises(ValueError, match=r"encoder\.w: stored as \[2\], need \[3\]"):
        externalize_weights(sum_of(zeros("w", 3)), weights, "encoder")


def test_a_placeholder_without_a_weight_is_refused(weights):
    with pytest.raises(ValueError, match=r"encoder\.v: no such float16 weight in model\.safetensors"):
        externalize_weights(sum_of(placeholder("v", (2,))), weights, "encoder")
