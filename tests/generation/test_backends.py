import numpy as np
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
from imagemusic.generation.step_graph import StepShape
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


class Mingling:
    """An engine whose rows know of each other."""

    name = "mingling"

    def run(self, gates, state):
        return gates[:, :40] - gates.mean(), tuple(part + 1 for part in state)


@pytest.mark.parametrize("name", BACKENDS)
def test_engines_agree(name, folder, weights):
    gates, state = rows(5)
    expected, after = make_backend("torch", folder, weights, SHAPE).run(gates, state)
    heads, found = make_backend(name, folder, weights, SHAPE).run(gates, state)
    close = 0.05 if name == "int8" else 1e-5
    np.testing.assert_allclose(heads, expected, atol=close)
    for one, other in zip(found, after, strict=True):
        np.testing.assert_allclose(one, other, atol=close)


class InPairs:
    """An engine that adds up an odd last row in another order than the pairs."""

    name = "in pairs"

    def run(self, gates, state):
        odd = np.arange(len(gates)) == len(gates) // 2 * 2
        return gates[:, :40] + np.where(odd, np.float32(1e-6), np.float32(0))[:, None], state


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("count", [2, 5, 64])
def test_a_row_is_the_same_to_the_bit_whatever_is_beside_it(name, count, folder, weights):
    engine = make_backend(name, folder, weights, SHAPE)
    gates, state = rows(count)
    heads, after = engine.run(gates, state)
    for row in range(count):
        alone, own = engine.run(gates[[row]], tuple(part[[row]] for part in state))
        np.testing.assert_array_equal(heads[row], alone[0])
        for part, one in zip(after, own, strict=True):
            np.testing.assert_array_equal(part[row], one[0])


def test_an_engine_whose_rows_mingle_runs_them_one_at_a_time(folder, weights, monkeypatch):
    assert not is_batch_invariant(Mingling(), SHAPE)
    monkeypatch.setitem(backends._MAKERS, "torch", lambda *_: Mingling())
    engine = make_backend("torch", folder, weights, SHAPE)
    assert isinstance(engine, RowwiseBackend)
    assert is_batch_invariant(engine, SHAPE)
    gates, state = rows(3)
    heads, after = engine.run(gates, state)
    assert (heads.shape, [part.shape for part in after]) == ((3, 40), [(3, 16)] * 4)
    assert heads[1] == pytest.approx(gates[1, :40] - gates[1].mean(), abs=1e-6)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_an_engine_that_takes_rows_in_pairs_gets_pairs(count, folder, weights, monkeypatch):
    assert not is_batch_invariant(InPairs(), SHAPE)
    monkeypatch.setitem(backends._MAKERS, "torch", lambda *_: InPairs())
    engine = make_backend("torch", folder, weights, SHAPE)
    assert isinstance(engine, PaddedBackend)
    gates, state = rows(count)
    heads, after = engine.run(gates, state)
    np.testing.assert_array_equal(heads, gates[:, :40])
    for part, given in zip(after, state, strict=True):
        np.testing.assert_array_equal(part, given)


@pytest.mark.parametrize("content", [None, b"", b"not a graph"])
def test_a_graph_that_is_missing_or_damaged_is_made_again_with_a_notice(folder, weights, content):
    gates, state = rows(2)
    expected, _ = make_backend("onnx", folder, weights, SHAPE).run(gates, state)
    sound = (folder / "step.onnx").read_bytes()
    (folder / "step.onnx").unlink() if content is None else (folder / "step.onnx").write_bytes(content)
    with pytest.warns(ImageMusicWarning, match=r"step\.onnx: stale or damaged, made again from model\.safetensors"):
        engine = make_backend("onnx", folder, weights, SHAPE)
    np.testing.assert_array_equal(engine.run(gates, state)[0], expected)
    assert (folder / "step.onnx").read_bytes() == sound
    assert {path.name for path in folder.iterdir()} == {"step.onnx", "model.safetensors"}


def test_a_graph_of_other_weights_is_stale(folder, weights):
    from safetensors.numpy import load_file, save_file

    # One more tensor moves all others, so the graph points to the wrong bytes.
    save_file({"a": np.zeros(7, np.float16)} | load_file(folder / "model.safetensors"), folder / "model.safetensors")
    gates, state = rows(2)
    with pytest.warns(ImageMusicWarning, match="stale"):
        heads, _ = make_backend("onnx", folder, weights, SHAPE).run(gates, state)
    np.testing.assert_allclose(heads, make_backend("torch", folder, weights, SHAPE).run(gates, state)[0], atol=1e-5)
    make_backend("onnx", folder, weights, SHAPE)  # without a warning


def test_in_a_folder_that_cannot_be_written_the_graph_serves_once(folder, weights, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    (folder / "step.onnx").write_bytes(b"")
    monkeypatch.setattr("os.replace", refuse)
    with pytest.warns(ImageMusicWarning):
        engine = make_backend("onnx", folder, weights, SHAPE)
    assert np.isfinite(engine.run(*rows(1))[0]).all()
    assert {path.name for path in folder.iterdir()} == {"step.onnx", "model.safetensors"}


def test_an_unknown_engine_is_refused(folder, weights):
    with pytest.raises(ConfigError, match="unknown engine 'abacus'; choose from int8, onnx, torch"):
        make_backend("abacus", folder, weights, SHAPE)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_weight_of_another_shape_is_refused(folder, weights, name):
    with pytest.raises(ValueError, match=r"to_heads\.bias is \(39,\), need \(40,\)"):
        make_backend(name, folder, weights | {"to_heads.bias": weights["to_heads.bias"][:-1]}, SHAPE)


def test_a_graph_that_cannot_be_used_is_refused_in_one_line():
    with pytest.raises(CheckpointError, match="fp32: not a usable step graph") as caught:
        OnnxBackend(b"not a graph", SHAPE, "fp32")
    assert "\n" not in str(caught.value)


def test_where_bytes_cannot_be_multiplied_the_step_runs_in_fp32_with_a_notice(folder, weights, monkeypatch):
    monkeypatch.setattr(backends, "int8_step_graph", lambda *_: b"an operator of the future")
    with pytest.warns(ImageMusicWarning, match="composing in fp32") as caught:
        engine = make_backend("int8", folder, weights, SHAPE)
    assert engine.name.endswith("fp32")
    assert "\n" not in str(caught[0].message)
