import numpy as np
import onnx
import pytest

from imagemusic.errors import CheckpointError, ConfigError, ImageMusicWarning
from imagemusic.generation import backends
from imagemusic.generation.backends import (
    BACKENDS,
    OnnxBackend,
    PaddedBackend,
    RowwiseBackend,
    is_batch_invariant,
    make_backend,
)
from imagemusic.generation.step_shape import StepShape
from tests import tiny

SHAPE = StepShape(layers=2, hidden_size=16, heads_size=40)


@pytest.fixture(scope="module")
def weights():
    return tiny.weights_of(tiny.decoder())


@pytest.fixture
def folder(tmp_path):
    return tiny.write_step(tiny.decoder(), tmp_path)


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    gates, *state = (rng.normal(size=(count, size)).astype(np.float32) for size in (64, 16, 16, 16, 16))
    return gates, tuple(state)


class Mixing:
    """A backend whose rows depend on each other."""

    name = "mixing"

    def run(self, gates, state):
        return gates[:, :40] - gates.mean(), tuple(part + 1 for part in state)


@pytest.mark.parametrize("name", BACKENDS)
def test_backends_agree(name, folder, weights):
    gates, state = rows(5)
    expected, after = make_backend("torch", folder, weights, SHAPE).run(gates, state)
    heads, found = make_backend(name, folder, weights, SHAPE).run(gates, state)
    close = 0.05 if name == "int8" else 1e-5
    np.testing.assert_allclose(heads, expected, atol=close)
    for one, other in zip(found, after, strict=True):
        np.testing.assert_allclose(one, other, atol=close)


class InPairs:
    """A backend that sums an odd last row in another order than the pairs."""

    name = "in pairs"

    def run(self, gates, state):
        odd = np.arange(len(gates)) == len(gates) // 2 * 2
        return gates[:, :40] + np.where(odd, np.float32(1e-6), np.float32(0))[:, None], state


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("count", [2, 5, 64])
def test_a_row_is_the_same_to_the_bit_whatever_is_beside_it(name, count, folder, weights):
    backend = make_backend(name, folder, weights, SHAPE)
    gates, state = rows(count)
    heads, after = backend.run(gates, state)
    for row in range(count):
        alone, own = backend.run(gates[[row]], tuple(part[[row]] for part in state))
        np.testing.assert_array_equal(heads[row], alone[0])
        for part, one in zip(after, own, strict=True):
            np.testing.assert_array_equal(part[row], one[0])


def test_a_backend_that_mixes_rows_runs_them_one_at_a_time(folder, weights, monkeypatch):
    assert not is_batch_invariant(Mixing(), SHAPE)
    monkeypatch.setitem(backends._MAKERS, "torch", lambda *_: Mixing())
    backend = make_backend("torch", folder, weights, SHAPE)
    assert isinstance(backend, RowwiseBackend)
    assert is_batch_invariant(backend, SHAPE)
    gates, state = rows(3)
    heads, after = backend.run(gates, state)
    assert (heads.shape, [part.shape for part in after]) == ((3, 40), [(3, 16)] * 4)
    assert heads[1] == pytest.approx(gates[1, :40] - gates[1].mean(), abs=1e-6)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_backend_that_processes_rows_in_pairs_gets_pairs(count, folder, weights, monkeypatch):
    assert not is_batch_invariant(InPairs(), SHAPE)
    monkeypatch.setitem(backends._MAKERS, "torch", lambda *_: InPairs())
    backend = make_backend("torch", folder, weights, SHAPE)
    assert isinstance(backend, PaddedBackend)
    gates, state = rows(count)
    heads, after = backend.run(gates, state)
    np.testing.assert_array_equal(heads, gates[:, :40])
    for part, given in zip(after, state, strict=True):
        np.testing.assert_array_equal(part, given)


@pytest.mark.parametrize("name", ["int8", "onnx"])
@pytest.mark.parametrize("content", [None, b"", b"not a graph"])
def test_a_graph_that_is_missing_or_damaged_is_refused_in_one_line(folder, weights, name, content):
    path = folder / {"int8": "step_int8.onnx", "onnx": "step.onnx"}[name]
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(CheckpointError, match=path.name) as caught:
        make_backend(name, folder, weights, SHAPE)
    assert "\n" not in str(caught.value)


def test_an_unknown_backend_is_refused(folder, weights):
    with pytest.raises(ConfigError, match="unknown engine 'abacus'; choose from int8, onnx, torch"):
        make_backend("abacus", folder, weights, SHAPE)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_weight_of_another_shape_is_refused(folder, weights, name):
    with pytest.raises(ValueError, match=r"to_heads\.bias is \(39,\), need \(40,\)"):
        make_backend(name, folder, weights | {"to_heads.bias": weights["to_heads.bias"][:-1]}, SHAPE)


def test_the_graph_of_a_step_of_another_shape_is_refused_in_one_line(folder):
    message = r"step\.onnx: takes and gives \{.*'heads': 40, .*, need \{.*'heads': 45, "
    with pytest.raises(CheckpointError, match=message) as caught:
        OnnxBackend(folder / "step.onnx", StepShape(layers=2, hidden_size=16, heads_size=45), "fp32")
    assert "\n" not in str(caught.value)


def test_without_a_product_of_bytes_the_step_runs_in_fp32_with_a_notice(folder, weights):
    model = onnx.load(folder / "step_int8.onnx", load_external_data=False)
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":
            node.op_type = "MatMulOfTheFuture"
    (folder / "step_int8.onnx").write_bytes(model.SerializeToString())
    with pytest.warns(ImageMusicWarning, match="composing in fp32, not int8") as caught:
        backend = make_backend("int8", folder, weights, SHAPE)
    assert backend.name.endswith("fp32")
    assert "\n" not in str(caught[0].message)
