"""What was asked for and what the dials say -> the plan that a writer is held to: tempo, length, who plays."""

from imagemusic.composition import ComposeOptions
from imagemusic.music.canonical import TICKS_PER_BEAT, nearest_tempo
from imagemusic.music.context import bar_ticks
from imagemusic.music.ensembles import SCORINGS
from imagemusic.music.grammar import Plan

FREE_TEMPO_BPM = (48.0, 190.0)  # what a tempo that nobody set is kept within
TEMPO_PLAY = 0.03  # share by which it may move to fit whole bars
SILENT_BARS = 2  # longest rest of all parts together
CLOSE_ENOUGH_SECONDS = 0.9  # the last note may end this much before the time asked for


def plan_length(seconds: float, bpm: float, *, exact: bool, bar_beats: float = 4.0) -> tuple[float, int]:
    """Choose how many beats to play in `seconds`: whole bars where they fit; return the tempo and the beats.

    A tempo that may move (`exact` False) moves by at most 3 % and fits the time exactly; one that was set stays, and
    the length is off by at most half a beat.
    """
    wanted = seconds * bpm / 60
    bars = max(1, round(wanted / bar_beats)) * bar_beats
    beats = max(1, round(wanted))
    if exact:
        in_bars = bars == round(bars) and abs(bars - wanted) * 60 / bpm <= CLOSE_ENOUGH_SECONDS
        return bpm, round(bars) if in_bars else beats
    for total in (bars, beats):
        if total == round(total) and abs(total / wanted - 1) <= TEMPO_PLAY:
            return total * 60 / seconds, round(total)
    return bpm, beats


def plan_piece(options: ComposeOptions, pictured_bpm: float, ensemble: str | None, meter: int | None) -> Plan:
    """Plan a piece: `pictured_bpm` is the tempo where none was asked for, `meter` an index once one is chosen."""
    exact = options.tempo_bpm is not None
    wished = options.tempo_bpm or min(max(pictured_bpm, FREE_TEMPO_BPM[0]), FREE_TEMPO_BPM[1])
    beats_in_bar = bar_ticks(meter or 0) / TICKS_PER_BEAT
    bpm, beats = plan_length(options.seconds, wished, exact=exact, bar_beats=beats_in_bar)
    slack = CLOSE_ENOUGH_SECONDS - (options.seconds - beats * 60 / bpm)
    return Plan(
        end=beats * TICKS_PER_BEAT, tempo=nearest_tempo(bpm), tempo_bpm=bpm,
        ending_slack=max(0, int(slack * bpm / 60)) * TICKS_PER_BEAT,
        scoring=SCORINGS[ensemble] if ensemble is not None else None,
        longest_silence=SILENT_BARS * bar_ticks(meter or 0),
    )  # fmt: skip
