import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imagemusic.commands import cli
from imagemusic.errors import CheckpointError, ConfigError, DataError, ImageError
from imagemusic.evaluation.intervals import TOO_FEW
from imagemusic.evaluation.steering import composing, run
from imagemusic.evaluation.steering.composing import ComposeJob, Composer
from imagemusic.evaluation.steering.goals import goals
from imagemusic.evaluation.steering.pairs import PairList, read_folder, read_pairs
from imagemusic.evaluation.steering.run import Extras, evaluate, read_controls
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.music.midi import save_midi
from tests import tiny
from tests.evaluation.steering.conftest import write_pairs, write_picture

FIGURES = ("dose_response", "picture_response", "variance", "retrieval", "sensitivity", "quality")


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs") / "a", 9, row_4={"image": "gone.png"})


def write_ratings(folder, quadrants):
    (folder / "midis").mkdir(parents=True, exist_ok=True)
    lines = ["ID,4Q"]
    for number, quadrant in enumerate(quadrants):
        save_midi(tiny.tune(number), folder / "midis" / f"Q1_song{number}_0.mid")
        lines.append(f"Q1_song{number}_0,{quadrant}")
    (folder / "label.csv").write_text("\n".join(lines))
    return folder


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
    assert found["pairs"]["picture_groups"] == 5
    assert found["dose_response"]["masks_off"]["arousal"]["rho_given_tempo"]["rows"] > 0
    assert found["sensitivity"]["without_tempo"]["ratio"]["rows"] == 2
    assert all(row["reached"] in (True, False, None) for row in found["goals"])


def test_the_page_needs_nothing_else_and_speaks_plainly(report):
    page = (report / "index.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("<figure>") == 2
    assert page.count("data:image/png;base64") == 2
    assert "Too few pairs for an interval" in page
    assert "Over the other dials alone: " in page
    assert "Arousal, given the tempo: rho " in page
    assert "They count only if the model was not trained on this music" in page
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
    pairs = read_folder(tmp_path / "covers", tiny_model.encode)
    found = evaluate(tiny_model, pairs, tmp_path / "out", options, Extras(), lambda message: None)
    assert "conditional_gap" not in found
    assert found["retrieval"]["candidates"] == 3
    assert found["pairs"]["picture_groups"] == 3
    assert "Not measured: no music in the list." in (tmp_path / "out" / "index.html").read_text()


def test_the_judge_is_shown_beside_the_commonest_answer(tiny_model, pairs_file, tmp_path):
    options = SteeringOptions.quick(seeds=1)
    pairs = read_pairs(pairs_file, tiny_model.encode, music=False)
    extras = Extras(ratings=(write_ratings(tmp_path / "ratings", [1, 1, 1, 2, 1, 3, 1, 1, 1, 1]),))
    evaluate(tiny_model, pairs, tmp_path / "out", options, extras, lambda message: None)
    page = (tmp_path / "out" / "index.html").read_text()
    estimate = r"[\d.]+ \([\d.]+ to [\d.]+\)"
    assert re.search(f"emopia, 10 clips: valence {estimate} against 0.80, arousal {estimate} against 0.90", page)


def test_one_picture_cannot_be_swapped(tiny_model, tmp_path):
    write_picture(tmp_path / "one.png", (9, 9, 9))
    pairs = read_folder(tmp_path, tiny_model.encode)
    twice = PairList((pairs.pairs[0], pairs.pairs[0]), ())
    with pytest.raises(DataError, match="two pictures at least"):
        evaluate(tiny_model, twice, tmp_path / "out", SteeringOptions.quick(), Extras(), lambda message: None)


def test_worker_processes_measure_what_one_process_measures(tiny_model, tmp_path, monkeypatch):
    from imagemusic.compose.options import ComposeOptions

    monkeypatch.setattr(composing, "CHUNK", 2)
    reading = tiny_model.encode(write_picture(tmp_path / "one.png", (9, 99, 9)))
    jobs = [ComposeJob(reading, ComposeOptions(seed=seed, seconds=4), masked=seed != 1) for seed in range(4)]
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


def found_for(what, **estimate):
    """The row of a goal whose figure is an estimate."""
    estimate = {"verdict": "above zero"} | estimate
    gap = {"swapped": {"overall": estimate}, "swapped_within_kind": {"overall": estimate}}
    figures = {
        "conditional_gap": {"as_composed": gap}, "sensitivity": {"ratio": estimate},
        "quality": {"bits_per_note": {"with_the_picture_less_unconditional": estimate}},
    }  # fmt: skip
    return next(row for row in goals(figures) if row["what"].startswith(what))


@pytest.mark.parametrize(
    ("what", "estimate", "said"),
    [
        ("bits a note that a swapped", {"value": 0.03, "low": 0.021, "high": 0.05}, "reached"),
        (
            "bits a note that a swapped",
            {"value": 0.03, "low": 0.01, "high": 0.05},
            "reached, the interval contains the goal",
        ),
        ("bits a note that a swapped", {"value": 0.01, "low": -0.01, "high": 0.05}, "not reached"),
        ("another picture", {"value": None, "low": 6.0, "high": None}, "reached"),
        ("another picture", {"value": None, "low": 4.0, "high": None}, "reached, the interval contains the goal"),
        ("another picture", {"value": None, "low": None, "high": None}, "reached"),  # no end in any draw
        ("the same within", {"value": 0.03, "low": 0.01, "high": 0.05}, "reached"),
        ("the same within", {"value": 0.03, "low": -0.01, "high": 0.05}, "not reached"),
        # No worse than unconditional: the whole interval lies within the margin.
        ("bits a note less", {"value": -0.01, "low": -0.04, "high": 0.0199}, "reached"),
        ("bits a note less", {"value": -0.01, "low": -0.04, "high": 0.0201}, "not reached"),
        ("bits a note less", {"value": 0.5, "low": -0.1, "high": 1.1}, "not reached"),
    ],
)
def test_a_goal_is_told_by_its_figure_or_by_its_interval(what, estimate, said):
    row = found_for(what, **estimate)
    assert (row["said"], row["reached"]) == (said, not said.startswith("not"))


@pytest.mark.parametrize("what", ["bits a note that a swapped", "another picture", "the same within", "bits a note le"])
def test_too_few_pairs_reach_no_goal(what):
    row = found_for(what, value=9.0, low=None, high=None, verdict=TOO_FEW)
    assert (row["said"], row["reached"]) == (TOO_FEW, None)
    row = found_for(what, value=None, low=None, high=None, verdict=TOO_FEW)
    assert (row["said"], row["reached"]) == ("not measured", None)


def test_the_command_line_says_what_was_too_little_for_an_interval(pairs_file, tiny_checkpoint, monkeypatch, capsys):
    rows = [
        found_for("bits a note that", value=0.03, low=None, high=None, verdict=TOO_FEW),
        found_for("another picture", value=None, low=6.0, high=None),
        found_for("bits a note less", value=None, low=None, high=None, verdict=TOO_FEW),
    ]
    monkeypatch.setattr("imagemusic.evaluation.steering.run.evaluate", lambda *words: {"goals": rows})
    command = ["evaluate", "steering", "--pairs", str(pairs_file), "--checkpoint", str(tiny_checkpoint)]
    assert cli.main([*command, "--out", "report", "--skip-bad"]) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "bits a note that a swapped picture costs: 0.030 (at least 0.02: too few pairs for an interval)",
        "another picture moves the music more than a null edit: no end (at least 5 times: reached)",
    ]


@pytest.mark.parametrize(
    ("extras", "error"),
    [
        ({"controls": Path("gone.json")}, (DataError, r"gone.json: cannot be read .*study run controls makes it")),
        ({"unconditional": Path("gone")}, (CheckpointError, "gone: no such checkpoint folder")),
        ({"gallery": (Path("gone.png"),)}, (ImageError, "gone.png")),
    ],
)
def test_what_is_named_wrongly_is_said_before_anything_is_composed(tiny_model, pairs_file, tmp_path, extras, error):
    pairs = read_pairs(pairs_file, tiny_model.encode)
    kind, words = error
    with pytest.raises(kind, match=words) as caught:
        evaluate(tiny_model, pairs, tmp_path / "out", SteeringOptions.quick(), Extras(**extras), pytest.fail)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_what_changed_is_measured_anew_and_the_rest_is_kept(tiny_model, tiny_checkpoint, tmp_path, monkeypatch):
    path = write_pairs(tmp_path / "pairs", 4)
    ratings = write_ratings(tmp_path / "ratings", [1, 2, 3, 4])
    prepared, plainer = tmp_path / "prepared", tmp_path / "plainer"
    tiny.write_prepared(tmp_path)
    shutil.copytree(tiny_checkpoint, plainer)
    options = SteeringOptions(
        seeds=1, notes=16, pictures=3, pieces=3, seconds=4.0, levels=2, dose_pictures=1, edited_pictures=1,
        corner_pieces=1, copied_pieces=1, gallery=0,
    )  # fmt: skip

    def kept():
        said = []
        extras = Extras(ratings=(ratings,), prepared=prepared, unconditional=plainer)
        evaluate(tiny_model, read_pairs(path, tiny_model.encode), tmp_path / "out", options, extras, said.append)
        return {
            message.removesuffix(": kept from an earlier run")
            for message in said
            if message.endswith("kept from an earlier run")
        }

    assert kept() == set()
    everything = {name.replace("_", " ") for name in ("conditional_gap", "copying", *FIGURES)}
    assert kept() == everything
    os.utime(prepared / "rows.bin", ns=(1, 1))
    assert kept() == {"conditional gap"}
    write_ratings(ratings, [2, 2, 3, 4])
    assert kept() == {"conditional gap"}
    config = json.loads((plainer / "config.json").read_text())
    (plainer / "config.json").write_text(json.dumps(config, indent=3))  # another checkpoint under the same path
    assert kept() == {"conditional gap"}
    monkeypatch.setattr(run, "COMPOSING", -1)
    assert kept() == {"conditional gap"}
    assert kept() == everything
    tune = tiny.tune(1, bars=4)
    melody, *others = tune.tracks
    higher = replace(melody, notes=melody.notes + np.array([0, 1, 0, 0]))  # as many notes as before
    save_midi(replace(tune, tracks=[higher, *others]), path.parent / "1.mid")
    assert kept() == set()


def test_pieces_are_searched_for_copies_from_all_of_the_list(tiny_model, pairs_file, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "compose_jobs", lambda model, jobs: asked.append([j.reading.hash for j in jobs]) or [])
    pairs = read_pairs(pairs_file, tiny_model.encode).pairs
    for _ in range(2):
        run._scores(tiny_model, pairs, SteeringOptions(copied_pieces=3))
    assert asked[0] == asked[1] != [pair.reading.hash for pair in pairs[:3]]
    assert len(asked[0]) == 3


def test_measured_controls_are_read_and_others_refused(tmp_path):
    path = tmp_path / "controls.json"
    assert read_controls(None) is None
    path.write_text('{"requests": 500, "exact": 500, "how": {}}')
    assert read_controls(path) == {"requests": 500, "exact": 500}
    path.write_text("[]")
    with pytest.raises(DataError, match="study run controls"):
        read_controls(path)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="seeds must be 1 or more, got 0"):
        SteeringOptions(seeds=0)


@pytest.mark.parametrize("words", [[], ["--pairs", "a.csv", "--pictures", "b"]])
def test_either_pairs_or_pictures_are_measured(words, tmp_path):
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "steering", "--out", str(tmp_path), *words])
