"""How a piece ends: the tick at which it would close, and its last notes, held until then.

A last chord that stops a little early would leave a decoder that feels the end with nothing to do but to play on.
"""

from collections.abc import Sequence

from imagemusic.events import codec
from imagemusic.events.context import Running
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.vocabulary import DRUMS, MAX_DURATION, SLOTS
from imagemusic.events.voices import VoiceState

Event = tuple[int, int, int, int, int]


def closing_tick(voices: VoiceState, running: Running) -> int:
    """Tell where the piece would close now: where it was planned to if that is near, else on the next beat."""
    offset, end = voices.last_offset, voices.plan.end
    return end if end - offset < TICKS_PER_BEAT else offset + (running.origin - offset) % TICKS_PER_BEAT


def last_notes(events: Sequence[Event], voices: VoiceState, running: Running) -> list[int]:
    """List the pitched notes that end last, as indices of events."""
    found, tick, index = [], running.tick, len(events) - 1
    while index >= 0 and tick + MAX_DURATION >= voices.last_offset:
        gap, part, _, duration, _ = events[index]
        pitched = part < SLOTS and running.programs[part] != DRUMS
        if pitched and tick + min(duration + 1, MAX_DURATION) == voices.last_offset:
            found.append(index)
        tick, index = tick - gap, index - 1
    return found


def can_close(events: Sequence[Event], voices: VoiceState, running: Running) -> bool:
    """Tell whether the last notes end at the closing tick or can be held until then, and no stroke goes on after it."""
    closing = closing_tick(voices, running)
    if voices.last_stroke > closing:
        return False
    more = closing - voices.last_offset
    durations = [events[index][codec.DURATION] for index in last_notes(events, voices, running)] if more else []
    return more == 0 or bool(durations) and max(durations) + more < MAX_DURATION


def close(events: list[Event], voices: VoiceState, running: Running) -> None:
    """Hold the last notes to the closing tick, in place, where they can be."""
    if can_close(events, voices, running):
        more = closing_tick(voices, running) - voices.last_offset
        for index in last_notes(events, voices, running):
            gap, part, pitch, duration, velocity = events[index]
            events[index] = gap, part, pitch, duration + more, velocity
