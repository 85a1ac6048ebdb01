"""The study of transfer writes a table, and goes on where it was."""

import json


def test_a_table_is_written_and_a_second_run_trains_nothing(run, data_root, checkpoint, tmp_path, monkeypatch):
    words = (
        "--data", data_root, "--checkpoint", checkpoint, "--folds", 2, "--steps", 1, "--notes", 4, "--open-pieces", 1,
        "--only", "none", "condition",
    )  # fmt: skip
    assert run("transfer", *words)[0] == 0
    first = json.loads((tmp_path / "transfer.json").read_text())
    assert first["pairs"] == first["groups"] == first["covers"] == 14
    assert set(first["variants"]) == {"none", "condition"}
    monkeypatch.setattr("imagemusic.research.studies.transfer.tune", None)  # nothing is trained again
    assert run("transfer", *words)[0] == 0
    assert json.loads((tmp_path / "transfer.json").read_text())["variants"] == first["variants"]


def test_pairs_that_are_not_there_and_one_fold_are_refused_in_one_line(run, data_root, checkpoint, tmp_path):
    words = ("--data", data_root, "--checkpoint", checkpoint)
    status, _, err = run("transfer", *words, "--set", f"pairs={tmp_path / 'no.csv'}")
    assert status == 1 and "no.csv: not there" in err and err.count("\n") == 1
    status, _, err = run("transfer", *words, "--folds", 1)
    assert status == 1 and "folds must be 2 or more" in err
