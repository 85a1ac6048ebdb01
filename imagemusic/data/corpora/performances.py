"""Recorded performances: Groove's drummers, to a click, and Pianolatron's piano rolls, without a beat."""

import csv
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from imagemusic.data.corpora.beats import on_seconds
from imagemusic.data.corpora.piece import Piece, make_piece
from imagemusic.music.midi import load_corpus_midi
from imagemusic.music.score import PITCH, Meter, Track

# The drum kit that was played has pads that General MIDI lacks or uses otherwise.
# Gillick et al. 2019, "Learning to Groove with Inverse Sequence Transformations", table of the paper's mapping.
PADS = {22: 42, 26: 46, 58: 43}


def read_groove(folder: Path, key: str) -> list[Piece]:
    """Read DRUMMER/SESSION/FILE.mid; tempo from the file, meter and style from info.csv; the drummer is the group."""
    about = _groove_index(folder).get(key, {})
    score = load_corpus_midi(folder / key)
    tracks = []
    for track in score.tracks:
        notes = track.notes.copy()
        for pad, drum in PADS.items():
            notes[notes[:, PITCH] == pad, PITCH] = drum
        tracks.append(Track(notes, 0, True, "Drums"))
    style, kind = about.get("style", ""), about.get("beat_type", "")
    numerator, _, denominator = about.get("time_signature", "").partition("-")
    meters = [Meter(0, int(numerator), int(denominator))] if numerator and denominator else score.meters
    return make_piece(
        replace(score, tracks=tracks, meters=meters, keys=()),
        corpus="groove-midi",
        path=key,
        group=key.split("/")[0],
        title=f"{style} {kind} at {about.get('bpm', '?')} bpm",
        licence="CC-BY-4.0",
        tags=tuple(filter(None, (style, kind))),
        by_hand=True,
    )


def read_roll(folder: Path, key: str) -> list[Piece]:
    """Read midi/exp/ID_exp.mid with its pedal, on beats of half a second; composer and title are the group."""
    about = _roll_index(folder).get(Path(key).stem.partition("_")[0], {})
    title = about.get("title", Path(key).stem)
    composer = about.get("composer", "None")
    normal = re.sub(r"\W+", " ", f"{composer} {title}".lower()).strip()
    return make_piece(
        on_seconds(load_corpus_midi(folder / key, fold_pedal=True), None),
        corpus="pianolatron",
        path=key,
        group=normal,
        title=title,
        licence="MIT",
        tags=tuple(name for name in (composer, about.get("performer", "None")) if name != "None"),
        metrical=False,
    )


@lru_cache(maxsize=4)
def _groove_index(folder: Path) -> dict[str, dict[str, str]]:
    return {row["midi_filename"]: row for row in _rows(folder / "info.csv")}


@lru_cache(maxsize=4)
def _roll_index(folder: Path) -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in _rows(folder / "metadata.csv")}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
