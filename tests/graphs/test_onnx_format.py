import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from imagemusic.graphs import onnx_format
from imagemusic.graphs.onnx_format import Stored


def test_a_node_reads_as_the_onnx_package_would_make_it():
    spelled = onnx_format.node("Gemm", ["a", "b"], ["y"], transB=1, alpha=0.5, perm=[2, -1, 300])
    node = onnx.NodeProto.FromString(spelled)
    made = helper.make_node("Gemm", ["a", "b"], ["y"], name="y", transB=1, alpha=0.5, perm=[2, -1, 300])
    assert sorted(map(str, node.attribute)) == sorted(map(str, made.attribute))
    del node.attribute[:], made.attribute[:]
    assert node == made


def test_an_operator_of_onnx_runtime_alone_bears_its_domain():
    assert onnx.NodeProto.FromString(onnx_format.node("MatMulNBits", ["a"], ["y"])).domain == "com.microsoft"


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int64"])
def test_a_tensor_comes_back(dtype):
    data = np.arange(300).reshape(3, 100).astype(dtype)
    tensor = onnx.TensorProto.FromString(onnx_format.tensor("x", data))
    assert tensor.name == "x"
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), data)


def test_a_tensor_of_a_type_that_no_graph_here_needs_is_refused():
    with pytest.raises(KeyError, match="complex64"):
        onnx_format.tensor("x", np.zeros(1, np.complex64))


def test_a_pointer_names_file_offset_and_length():
    tensor = onnx.TensorProto.FromString(onnx_format.pointer("x", Stored("w.safetensors", 4096, (3, 5))))
    assert {entry.key: entry.value for entry in tensor.external_data} == {
        "location": "w.safetensors", "offset": "4096", "length": "30"
    }  # fmt: skip
    assert (tensor.data_location, tensor.data_type, list(tensor.dims)) == (1, onnx.TensorProto.FLOAT16, [3, 5])


def test_values_have_lengths_or_letters():
    value = onnx.ValueInfoProto.FromString(onnx_format.value("x", "R", 1536))
    assert value == helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["R", 1536])


def test_a_model_is_one_that_onnx_accepts_and_runs():
    from onnx.reference import ReferenceEvaluator

    spelled = onnx_format.model(
        "double", [onnx_format.node("Mul", ["x", "two"], ["y"])], [onnx_format.value("x", "R")],
        [onnx_format.value("y", "R")], [onnx_format.tensor("two", np.array([2], np.float32))],
        opsets={"": 17}, ir_version=9,
    )  # fmt: skip
    model = onnx.load_from_string(spelled)
    onnx.checker.check_model(model)
    (doubled,) = ReferenceEvaluator(model).run(None, {"x": np.array([1.5, -2], np.float32)})
    assert doubled.tolist() == [3, -4]
