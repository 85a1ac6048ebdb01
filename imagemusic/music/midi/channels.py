"""The state of channels: programs, drum parts, pedals and controllers, whichever track sets them.

A channel is numbered port * 16 + channel.  Of two changes on one tick the one in the notes' own track counts, as files
exist that give each track a program and all of them channel 1.
"""

import itertools

import numpy as np

from imagemusic.music.controls import DEFAULT_EXPRESSION, DETUNING, EXPRESSION, PAN, VOLUME
from imagemusic.music.midi.events import SYSTEM_EXCLUSIVE, Events, Integers

DRUM_CHANNEL = 9
CONTROL_CHANGE, PROGRAM_CHANGE, CHANNEL_PRESSURE, KEY_PRESSURE, PITCH_BEND = 0xB0, 0xC0, 0xD0, 0xA0, 0xE0
BANK, DATA_ENTRY, CC_VOLUME, CC_PAN, CC_EXPRESSION, FINE_DATA_ENTRY, PEDAL = 0, 6, 7, 10, 11, 38, 64
FINE_NRPN, NRPN, FINE_RPN, RPN, SOUND_OFF, RESET, NOTES_OFF = 98, 99, 100, 101, 120, 121, 123
BEND_RANGE, FINE_TUNING, COARSE_TUNING, NO_PARAMETER = (0, 0), (0, 1), (0, 2), (127, 127)
PEDAL_DOWN = 64  # least value

GM2_DRUMS, GM2_MELODY, XG_SOUND_EFFECTS, XG_DRUMS = 120, 121, 126, 127  # values of BANK
GS_RESET = b"\x42\x12\x40\x00\x7f\x00"
GS_PARTS = (9, *range(9), *range(10, 16))  # channels of the parts, in the order of their addresses

NOT_FOLLOWED = {1: "modulation", 2: "breath", 65: "portamento", 66: "sostenuto", 67: "the soft pedal", 91: "reverb",
                93: "chorus"}  # fmt: skip


class Channels:
    """Control changes and programs of all channels of a file."""

    def __init__(self, events: Events, channel: Integers) -> None:
        self.events, self.channel = events, channel
        self.kind = events.status & 0xF0
        controls = np.flatnonzero(self.kind == CONTROL_CHANGE)
        self.controls = controls[np.argsort(events.tick[controls], kind="stable")]  # in the order of time
        self.numbers = events.first[self.controls]
        self.rhythm_parts, self.is_gs = self._rhythm_parts()

    def of(self, *numbers: int) -> Integers:
        """Return the rows of the control changes of some controllers, in the order of time."""
        wanted = np.zeros(128, bool)
        wanted[list(numbers)] = True
        return self.controls[wanted[self.numbers]]

    def kills(self, first: int, last: int) -> tuple[Integers, Integers]:
        """Return (channels, ticks) of the control changes `first` to `last`."""
        rows = self.of(*range(first, last + 1))
        return self.channel[rows], self.events.tick[rows]

    def programs(self, notes: Integers) -> tuple[Integers, np.ndarray]:
        """Return the programs (N,) and whether they are drums (N,) of the notes struck by the events `notes` (N,)."""
        events, changes = self.events, np.flatnonzero(self.kind == PROGRAM_CHANGE)
        changes = changes[np.argsort(events.tick[changes], kind="stable")]
        banks = self._banks(changes)
        program = np.zeros(len(notes), np.int64)
        drums = np.zeros(len(notes), bool)
        parts = (self.channel[notes] << 24) | events.track[notes]
        borders = np.flatnonzero(np.concatenate([[True], parts[1:] != parts[:-1], [True]])) if len(parts) else parts
        for begin, end in itertools.pairwise(borders.tolist()):  # notes of a part are in one piece
            own, channel, track = slice(begin, end), parts[begin] >> 24, parts[begin] & 0xFFFFFF
            of_channel = np.flatnonzero(self.channel[changes] == channel)
            drums[own] = self._is_drum(int(channel), None)
            if not len(of_channel):
                continue
            rows = changes[of_channel]
            is_own = events.track[rows] == track
            first, last = np.searchsorted(events.track, (track, track + 1))
            place = np.where(is_own, rows, first + np.searchsorted(events.tick[first:last], events.tick[rows]))
            place = 2 * place - ~is_own  # changes in other tracks come before this track's events of the tick
            order = np.argsort(place, kind="stable")
            latest = np.searchsorted(place[order], 2 * notes[own]) - 1
            changed = of_channel[order][latest]
            program[own] = np.where(latest >= 0, events.first[changes[changed]], 0)
            for bank in set(banks[of_channel].tolist()):
                is_drum = (latest >= 0) & (banks[changed] == bank)
                drums[own][is_drum] = self._is_drum(int(channel), bank)
        return program, drums

    def _banks(self, changes: Integers) -> Integers:
        """Return the bank (P,) that a program change chooses from; -1 where none is set."""
        rows = self.of(BANK)
        banks = np.full(len(changes), -1, np.int64)
        if len(rows):
            keys = self.channel[rows] << 40 | self.events.tick[rows]
            order = np.argsort(keys, kind="stable")
            asked = self.channel[changes] << 40 | self.events.tick[changes]
            place = np.searchsorted(keys[order], asked, side="right") - 1
            found = (place >= 0) & (self.channel[rows][order][place] == self.channel[changes])
            banks[found] = self.events.second[rows][order][place[found]]
        return banks

    def _is_drum(self, channel: int, bank: int | None) -> bool:
        """Return whether a channel is a drum part, where a program was chosen from `bank` or none."""
        if channel in self.rhythm_parts:
            return self.rhythm_parts[channel]
        if channel % 16 == DRUM_CHANNEL:
            return bank != GM2_MELODY
        return not self.is_gs and bank in (GM2_DRUMS, XG_SOUND_EFFECTS, XG_DRUMS)

    def _rhythm_parts(self) -> tuple[dict[int, bool], bool]:
        """Return the channels that GS or XG messages make drum parts or melodic, and whether the file is for GS."""
        parts: dict[int, bool] = {}
        is_gs = False
        for kind, content in self.events.long:
            if kind != SYSTEM_EXCLUSIVE:
                continue
            if content[:1] == b"\x41" and content[2:8] == GS_RESET:
                is_gs = True
            elif content[:1] == b"\x41" and content[2:5] == b"\x42\x12\x40" and content[6:7] == b"\x15":
                if 0x10 <= content[5] < 0x20 and len(content) > 7:
                    parts[GS_PARTS[content[5] & 15]] = content[7] > 0
            elif content[:1] == b"\x43" and content[2:4] == b"\x4c\x08" and content[5:6] == b"\x07" and content[6:]:
                parts[content[4]] = content[6] > 0
        return parts, is_gs

    def pedals(self) -> dict[int, tuple[Integers, Integers]]:
        """Return the ticks (P,) at which the pedal of each channel goes down and up again; FOREVER if never."""
        rows = self.of(PEDAL, RESET)
        down = (self.events.first[rows] == PEDAL) & (self.events.second[rows] >= PEDAL_DOWN)
        found = {}
        for channel in np.unique(self.channel[rows][down]).tolist():
            own = self.channel[rows] == channel
            state, ticks = down[own], self.events.tick[rows][own]
            turns = np.diff(state.astype(np.int8), prepend=0)
            pressed, lifted = ticks[turns == 1], ticks[turns == -1]
            if len(lifted) < len(pressed):
                lifted = np.append(lifted, self.events.ends.max())
            found[channel] = (pressed, lifted)
        return found

    def changes(self) -> dict[int, list[tuple[int, int, int]]]:
        """Return (tick, kind, value) of the changes of sound of each channel, see controls.py, in the order of time."""
        events = self.events
        rows = np.concatenate([self.of(CC_VOLUME, CC_PAN, CC_EXPRESSION, RESET, DATA_ENTRY, FINE_DATA_ENTRY, FINE_NRPN,
                                       NRPN, FINE_RPN, RPN), np.flatnonzero(self.kind == PITCH_BEND)])  # fmt: skip
        rows = rows[np.lexsort((rows, events.tick[rows]))]
        found: dict[int, list[tuple[int, int, int]]] = {}
        tunings: dict[int, Tuning] = {}
        direct = {CC_VOLUME: VOLUME, CC_PAN: PAN, CC_EXPRESSION: EXPRESSION}
        columns = (self.channel, events.tick, self.kind, events.first, events.second)
        for channel, tick, kind, first, second in zip(*(column[rows].tolist() for column in columns), strict=True):
            own = found.setdefault(channel, [])
            if kind == CONTROL_CHANGE and first in direct:
                own.append((tick, direct[first], second))
                continue
            tuning = tunings.setdefault(channel, Tuning())
            before = tuning.cents
            if kind == PITCH_BEND:
                tuning.bend = (second << 7 | first) - 8192
            else:
                tuning.control(first, second)
            if kind == CONTROL_CHANGE and first == RESET:
                own.append((tick, EXPRESSION, DEFAULT_EXPRESSION))
            if tuning.cents != before:
                own.append((tick, DETUNING, tuning.cents))
        return {channel: changes for channel, changes in found.items() if changes}

    def transpositions(self) -> dict[int, list[tuple[int, int]]]:
        """Return (tick, semitones) of the coarse tunings of each channel, in the order of time."""
        found: dict[int, list[tuple[int, int]]] = {}
        if not len(self.of(RPN)):
            return found
        rows = self.of(DATA_ENTRY, FINE_NRPN, NRPN, FINE_RPN, RPN)
        tunings: dict[int, Tuning] = {}
        columns = (self.channel, self.events.tick, self.events.first, self.events.second)
        for channel, tick, number, value in zip(*(column[rows].tolist() for column in columns), strict=True):
            tuning = tunings.setdefault(channel, Tuning())
            before = tuning.semitones
            tuning.control(number, value)
            if tuning.semitones != before:
                found.setdefault(channel, []).append((tick, tuning.semitones))
        return found

    def not_followed(self) -> list[str]:
        """Name what changes the sound in a player and is not rendered."""
        rows = self.controls[self.events.second[self.controls] > 0]
        used = np.unique(self.events.first[rows]).tolist()
        pressure = np.isin(self.kind, (KEY_PRESSURE, CHANNEL_PRESSURE)).any()
        return [NOT_FOLLOWED[number] for number in used if number in NOT_FOLLOWED] + ["aftertouch"] * bool(pressure)


class Tuning:
    """Bend and registered parameters of one channel."""

    def __init__(self) -> None:
        self.parameter = NO_PARAMETER
        self.bend = 0  # -8192..8191
        self.range = 200  # hundredths of a semitone
        self.fine = 0.0  # hundredths of a semitone
        self.semitones = 0  # coarse tuning

    @property
    def cents(self) -> int:
        """Detuning by the bend and the fine tuning, in hundredths of a semitone."""
        return round(self.bend / 8192 * self.range + self.fine)

    def control(self, number: int, value: int) -> None:
        """Follow a control change."""
        if number in (NRPN, FINE_NRPN):
            self.parameter = NO_PARAMETER
        elif number == RPN:
            self.parameter = (value, self.parameter[1])
        elif number == FINE_RPN:
            self.parameter = (self.parameter[0], value)
        elif number == RESET:
            self.bend, self.parameter = 0, NO_PARAMETER
        elif number == DATA_ENTRY and self.parameter == BEND_RANGE:
            self.range = 100 * value + self.range % 100
        elif number == FINE_DATA_ENTRY and self.parameter == BEND_RANGE:
            self.range = self.range // 100 * 100 + min(value, 99)
        elif number == DATA_ENTRY and self.parameter == FINE_TUNING:
            self.fine = 100 * (value - 64) / 64
        elif number == DATA_ENTRY and self.parameter == COARSE_TUNING:
            self.semitones = value - 64
