"""What tests of gathering share: a catalogue of six songs, and ways to look at what was gathered."""

import csv

from imagemusic.data.gather.journal import read_rows
from tests.songs import song_of

SONGS = [song_of(number) for number in range(6)]
SPOTIFY = ("--source", "spotify", "--accept-spotify-terms")


def put(path, data=b""):
    """Write a file, and the folders it lies in; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def rows_of(folder):
    """Read the rows of a data set by their keys."""
    return {row["key"]: row for row in read_rows(folder)}


def lines_of(path):
    """Read a table, a dictionary a line."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def searches(server):
    """List what Spotify's stand-in was asked to search for."""
    return [fields["q"] for _, path, fields in server.asked if path == "/v1/search"]
