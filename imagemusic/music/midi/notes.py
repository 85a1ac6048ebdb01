"""Key events to notes: which release ends which note.

Keys are released in the order in which they were struck.  What no release ends in its own track ends where a player
would end it: with a release of the key in any track, with CC 120 or 123, or at the end of its track.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.midi.events import Events, Integers

NOTE_OFF, NOTE_ON = 0x80, 0x90
FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Strokes:
    """Notes of all tracks, by track, channel and key, each in order of onset."""

    event: Integers  # (N,) row of the event that strikes the key
    onset: Integers  # (N,) ticks
    offset: Integers  # (N,) ticks; the onset itself for a note of no length
    unreleased: int  # how many no release ends in their track


def pair(events: Events, channel: Integers) -> Strokes:
    """Pair strokes and releases; `channel` (N,) numbers port and channel of each event."""
    kind = events.status & 0xF0
    rows = np.flatnonzero((kind == NOTE_ON) | (kind == NOTE_OFF))
    rows = rows[events.status[rows] < 0xA0]
    key = (events.track[rows] << 12) | ((events.status[rows] & 15) << 7) | events.first[rows]
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    struck = (kind[rows] == NOTE_ON) & (events.second[rows] > 0)
    if len(rows) % 2 == 0 and struck[::2].all() and not struck[1::2].any() and (key[::2] == key[1::2]).all():
        return Strokes(rows[::2], events.tick[rows[::2]], events.tick[rows[1::2]], 0)  # each release ends one note
    group = np.cumsum(np.diff(key, prepend=-1) != 0)
    released = ~struck & ~_idle(group, struck)
    struck_rows, released_rows = rows[struck], rows[released]
    number, releases = _ranked(group, struck), _ranked(group, released)
    place = np.searchsorted(releases, number)
    found = place < len(releases)
    found[found] = releases[place[found]] == number[found]
    onset = events.tick[struck_rows]
    offset = np.full(len(onset), -1, np.int64)
    offset[found] = events.tick[released_rows[place[found]]]
    left = struck_rows[~found]
    if len(left):
        releases = rows[~struck]
        keys, release_keys = (channel[some] << 7 | events.first[some] for some in (left, releases))
        ends = _next(keys, events.tick[left], release_keys, events.tick[releases])
        offset[~found] = np.minimum(ends, events.ends[events.track[left]])
    return Strokes(struck_rows, onset, np.maximum(offset, onset), len(left))


def _idle(group: Integers, struck: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which events release a key (group) that is not down."""
    apart = 2 * len(group) + 1
    balance = np.cumsum(np.where(struck, 1, -1))
    begins = np.flatnonzero(np.diff(group, prepend=0))
    before = (balance - np.where(struck, 1, -1))[begins][group - 1] if len(group) else balance
    lowest = np.minimum.accumulate(np.minimum(balance - before, 0) - group * apart) + group * apart
    earlier = np.concatenate([[0], lowest[:-1]])[: len(group)]
    earlier[begins] = 0
    return ~struck & (lowest < earlier)


def _ranked(group: Integers, chosen: NDArray[np.bool_]) -> Integers:
    """Return group and rank within it of the chosen rows, as one increasing number."""
    own = group[chosen]
    begins = np.flatnonzero(np.diff(own, prepend=0))
    sizes = np.diff(np.append(begins, len(own)))
    return (own << 32) | (np.arange(len(own)) - np.repeat(begins, sizes))


def _next(key: Integers, tick: Integers, keys: Integers, ticks: Integers) -> Integers:
    """Return the first of `ticks` (M,) of the same key after each `tick` (N,); FOREVER where there is none."""
    if not len(keys):
        return np.full(len(key), FOREVER)
    ids = np.sort((keys << 32) | ticks)
    asked = (key << 32) | tick
    place = np.searchsorted(ids, asked, side="right")
    following = ids[np.minimum(place, len(ids) - 1)]
    return np.where((place < len(ids)) & (following >> 32 == key), following & 0xFFFFFFFF, FOREVER)


def cut(keys: Integers, onset: Integers, offset: Integers, at: tuple[Integers, Integers]) -> Integers:
    """Return offsets (N,) of notes of channels `keys` (N,), none beyond the next of the (channels, ticks) `at`."""
    return np.minimum(offset, _next(keys, onset, *at))


def hold(key: Integers, onset: Integers, offset: Integers, pedals: dict[int, tuple[Integers, Integers]]) -> Integers:
    """Return offsets (N,) of notes released while the pedal of their channel is down, until it or the key comes up.

    Args:
        key: (N,) channel * 128 + pitch.
        pedals: ticks at which the pedal of a channel goes down and up.
    """
    order = np.lexsort((onset, key))
    same = key[order][1:] == key[order][:-1]
    struck_again = np.full(len(key), FOREVER)
    struck_again[order[:-1]] = np.where(same, onset[order][1:], FOREVER)
    held = offset.copy()
    for channel, (down, up) in pedals.items():
        own = np.flatnonzero(key >> 7 == channel)
        place = np.searchsorted(down, offset[own], side="right") - 1
        held[own] = np.where(place >= 0, np.maximum(offset[own], up[place]), offset[own])
    return np.maximum(np.minimum(held, struck_again), offset)
