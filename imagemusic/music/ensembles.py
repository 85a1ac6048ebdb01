"""Who plays: kinds of ensemble, how to tell one from a score, and what a piece for one may be scored for."""

from collections.abc import Sequence
from dataclasses import dataclass

from imagemusic.music.instruments import DRUM_KIT
from imagemusic.music.score import Score

ENSEMBLES = ("piano", "voice", "strings", "band", "orchestra", "drums", "other")

_KEYBOARDS = range(0, 8)
_STRINGS = range(40, 52)
_VOICES = range(52, 55)
_WINDS = range(56, 80)
_AMPLIFIED = (*range(8, 24), *range(48, 52), *range(55, 80))  # what else plays in a band
_TUNED = range(0, 112)  # neither percussion nor sounds of nature
_BAND = (*range(24, 40), *range(80, 104))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrumentation:
    """What a piece for an ensemble may be scored for."""

    first: tuple[int, ...]  # programs of its first and highest part; none where only drums play
    others: tuple[int, ...]  # programs of the other parts
    least: int = 1  # parts, drums included
    most: int = 16
    drums: bool = False  # whether drums play too
    exactly: tuple[int, ...] = ()  # where given: these programs and no others, each of which plays


INSTRUMENTATIONS = {
    "piano": Instrumentation(first=tuple(_KEYBOARDS), others=tuple(_KEYBOARDS), most=3),
    "voice": Instrumentation(first=tuple(_VOICES), others=(*_KEYBOARDS, *_VOICES), least=2, most=5),
    "strings": Instrumentation(first=tuple(_STRINGS), others=tuple(_STRINGS), least=2, most=5),
    # No bowed solo strings, choir or piano: they make the decoder go on as in a quartet or a song.
    "band": Instrumentation(first=(*_BAND, *_AMPLIFIED), others=(*_BAND, *_AMPLIFIED), least=4, drums=True),
    "orchestra": Instrumentation(first=tuple(_WINDS), others=(*_STRINGS, *_WINDS), least=6),
    "drums": Instrumentation(first=(), others=(), drums=True),
    "other": Instrumentation(first=tuple(_TUNED), others=tuple(_TUNED), most=6),
}


def instrumentation_for(programs: Sequence[int]) -> Instrumentation:
    """Score a piece for exactly these programs, DRUM_KIT for drums; one that is named twice plays two parts."""
    pitched = tuple(program for program in programs if program != DRUM_KIT)
    size = len(programs)
    return Instrumentation(
        first=pitched, others=pitched, least=size, most=size, drums=DRUM_KIT in programs, exactly=tuple(programs)
    )


def ensemble_of(score: Score) -> str:
    """Name the kind of ensemble that plays, by its programs; see ENSEMBLES."""
    playing = [track for track in score.tracks if len(track)]
    voiced = any(track.name == "voice" for track in playing if not track.is_drum)
    return ensemble_for([DRUM_KIT if track.is_drum else track.program for track in playing], voiced=voiced)


def ensemble_for(parts: Sequence[int], *, voiced: bool = False) -> str:
    """Name the kind of ensemble that these programs make, DRUM_KIT for drums; `voiced`: one of them is sung."""
    pitched = [program for program in parts if program != DRUM_KIT]
    programs = set(pitched)
    if not pitched:
        return "drums"
    if DRUM_KIT in parts or programs & set(_BAND) and not programs <= {24, 25}:
        return "band"
    if (voiced or programs & set(_VOICES)) and len(pitched) <= 6:
        return "voice"
    if programs <= set(_KEYBOARDS):
        return "piano"
    if programs <= set(_STRINGS):
        return "strings" if len(pitched) <= 6 else "orchestra"
    if programs & set(_STRINGS) and programs & set(_WINDS) or len(pitched) > 6:
        return "orchestra"
    return "other"
