"""A tempo that slows into the final chord, and how much longer the piece becomes by it."""

from imagemusic.compose.rules.cadence import final_downbeat
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.music.score import Tempo

# Share of the tempo in each of the last four beats before the final chord, and in the chord itself.
SLOWING, HELD = (0.97, 0.93, 0.88, 0.82), 0.8
MILD_SLOWING, MILD_HELD = (1.0, 0.99, 0.97, 0.94), 0.94
MILD = ("band", "drums")  # ensembles that keep their time


def tempo_map(bpm: float, end: int, origin: int, bar: int, *, mild: bool = False) -> list[Tempo]:
    """Return the tempos of a piece that ends with a cadence."""
    downbeat = final_downbeat(origin, bar, end)
    if downbeat is None:
        return [Tempo(0, bpm)]
    factors, held = (MILD_SLOWING, MILD_HELD) if mild else (SLOWING, HELD)
    first = downbeat - len(factors) * TICKS_PER_BEAT
    slower = [(first + beat * TICKS_PER_BEAT, factor) for beat, factor in enumerate(factors)]
    tempos, last = [Tempo(0, bpm)], 1.0
    for tick, factor in (*slower, (downbeat, held)):
        if tick > origin and factor != last:
            tempos.append(Tempo(tick, bpm * factor))
            last = factor
    return tempos


def slowing_beats(beats: float, *, bar: int, mild: bool = False) -> float:
    """Return the beats at the full tempo for which the ritardando of a piece of `beats` lasts longer."""
    end = round(beats * TICKS_PER_BEAT)
    tempos = tempo_map(100.0, end, 0, bar, mild=mild)
    ends = [*(tempo.tick for tempo in tempos[1:]), end]
    lasting = sum((stop - tempo.tick) * 100 / tempo.bpm for tempo, stop in zip(tempos, ends, strict=True))
    return (lasting - end) / TICKS_PER_BEAT
