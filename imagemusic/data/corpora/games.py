"""Band music written for free games: Freedoom, its earlier tracks, Blasphemer and Simutrans.

One group is one composition.  A slot of the game (E1M9) held several tracks over the years, and remixes quote older
tracks (dave3d42), so Freedoom's groups are titles, joined with the slot's history and the remixed track.
"""

import csv
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from imagemusic.data.corpora.piece import Piece
from imagemusic.data.corpora.user_midi import make_piece_on_beat
from imagemusic.music.midi import load_corpus_midi

BSD = "BSD-3-Clause"

SLOT = re.compile(r"^(E\dM\d|MAP\d\d|DM\d\d):\s*(.*)$")
SLOT_FILES = {  # CREDITS-MUSIC heads these with a phase of the game
    ("Phase 1", "Title"): "introa",
    ("Phase 1", "Intermission"): "inter",
    ("Phase 1", "Victory"): "victor",
    ("Phase 1", "Bunny"): "bunny",
    ("Phase 2", "Title"): "dm2ttl",
    ("Phase 2", "Intermission"): "dm2int",
    ("Phase 2", "Story"): "read_m",
    ("FreeDM", "Title"): "fdmttl",
    ("FreeDM", "Intermission"): "fdmint",
    ("FreeDM", "Story"): "fdmrdm",
}


def read_freedoom(folder: Path, key: str) -> list[Piece]:
    """Read musics/d_SLOT.mid."""
    slot = Path(key).stem.removeprefix("d_").lower()
    title = freedoom_titles(folder).get(slot, slot)
    score = load_corpus_midi(folder / key)
    return make_piece_on_beat(score, corpus="freedoom", path=key, group=_group(title, slot), title=title, licence=BSD)


def read_freedoom_history(folder: Path, key: str) -> list[Piece]:
    """Read HASH_NAME.mid, in the group of the slot's track of today or of the track it is a version of."""
    name = Path(key).stem.partition("_")[2]
    slot = name.removeprefix("d_").lower()
    title = freedoom_titles(folder.parent / "freedoom").get(slot, name)
    pieces = make_piece_on_beat(
        load_corpus_midi(folder / key),
        corpus="freedoom-history",
        path=key,
        group=_group(title, slot),
        title=name,
        licence=BSD,
    )
    # A composition is one group in both corpora: that of the present one.
    return [replace(piece, group=piece.group.replace("freedoom-history/", "freedoom/")) for piece in pieces]


def read_blasphemer(folder: Path, key: str) -> list[Piece]:
    """Read mus_SLOT.mid; each is a composition of its own."""
    name, score = Path(key).stem, load_corpus_midi(folder / key)
    return make_piece_on_beat(
        score, corpus="blasphemer", path=key, group=name, title=name.removeprefix("mus_"), licence=BSD
    )


def read_simutrans(folder: Path, key: str) -> list[Piece]:
    """Read NUMBER-TITLE.mid; title and composer, who is the group, stand in CREDITS.txt."""
    number = Path(key).name[:2]
    title, composer = _simutrans_credits(folder).get(number, (Path(key).stem, "unknown"))
    return make_piece_on_beat(
        load_corpus_midi(folder / key),
        corpus="simutrans",
        path=key,
        group=composer,
        title=title,
        licence="Artistic-1.0",
        tags=(composer,),
    )


@lru_cache(maxsize=4)
def freedoom_titles(folder: Path) -> dict[str, str]:
    """Return the title of each slot from CREDITS-MUSIC, or the older track that it is a remix of."""
    path = folder / "CREDITS-MUSIC"
    titles: dict[str, str] = {}
    phase = ""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        line = line.strip()
        if heading := re.fullmatch(r"--(.*?)--", line):
            phase = heading[1]
            if phase.startswith("Previously"):  # tracks of the past, and where they moved
                break
        slot, credit = "", ""
        if match := SLOT.match(line):
            slot, credit = match[1].lower(), match[2]
        elif ": " in line and (phase, line.split(": ")[0]) in SLOT_FILES:
            slot, credit = SLOT_FILES[phase, line.split(": ")[0]], line.split(": ", 1)[1]
        if slot:
            titles[slot] = title_of(credit)
    return titles


def title_of(credit: str) -> str:
    """Return the composition in a credit like '"Tap Water" by Korp, remix of dave3d27.mid by jute'."""
    origin = re.search(r'(?:remix of|based on) (?:"([^"]+)"|(\S+)\.mid)', credit)
    named = origin or re.match(r'"([^"]+)"|(\S+)\.mid', credit)
    return (named[1] or named[2]) if named else credit


def _group(title: str, slot: str) -> str:
    return re.sub(r"[^a-z0-9]", "", title.lower()) or slot


@lru_cache(maxsize=4)
def _simutrans_credits(folder: Path) -> dict[str, tuple[str, str]]:
    path = folder / "CREDITS.txt"
    if not path.exists():
        return {}
    rows = csv.reader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter="|")
    cells = [[cell.strip() for cell in row] for row in rows]
    return {row[0]: (row[1], row[2]) for row in cells if len(row) >= 4 and row[0].isdigit()}
