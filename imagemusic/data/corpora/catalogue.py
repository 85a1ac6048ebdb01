"""All open corpora behind one interface: list the keys of a folder cheaply, read a key into pieces.

    folder/openscore-lieder/scores/...mid ── list_pieces ──> keys ── read_piece, in any process ──> [Piece, ...]

`folder` holds a folder for each corpus.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imagemusic.data.corpora import evaluation_only, games, mutopia, openscore, performances, pop909
from imagemusic.data.corpora.piece import Piece
from imagemusic.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """How to read a corpus, and whether a distributed model may be trained on it."""

    read: Callable[[Path, str], list[Piece]]  # (folder of the corpus, key) -> pieces
    licence: str
    evaluation_only: bool = False


CORPORA: dict[str, Corpus] = {
    "openscore-lieder": Corpus(read=openscore.read_lied, licence="CC0-1.0"),
    "openscore-quartets": Corpus(read=openscore.read_quartet, licence="CC0-1.0"),
    "hauptstimme": Corpus(read=openscore.read_orchestra, licence="CC0-1.0"),
    "mutopia": Corpus(read=mutopia.read_work, licence="public domain or CC-BY, a piece at a time"),
    "pop909": Corpus(read=pop909.read_song, licence="MIT"),
    "freedoom": Corpus(read=games.read_freedoom, licence="BSD-3-Clause"),
    "freedoom-history": Corpus(read=games.read_freedoom_history, licence="BSD-3-Clause"),
    "blasphemer": Corpus(read=games.read_blasphemer, licence="BSD-3-Clause"),
    "simutrans": Corpus(read=games.read_simutrans, licence="Artistic-1.0"),
    "groove-midi": Corpus(read=performances.read_groove, licence="CC-BY-4.0"),
    "pianolatron": Corpus(read=performances.read_roll, licence="MIT"),
    "emopia": Corpus(read=evaluation_only.read_emopia, licence="CC-BY-NC-SA-4.0", evaluation_only=True),
    "vgmidi": Corpus(read=evaluation_only.read_vgmidi, licence="none", evaluation_only=True),
    "nottingham": Corpus(read=evaluation_only.read_nottingham, licence="GPL-3.0", evaluation_only=True),
}
TRAINABLE = tuple(name for name, corpus in CORPORA.items() if not corpus.evaluation_only)


def list_pieces(folder: Path, corpus: str) -> list[str]:
    """Return the keys of a corpus, sorted: paths of MIDI files in its folder.

    Raises:
        DataError: no such corpus, or its folder holds no MIDI file.
    """
    root = _root(folder, corpus)
    keys = [
        Path(place, name).relative_to(root).as_posix()
        for place, _, names in os.walk(root)
        for name in names
        if name.lower().endswith(".mid")
    ]
    if not keys:
        raise DataError(f"{root}: no MIDI files; fetch the corpus or name the folder that holds '{corpus}'")
    return sorted(keys)


def read_piece(folder: Path, corpus: str, key: str) -> list[Piece]:
    """Return the pieces of one file; none when it has no notes.

    Raises:
        DataError: no such corpus, or a file beside the MIDI file is damaged.
        ScoreError: the file is missing or damaged.
    """
    return CORPORA[corpus].read(_root(folder, corpus), key)


def read_corpus(folder: Path, corpus: str) -> Iterator[Piece]:
    """Yield the pieces of a corpus in the order of their keys, one file at a time."""
    for key in list_pieces(folder, corpus):
        yield from read_piece(folder, corpus, key)


def _root(folder: Path, corpus: str) -> Path:
    if corpus not in CORPORA:
        raise DataError(f"unknown corpus {corpus!r}; choose from {', '.join(CORPORA)}")
    return folder / corpus
