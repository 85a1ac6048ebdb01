"""Write files and folders whole or not at all, and never over a file of the user's.

    replace_atomically(path)     yields a temporary path beside `path`, which replaces `path` at the end
    replace_folder(folder)       the same for a folder
    write_atomically(path, data) bytes or text into one file
    write_outputs({path: data})  results of a command: all or none, and only over results of imagemusic

A file is known as one of ours by MARK near its start or end, or by its name and sha256 in the record beside it.
"""

import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from imagemusic.errors import OutputError

MARK = "made with imagemusic"
MARK_WITHIN = 4096  # bytes from the start or the end of a file
RECORD_START = b'{"record_version":'  # of the JSON record of a piece, see compose/composition.py

# Temporary names: .NAME.HOST-PID-NUMBER.part, where the number differs between threads of one process.
HOST = f"{zlib.crc32(platform.node().encode()):08x}"
PARTIAL = re.compile(r"\..*\.([0-9a-f]{8})-(\d+)-\d+\.part", re.DOTALL)
LONGEST_NAME = 200  # bytes of NAME; file systems hold 255 for all of it
_NUMBERS = itertools.count()


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; the file written there replaces `path` at the end.

    The file is flushed to disk first.  After an error `path` is what it was, and the temporary file is removed.

    Raises:
        OutputError: the file cannot be written: any OSError inside the block counts as that.
    """
    temporary = _temporary_name(path)
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yield a new empty folder beside `folder`, which replaces it at the end with all that it holds then.

    Raises:
        OutputError: the folder cannot be written: any OSError inside the block counts as that.
    """
    target = folder.resolve()
    temporary = _temporary_name(target)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if target.exists():
            shutil.rmtree(target)
        os.replace(temporary, target)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write bytes, or text as UTF-8, into a file, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with replace_atomically(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def write_outputs(files: Mapping[Path, bytes], *, overwrite: bool = False) -> None:
    """Write the results of a command: all of them, or none where one cannot be written.

    A file is replaced only if imagemusic wrote it, it has the same content, or `overwrite` is set.

    Raises:
        OutputError: a file cannot be written, or is not to be replaced.
    """
    if not overwrite:
        for path, data in files.items():
            check_replaceable(path, data)
    with ExitStack() as stack:
        for path, data in files.items():
            stack.enter_context(replace_atomically(path)).write_bytes(data)


def check_replaceable(path: Path, data: bytes | None = None) -> None:
    """Refuse to replace a file that imagemusic did not write, unless it holds `data` already.

    Raises:
        OutputError: `path` is such a file, or cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: is there already and is no ordinary file; choose another folder")
        if path.exists() and not is_ours(path) and (data is None or path.read_bytes() != data):
            raise OutputError(f"{path}: is there already and was not made by imagemusic; --overwrite replaces it")
    except OSError as error:
        raise cannot_write(path, error) from error


def is_ours(path: Path) -> bool:
    """Return whether imagemusic wrote a file: it has our mark, or a record beside it names it with its sha256."""
    with path.open("rb") as file:
        start = file.read(MARK_WITHIN)
        file.seek(-min(MARK_WITHIN, path.stat().st_size), os.SEEK_END)
        end = file.read()
    if MARK.encode() in start or MARK.encode() in end or start.startswith(RECORD_START):
        return True
    try:
        named = json.loads(path.with_suffix(".json").read_bytes())["files"][path.name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return bool(named == sha256(path.read_bytes()))


def sha256(data: bytes) -> str:
    """Return the SHA-256 digest of some bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def make_folder(folder: Path) -> Path:
    """Make a folder for results, check that it can be written to, and remove what killed processes left in it.

    Raises:
        OutputError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        sweep(folder)
    except FileExistsError as error:
        raise OutputError(f"{folder}: a file, not a folder to write to") from error
    except OSError as error:
        raise OutputError(f"{folder}: cannot write there ({error.strerror})") from error
    return folder


def sweep(folder: Path) -> None:
    """Remove temporary files and folders of processes of this machine that do not run any more."""
    for path in folder.glob(".*.part"):
        found = PARTIAL.fullmatch(path.name)
        if found is None or found[1] != HOST or _runs(int(found[2])):
            continue
        with suppress(OSError):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Return the one-line error for a path that cannot be written."""
    reason = error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
    return OutputError(f"{path}: cannot be written ({reason})")


def _temporary_name(path: Path) -> Path:
    name = os.fsdecode(os.fsencode(path.name)[:LONGEST_NAME])
    return path.with_name(f".{name}.{HOST}-{os.getpid()}-{next(_NUMBERS)}.part")


def _runs(pid: int) -> bool:
    """Return whether a process runs; True where that cannot be found out."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True
