import json
import resource
import signal

import pytest

from imagemusic.data.gather import journal
from imagemusic.data.gather.journal import Header, Journal, begin, read_header, read_rows
from imagemusic.errors import DataError, GatheringStopped

HEADER = Header(source="folder", terms="own", midi_dir="/midi")


def row(key, **more):
    return {"status": "matched", "key": key} | more


@pytest.fixture
def folder(tmp_path):
    begin(tmp_path / "set", HEADER)
    return tmp_path / "set"


def write(folder, *rows):
    with Journal(folder) as opened:
        for each in rows:
            opened.append(each)


def test_rows_come_back_in_the_order_they_were_written(folder):
    write(folder, row("b.mid", why="é"), row("a.mid"))
    write(folder, row("c.mid"))
    assert [each["key"] for each in read_rows(folder)] == ["b.mid", "a.mid", "c.mid"]
    assert next(read_rows(folder))["why"] == "é"


def test_a_later_row_replaces_an_earlier_one_of_the_same_file(folder):
    write(folder, row("a.mid", status="doubtful"), row("b.mid"), row("a.mid", status="matched"))
    assert [(each["key"], each["status"]) for each in read_rows(folder)] == [("a.mid", "matched"), ("b.mid", "matched")]


def test_no_journal_has_no_rows(folder):
    assert list(read_rows(folder)) == []


@pytest.mark.parametrize("torn", ['{"key": "b.mi', '{"key": "b.mid"}', "\0" * 70_000, "é"])
def test_a_torn_last_line_is_passed_over_and_cut_off(folder, torn):
    write(folder, row("a.mid"))
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes() + torn.encode()[: -1 if torn == "é" else None])
    assert [each["key"] for each in read_rows(folder)] == ["a.mid"]
    write(folder, row("c.mid"))
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a.mid", "c.mid"]


@pytest.mark.parametrize("line", ["nonsense", '{"key": "b.mid", ', '{"key": nothing}'])
def test_a_damaged_line_in_the_middle_is_named(folder, line):
    write(folder, row("a.mid"))
    path = folder / "journal.jsonl"
    path.write_text(path.read_text() + line + "\n" + path.read_text().replace("a.mid", "c.mid"))
    with pytest.raises(DataError, match=r"journal\.jsonl:2: a damaged line; remove it"):
        list(read_rows(folder))


def test_a_name_that_is_no_unicode_comes_back(folder):
    key = b"caf\xe9.mid".decode("utf-8", "surrogateescape")
    write(folder, row(key))
    assert next(read_rows(folder))["key"] == key


def test_a_full_disk_leaves_no_trace_of_the_row(folder):
    write(folder, row("a.mid"))
    before = (folder / "journal.jsonl").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Journal(folder) as opened:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
        try:
            with pytest.raises(GatheringStopped, match=r"journal\.jsonl: cannot be written \(File too large\)"):
                opened.append(row("b.mid", why="x" * 100))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert (folder / "journal.jsonl").read_bytes() == before
        opened.append(row("c.mid"))
    assert [each["key"] for each in read_rows(folder)] == ["a.mid", "c.mid"]


def test_a_row_is_on_disk_before_append_returns(folder, monkeypatch):
    synced = []
    monkeypatch.setattr(journal.os, "fsync", lambda file: synced.append((folder / "journal.jsonl").read_text()))
    write(folder, row("a.mid"))
    assert ["a.mid" in text for text in synced] == [True]


def test_a_second_process_is_kept_away(folder):
    with Journal(folder), pytest.raises(DataError, match="another process is gathering into it"):
        Journal(folder)
    write(folder, row("a.mid"))


def test_a_header_is_written_once_and_the_same_one_goes_on(folder):
    begin(folder, HEADER)
    assert read_header(folder) == HEADER
    assert json.loads((folder / "dataset.json").read_text())["format"] == "imagemusic dataset"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "spotify"}, "holds a data set with source folder, not spotify; name a new folder"),
        ({"midi_dir": "/other"}, "holds a data set with midi_dir /midi, not /other"),
        ({"pairs": "/pairs.csv"}, "holds a data set with pairs none, not /pairs.csv"),
    ],
)
def test_another_data_set_is_refused(folder, changes, message):
    import dataclasses

    with pytest.raises(DataError, match=message):
        begin(folder, dataclasses.replace(HEADER, **changes))


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(DataError, match="holds something else than a data set"):
        begin(tmp_path, HEADER)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "set").write_text("")
    with pytest.raises(DataError, match="cannot be written to"):
        begin(tmp_path / "set", HEADER)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": "imagemusic dataset", "version": 2}', "version 2, but this imagemusic reads up to 1"),
        ('{"format": "imagemusic dataset", "version": "new"}', "version new"),
        ('{"format": "a recipe", "version": 1}', "not the header of a data set"),
        ("[]", "not the header of a data set"),
        ("{", "cannot be read"),
        ('{"format": "imagemusic dataset", "version": 1, "source": "folder"}', "damaged header"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(folder, text, message):
    (folder / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=message):
        begin(folder, HEADER)


def test_a_folder_without_a_data_set_says_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match="no data set here; make one with imagemusic data match"):
        read_header(tmp_path)
