import pytest

from imagemusic.commands.cli import main
from imagemusic.data.build.build import build
from tests.gathered import gather

# lightning asks torch for a class that torch has begun to replace.
pytestmark = pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated:FutureWarning")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "train: name a settings file, or a data set with --data; one of the two"),
        (["x.toml", "--data", "set"], "one of the two"),
        (["x.toml", "--steps", "3"], "train: --steps goes with --data; a settings file holds the rest itself"),
        (["x.toml", "--run", "there"], "train: --run goes with --data"),
        (["--data", "nowhere"], "nowhere: no manifest here; make it with imagemusic data build"),
    ],
)
def test_what_does_not_go_together_is_refused(capsys, monkeypatch, tiny_checkpoint, words, message):
    words = [*words, "--checkpoint", str(tiny_checkpoint)] if words == ["--data", "nowhere"] else words
    assert main(["train", *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_folder_becomes_a_model_through_the_command_line(tmp_path, tiny_checkpoint, capsys):
    made = gather(tmp_path / "set", albums=3)
    build(made.folder, workers=1)
    words = ["--data", str(made.folder), "--steps", "1", "--batch-size", "1", "--checkpoint", str(tiny_checkpoint)]
    assert main(["train", *words]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "run" / "checkpoint")
    assert (tmp_path / "run" / "checkpoint" / "README.md").exists()
