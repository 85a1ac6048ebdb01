"""Options and targets -> the plan of a grammar: tempo, length, meter, instrumentation, pitches."""

from collections.abc import Callable
from functools import partial

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.ritardando import MILD, slowing_beats
from imagemusic.compose.rules.cadence import final_downbeat
from imagemusic.errors import ConfigError
from imagemusic.events.context import COMMON_BAR, bar_ticks
from imagemusic.events.grammar import Plan
from imagemusic.events.quantize import TICKS_PER_BEAT, nearest_tempo
from imagemusic.music.ensembles import INSTRUMENTATIONS, instrumentation_for

FREE_TEMPO_BPM = (48.0, 190.0)  # range of a tempo that was not set
TEMPO_PLAY = 0.03  # share by which it may move to fit whole bars
SILENT_BARS = 2  # longest rest of all parts together
CLOSE_ENOUGH_SECONDS = 0.9  # the last note may end this much before the time asked for


def plan_length(
    seconds: float,
    bpm: float,
    *,
    exact: bool,
    bar_beats: float = 4.0,
    slowing: Callable[[float], float] = lambda beats: 0.0,
) -> tuple[float, float]:
    """Return a tempo (bpm) and a number of beats that last `seconds`: whole bars where they fit.

    A tempo that may move (`exact` False) moves by at most 3 % and fits the time exactly, and by more only where a
    second would be missed otherwise; one that was set stays, and the length is off by at most half a beat, or a quarter
    of a beat at slow tempos.  `slowing` returns the beats at
    the full tempo for which a ritardando at the end of so many beats lasts longer.
    """
    whole = seconds * bpm / 60
    wanted = whole - slowing(whole)
    bars = max(1, round(wanted / bar_beats)) * bar_beats
    beats = max(1, round(wanted))

    def error(beats: float) -> float:
        return abs(beats + slowing(beats) - whole) * 60 / bpm

    if exact:
        if bars == round(bars) and error(bars) <= CLOSE_ENOUGH_SECONDS:
            return bpm, round(bars)
        beats = min((max(beats + change, 1) for change in (0, -1, 1)), key=error)
        if error(beats) <= CLOSE_ENOUGH_SECONDS:
            return bpm, beats
        # Without a ritardando, which is then left out.
        beats = max(1, round(whole))
        return bpm, beats if abs(beats - whole) * 60 / bpm <= CLOSE_ENOUGH_SECONDS else max(round(2 * whole) / 2, 0.5)
    for total in (bars, beats):
        lasting = total + slowing(total)
        if total == round(total) and abs(lasting / whole - 1) <= TEMPO_PLAY:
            return lasting * 60 / seconds, round(total)
    # A short piece may be long enough for a ritardando with one beat more, and not with one less.
    beats = min((max(beats + change, 1) for change in (0, -1, 1)), key=error)
    return (bpm if error(beats) <= CLOSE_ENOUGH_SECONDS else (beats + slowing(beats)) * 60 / seconds), beats


def plan_piece(
    options: ComposeOptions,
    target_bpm: float,
    ensemble: str | None,
    meter: int | None,
    *,
    longest_silence: int | None = None,
) -> Plan:
    """Plan a piece: `target_bpm` is the tempo where none was set, `meter` an index once one is chosen.

    `longest_silence` is in ticks; two bars by default.

    Raises:
        ConfigError: the length holds the ending, or the form, that was asked for in no meter.
    """
    meters = options.constraints.meters
    if options.meter:
        meter = meters[0]
    bpm, end, slack = _length(options, target_bpm, ensemble, bar := bar_ticks(meter or 0))
    misfits = {one: options.misfit(_length(options, target_bpm, ensemble, bar_ticks(one))[1], bar_ticks(one))
               for one in (meters if meter is None else [meter])}  # fmt: skip
    if all(misfits.values()):
        raise ConfigError(next(iter(misfits.values())) or "")
    if meter is None:
        meters = tuple(one for one in meters if not misfits[one])
    silence = longest_silence or max(SILENT_BARS * bar, COMMON_BAR)
    named = INSTRUMENTATIONS[ensemble] if ensemble is not None else None
    return Plan(
        end=end, tempo=nearest_tempo(bpm), tempo_bpm=bpm, meter=meters[0] if options.meter else None, meters=meters,
        ending_slack=slack, longest_silence=silence,
        instrumentation=instrumentation_for(options.constraints.programs) if options.instruments else named,
        pitches=options.constraints.pitches, polyphony=options.polyphony,
    )  # fmt: skip


def _length(options: ComposeOptions, target_bpm: float, ensemble: str | None, bar: int) -> tuple[float, int, int]:
    """Return the tempo (bpm), the end and the slack of the ending (ticks) of a piece whose bars last `bar` ticks."""
    bpm_asked = options.tempo_bpm or min(max(target_bpm, FREE_TEMPO_BPM[0]), FREE_TEMPO_BPM[1])
    if options.bars is not None:
        slowest, fastest = options.constraints.tempos_of(bar) or (bpm_asked, bpm_asked)
        return min(max(bpm_asked, slowest), fastest), options.bars * bar, 0
    has_cadence = options.ending_used == "cadence" and ensemble != "drums"
    slows = options.ritardando and has_cadence
    slowing = partial(slowing_beats, bar=bar, mild=ensemble in MILD) if slows else lambda beats: 0.0
    exact = options.tempo_bpm is not None
    bpm, beats = plan_length(options.seconds, bpm_asked, exact=exact, bar_beats=bar / TICKS_PER_BEAT, slowing=slowing)
    end = round(beats * TICKS_PER_BEAT)
    if has_cadence and final_downbeat(0, bar, end) is not None:
        return bpm, end, 0  # a cadence ends where it is planned to
    slack = CLOSE_ENOUGH_SECONDS - (options.seconds - (beats + slowing(beats)) * 60 / bpm)
    return bpm, end, max(0, int(slack * bpm / 60)) * TICKS_PER_BEAT
