"""Count what the corpora hold after reading, and how far their tempo, meter and grid can be trusted.

imagemusic study run corpora --data DATA --out docs/results/corpora.json
"""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.catalogue import CORPORA, Piece, list_pieces, read_piece
from imagemusic.data.corpora.grid import bar_ticks
from imagemusic.music.score import ONSET, PITCH, Score
from imagemusic.research.study import Context, Figures, Study

PLACES = 4  # of a bar, compared: is the bass where bars begin?


def bass_places(score: Score) -> NDArray[np.float64]:
    """Return the shares (4,) of low notes that begin on each quarter of a bar, those between left out."""
    pitched = [track.notes for track in score.tracks if not track.is_drum]
    if len(score.meters) != 1 or not pitched:
        return np.zeros(PLACES)
    notes = np.concatenate(pitched)
    bar = bar_ticks(score.meters[0])
    low = notes[notes[:, PITCH] <= np.percentile(notes[:, PITCH], 30)]
    place = low[:, ONSET] % bar * PLACES
    counts = np.bincount((place[place % bar == 0] // bar), minlength=PLACES)
    return counts / max(counts.sum(), 1)


def describe_piece(piece: Piece) -> dict[str, Any]:
    """Measure one piece."""
    score = piece.score
    meters = {f"{meter.numerator}/{meter.denominator}" for meter in score.meters}
    bpm = [round(tempo.bpm) for tempo in score.tempos]
    return {
        "group": piece.group,
        "licence": piece.licence,
        "notes": score.note_count,
        "seconds": score.seconds,
        "off_grid": piece.off_grid,
        "tempo_known": piece.tempo_known,
        "meter_known": piece.meter_known,
        "velocity_known": piece.velocity_known,
        "metrical": piece.metrical,
        "drums": any(track.is_drum for track in score.tracks),
        "tracks": len(score.tracks),
        "bpm": bpm[0] if bpm else None,
        "tempos": len(bpm),
        "meters": sorted(meters),
        "bass": bass_places(score).tolist() if piece.metrical else [0.0] * PLACES,
    }


def describe_file(job: tuple[Path, str, str]) -> tuple[list[dict[str, Any]], float]:
    """Measure the pieces of a file, given by folder, corpus and key; return them with the seconds that reading took."""
    start = time.process_time()
    pieces = read_piece(*job)
    seconds = time.process_time() - start
    return [describe_piece(piece) for piece in pieces], seconds


def summarise(pieces: list[dict[str, Any]], files: int, read_seconds: float) -> dict[str, Any]:
    """Sum up measures of pieces as those of a corpus."""
    notes = sum(piece["notes"] for piece in pieces)
    bpm = [piece["bpm"] for piece in pieces if piece["bpm"]]
    bass = np.sum([piece["bass"] for piece in pieces], axis=0)

    def share(name: str) -> float:
        return round(float(np.mean([bool(piece[name]) for piece in pieces])), 3)

    return {
        "files": files,
        "pieces": len(pieces),
        "groups": len({piece["group"] for piece in pieces}),
        "notes": notes,
        "hours": round(sum(piece["seconds"] for piece in pieces) / 3600, 1),
        "notes_read_per_second": round(notes / max(read_seconds, 1e-9)),
        "off_grid_mean": round(float(np.mean([piece["off_grid"] for piece in pieces])), 3),
        **{name: share(name) for name in ("tempo_known", "meter_known", "velocity_known", "metrical", "drums")},
        "several_tempos": round(float(np.mean([piece["tempos"] > 1 for piece in pieces])), 3),
        "tracks_median": float(np.median([piece["tracks"] for piece in pieces])),
        "tracks_most": max(piece["tracks"] for piece in pieces),
        "notes_median": float(np.median([piece["notes"] for piece in pieces])),
        "notes_most": max(piece["notes"] for piece in pieces),
        "bpm_quartiles": [float(value) for value in np.percentile(bpm, [25, 50, 75])] if bpm else None,
        "meters": dict(Counter(" ".join(piece["meters"]) or "unknown" for piece in pieces).most_common(8)),
        "licences": dict(Counter(piece["licence"] for piece in pieces).most_common()),
        "bass_on_quarters_of_bar": (bass / max(bass.sum(), 1e-9)).round(3).tolist(),
    }


class Corpora(Study):
    """Reads every file of each chosen corpus."""

    needs = ("corpora",)
    variants = tuple(CORPORA)
    quick = {"workers": 1}

    def run(self, context: Context) -> Figures:
        folder, figures = context.data.path("corpora"), Figures()
        for corpus in context.options.only:
            keys = list_pieces(folder, corpus)
            done = context.map(describe_file, [(folder, corpus, key) for key in keys])
            pieces = [piece for made, _ in done for piece in made]
            figures[corpus] = summarise(pieces, len(keys), sum(seconds for _, seconds in done))
            context.report(f"{corpus}: {len(pieces)} pieces")
            context.sources.append(corpus)
        return figures


STUDY = Corpora()
