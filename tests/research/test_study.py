"""The harness: a study of a few lines runs, is kept, is reported; what is wrong is one line."""

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from imagemusic.commands import cli
from imagemusic.errors import DataError
from imagemusic.research.data_sets import DATA_SETS, DataSets
from imagemusic.research.studies import STUDIES
from imagemusic.research.study import Context, Study

QUESTION = "How many files has each corpus?"


class Files(Study):
    """Counts files; the slow part is kept between runs."""

    needs = ("corpora",)
    variants = ("midi", "text")
    seeds = 2
    quick = {"only": ["midi"], "seeds": 1}
    calls = 0

    def run(self, context: Context):
        context.sources = ["a corpus"]
        folder = context.data.path("corpora")
        return {
            name: context.keep(name, lambda name=name: self.count(folder, name), name) for name in context.options.only
        }

    def count(self, folder: Path, name: str):
        Files.calls += 1
        return {"files": len(list(folder.glob(f"*.{name}")))}

    def finding(self, figures):
        return f"There are {figures['midi']['files']} MIDI files."

    def passed(self, figures):
        return figures["midi"]["files"] > 0


@pytest.fixture
def study(monkeypatch, tmp_path):
    """Register `Files` as a tenth study would be: a module and a line."""
    module = types.ModuleType("imagemusic.research.studies.files")
    monkeypatch.setattr(Files, "__module__", module.__name__)
    module.STUDY = Files()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(STUDIES, "files", QUESTION)
    monkeypatch.chdir(tmp_path)
    Files.calls = 0
    (tmp_path / "root" / "midi").mkdir(parents=True)
    (tmp_path / "root" / "midi" / "a.midi").touch()
    return module.STUDY


def test_a_study_is_one_module_and_one_line(study, tmp_path, capsys):
    assert cli.main(["study", "run", "files", "--data", "root", "--seed", "7"]) == 0
    out = capsys.readouterr().out
    assert "| files | 1 |" in out and out.endswith("runs/studies/files.json\n")
    figures = json.loads((tmp_path / "runs/studies/files.json").read_text())
    assert figures["midi"] == {"files": 1} and figures["text"] == {"files": 0}
    assert figures["how"]["data"] == ["a corpus"] and figures["how"]["seed"] == 7


def test_what_was_measured_is_kept_until_what_it_depends_on_changes(study, capsys):
    words = ["study", "run", "files", "--data", "root"]
    assert cli.main(words) == cli.main(words) == 0
    assert cli.main(["study", "report", "files"]) == 0
    assert Files.calls == 2
    assert "midi: kept from an earlier run" in capsys.readouterr().err


def test_a_quick_run_has_other_defaults_and_another_place(study, tmp_path):
    assert cli.main(["study", "run", "files", "--data", "root", "--quick"]) == 0
    assert json.loads((tmp_path / "runs/quick/files.json").read_text()).keys() == {"midi", "how"}
    assert cli.main(["study", "run", "files", "--data", "root", "--quick", "--only", "text", "midi"]) == 0
    assert "text" in json.loads((tmp_path / "runs/quick/files.json").read_text())


def test_a_study_that_fails_its_own_check_exits_with_1(study, tmp_path):
    (tmp_path / "root" / "midi" / "a.midi").unlink()
    assert cli.main(["study", "run", "files", "--data", "root"]) == 1
    assert (tmp_path / "runs/studies/files.json").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run", "nothing"], "unknown study 'nothing'; choose from before_after, "),
        (["run", "files"], "corpora: ROOT/midi is not there; give --data ROOT or --set corpora=PATH: "),
        (["run", "files", "--data", "elsewhere"], "corpora: elsewhere/midi is not there; give --data ROOT"),
        (["run", "files", "--set", "corpora=none"], "none: not there; --set corpora names a folder of MIDI files"),
        (["run", "files", "--data", "root", "--seeds", "0"], "--seeds must be at least 1, got 0"),
        (["run", "steering", "--quick"], "steering has no --quick: it reads all pictures and pieces"),
        (
            ["report", "files"],
            "docs/results/files.json: cannot be read (No such file or directory); make it with",
        ),
        (["report", "--page", "a.md"], "--page needs the NAME of a study"),
    ],
)
def test_what_is_wrong_is_one_line(study, capsys, words, line):
    assert cli.main(["study", *words]) == 1
    err = capsys.readouterr().err
    assert line in err and err.count("\n") == 1


def test_an_unknown_data_set_is_refused(study, capsys):
    with pytest.raises(SystemExit):
        cli.main(["study", "run", "files", "--set", "songs=here"])
    assert "'songs=here' is not NAME=PATH with a name of prepared, corpora, " in capsys.readouterr().err


def test_a_path_of_its_own_comes_before_the_root_and_the_root_before_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("runs/prepared", "root/prepared", "own"):
        Path(place).mkdir(parents=True)
    assert DataSets().path("prepared") == Path("runs/prepared")
    assert DataSets(Path("root")).path("prepared") == Path("root/prepared")
    assert DataSets(Path("root"), {"prepared": Path("own")}).path("prepared") == Path("own")
    assert DataSets(Path("root")).find("pairs") is None
    with pytest.raises(DataError, match="^pairs: root/pairs/maeve/pairs.csv is not there"):
        DataSets(Path("root")).path("pairs")


def test_pages_are_written_of_the_results_that_are_there(study, tmp_path, capsys, monkeypatch):
    for name in STUDIES.keys() - {"files", "controls"}:
        monkeypatch.delitem(STUDIES, name)
    cli.main(["study", "run", "files", "--data", "root"])
    capsys.readouterr()
    assert cli.main(["study", "report", "--results", "runs/studies", "--out", "pages"]) == 0
    assert capsys.readouterr().out.split() == ["pages/files.md", "pages/README.md"]
    page = (tmp_path / "pages/files.md").read_text()
    assert page.startswith(f"# {QUESTION}\n\nThere are 1 MIDI files.\n\n") and "Made by `python " in page
    index = (tmp_path / "pages/README.md").read_text()
    assert f"| [files](files.md) | {QUESTION} | There are 1 MIDI files. |" in index
    assert "| controls | Does the written MIDI" in index


def test_tables_go_between_the_marks_of_a_page(study, tmp_path, capsys):
    cli.main(["study", "run", "files", "--data", "root", "--out", "results/files.json"])
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- tables -->\nold\n<!-- end of tables -->\nafter\n")
    words = ["study", "report", "files", "--results", "results", "--page", str(page)]
    assert cli.main(words) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- tables -->\n\n**midi**") and text.endswith("<!-- end of tables -->\nafter\n")
    page.write_text("no marks\n")
    assert cli.main(words) == 1
    assert "needs the lines <!-- tables -->" in capsys.readouterr().err


def test_the_list_imports_neither_numpy_nor_a_study():
    code = (
        "import sys; from imagemusic.commands.cli import main; main(['study', 'list'])\n"
        "assert not {'numpy', 'torch', 'imagemusic.research.study'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(STUDIES)


def test_the_options_of_a_study_are_in_its_help(study, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["study", "run", "files", "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0 and "usage: imagemusic study run files" in out and QUESTION in out
    assert "--only" in out and "--seeds" in out and "--set NAME=PATH" in out


def test_jobs_come_back_in_order():
    options = types.SimpleNamespace(executor="processes", workers=2)
    assert Context(Files(), options, print, DataSets()).map(abs, [-3, 2, -1]) == [3, 2, 1]


def test_every_data_set_says_what_it_is():
    assert all(known.about and known.place for known in DATA_SETS.values())
