import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from imagemusic.graphs.external_data import (
    MESSAGES,
    WEIGHTS,
    ExternalTensor,
    Span,
    check_external_data,
    external_tensors,
    read_spans,
)

STORED = save({"encoder.w": np.arange(2, dtype=np.float16), "prior.x": np.zeros(3, np.float32)})
SPANS = read_spans(STORED)
W = SPANS["encoder.w"]


def external(name="w.f16", **entries):
    tensor = TensorProto(name=name, dims=[2], data_type=TensorProto.FLOAT16, data_location=TensorProto.EXTERNAL)
    for key, value in ({"location": WEIGHTS, "offset": W.offset, "length": W.length} | entries).items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def graph_of(*initializers, nodes=()):
    return helper.make_graph(nodes, "g", [], [], initializers)


def serialized(*initializers, nodes=(), **parts):
    return helper.make_model(graph_of(*initializers, nodes=nodes), **parts).SerializeToString()


def test_the_span_of_a_float16_tensor_is_read_by_hand():
    assert {"encoder.w": Span(W.offset, 4, (2,))} == SPANS  # graphs take no other type
    assert STORED[W.offset : W.offset + 4] == np.arange(2, dtype=np.float16).tobytes()


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, b"\x02" + b"\x00" * 7 + b"[]", b"\x01" + b"\x00" * 7 + b"{"])
def test_what_is_no_safetensors_file_has_no_spans(content):
    with pytest.raises(ValueError):
        read_spans(content)


def test_only_the_tensors_in_other_files_are_listed():
    inside = numpy_helper.from_array(np.zeros(5, np.float32), "inside")
    assert external_tensors(serialized(inside, external())) == [ExternalTensor("w.f16", WEIGHTS, W.offset, 4)]


def test_a_graph_that_takes_each_weight_from_its_place_passes():
    check_external_data(serialized(external()), SPANS, "encoder")


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../model.safetensors", "./model.safetensors", "", "sub/model.safetensors", "*/_ORT_MEM_ADDR_/*"],
)
def test_another_file_is_refused(location):
    with pytest.raises(ValueError, match=r"w\.f16 is taken from '.*', need 'model\.safetensors'"):
        check_external_data(serialized(external(location=location)), SPANS, "encoder")


@pytest.mark.parametrize("place", [{"offset": W.offset + 2}, {"offset": 0}, {"length": 2}, {"offset": -1}])
def test_other_bytes_of_the_weights_are_refused(place):
    with pytest.raises(ValueError, match=rf"need {W.offset} \+ 4"):
        check_external_data(serialized(external(**place)), SPANS, "encoder")


@pytest.mark.parametrize("name", ["unknown.f16", "x.f16"])
def test_a_tensor_without_a_weight_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} has no float16 weight"):
        check_external_data(serialized(external(name)), SPANS, "encoder")


def test_a_tensor_that_names_two_files_is_refused():
    tensor = external()
    tensor.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(ValueError, match="twice"):
        check_external_data(serialized(tensor), SPANS, "encoder")


def model_with_a_hidden_tensor(place):
    evil = external("evil", location="/etc/passwd")
    constant = helper.make_node("Constant", [], ["y"], value=evil)
    branch = helper.make_node("If", ["c"], ["y"], then_branch=graph_of(evil), else_branch=graph_of())
    function = helper.make_function("own", "f", [], ["y"], [constant], [helper.make_opsetid("", 17)])
    sparse = onnx.SparseTensorProto(values=evil, dims=[2])
    training = onnx.TrainingInfoProto(initialization=graph_of(evil))
    return {
        "constant": onnx.ModelProto(graph=graph_of(nodes=[constant])),
        "branch": onnx.ModelProto(graph=graph_of(nodes=[branch])),
        "function": onnx.ModelProto(functions=[function]),
        "sparse": onnx.ModelProto(graph=onnx.GraphProto(sparse_initializer=[sparse])),
        "training": onnx.ModelProto(training_info=[training]),
    }[place].SerializeToString()


@pytest.mark.parametrize("place", ["constant", "branch", "function", "sparse", "training"])
def test_no_part_of_a_graph_hides_a_tensor(place):
    with pytest.raises(ValueError, match="evil is taken from '/etc/passwd'"):
        check_external_data(model_with_a_hidden_tensor(place), SPANS, "encoder")


def test_every_message_of_onnx_that_can_hold_a_tensor_is_known():
    messages = {}

    def collect(message):
        messages[message.name] = {f.number: f.message_type.name for f in message.fields if f.message_type}
        for field in message.fields:
            if field.message_type and field.message_type.name not in messages:
                collect(field.message_type)

    collect(onnx.ModelProto.DESCRIPTOR)
    leading = {"TensorProto"}
    while more := {name for name, fields in messages.items() if leading & set(fields.values())} - leading:
        leading |= more
    assert MESSAGES.keys() == leading | {"StringStringEntryProto"}
    for name in leading - {"TensorProto"}:
        assert MESSAGES[name] == {number: kind for number, kind in messages[name].items() if kind in leading}


def test_every_part_of_a_tensor_that_protobuf_would_merge_is_checked():
    first = field(13, field(1, b"location") + field(2, WEIGHTS.encode()))
    second = field(13, field(1, b"location") + field(2, b"/etc/passwd"))
    attribute = field(5, field(8, b"w") + first) + field(5, second)
    graph = field(7, field(1, field(5, attribute)))
    merged = onnx.ModelProto.FromString(graph).graph.node[0].attribute[0].t
    assert [entry.value for entry in merged.external_data] == [WEIGHTS, "/etc/passwd"]
    assert [tensor.location for tensor in external_tensors(graph)] == [WEIGHTS, "/etc/passwd"]


@pytest.mark.parametrize("content", [b"\x80", b"\x3a\xff", b"\x3a", b"\x3f", b"\x80\x80\x80\x80\x80\x01\x00"])
def test_bytes_that_are_no_message_are_refused(content):
    with pytest.raises(ValueError, match="not an ONNX graph, or cut short"):
        external_tensors(content)


def test_an_empty_file_is_refused():
    with pytest.raises(ValueError, match="an empty file"):
        check_external_data(b"", SPANS, "encoder")


def field(number, content):
    """Spell a field of a message by hand: key, length of 5 bytes, content."""
    length = bytes([len(content) >> 7 * i & 0x7F | 0x80 for i in range(4)]) + bytes([len(content) >> 28])
    return bytes([number << 3 | 2]) + length + content


def test_a_graph_that_is_nested_too_deeply_for_protobuf_is_refused():
    graph = b""
    for _ in range(40):
        graph = field(1, field(5, field(6, graph)))  # graph > node > attribute > graph
    with pytest.raises(ValueError, match="not an ONNX graph"):
        external_tensors(field(7, graph))
