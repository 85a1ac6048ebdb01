import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import load_file, save_file

from imagemusic.errors import CheckpointError
from imagemusic.graphs.external_data import WEIGHTS
from imagemusic.graphs.session import UnsupportedGraphError, load_session
from imagemusic.graphs.weights import externalize_weights, placeholder


@pytest.fixture
def graph(tmp_path):
    """y = x + w, with w = 1, 2 in the weights beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    save_file({"encoder.w": np.array([1, 2], np.float16)}, folder / WEIGHTS)
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])] for name in ("x", "y")]
    made = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", *sides, [placeholder("w", (2,))])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "g.onnx").write_bytes(externalize_weights(model, folder / WEIGHTS, "encoder").SerializeToString())
    return folder / "g.onnx"


def change(path, edit):
    model = onnx.load(path, load_external_data=False)
    edit(model.graph)
    path.write_bytes(model.SerializeToString())


def output(path, prefix="encoder"):
    return load_session(path, prefix).run(None, {"x": np.zeros(2, np.float32)})[0].tolist()


def test_a_graph_finds_its_weights(graph):
    assert output(graph) == [1, 2]


def test_a_folder_of_links_as_in_the_hugging_face_cache_is_read(graph, tmp_path):
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "blobs").mkdir()
    for number, name in enumerate(("g.onnx", WEIGHTS)):
        shutil.copy(graph.parent / name, tmp_path / "blobs" / str(number))
        (tmp_path / "snapshot" / name).symlink_to(f"../blobs/{number}")
    assert output(tmp_path / "snapshot" / "g.onnx") == [1, 2]


def test_a_graph_that_should_hold_its_weights_may_not_take_them_from_a_file(graph):
    with pytest.raises(CheckpointError, match=r"g\.onnx: not a graph of the weights beside it \(w\.f16 has no float16"):
        output(graph, None)


def test_a_graph_that_points_out_of_its_folder_is_refused_before_onnxruntime_sees_it(graph, tmp_path, monkeypatch):
    import onnxruntime

    def escape(made):
        next(entry for entry in made.initializer[0].external_data if entry.key == "location").value = "../secret"

    (tmp_path / "secret").write_bytes(b"1234")
    change(graph, escape)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("ONNX Runtime saw the graph"))
    with pytest.raises(CheckpointError, match=r"w\.f16 is taken from '\.\./secret', need '") as caught:
        output(graph)
    assert "\n" not in str(caught.value)


def test_a_graph_of_other_weights_is_refused(graph):
    # One more tensor moves the other, so that the graph points to the wrong bytes.
    save_file({"a": np.zeros(7, np.float16)} | load_file(graph.parent / WEIGHTS), graph.parent / WEIGHTS)
    with pytest.raises(CheckpointError, match=r"w\.f16 is bytes \d+ \+ 4 of model\.safetensors, need"):
        output(graph)


@pytest.mark.parametrize("name", ["g.onnx", WEIGHTS])
def test_a_missing_file_is_named(graph, name):
    (graph.parent / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}: cannot be read"):
        output(graph)


@pytest.mark.parametrize("content", [b"", b"none"])
def test_weights_that_are_no_safetensors_file_are_refused(graph, content):
    (graph.parent / WEIGHTS).write_bytes(content)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        output(graph)


def test_a_graph_that_onnxruntime_cannot_use_is_refused_in_one_line(graph):
    change(graph, lambda made: setattr(made.node[-1], "op_type", "Future"))
    with pytest.raises(UnsupportedGraphError, match=r"g\.onnx: ONNX Runtime cannot use this graph") as caught:
        output(graph)
    assert "\n" not in str(caught.value)
