"""Who plays: kinds of ensemble, how to tell one from a score, and what a piece for one may be scored for."""

from dataclasses import dataclass

from imagemusic.music.score import Score

ENSEMBLES = ("piano", "voice", "strings", "band", "orchestra", "drums", "other")

_KEYBOARDS = range(0, 8)
_STRINGS = range(40, 52)
_VOICES = range(52, 55)
_WINDS = range(56, 80)
_AMPLIFIED = (*range(8, 24), *range(48, 52), *range(55, 80))  # what else plays in a band
_BAND = (*range(24, 40), *range(80, 104))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What a piece for an ensemble may be scored for."""

    first: tuple[int, ...]  # programs of its first and highest part; none where only drums play
    others: tuple[int, ...]  # programs of the other parts
    least: int = 1  # parts, drums included
    most: int = 16
    drums: bool = False  # whether drums play too


SCORINGS = {
    "piano": Scoring(first=tuple(_KEYBOARDS), others=tuple(_KEYBOARDS), most=3),
    "voice": Scoring(first=tuple(_VOICES), others=(*_KEYBOARDS, *_VOICES), least=2, most=5),
    "strings": Scoring(first=tuple(_STRINGS), others=tuple(_STRINGS), least=2, most=5),
    # No bowed solo strings, choir or piano: they make the decoder go on as in a quartet or a song.
    "band": Scoring(first=(*_BAND, *_AMPLIFIED), others=(*_BAND, *_AMPLIFIED), least=4, drums=True),
    "orchestra": Scoring(first=tuple(_WINDS), others=(*_STRINGS, *_WINDS), least=6),
    "drums": Scoring(first=(), others=(), drums=True),
    "other": Scoring(first=tuple(range(120)), others=tuple(range(120)), most=6),
}


def ensemble_of(score: Score) -> str:
    """Name the kind of ensemble that plays, by its programs; see ENSEMBLES."""
    pitched = [track for track in score.tracks if not track.is_drum and len(track)]
    programs = {track.program for track in pitched}
    voiced = any(track.name == "voice" for track in pitched) or bool(programs & set(_VOICES))
    has_drums = any(track.is_drum and len(track) for track in score.tracks)
    if not pitched:
        return "drums"
    if has_drums or programs & set(_BAND) and not programs <= {24, 25}:
        return "band"
    if voiced and len(pitched) <= 6:
        return "voice"
    if programs <= set(_KEYBOARDS):
        return "piano"
    if programs <= set(_STRINGS):
        return "strings" if len(pitched) <= 6 else "orchestra"
    if programs & set(_STRINGS) and programs & set(_WINDS) or len(pitched) > 6:
        return "orchestra"
    return "other"
