import json
import os
import subprocess
import sys

import pytest

from imagemusic import files
from imagemusic.errors import OutputError
from imagemusic.files import (
    HOST,
    MARK,
    make_folder,
    replace_atomically,
    replace_folder,
    write_atomically,
    write_outputs,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def dead_pid():
    return int(subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True).stdout)


def test_what_was_written_replaces_the_file_and_nothing_else_is_left(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with replace_atomically(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
        assert str(os.getpid()) in temporary.name and temporary.parent == tmp_path
    assert (names(tmp_path), (tmp_path / "a.txt").read_text()) == (["a.txt"], "new")


def test_after_an_error_the_old_file_stays_and_the_error_is_the_one_raised(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(ZeroDivisionError), replace_atomically(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert (names(tmp_path), (tmp_path / "a.txt").read_text()) == (["a.txt"], "old")


def test_what_cannot_be_written_is_one_line_that_names_the_file(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/a\.txt: cannot be written \(No such file or directory\)$"):
        write_atomically(tmp_path / "nowhere" / "a.txt", b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"folder: cannot be written \(Is a directory\)$"):
        write_atomically(tmp_path / "folder", "x")
    assert names(tmp_path) == ["folder"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="a.txt: cannot be written"), replace_atomically(tmp_path / "a.txt"):
        pass


def test_an_error_of_the_system_without_a_reason_says_its_own_words(tmp_path):
    with pytest.raises(OutputError, match=r"a\.txt: cannot be written \(no room\)$"):  # noqa: SIM117
        with replace_atomically(tmp_path / "a.txt"):
            raise OSError("no room\nat all")


def test_two_writers_of_one_file_do_not_share_a_temporary_name(tmp_path):
    with replace_atomically(tmp_path / "a") as first, replace_atomically(tmp_path / "a") as second:
        assert first != second
        first.write_text("1")
        second.write_text("2")
    assert (names(tmp_path), (tmp_path / "a").read_text()) == (["a"], "1")


def test_a_name_as_long_as_a_file_system_takes_can_be_written(tmp_path):
    write_atomically(tmp_path / ("ü" * 127), "x")  # 254 bytes
    assert names(tmp_path) == ["ü" * 127]


def test_a_folder_is_replaced_whole(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").write_text("")
    with replace_folder(tmp_path / "set") as temporary:
        (temporary / "new").write_text("")
        assert names(tmp_path / "set") == ["old"]
    assert (names(tmp_path), names(tmp_path / "set")) == (["set"], ["new"])


def test_after_an_error_the_old_folder_stays(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").write_text("")
    with pytest.raises(OutputError, match=r"set: cannot be written \(full\)"), replace_folder(tmp_path / "set"):
        raise OSError("full")
    assert (names(tmp_path), names(tmp_path / "set")) == (["set"], ["old"])


def test_outputs_are_written_together_or_not_at_all(tmp_path):
    write_outputs({tmp_path / "a.mid": b"1", tmp_path / "a.wav": b"2"})
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [b"1", b"2"]
    (tmp_path / "b.wav").mkdir()
    with pytest.raises(OutputError, match="no ordinary file"):
        write_outputs({tmp_path / "b.mid": b"1", tmp_path / "b.wav": b"2"})
    with pytest.raises(OutputError, match="cannot be written"):
        write_outputs({tmp_path / "b.mid": b"1", tmp_path / "none" / "b.wav": b"2"})
    assert names(tmp_path) == ["a.mid", "a.wav", "b.wav"]


def test_a_file_of_the_user_s_is_replaced_only_where_that_is_asked_for(tmp_path):
    mine = tmp_path / "song.png"
    mine.write_bytes(b"my photograph")
    with pytest.raises(OutputError, match=r"song\.png: is there already and was not made by imagemusic; --overwrite"):
        write_outputs({tmp_path / "song.wav": b"", mine: b"a roll"})
    assert (names(tmp_path), mine.read_bytes()) == (["song.png"], b"my photograph")
    write_outputs({mine: b"a roll"}, overwrite=True)
    assert mine.read_bytes() == b"a roll"


def test_a_file_of_ours_is_known_by_its_mark_its_content_or_its_record(tmp_path):
    for number, old in enumerate([MARK.encode(), b"x" * 5000 + MARK.encode(), b'{"record_version": 1}', b"new"]):
        path = tmp_path / f"{number}.json"
        path.write_bytes(old)
        write_outputs({path: b"new"})
        assert path.read_bytes() == b"new"
    (tmp_path / "song.mid").write_bytes(b"notes")
    (tmp_path / "song.json").write_text(json.dumps({"files": {"song.mid": files.sha256(b"notes")}}))
    write_outputs({tmp_path / "song.mid": b"new"})
    assert (tmp_path / "song.mid").read_bytes() == b"new"


def test_a_file_that_was_changed_since_its_record_is_the_user_s(tmp_path):
    (tmp_path / "song.mid").write_bytes(b"edited by hand")
    for record in ({"files": {"song.mid": files.sha256(b"notes")}}, {"files": ["song.mid"]}, [], {"files": {}}):
        (tmp_path / "song.json").write_text(json.dumps(record))
        with pytest.raises(OutputError, match="was not made by imagemusic"):
            write_outputs({tmp_path / "song.mid": b"new"})


def test_a_folder_is_made_with_its_parents(tmp_path):
    assert make_folder(tmp_path / "x" / "y").is_dir()


def test_a_file_is_no_folder_to_write_to(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(OutputError, match="x: a file, not a folder"):
        make_folder(tmp_path / "x")
    with pytest.raises(OutputError, match="cannot write there"):
        make_folder(tmp_path / "x" / "y")


def test_what_killed_processes_left_is_swept_and_nothing_else(tmp_path):
    pid = dead_pid()
    (tmp_path / f".a.mid.{HOST}-{pid}-0.part").write_text("half")
    (tmp_path / f".set.{HOST}-{pid}-1.part").mkdir()
    kept = [f".a.mid.{HOST}-{os.getpid()}-0.part", f".a.mid.00000000-{pid}-0.part", ".notes.part", "a.part"]
    for name in kept:
        (tmp_path / name).write_text("")
    make_folder(tmp_path)
    assert names(tmp_path) == sorted(kept)
