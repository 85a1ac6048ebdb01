"""Spell MIDI files byte by byte, right or not."""

import struct


def number(value):
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))


def chunk(data, name=b"MTrk", length=None):
    return name + struct.pack(">I", len(data) if length is None else length) + data


def meta(kind, data=b""):
    return bytes([0xFF, kind]) + number(len(data)) + data


END = b"\0" + meta(0x2F)


def body(*events):
    """Spell (ticks since the event before, bytes)."""
    return b"".join(number(ticks) + event for ticks, event in events)


def track(*events):
    return chunk(body(*events) + END)


def midi(*tracks, kind=1, division=480, promised=None, extra=b""):
    header = struct.pack(">HHH", kind, len(tracks) if promised is None else promised, division) + extra
    return chunk(header, b"MThd") + b"".join(tracks)


def on(pitch, velocity=80, channel=0):
    return bytes([0x90 | channel, pitch, velocity])


def off(pitch, channel=0):
    return bytes([0x80 | channel, pitch, 0])


def control(number, value, channel=0):
    return bytes([0xB0 | channel, number, value])


def program(number, channel=0):
    return bytes([0xC0 | channel, number])


def bend(value, channel=0):
    """Spell a pitch bend of -8192 to 8191."""
    return bytes([0xE0 | channel, value + 8192 & 127, value + 8192 >> 7])


def scale(count=4, channel=0, first=60, ticks=480):
    """Spell notes one after another, each a semitone higher."""
    return [
        event for i in range(count) for event in ((0, on(first + i, channel=channel)), (ticks, off(first + i, channel)))
    ]
