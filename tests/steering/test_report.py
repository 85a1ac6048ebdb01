import json
import re

import pytest

from imagemusic import cli
from imagemusic.errors import ConfigError, DataError
from imagemusic.steering import composing
from imagemusic.steering.composing import Composer, Job
from imagemusic.steering.goals import goals
from imagemusic.steering.pairs import PairList, read_folder
from imagemusic.steering.proof import Extras, evaluate, read_controls
from imagemusic.steering.settings import SteeringOptions
from tests.steering.conftest import write_pairs, write_picture

FIGURES = ("dose_response", "picture_response", "variance", "retrieval", "sensitivity", "quality")


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs") / "a", 9, row_4={"image": "gone.png"})


@pytest.fixture(scope="module")
def report(pairs_file, tiny_checkpoint, tmp_path_factory):
    """A whole report, from the command line."""
    out = tmp_path_factory.mktemp("report") / "deep" / "report"
    controls = pairs_file.with_name("controls.json")
    controls.write_text('{"requests": 500, "met": 499, "controls": {"key": {"asked": 80, "met": 80}}, "how": {}}')
    command = ["evaluate", "steering", "--pairs", str(pairs_file), "--checkpoint", str(tiny_checkpoint)]
    command += ["--controls", str(controls)]
    assert cli.main([*command, "--out", str(out), "--quick", "--seeds", "1", "--skip-bad", "--workers", "1"]) == 0
    return out


def test_a_report_holds_every_figure(report):
    found = json.loads((report / "steering.json").read_text())
    assert set(FIGURES) | {"conditional_gap", "goals", "how"} <= set(found)
    assert found["pairs"]["with_music"] == 8
    assert found["controls"]["met"] == 499
    assert "row 4" in found["pairs"]["left_out"][0]
    assert all(row["reached"] in (True, False, None) for row in found["goals"])


def test_the_page_needs_nothing_else_and_speaks_plainly(report):
    page = (report / "index.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("<figure>") == 2
    assert page.count("data:image/png;base64") == 2
    assert "Too few pairs for an interval" in page
    assert "gone.png" in page
    assert "499 of 500 met" in page
    assert "80 of 80 met" in page
    assert "No ratings were given" in page
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))


def test_a_run_goes_on_where_it_stopped(report, pairs_file, tiny_checkpoint, monkeypatch):
    before = json.loads((report / "steering.json").read_text())
    (report / "parts" / "quality.json").unlink()
    (report / "parts" / "variance.json").write_text('{"key": ')  # cut short
    monkeypatch.setattr(composing, "compose_jobs", lambda model, jobs: pytest.fail("composed again"))
    command = ["evaluate", "steering", "--pairs", str(pairs_file), "--checkpoint", str(tiny_checkpoint)]
    assert cli.main([*command, "--out", str(report), "--quick", "--seeds", "1", "--skip-bad", "--workers", "1"]) == 0
    after = json.loads((report / "steering.json").read_text())
    assert {name: after[name] for name in FIGURES} == {name: before[name] for name in FIGURES}


def test_bad_rows_stop_a_run_that_was_not_told_to_skip_them(pairs_file, tiny_checkpoint, tmp_path, capsys):
    command = ["evaluate", "steering", "--pairs", str(pairs_file), "--checkpoint", str(tiny_checkpoint)]
    assert cli.main([*command, "--out", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "row 4" in line and "gone.png" in line and "--skip-bad" in line


def test_pictures_alone_give_what_needs_no_music(tiny_model, tmp_path):
    (tmp_path / "covers").mkdir()
    for number in range(3):
        write_picture(tmp_path / "covers" / f"{number}.png", (90 * number, 50, 200), number)
    options = SteeringOptions(
        seeds=1, pictures=3, pieces=3, seconds=4.0, levels=2, dose_pictures=1, edited_pictures=1, corner_pieces=1,
        gallery=0,
    )  # fmt: skip
    pairs = read_folder(tmp_path / "covers", tiny_model.look)
    found = evaluate(tiny_model, pairs, tmp_path / "out", options, Extras(), lambda message: None)
    assert "conditional_gap" not in found
    assert found["retrieval"]["candidates"] == 3
    assert "Not measured: no music in the list." in (tmp_path / "out" / "index.html").read_text()


def test_one_picture_cannot_be_swapped(tiny_model, tmp_path):
    write_picture(tmp_path / "one.png", (9, 9, 9))
    pairs = read_folder(tmp_path, tiny_model.look)
    twice = PairList((pairs.pairs[0], pairs.pairs[0]), ())
    with pytest.raises(DataError, match="two pictures at least"):
        evaluate(tiny_model, twice, tmp_path / "out", SteeringOptions.quick(), Extras(), lambda message: None)


def test_worker_processes_measure_what_one_process_measures(tiny_model, tmp_path, monkeypatch):
    from imagemusic.composition import ComposeOptions

    monkeypatch.setattr(composing, "CHUNK", 2)
    reading = tiny_model.look(write_picture(tmp_path / "one.png", (9, 99, 9)))
    jobs = [Job(reading, ComposeOptions(seed=seed, seconds=4), masked=seed != 1) for seed in range(4)]
    found = []
    for workers in (1, 2):
        with Composer(tiny_model, tmp_path / f"{workers}.jsonl", workers=workers) as composer:
            found.append(composer.measure(jobs, "pieces"))
    assert found[0] == found[1]
    assert len({piece.dials for piece in found[0]}) == 4


def test_a_goal_is_reached_not_reached_or_not_measured():
    estimate = {"value": 0.03, "low": 0.01, "high": 0.05}
    gap = {"swapped": {"overall": estimate}, "swapped_within_kind": {"overall": estimate | {"low": -0.01}}}
    rows = goals(
        {"conditional_gap": {"as_composed": gap}, "sensitivity": {"ratio": {"value": None, "low": 6.0, "high": None}}}
    )
    reached = {row["what"]: row["reached"] for row in rows}
    assert reached["bits a note that a swapped picture costs"] is True
    assert reached["the same within one ensemble or genre"] is False
    assert reached["the same within one ensemble or genre, notes 65 to 256"] is None
    assert reached["another picture moves the music more than a null edit"] is True


def test_measured_controls_are_read_and_others_refused(tmp_path):
    path = tmp_path / "controls.json"
    assert read_controls(path) is None
    path.write_text('{"requests": 500, "exact": 500, "how": {}}')
    assert read_controls(path) == {"requests": 500, "exact": 500}
    path.write_text("[]")
    with pytest.raises(DataError, match="check_controls"):
        read_controls(path)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="seeds must be 1 or more, got 0"):
        SteeringOptions(seeds=0)


@pytest.mark.parametrize("words", [[], ["--pairs", "a.csv", "--pictures", "b"]])
def test_either_pairs_or_pictures_are_measured(words, tmp_path):
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "steering", "--out", str(tmp_path), *words])
