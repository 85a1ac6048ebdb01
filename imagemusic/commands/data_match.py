"""`imagemusic data match` and `data album`: covers from MusicBrainz, Spotify or a folder."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from imagemusic.commands import Commands
from imagemusic.commands.options import add_overwrite
from imagemusic.commands.terminal import notice, progress_bar
from imagemusic.data.gather.catalogues import RELEASE_SOURCES, SourceOptions, make_source
from imagemusic.errors import DependencyError

MATCH_EXAMPLES = """
  imagemusic data match midi/ --out dataset --contact me@example.org
  imagemusic data match midi/ --source folder --out dataset
  imagemusic data match midi/ --source folder --pairs pairs.csv --out dataset
  imagemusic data match midi/ --out dataset --review dataset/review.csv
Stopped or killed, the same command goes on where it was."""
ALBUM_EXAMPLES = """
  imagemusic data album 'Kind of Blue' --out kind-of-blue
  imagemusic data album https://musicbrainz.org/release-group/ID --out kind-of-blue
  imagemusic data album https://open.spotify.com/album/ID --source spotify --accept-spotify-terms --out album"""


FAILED = ("corrupt", "failed")  # statuses of files that cannot be read, or for which a catalogue gave no answer


class Single(argparse.Action):
    """Refuse an option that is given twice."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if getattr(namespace, f"{self.dest}_given", False):
            parser.error(f"argument {option}: one at a time; gather from another one into another folder")
        setattr(namespace, f"{self.dest}_given", True)
        setattr(namespace, self.dest, values)


def register(commands: Commands) -> None:
    """Add `data match` and `data album`."""
    match = commands("match", "find the release and the cover of every MIDI file in a folder", MATCH_EXAMPLES)
    match.add_argument("midi_dir", type=Path, metavar="MIDI_DIR", help="folder of files named Artist/Title.mid")
    match.add_argument("--out", type=Path, required=True, metavar="DATASET", help="folder for the data set")
    add_source(match)
    match.add_argument("--pairs", type=Path, metavar="FILE.csv", help="for the folder: a table with midi and image")
    match.add_argument("--review", type=Path, metavar="FILE.csv", help="review.csv with the choices of a person")
    match.add_argument("--retry-failed", action="store_true", help="look up again what failed")
    match.add_argument("--workers", type=int, default=1, metavar="N", help="questions under way at once (default 1)")
    match.set_defaults(run=run_match)

    album = commands("album", "fetch the cover and the track list of one album", ALBUM_EXAMPLES)
    album.add_argument("album", metavar="QUERY|URL|ID", help="words, an address, or an id of the source")
    album.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    add_source(album)
    add_overwrite(album)
    album.set_defaults(run=run_album)


def add_source(command: argparse.ArgumentParser) -> None:
    """Add the choice of a catalogue, and what it wants to know."""
    command.add_argument(
        "--source", choices=list(RELEASE_SOURCES), default="musicbrainz", action=Single, help="default: musicbrainz"
    )
    command.add_argument("--size", type=int, default=500, metavar="N", help="width of covers in pixels (default 500)")
    command.add_argument("--contact", default="", metavar="ADDRESS", help="for MusicBrainz: whom to write to")
    command.add_argument("--accept-spotify-terms", action="store_true", help="for Spotify: you have read its terms")


def run_match(arguments: argparse.Namespace) -> int:
    try:
        from imagemusic.data.gather.cover_store import remove_unfinished
        from imagemusic.data.gather.gather import GatherOptions, Lookup, find_midi, gather, read_statuses
        from imagemusic.data.gather.journal import Header, Journal, begin
        from imagemusic.data.gather.review import REVIEW, read_choices, resolve, write_review
    except ModuleNotFoundError as error:
        raise DependencyError(f"data match needs {error.name}; run: pip install 'imagemusic[gather]'") from error

    options = GatherOptions(size=arguments.size, workers=arguments.workers, retry_failed=arguments.retry_failed)
    midi_dir, folder = arguments.midi_dir, arguments.out
    keys = find_midi(midi_dir)
    choices = read_choices(arguments.review) if arguments.review else {}
    with progress_bar() as (progress, say):
        done = 0.0

        def show(line: str) -> None:
            if sys.stderr.isatty():  # beside the bar
                progress(done, line)
            else:
                notice(line)

        source = make_source(arguments.source, source_options(arguments), show)
        header = Header(
            source=source.name,
            terms=source.terms,
            midi_dir=str(midi_dir.resolve()),
            size=options.size,
            pairs=str(arguments.pairs.resolve()) if arguments.pairs else "",
        )
        begin(folder, header)
        with Journal(folder) as journal:
            remove_unfinished(folder)
            lookup = Lookup(midi_dir, folder, source, options.size)
            statuses = read_statuses(folder, lookup)
            try:
                for row in resolve(choices, arguments.review, folder, journal, lookup):
                    statuses[row["key"]] = row["status"]
                    say(f"{row['key']}: {row['status']}, {row['why']}")
                for row in gather(keys, statuses, journal, lookup, options):
                    done = min(1.0, len(statuses) / len(keys))
                    progress(done, row["key"])
                    if row["status"] in ("corrupt", "failed"):
                        say(f"{row['key']}: {row['status']}, {row['why']}")
            finally:
                doubtful = write_review(folder)
                counts = Counter(statuses.values())
                summary = ", ".join(f"{count} {status}" for status, count in counts.most_common())
                say(f"{folder}: {summary or 'nothing'}, of {len(keys)} MIDI files")
                if doubtful:
                    say(f"{folder / REVIEW}: {doubtful} to choose for; then give --review {folder / REVIEW}")
    return 1 if keys and all(statuses.get(key) in FAILED for key in keys) else 0


def run_album(arguments: argparse.Namespace) -> int:
    from imagemusic.data.gather.release_album import write_album

    source = make_source(arguments.source, source_options(arguments), notice)
    album = source.album(arguments.album)
    cover = source.fetch(album.release, arguments.size)
    for path in write_album(album, cover, arguments.out, overwrite=arguments.overwrite):
        print(path)
    return 0


def source_options(arguments: argparse.Namespace) -> SourceOptions:
    """Read what a catalogue may need to know."""
    return SourceOptions(
        midi_dir=getattr(arguments, "midi_dir", Path()),
        pairs=getattr(arguments, "pairs", None),
        accept_spotify_terms=arguments.accept_spotify_terms,
        contact=arguments.contact,
    )
