import os
import subprocess
import sys
import time

import pytest

from imagemusic.errors import OutputError
from imagemusic.web import storage
from imagemusic.web.storage import LOCK, PREFIX, Storage, StorageFull, private_folder, remove_abandoned


@pytest.fixture
def later(monkeypatch):
    """Let time pass for the storage."""

    def pass_by(seconds):
        now = time.time()
        monkeypatch.setattr(storage.time, "time", lambda: now + seconds)

    return pass_by


def test_a_private_folder_is_for_its_owner_alone_and_goes_at_the_end(tmp_path):
    with private_folder(tmp_path) as folder:
        assert folder.parent == tmp_path and folder.name.startswith(PREFIX)
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "upload").mkdir()
        (folder / "upload" / "cat.png").write_bytes(b"cat")
    assert not list(tmp_path.iterdir())


def test_it_goes_after_an_error_too(tmp_path):
    with pytest.raises(KeyboardInterrupt), private_folder(tmp_path):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    code = (
        "import os, pathlib\nfrom imagemusic.web.storage import private_folder\n"
        f"with private_folder(pathlib.Path({str(tmp_path)!r})) as folder:\n"
        "    (folder / 'cat.png').write_bytes(b'cat')\n    os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(list(tmp_path.glob("*/cat.png"))) == 1
    with private_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_a_run_that_goes_on_and_other_folders_are_left_alone(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "other")
    with private_folder(tmp_path) as first:
        remove_abandoned(tmp_path)
        assert (first / LOCK).exists()
    assert (tmp_path / "other").is_dir()


def test_a_run_that_is_just_starting_is_left_alone_for_a_minute(tmp_path, later):
    starting = tmp_path / f"{PREFIX}abcd"
    starting.mkdir()
    remove_abandoned(tmp_path)
    assert starting.exists()
    later(61)
    remove_abandoned(tmp_path)
    assert not starting.exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), private_folder(tmp_path / "file"):
        pass


def test_room_is_made_by_removing_the_oldest_first(tmp_path, later):
    kept = tmp_path / "example.png"
    kept.write_bytes(b"x" * 5000)
    files = Storage(tmp_path, budget=40_000, keep_seconds=3600)
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "upload").write_bytes(b"x" * 10_000)
        time.sleep(0.02)
    with files.reserve(10_000):
        assert files.used() == 25_000
        with pytest.raises(StorageFull, match="no room"):  # what was reserved counts, and young files stay
            files.reserve(10_000)
    later(200)
    with files.reserve(20_000):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["example.png", "new"]
    with pytest.raises(StorageFull):
        files.reserve(40_000)
    assert files.reserve(35_000) and kept.exists()


def test_small_files_count_as_a_block(tmp_path):
    files = Storage(tmp_path, budget=10_000, keep_seconds=3600)
    for number in range(3):
        (tmp_path / str(number)).touch()
    with pytest.raises(StorageFull):
        files.reserve(1)


def test_old_files_are_removed_with_their_folders(tmp_path, later):
    (tmp_path / "example").touch()
    files = Storage(tmp_path, budget=10_000, keep_seconds=3600)
    (tmp_path / "hash").mkdir()
    (tmp_path / "hash" / "cat.png").touch()
    files.remove_old()
    assert (tmp_path / "hash" / "cat.png").exists()
    later(3700)
    files.remove_old()
    assert os.listdir(tmp_path) == ["example"]
