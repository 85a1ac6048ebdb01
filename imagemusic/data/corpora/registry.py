"""The download registry of the open corpora: resources/corpora.toml, unpacking, and checksums.

archive of a repository at a commit ──> unpack ──> a folder ──> .mxl to .mid ──> counted and hashed
"""

import base64
import hashlib
import importlib
import os
import shutil
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imagemusic import resources
from imagemusic.config import from_table, read_toml
from imagemusic.errors import ConfigError, DataError, DependencyError

ORIGINS = resources.CORPORA
LARGEST_FILE_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One table of corpora.toml."""

    repository: str  # OWNER/NAME on GitHub
    commit: str
    licence: str
    take: tuple[str, ...] = ()  # patterns of paths in the repository
    leave: tuple[str, ...] = ()
    root: str = ""  # folder of the repository that becomes the corpus
    engraved: bool = False  # .mxl, converted to MIDI by verovio
    flatten: bool = False  # COMPOSER/.../NAME becomes COMPOSER__NAME
    history: str = ""  # CSV of files that stood in the repository at different commits
    exact: bool = True  # false where the result depends on the version of a converter
    files: int = 0
    size_bytes: int = 0
    sha256: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.repository.count("/") != 1 or len(self.commit) != 40:
            raise ConfigError(f"repository must be OWNER/NAME at a commit of 40 digits, got {self.repository!r}")


def read_origins(path: Path = ORIGINS) -> dict[str, Origin]:
    """Read corpora.toml: name of a corpus -> its origin.

    Raises:
        ConfigError: the file is missing, not TOML, or has an unknown or missing field.
    """
    return {name: from_table(Origin, table, where=f"{path.name}: {name}") for name, table in read_toml(path).items()}


@dataclass(frozen=True, slots=True)
class Digest:
    """Count, size and hash of the MIDI files of a corpus."""

    files: int
    size_bytes: int
    sha256: str  # of 'PATH NUL SHA256 LF' for each MIDI file, paths sorted


def digest(folder: Path) -> Digest:
    """Return the digest of the MIDI files of a folder."""
    lines, size_bytes = [], 0
    for place, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(".mid"):
                path = Path(place, name)
                data = path.read_bytes()
                size_bytes += len(data)
                relative = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
                lines.append(f"{relative}\0{hashlib.sha256(data).hexdigest()}\n")
    return Digest(len(lines), size_bytes, hashlib.sha256("".join(sorted(lines)).encode()).hexdigest())


def check(name: str, origin: Origin, folder: Path) -> str:
    """Compare a folder with the digest in the registry; return one line to print.

    Raises:
        DataError: they differ, and the corpus needs no conversion.
    """
    found = digest(folder)
    if not origin.sha256:
        return f"{name}: {found.files} files, no digest to compare with"
    if found == Digest(origin.files, origin.size_bytes, origin.sha256):
        return f"{name}: {found.files} files, as expected"
    text = f"{name}: {found.files} files with sha256 {found.sha256[:12]}, not {origin.files} with {origin.sha256[:12]}"
    if origin.exact:
        raise DataError(f"{text}; delete {folder} to fetch it again")
    return f"{text}; {origin.note or 'converted otherwise'}"


def unpack(archive: Path, origin: Origin, folder: Path) -> int:
    """Write the files that `origin` selects from a tar.gz to `folder`; return their number.

    Raises:
        DataError: the archive is damaged, a file is too large, or a path leads out of the folder.
    """
    count = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts:
                    raise DataError(f"{archive.name}: refused {member.name!r}, a path that leads out of the folder")
                if not member.isfile() or not (wanted := _place(PurePosixPath(*path.parts[1:]), origin)):
                    continue
                if member.size > LARGEST_FILE_BYTES:
                    raise DataError(f"{archive.name}: {member.name} has {member.size} bytes, more than any score")
                target = folder / wanted
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                with source, target.open("wb") as out:  # type: ignore[union-attr]
                    shutil.copyfileobj(source, out)  # type: ignore[arg-type]
                count += 1
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{archive.name}: damaged archive ({error})") from error
    if not count:
        raise DataError(f"{archive.name}: holds nothing that matches {', '.join(origin.take)}")
    return count


def _place(path: PurePosixPath, origin: Origin) -> PurePosixPath | None:
    """Return the path in the corpus of a file of the repository; None if it is left out."""
    if not any(path.match(pattern) for pattern in origin.take) or any(path.match(pattern) for pattern in origin.leave):
        return None
    if origin.root and path.is_relative_to(origin.root):
        path = path.relative_to(origin.root)
    return PurePosixPath(f"{path.parts[0]}__{path.name}") if origin.flatten and len(path.parts) > 1 else path


def convert_engraved(folder: Path) -> Iterator[tuple[Path, str]]:
    """Convert each .mxl of a folder to a .mid beside it, and delete it; yield (path, error or empty).

    Raises:
        DependencyError: verovio is not installed.
    """
    try:
        verovio = importlib.import_module("verovio")
    except ImportError as error:
        raise DependencyError("converting .mxl scores needs verovio: pip install verovio") from error
    verovio.enableLog(verovio.LOG_OFF)
    for path in sorted(folder.rglob("*.mxl")):
        toolkit = verovio.toolkit()
        loaded = toolkit.loadFile(str(path))
        data = base64.b64decode(toolkit.renderToMIDI()) if loaded else b""
        if data:
            path.with_suffix(".mid").write_bytes(data)
        path.unlink()
        yield path, "" if data else "verovio cannot read it"
