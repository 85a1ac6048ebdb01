import csv
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import torch

from imagemusic.errors import ConfigError, DataError
from imagemusic.events.vocabulary import FIELDS
from imagemusic.training.settings import DecoderOptions, decoder_config, layout_for, read_config
from imagemusic.training.trainer import train
from tests import tiny

# lightning asks torch for a class that torch has begun to replace.
pytestmark = pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated:FutureWarning")

# The run that is killed has a process of its own: with other threads, sums would have another order.
EVERY_STEP = "threads = 1\nlog_every = 1\nsave_every = 2\nvalidate_every = 5\nsteps = 12\n"


@pytest.fixture(scope="module")
def files(prepared_folder, pictures_file):
    return {"prepared": prepared_folder, "pictures": pictures_file}


@pytest.fixture(scope="module")
def straight(files, tmp_path_factory):
    """A run that was not stopped."""
    folder = tmp_path_factory.mktemp("straight")
    return train(tiny.write_config(folder / "x.toml", run=folder / "run", training=EVERY_STEP, **files))


def metrics_of(run):
    with open(run / "metrics.csv", newline="") as file:
        return [(int(row["step"]), row["metric"], row["value"]) for row in csv.DictReader(file)]


def saved_step(run):
    return torch.load(run / "last.ckpt", weights_only=True)["global_step"]


def weights_at_the_end(run):
    return torch.load(run / "last.ckpt", weights_only=True)["state_dict"]


def kill_once_saved(config, run, step):
    """Start training in another process and kill it as soon as it has saved a step."""
    code = "import pathlib, sys; from imagemusic.training import trainer; trainer.train(pathlib.Path(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", code, str(config)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])  # fmt: skip
    try:
        while not (run / "last.ckpt").exists() or saved_step(run) < step:
            assert process.poll() is None, "training ended before it was killed"
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_a_run_leaves_its_settings_weights_and_curves(straight):
    assert tomllib.loads((straight / "config.toml").read_text())["training"]["steps"] == 12
    assert (straight / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((straight / "tensorboard").glob("events*"))
    assert saved_step(straight) == 12


def test_every_step_is_logged_once_in_total_and_by_field(straight):
    metrics = metrics_of(straight)
    assert [step for step, name, _ in metrics if name == "train/loss"] == list(range(1, 13))
    assert [step for step, name, _ in metrics if name == "validation/bits/total"] == [5, 10, 12]
    names = {name for _, name, _ in metrics}
    for kind in ("train/loss", "train/accuracy", "validation/bits", "validation/accuracy"):
        assert {f"{kind}/{field}" for field in FIELDS} <= names


def test_accuracies_are_shares(straight):
    assert all(0 <= float(value) <= 1 for _, name, value in metrics_of(straight) if "accuracy" in name)


@pytest.mark.timeout(120)
def test_a_run_that_is_killed_resumes_to_the_same_numbers(straight, files, tmp_path):
    run = tmp_path / "run"
    config = tiny.write_config(tmp_path / "x.toml", run=run, training=EVERY_STEP, **files)
    kill_once_saved(config, run, step=7)
    assert 7 <= saved_step(run) < 12
    train(config)
    assert metrics_of(run) == metrics_of(straight)
    for name, weight in weights_at_the_end(straight).items():
        torch.testing.assert_close(weights_at_the_end(run)[name], weight, rtol=0, atol=0)


def test_what_was_logged_after_the_last_save_is_dropped(straight, files, tmp_path):
    run = Path(shutil.copytree(straight, tmp_path / "run"))
    with open(run / "metrics.csv", "a") as file:
        file.write("13,train/loss,9.9\n14,train/lo")
    train(tiny.write_config(tmp_path / "x.toml", run=run, training=EVERY_STEP, **files))
    assert metrics_of(run) == metrics_of(straight)


def test_a_finished_run_stays_as_it_is(straight, files):
    before = metrics_of(straight)
    train(straight / "config.toml")
    assert metrics_of(straight) == before


def test_training_without_resume_discards_the_run_before(files, tmp_path):
    config = tiny.write_config(tmp_path / "x.toml", run=tmp_path / "run", training="steps = 2\nlog_every = 1", **files)
    train(config)
    once = metrics_of(tmp_path / "run")
    train(config, resume=False)
    assert metrics_of(tmp_path / "run") == once


def test_the_loss_goes_down(files, tmp_path):
    settings = "steps = 60\nlog_every = 1\nlearning_rate = 0.02"
    run = train(tiny.write_config(tmp_path / "x.toml", run=tmp_path / "run", training=settings, **files))
    losses = [float(value) for _, name, value in metrics_of(run) if name == "train/loss"]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_the_config_that_ships_can_be_read():
    config = read_config(Path(__file__).parents[2] / "scripts" / "experiments" / "default.toml")
    shape = decoder_config(config.decoder, layout_for(128))
    assert shape.hidden_size == config.decoder.hidden_size
    assert shape.condition_size == layout_for(128).size


@pytest.mark.parametrize(
    ("training", "more", "message"),
    [
        ("stepz = 3", "", r"x\.toml: \[training\]: unknown setting 'stepz'; choose from prepared, pictures"),
        ("", "[decoders]\nlayers = 2", r"x\.toml: unknown table \[decoders\]; choose from training, decoder, batches"),
        ("steps = 0", "", r"x\.toml: \[training\]: steps, learning_rate and save_every must be above 0"),
        ("init_weight = 0.5", "", r"init_weight must be in 0\.\.1, below 1, and needs init_from; got 0\.5"),
        ('init_from = "x"\ninit_weight = 1', "", r"\[training\]: init_weight must be in 0\.\.1, below 1, .* got 1"),
        ('precision = "int8"', "", r"\[training\]: precision must be 32-true or bf16-mixed, got 'int8'"),
        ('steps = "many"', "", r"x\.toml: \[training\]: "),
        ("", "windows = 3", r"\[batches\]: unknown setting 'windows'"),
        ("", "transpose = 13", r"\[batches\]: .*transpose in 0\.\.12"),
        ("", "[batches.corpus_weights]\nmutopia = -1", r"\[batches\]: corpus_weights must be 0 or more"),
    ],
)
def test_a_bad_config_is_refused(files, tmp_path, training, more, message):
    config = tiny.write_config(tmp_path / "x.toml", run=tmp_path / "run", training=training, more=more, **files)
    with pytest.raises(ConfigError, match=message):
        train(config)
    assert not (tmp_path / "run").exists()


def test_a_config_that_is_missing_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"x\.toml: no such file"):
        train(tmp_path / "x.toml")


def test_data_that_are_missing_are_refused(files, tmp_path):
    config = tiny.write_config(tmp_path / "x.toml", run=tmp_path / "run", **files | {"prepared": tmp_path / "none"})
    with pytest.raises(DataError, match="none: no prepared set here"):
        train(config)


def test_a_corpus_without_pieces_is_refused(files, tmp_path):
    config = tiny.write_config(tmp_path / "x.toml", run=tmp_path / "run", training='corpora = ["simutrans"]', **files)
    with pytest.raises(DataError, match="no piece to train on"):
        train(config)


def test_an_unknown_corpus_is_refused(files, tmp_path):
    config = tiny.write_config(tmp_path / "x.toml", run=tmp_path / "run", training='corpora = ["simutrams"]', **files)
    with pytest.raises(ConfigError, match="unknown corpus 'simutrams'; choose from"):
        train(config)


@pytest.mark.parametrize("change", [{"hidden_size": 0}, {"layers": -1}, {"dropout": 1.0}])
def test_a_decoder_of_an_impossible_shape_is_refused(change):
    with pytest.raises(ConfigError, match="must be above 0, dropout in 0..1"):
        DecoderOptions(**change)


def test_a_loss_that_is_no_number_ends_training(files, tmp_path):
    settings = "steps = 6\nlog_every = 1\nlearning_rate = 1e30"
    config = tiny.write_config(tmp_path / "x.toml", run=tmp_path / "run", training=settings, **files)
    with pytest.raises(ConfigError, match=r"the loss is (nan|inf) at step \d; lower the learning rate"):
        train(config)
