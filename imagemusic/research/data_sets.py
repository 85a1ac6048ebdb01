"""The data sets that studies measure on, by name: below one root, each with a path of its own where that is given."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagemusic.errors import DataError


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a name of a data set stands for."""

    about: str
    place: str  # below the folder of --data
    default: str = ""  # where it is looked for without --data, from the working folder


DATA_SETS: dict[str, DataSet] = {
    "prepared": DataSet("the prepared set of scripts/prepare_corpora.py", "prepared", "runs/prepared"),
    "corpora": DataSet("a folder of MIDI files for each corpus, see scripts/fetch_corpora.py", "midi"),
    "pictures": DataSet("the folder that holds the labelled pictures affect/ and covers/", "."),
    "affect": DataSet("rated pictures: oasis/ and bass/", "affect"),
    "covers": DataSet("a folder of pictures, searched with its subfolders", "covers"),
    "embeddings": DataSet("embedded pictures of scripts/train_encoder.py", "pictures.npz", "runs/pictures.npz"),
    "heldout_pairs": DataSet("ids of held-out pairs", "heldout_pairs.csv", "data/heldout_pairs.csv"),
    "pairs": DataSet("a CSV with the columns image and midi", "pairs/maeve/pairs.csv"),
    "ultrastar": DataSet("a CSV with the columns midi, artist and title", "pairs/ultrastar/pairs.csv"),
    "catalogue": DataSet("tracks: spotify_songs.csv and spotify_20k/", "catalog"),
    "pianorolls": DataSet("the four piano-roll sets as .mat files", "benchmarks/poly_music"),
}


@dataclass(frozen=True, slots=True)
class DataSets:
    """Where the data sets lie: below one root, but for those that have a path of their own."""

    root: Path | None = None
    paths: Mapping[str, Path] = field(default_factory=dict)

    def find(self, name: str) -> Path | None:
        """Return the path of a data set; None if there is none."""
        known = DATA_SETS[name]
        places = [self.root / known.place] if self.root else []
        places += [Path(known.default)] if known.default else []
        return self.paths.get(name) or next((place for place in places if place.exists()), None)

    def path(self, name: str) -> Path:
        """Return the path of a data set.

        Raises:
            DataError: there is none.
        """
        known, found = DATA_SETS[name], self.find(name)
        if found is None:
            place = self.root / known.place if self.root else f"ROOT/{known.place}"
            raise DataError(f"{name}: {place} is not there; give --data ROOT or --set {name}=PATH: {known.about}")
        if not found.exists():
            raise DataError(f"{found}: not there; --set {name} names {known.about}")
        return found


def data_set_path(text: str) -> tuple[str, Path]:
    """Read NAME=PATH."""
    name, _, path = text.partition("=")
    if name not in DATA_SETS or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH with a name of {', '.join(DATA_SETS)}")
    return name, Path(path)
