"""Mutopia: classical music engraved with LilyPond, one work often in several files."""

import csv
from functools import lru_cache
from pathlib import Path

from imagemusic.data.corpora.piece import Piece, make_piece, single_tempo
from imagemusic.music.midi import load_corpus_midi

LILYPOND_BPM = 60  # what LilyPond writes where the page names no tempo
LICENCES = {"PD": "public domain", "BY": "CC-BY"}


def read_work(folder: Path, key: str) -> list[Piece]:
    """Read COMPOSER__OPUS__...mid; composer and opus are the group, style and instruments the tags."""
    about = _index(folder).get(key, {})
    composer, opus = key.split("__")[:2]
    score = load_corpus_midi(folder / key)
    return make_piece(
        score,
        corpus="mutopia",
        path=key,
        group=f"{composer}/{opus.removesuffix('.mid')}",
        title=about.get("title", Path(key).stem),
        licence=about.get("license") or LICENCES.get(about.get("class", ""), "unknown"),
        tags=tuple(filter(None, (composer, about.get("style"), about.get("instrument")))),
        tempo_known=not single_tempo(score, LILYPOND_BPM),
        hidden_pickup=True,
    )


@lru_cache(maxsize=4)
def _index(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / "metadata.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["midi"]: row for row in csv.DictReader(lines)}
