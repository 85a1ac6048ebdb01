import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from imagemusic.checkpoint import BUNDLED, FORMAT_VERSION, REQUIRED, WEIGHTS, open_checkpoint, resolve
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import CheckpointError, ImageMusicError


@pytest.fixture
def copy(tiny_checkpoint, tmp_path):
    """A checkpoint to damage."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "copy")


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def change_weight(folder, start, change):
    weights = load_file(folder / WEIGHTS)
    name = next(name for name in weights if name.startswith(start))
    changed = change(weights.pop(name))
    save_file(weights | ({name: changed} if changed is not None else {}), folder / WEIGHTS)
    return name


def spoil(values):
    values.flat[-1] = np.nan
    return values


def test_a_checkpoint_comes_back_as_it_was_written(tiny_checkpoint):
    checkpoint = open_checkpoint(tiny_checkpoint)
    stored = load_file(tiny_checkpoint / WEIGHTS)
    assert {value.dtype for value in stored.values()} == {np.dtype(np.float16)}
    for name, value in checkpoint.part("decoder").items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, stored[f"decoder.{name}"].astype(np.float32))
    assert checkpoint.config["format_version"] == FORMAT_VERSION
    assert checkpoint.layout.size == checkpoint.config["decoder"]["condition_size"]
    assert set(checkpoint.scale.quantiles) == set(checkpoint.layout.dials)


def test_a_checkpoint_is_written_whole_or_not_at_all(tiny_checkpoint):
    assert {path.name for path in tiny_checkpoint.iterdir()} == {
        *REQUIRED,
        "step.onnx",
        "step_int8.onnx",
        "training.json",
        "README.md",
    }
    assert not list(tiny_checkpoint.parent.glob("*.partial*"))


def test_the_id_tells_checkpoints_apart(tiny_checkpoint, copy):
    original = open_checkpoint(tiny_checkpoint).id
    assert open_checkpoint(copy).id == original
    change_weight(copy, "decoder.", lambda values: values + 1)
    assert open_checkpoint(copy).id != original


def test_torch_loads_the_same_weights(tiny_checkpoint):
    from imagemusic.training.loading import load_decoder

    checkpoint = open_checkpoint(tiny_checkpoint)
    decoder = load_decoder(checkpoint)
    assert not decoder.training
    for name, value in decoder.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), checkpoint.weights[f"decoder.{name}"])


def test_torch_refuses_weights_of_another_shape(copy):
    from imagemusic.training.loading import load_decoder

    change_weight(copy, "decoder.to_heads.bias", lambda values: values[:-1])
    with pytest.raises(CheckpointError, match=r"does not fit the decoder \(size mismatch for to_heads\.bias"):
        load_decoder(open_checkpoint(copy))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_folder_without_a_part_is_no_checkpoint(copy, name):
    (copy / name).unlink()
    with pytest.raises(CheckpointError, match=f"copy: not a checkpoint, {name} is missing"):
        open_checkpoint(copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b"3"])
def test_damaged_settings_are_refused(copy, content):
    (copy / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json: damaged, or not the settings of a checkpoint"):
        open_checkpoint(copy)


def test_another_format_version_is_refused(copy):
    change_config(copy, format_version=FORMAT_VERSION + 1)
    with pytest.raises(CheckpointError, match=f"format version {FORMAT_VERSION + 1}, this imagemusic reads"):
        open_checkpoint(copy)


def test_another_codec_is_refused(copy):
    change_config(copy, codec={"version": 0})
    with pytest.raises(CheckpointError, match="made for another note codec"):
        open_checkpoint(copy)


@pytest.mark.parametrize("missing", ["encoder", "decoder", "condition", "dials", "pictures"])
def test_settings_that_lack_a_table_are_refused(copy, missing):
    change_config(copy, **{missing: None})
    with pytest.raises(CheckpointError, match=rf"config\.json: .*{missing}"):
        ImageMusic.from_pretrained(copy)


@pytest.mark.parametrize("keep", [0, 7, 1000, -1])
def test_truncated_weights_are_refused(copy, keep):
    data = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(data[:keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged, or not a safetensors file"):
        open_checkpoint(copy)


@pytest.mark.parametrize("start", ["decoder.heads.", "encoder."])
def test_a_weight_that_is_not_a_number_is_refused(copy, start):
    save_file(load_file(copy / WEIGHTS) | {"encoder.extra": np.zeros(3, np.float16)}, copy / WEIGHTS)
    name = change_weight(copy, start, spoil)
    with pytest.raises(CheckpointError, match=f"{name} holds numbers that are not finite"):
        open_checkpoint(copy)


@pytest.mark.parametrize("start", ["decoder.inputs.", "decoder.known.", "decoder.heads.", "prior.dials"])
def test_a_weight_that_is_missing_is_refused(copy, start):
    name = change_weight(copy, start, lambda values: None)
    with pytest.raises(CheckpointError, match="is missing") as caught:
        ImageMusic.from_pretrained(copy)
    assert name.partition(".")[2].replace("decoder.", "") in str(caught.value)


def test_a_damaged_encoder_is_refused_in_one_line(copy):
    (copy / "encoder.onnx").write_bytes(b"\x00" * 100)
    with pytest.raises(CheckpointError, match=r"encoder\.onnx") as caught:
        ImageMusic.from_pretrained(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["decoder.heads.gap.weight", "decoder.inputs.place.weight", "decoder.to_input.weight"])
def test_a_weight_of_another_shape_is_refused(copy, name):
    change_weight(copy, name, lambda values: values[:5])
    with pytest.raises(CheckpointError, match=rf"misshapen \({name.removeprefix('decoder.')} is \(5, ") as caught:
        ImageMusic.from_pretrained(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("changes", "reason"), [({"sizes": {"gap": 5}}, "vocabulary"), ({"condition_size": 7}, "fit")])
def test_a_decoder_that_does_not_fit_is_refused(copy, changes, reason):
    change_config(copy, decoder=open_checkpoint(copy).config["decoder"] | changes)
    with pytest.raises(CheckpointError, match=reason):
        open_checkpoint(copy)


@pytest.mark.parametrize("name", ["step.onnx", "step_int8.onnx"])
def test_without_the_graph_of_a_step_the_program_that_writes_it_is_named(copy, name):
    (copy / name).unlink()
    again = rf"copy: {name} is missing; `python -m imagemusic\.training\.export .*copy` writes it"
    with pytest.raises(CheckpointError, match=again):
        open_checkpoint(copy)


def test_graphs_are_exported_again_for_weights_that_moved(copy, tiny_checkpoint):
    from imagemusic.training.export import export_graphs

    save_file(load_file(copy / WEIGHTS) | {"decoder.a": np.zeros(7, np.float16)}, copy / WEIGHTS)
    with pytest.raises(CheckpointError, match=r"step_int8\.onnx: not a graph of the weights beside it"):
        ImageMusic.from_pretrained(copy)
    export_graphs(copy)
    ImageMusic.from_pretrained(copy)
    shutil.copy(tiny_checkpoint / WEIGHTS, copy)
    export_graphs(copy)
    for name in ("encoder.onnx", "step.onnx", "step_int8.onnx"):
        assert (copy / name).read_bytes() == (tiny_checkpoint / name).read_bytes()


def test_the_bundled_graphs_are_those_that_its_weights_and_settings_give(tmp_path):
    from imagemusic.training.export import export_graphs

    again = shutil.copytree(BUNDLED, tmp_path / "again")
    export_graphs(again)
    for name in ("encoder.onnx", "step.onnx", "step_int8.onnx"):
        assert (again / name).read_bytes() == (BUNDLED / name).read_bytes()


def test_no_name_means_the_bundled_checkpoint(tiny_checkpoint):
    assert resolve(None) == BUNDLED
    assert resolve(str(tiny_checkpoint)) == tiny_checkpoint


@pytest.mark.parametrize("name", ["nowhere", "/no/such/folder", "./owner/model", "a/b/c"])
def test_a_folder_that_does_not_exist_is_refused(name):
    with pytest.raises(CheckpointError, match=f"^{name}: no such checkpoint folder; name a folder or a hub id"):
        resolve(name)


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def fail(*_, **__):
        raise LocalEntryNotFoundError("no connection\nand more lines")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ImageMusicError, match=r"^owner/model: no such folder, and not on the hub \(no connection\)$"):
        resolve("owner/model")


def test_a_model_of_other_segments_is_refused(copy):
    table = json.loads((copy / "config.json").read_text())["condition"]
    change_config(copy, condition=table | {"segment": 8})
    expected = r"config\.json: condition: segments of 8 events, this imagemusic needs 16"
    with pytest.raises(CheckpointError, match=expected):
        open_checkpoint(copy)


def test_a_model_without_scales_has_those_of_before(copy):
    table = json.loads((copy / "config.json").read_text())["condition"]
    change_config(copy, condition={name: table[name] for name in ("embedding_size", "dials", "ensembles")})
    assert open_checkpoint(copy).layout.embedding_scale == 0.25


@pytest.mark.parametrize("size", [None, 0, 1e9, "224", True, [224]])
def test_an_encoder_without_a_size_is_refused(copy, size):
    change_config(copy, encoder={"name": "mean colour", "size": size})
    with pytest.raises(CheckpointError, match=r"config\.json: damaged, encoder size"):
        open_checkpoint(copy)


@pytest.mark.parametrize("table", [None, [], [0.0], [1.0, 0.0], [0.0, None], [0.0, float("inf")], "abc", 3])
def test_a_table_of_pictures_that_is_none_is_refused(copy, table):
    pictures = open_checkpoint(copy).config["pictures"]
    change_config(copy, pictures=pictures | {"arousal": table})
    with pytest.raises(CheckpointError, match=r"pictures\.arousal is not a rising list of numbers"):
        open_checkpoint(copy)


@pytest.mark.parametrize(
    "change", [{"mean": None}, {"mean": {"tempo": "fast"}}, {"more": 1}, {"deviation": [float("nan")]}]
)
def test_a_scale_of_dials_that_is_damaged_is_refused(copy, change):
    change_config(copy, dials=open_checkpoint(copy).config["dials"] | change)
    with pytest.raises(CheckpointError, match=r"config\.json: damaged, 'dials'"):
        open_checkpoint(copy)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("prior.dials", lambda values: values[:, :3]),
        ("prior.dials", lambda values: values[:0]),
        ("prior.dials", lambda values: np.full_like(values, np.inf)),
        ("prior.ensembles", lambda values: values[:1]),
        ("prior.ensembles", lambda values: values + 99),
        ("prior.ensembles", lambda values: values + 0.5),
    ],
)
def test_a_prior_that_does_not_fit_is_refused(copy, name, change):
    change_weight(copy, name, change)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged, prior\.dials"):
        open_checkpoint(copy)


@pytest.mark.parametrize("name", ["encoder.onnx", "step.onnx", "step_int8.onnx"])
def test_a_damaged_graph_is_refused_at_opening_whatever_backend_is_used(copy, name):
    (copy / name).write_bytes((copy / name).read_bytes()[:-7])
    with pytest.raises(CheckpointError, match=rf"{name}: not a graph of the weights beside it"):
        ImageMusic.from_pretrained(copy)
