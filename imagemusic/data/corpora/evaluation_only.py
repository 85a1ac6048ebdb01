"""Corpora for evaluation only: their licences, or the lack of one, exclude them from training."""

import re
from pathlib import Path

from imagemusic.data.corpora.piece import Piece, make_piece
from imagemusic.music.midi import load_corpus_midi


def read_emopia(folder: Path, key: str) -> list[Piece]:
    """Read midis/QUADRANT_SONG_CLIP.mid, transcribed from audio, with a nominal 120 bpm; the song is the group."""
    quadrant, song = Path(key).stem[:2], Path(key).stem[3:].rpartition("_")[0]
    return make_piece(
        load_corpus_midi(folder / key, fold_pedal=True),
        corpus="emopia",
        path=key,
        group=song,
        title=Path(key).stem,
        licence="CC-BY-NC-SA-4.0",
        tags=(quadrant,),
        tempo_known=False,
        meter_known=False,
        metrical=False,
    )


def read_vgmidi(folder: Path, key: str) -> list[Piece]:
    """Read SERIES_CONSOLE_GAME_PIECE.mid, whole or a phrase of it; the piece is the group."""
    name = Path(key).stem
    whole = re.sub(r"_\d+$", "", name)
    return make_piece(
        load_corpus_midi(folder / key), corpus="vgmidi", path=key, group=whole, title=name, licence="none"
    )


def read_nottingham(folder: Path, key: str) -> list[Piece]:
    """Read MIDI/DANCE_NUMBER.mid; each tune is a group."""
    name = Path(key).stem
    score, tags = load_corpus_midi(folder / key), (re.sub(r"[\d-].*", "", name),)
    return make_piece(score, corpus="nottingham", path=key, group=name, title=name, licence="GPL-3.0", tags=tags)
