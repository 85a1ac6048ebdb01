"""Fetch the open corpora from their public origins, as imagemusic/resources/corpora.toml names them.

    python scripts/fetch_corpora.py --out DIR                  all of them; run again to go on after a break
    python scripts/fetch_corpora.py --out DIR --only pop909 freedoom
    python scripts/fetch_corpora.py --checksum DIR             what the corpora in DIR are, as lines for the table

What cannot be had bit for bit is said in data/README.md.
"""

import argparse
import csv
import hashlib
import os
import sys
from pathlib import Path
from urllib.parse import quote

from tqdm import tqdm

from imagemusic.data.corpora.registry import ORIGINS, Origin, check, convert_engraved, digest, read_origins, unpack
from imagemusic.data.download import RetryPolicy, download
from imagemusic.errors import ConfigError, DataError, ImageMusicError

ARCHIVES, RAW, BLOBS = "https://codeload.github.com", "https://raw.githubusercontent.com", "https://api.github.com"


def fetch(name: str, origin: Origin, out: Path, base_url: str | None, policy: RetryPolicy, table: Path) -> str:
    """Bring one corpus to out/name, unless it is there; return one line to print."""
    folder, partial, archive = out / name, out / f".{name}.part", out / f".{name}.tar.gz"
    if folder.exists():
        return check(name, origin, folder)
    if not (origin.take or origin.history):
        raise DataError(f"{name}: cannot be fetched; {origin.note}")
    partial.mkdir(parents=True, exist_ok=True)
    if origin.history:
        fetch_history(origin, table.parent / origin.history, partial, base_url, policy)
    else:
        if not archive.exists():
            url = f"{base_url or ARCHIVES}/{origin.repository}/tar.gz/{origin.commit}"
            with tqdm(desc=name, unit="B", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
                download(url, archive, policy=policy, progress=bar.update)
        try:
            unpack(archive, origin, partial)
        except DataError:
            archive.unlink()  # so that the next run fetches it again
            raise
    if origin.engraved:
        scores = sum(1 for _ in partial.rglob("*.mxl"))
        for path, wrong in tqdm(convert_engraved(partial), desc=name, total=scores, disable=not sys.stderr.isatty()):
            if wrong:
                print(f"{name}: left out {path.name} ({wrong})", file=sys.stderr)
    try:
        line = check(name, origin, partial)
    finally:  # an archive that holds other files is no use for another try
        archive.unlink(missing_ok=True)
    os.replace(partial, folder)
    return line


def fetch_history(origin: Origin, listing: Path, folder: Path, base_url: str | None, policy: RetryPolicy) -> None:
    """Fetch files that stood in a repository at different commits, each known by its git hash."""
    with listing.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in tqdm(rows, desc=listing.stem, disable=not sys.stderr.isatty()):
        path = folder / row["file"]
        if path.exists():
            continue
        new = path.with_name(path.name + ".new")
        try:
            raw = f"{base_url or RAW}/{origin.repository}/{row['commit']}/{quote(row['path'])}"
            download(raw, new, policy=policy)
            right = git_hash(new.read_bytes()) == row["blob"]
        except DataError:
            right = False
        if not right:  # the commit is the one that removed the file
            blob = f"{base_url or BLOBS}/repos/{origin.repository}/git/blobs/{row['blob']}"
            download(blob, new, policy=policy, headers={"Accept": "application/vnd.github.raw"})
            if git_hash(new.read_bytes()) != row["blob"]:
                raise DataError(f"{row['file']}: what {origin.repository} sent is not {row['blob']}")
        os.replace(new, path)


def git_hash(data: bytes) -> str:
    """Return the name that git gives to a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def print_checksums(folder: Path, names: list[str]) -> None:
    """Print what the corpora of a folder are."""
    for name in names:
        if (folder / name).is_dir():
            found = digest(folder / name)
            print(f'[{name}]\nfiles = {found.files}\nsize_bytes = {found.size_bytes}\nsha256 = "{found.sha256}"\n')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder for a folder of each corpus")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--checksum", type=Path, metavar="DIR")
    parser.add_argument("--table", type=Path, default=ORIGINS)
    parser.add_argument("--base-url", help="another server with the same paths")
    parser.add_argument("--first-wait", type=float, default=1.0, help="seconds before asking again; doubled each time")
    arguments = parser.parse_args()
    try:
        origins = read_origins(arguments.table)
        names = arguments.only or list(origins)
        if unknown := [name for name in names if name not in origins]:
            raise ConfigError(f"unknown corpus {unknown[0]!r}; choose from {', '.join(origins)}")
        if arguments.checksum:
            print_checksums(arguments.checksum, names)
            return 0
        if not arguments.out:
            raise ConfigError("--out must name a folder for the corpora")
    except ImageMusicError as error:
        print(f"fetch_corpora: error: {error}", file=sys.stderr)
        return 1

    failed = []
    policy = RetryPolicy(first_wait_seconds=arguments.first_wait)
    for name in names:
        try:
            print(fetch(name, origins[name], arguments.out, arguments.base_url, policy, arguments.table))
        except (ImageMusicError, OSError) as error:
            failed.append(name)
            print(f"fetch_corpora: error: {error}", file=sys.stderr)
    if failed:
        print(f"fetch_corpora: {len(names) - len(failed)} fetched, without {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
