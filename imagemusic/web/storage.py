"""The page's files: a private folder for this run alone, with a limit to its size and to the age of what is in it.

TEMP/imagemusic-page-XXXX/    mode 0700, removed at the end of the run, or else by the next run
    lock                      locked while the run lasts
    ...                       uploads and results: removed after an hour, earlier where room is needed
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imagemusic.errors import OutputError
from imagemusic.files import cannot_write

try:
    import fcntl
except ImportError:  # Windows: what a killed run leaves stays
    fcntl = None  # type: ignore[assignment]

PREFIX = "imagemusic-page-"
LOCK = "lock"
STARTING_SECONDS = 60.0  # a folder of a run that is just starting may have no lock yet
IN_USE_SECONDS = 120.0  # files younger than this are not removed to make room
BLOCK = 4096  # bytes that a small file takes at least


class StorageFull(OutputError):
    """The budget is used up by files that are in use."""


@contextmanager
def private_folder(parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder for this process, by default in the system's folder for temporary files; remove it at the end.

    What killed runs left is removed first.

    Raises:
        OutputError: it cannot be made.
    """
    parent = Path(parent or tempfile.gettempdir())
    try:
        parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(parent)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    except OSError as error:
        raise cannot_write(parent, error) from error
    try:
        with (folder / f".{LOCK}").open("w") as lock:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX)
            os.rename(folder / f".{LOCK}", folder / LOCK)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(parent: Path) -> None:
    """Remove the private folders of runs of this user that do not run any more."""
    if fcntl is None:
        return
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if folder.is_symlink() or not folder.is_dir() or found.st_uid != os.getuid():
                continue
            if not (folder / LOCK).exists():
                if time.time() - found.st_mtime > STARTING_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            with (folder / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an error where its run goes on
                shutil.rmtree(folder, ignore_errors=True)


class Storage:
    """Uploads and results in a folder, with a budget of bytes and an age at which they are removed."""

    def __init__(self, folder: Path, *, budget: int, keep_seconds: float) -> None:
        """Watch over a folder; what is in it now stays."""
        self.folder, self.budget, self.keep_seconds = folder, budget, keep_seconds
        self._kept: set[Path] = set()
        self.keep_all()
        self._reserved = 0
        self._lock = threading.Lock()

    def keep_all(self) -> None:
        """Never remove the files that are there now, such as the pictures of the examples."""
        self._kept |= {path for path, _, _ in self._files()}

    def used(self) -> int:
        """Return the bytes that files take now."""
        return sum(size for _, size, _ in self._files())

    def reserve(self, size: int) -> "_Reservation":
        """Reserve bytes for what is about to be written, removing the oldest files where room is needed.

        Raises:
            StorageFull: there is no room beside what is in use.
        """
        with self._lock:
            files = sorted(self._files(), key=lambda file: file[2])
            missing = sum(size for _, size, _ in files) + self._reserved + size - self.budget
            removable = [file for file in files if time.time() - file[2] > IN_USE_SECONDS and file[0] not in self._kept]
            if missing > sum(size for _, size, _ in removable):
                raise StorageFull("the server has no room now; try again in a few minutes")
            for path, freed, _ in removable:
                if missing <= 0:
                    break
                missing -= freed
                _remove(path)
            self._reserved += size
        return _Reservation(self, size)

    def release(self, size: int) -> None:
        """Give back what was reserved."""
        with self._lock:
            self._reserved -= size

    def remove_old(self) -> None:
        """Remove files that are older than they are kept."""
        for path, _, changed in self._files():
            if time.time() - changed > self.keep_seconds and path not in self._kept:
                _remove(path)

    def watch(self, every: float = 60.0) -> None:
        """Remove old files for ever, on a thread of its own."""

        def run() -> None:
            while self.folder.is_dir():
                self.remove_old()
                time.sleep(every)

        threading.Thread(target=run, daemon=True, name="storage").start()

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        """Yield every file, with the bytes that it takes and when it was last changed or moved here."""
        for parent, _, names in os.walk(self.folder):
            for name in names:
                path = Path(parent, name)
                with suppress(OSError):
                    found = path.lstat()
                    yield path, max(found.st_size, BLOCK), found.st_ctime


class _Reservation:
    """Bytes that are reserved until the block ends."""

    def __init__(self, storage: Storage, size: int) -> None:
        self._storage, self._size = storage, size

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._storage.release(self._size)


def _remove(path: Path) -> None:
    """Remove a file, and its folder where that is empty then."""
    with suppress(OSError):
        path.unlink()
        path.parent.rmdir()
