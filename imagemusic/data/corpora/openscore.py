"""OpenScore lieder and string quartets, and the orchestral scores of Hauptstimme: engraved scores.

verovio converts them, so they are on the grid and their loudness is constant.  Key signatures come without a mode.  A
piece at 120 bpm throughout has the engraving program's default tempo.
"""

import csv
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from imagemusic.data.corpora.bars import estimate_pickup, full_first_bar
from imagemusic.data.corpora.grid import bar_lines, cut, on_grid
from imagemusic.data.corpora.piece import Piece, make_piece, single_tempo
from imagemusic.music.midi import load_corpus_midi
from imagemusic.music.score import DURATION, ONSET, Score, Track

LICENCE = "CC0-1.0"
WINDS = range(56, 80)  # General MIDI brass, reeds and pipes
NAMED_WINDS = re.compile("flute|flöte|horn|clarinet|klarinette|oboe|trumpet|viol|cello", re.IGNORECASE)
CHOIR_AAHS = 52  # General MIDI; converted scores have singers on the oboe or other winds
MOST_NOTES = 4_000  # in a piece cut from a quartet
FEWEST_NOTES = 400


def read_lied(folder: Path, key: str) -> list[Piece]:
    """Read scores/COMPOSER/SET/SONG/FILE.mid; the set is the group, or the song where there is no set."""
    composer, collection, song = key.split("/")[1:4]
    score = load_corpus_midi(folder / key)
    return make_piece(
        replace(score, tracks=[_singer(track) for track in score.tracks]),
        corpus="openscore-lieder",
        path=key,
        group="/".join([composer, song] if collection == "_" else [composer, collection]),
        title=_titles(folder).get(f"{composer}/{collection}/{song}", song.replace("_", " ")),
        licence=LICENCE,
        tags=(composer.replace("_", " "),),
        tempo_known=not single_tempo(score, 120),
        hidden_pickup=True,
    )


def read_quartet(folder: Path, key: str) -> list[Piece]:
    """Read scores/COMPOSER/WORK/FILE.mid and cut it into movements, or parts of movements."""
    composer, work = key.split("/")[1:3]
    score, _ = on_grid(load_corpus_midi(folder / key))
    movements = movement_starts(score)
    parts = []
    for start, stop in zip(movements, [*movements[1:], score.end], strict=True):
        movement = cut(score, start, stop)
        # The last bar of a movement is short by its pickup, so only the bars before its second meter show the pickup.
        until = movement.meters[1].tick if len(movement.meters) > 1 else movement.end
        opening = cut(movement, 0, until)
        movement = full_first_bar(movement, estimate_pickup(opening))
        lines = [0, *quiet_bar_lines(movement, MOST_NOTES), movement.end]
        parts += [cut(movement, *line) for line in zip(lines, lines[1:], strict=False)]
    pieces = []
    for number, part in enumerate(parts, start=1):
        pieces += make_piece(
            part,
            corpus="openscore-quartets",
            path=f"{key.removesuffix('.mid')}#{number}",
            group=f"{composer}/{work}",
            title=f"{work.replace('_', ' ')} ({number})",
            licence=LICENCE,
            tags=(composer.replace("_", " "),),
            tempo_known=not single_tempo(part, 120),
        )
    return pieces


def read_orchestra(folder: Path, key: str) -> list[Piece]:
    """Read COMPOSER__WORK_MOVEMENT.mid; the work is the group."""
    composer, _, movement = key.removesuffix(".mid").partition("__")
    score = load_corpus_midi(folder / key)
    return make_piece(
        score,
        corpus="hauptstimme",
        path=key,
        group=re.sub(r"_[0-9,]+[ab]?$", "", movement),
        title=movement.replace("_", " "),
        licence=LICENCE,
        tags=(composer.replace("_", " "),),
        tempo_known=not single_tempo(score, 120),
        hidden_pickup=True,
    )


def movement_starts(score: Score) -> list[int]:
    """Return the ticks at which movements begin: tempo and meter change together, and enough notes follow."""
    tempos = {tempo.tick for tempo in score.tempos}
    starts = [0]
    for tick in (meter.tick for meter in score.meters if meter.tick in tempos):
        enough = min(_notes_between(score, starts[-1], tick), _notes_between(score, tick, score.end))
        if enough >= FEWEST_NOTES:
            starts.append(tick)
    return starts


def quiet_bar_lines(score: Score, most_notes: int) -> list[int]:
    """Return bar lines, in ticks, that cut a score into parts of about `most_notes` and cross few notes."""
    onsets = np.sort(np.concatenate([track.notes[:, ONSET] for track in score.tracks]))
    parts = -(-len(onsets) // most_notes)
    bars = bar_lines(score)
    crossing = _crossing(score, bars)
    lines = []
    for part in range(1, parts):
        # Any bar line within a tenth of a part will do.
        low, high = (int(onsets[int(len(onsets) * (part + shift) / parts)]) for shift in (-0.1, 0.1))
        near = np.flatnonzero((bars > low) & (bars <= high))
        if len(near):
            lines.append(int(bars[near[np.argmin(crossing[near])]]))
    return lines


def _notes_between(score: Score, start: int, end: int) -> int:
    return sum(int(((t.notes[:, ONSET] >= start) & (t.notes[:, ONSET] < end)).sum()) for t in score.tracks)


def _crossing(score: Score, ticks: np.ndarray) -> np.ndarray:
    """Return the number (T,) of notes that sound across each tick (T,)."""
    onsets = np.sort(np.concatenate([track.notes[:, ONSET] for track in score.tracks]))
    offsets = np.sort(np.concatenate([track.notes[:, ONSET] + track.notes[:, DURATION] for track in score.tracks]))
    return np.searchsorted(onsets, ticks) - np.searchsorted(offsets, ticks, side="right")


def _singer(track: Track) -> Track:
    """Return a singer's track with the program of a choir; in a lied a wind without a wind's name is the singer."""
    sings = track.program in WINDS or "voice" in track.name.lower()
    if not sings or NAMED_WINDS.search(track.name):
        return track
    # The converter wrote the part's name and its abbreviation together: 'SingstimmeVoice'.
    name = re.sub(r"(?<=\w)\.?\s*Voice$", "", track.name)
    return replace(track, program=CHOIR_AAHS, name=name or "Voice")


@lru_cache(maxsize=4)
def _titles(folder: Path) -> dict[str, str]:
    path = folder / "data" / "scores.tsv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["path"]: row["name"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)}
