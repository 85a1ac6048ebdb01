import json

import pytest

from imagemusic.data.gather.journal_reader import as_text, open_gathered_set
from imagemusic.errors import DataError
from tests.gathered import Gathering


def test_a_later_line_replaces_an_earlier_one_but_not_its_place(tmp_path):
    made = Gathering(tmp_path / "set")
    for key, status in (("a.mid", "doubtful"), ("b.mid", "matched"), ("a.mid", "matched")):
        made.line(key, status=status)
    rows = list(open_gathered_set(made.folder).rows())
    assert [(row["key"], row["status"]) for row in rows] == [("a.mid", "matched"), ("b.mid", "matched")]


def test_a_line_that_was_cut_off_does_not_count(tmp_path):
    made = Gathering(tmp_path / "set")
    made.line("a.mid")
    with open(made.folder / "journal.jsonl", "a") as journal:
        journal.write('{"key": "b.mid", "sta')
    assert len(open_gathered_set(made.folder)) == 1


def test_a_name_of_any_bytes_is_read_and_made_text(tmp_path):
    made = Gathering(tmp_path / "set")
    with open(made.folder / "journal.jsonl", "wb") as journal:
        journal.write(b'{"key": "caf\xe9.mid"}\n')
    (row,) = open_gathered_set(made.folder).rows()
    assert row["key"].encode("utf-8", "surrogateescape") == b"caf\xe9.mid"
    assert as_text(row["key"]) == "caf\N{REPLACEMENT CHARACTER}.mid"


def test_a_folder_without_a_data_set_is_refused(tmp_path):
    with pytest.raises(DataError, match="no data set here; make one with imagemusic data match"):
        open_gathered_set(tmp_path)


def test_a_set_in_which_nothing_was_gathered_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"journal\.jsonl: no MIDI file in it yet"):
        open_gathered_set(Gathering(tmp_path / "set").folder)


def test_a_set_of_a_newer_version_is_refused(tmp_path):
    with pytest.raises(DataError, match="version 99, but this imagemusic reads up to 1"):
        open_gathered_set(Gathering(tmp_path / "set", version=99).folder)


def test_a_damaged_line_is_named(tmp_path):
    made = Gathering(tmp_path / "set")
    made.line("a.mid")
    with open(made.folder / "journal.jsonl", "a") as journal:
        journal.write(json.dumps(["no", "key"]) + "\n")
    with pytest.raises(DataError, match=r"journal\.jsonl:2: a damaged line"):
        open_gathered_set(made.folder)
