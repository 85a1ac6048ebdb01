"""Hard constraints: words to numbers, and what cannot be met together.

    key, range          ──► pitches that may be played          instruments ──► programs, each of which plays
    meter, tempo, bars  ──► ticks and seconds                   polyphony   ──► notes that may sound at once

Everything here is kept while composing, by the masks of events/grammar.py; drums have no key, range or polyphony.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imagemusic.config import check, check_whole
from imagemusic.errors import ConfigError
from imagemusic.events.codec import DRUMS, meter_index
from imagemusic.events.context import bar_ticks
from imagemusic.events.quantize import PITCHED_SLOTS, TICKS_PER_BEAT
from imagemusic.events.voices import COMPASS, SIMPLE_METERS
from imagemusic.music.ensembles import ensemble_for
from imagemusic.music.instruments import find_program, instrument_name
from imagemusic.music.score import Key, Meter
from imagemusic.music.theory import Scale, parse_meter, parse_range, parse_scale, pitch_name

SECONDS = (4.0, 600.0)  # how short and how long a piece may be
TEMPO_BPM = (30.0, 300.0)
BARS = (1, 12_000)  # of 1/16, at the fastest tempo, in the longest time
POLYPHONY = (1, 64)
DEFAULT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Hard constraints; None leaves a choice to the decoder.  Words are kept in their standard spelling."""

    seconds: float = DEFAULT_SECONDS  # kept to a second; not used where `bars` says how long
    bars: int | None = None
    key: str | None = None  # like "D dorian"
    meter: str | None = None  # like "3/4"
    tempo_bpm: float | None = None  # None takes the picture's, moved by up to 3 % to fit whole bars
    instruments: str | Sequence[str | int] | None = None  # like "piano,cello,drums", or a list of names and programs
    pitch_range: str | Sequence[str | int] | None = None  # like "C3-C6", or its two ends; both included
    polyphony: int | None = None  # notes that sound at once

    def __post_init__(self) -> None:
        check("seconds", self.seconds, *SECONDS)
        if self.tempo_bpm is not None:
            check("tempo", self.tempo_bpm, *TEMPO_BPM)
        if self.polyphony is not None:
            check_whole("polyphony", self.polyphony)
            check("polyphony", self.polyphony, *POLYPHONY)
        self._spell()
        if not self.pitches:
            raise ConfigError(f"range {self.pitch_range} has no note of {self.key}; widen it or choose another key")
        self._check_bars()

    def _spell(self) -> None:
        """Replace words by their standard spelling, so that equal constraints are equal, also read from a record."""
        for name in ("instruments", "pitch_range"):
            if not isinstance(request := getattr(self, name), Iterable | None):
                raise ConfigError(f"{name} must be a text or a list, got {request!r}")
        if self.key is not None:
            object.__setattr__(self, "key", str(parse_scale(str(self.key))))
        if self.meter is not None:
            object.__setattr__(self, "meter", "/".join(map(str, parse_meter(str(self.meter)))))
        if self.pitch_range is not None:
            ends = [self.pitch_range] if isinstance(self.pitch_range, str) else self.pitch_range
            low, high = parse_range("..".join(map(str, ends)))
            object.__setattr__(self, "pitch_range", f"{pitch_name(low)}-{pitch_name(high)}")
        if self.instruments is not None:
            wished = self.instruments.split(",") if isinstance(self.instruments, str) else self.instruments
            programs = [find_program(name) for name in wished]
            pitched = [program for program in programs if program != DRUMS]
            if not programs or len(pitched) > PITCHED_SLOTS or len(programs) - len(pitched) > 1:
                raise ConfigError(
                    f"instruments: 1 to {PITCHED_SLOTS} of them and drums once can play together, got "
                    f"{len(pitched)} and drums {len(programs) - len(pitched)} times"
                )
            names = (instrument_name(program % DRUMS, program == DRUMS) for program in programs)
            object.__setattr__(self, "instruments", tuple(names))

    def _check_bars(self) -> None:
        if self.bars is None:
            return
        check_whole("bars", self.bars)
        check("bars", self.bars, *BARS)
        if self.seconds != DEFAULT_SECONDS:
            raise ConfigError(f"bars and seconds both say how long: leave out {self.bars} bars or {self.seconds:g} s")
        if not self.meters:
            of = f" of {self.meter}" if self.meter else ""
            at = f" at {self.tempo_bpm:g} bpm" if self.tempo_bpm else ""
            shortest, longest = SECONDS
            raise ConfigError(f"{self.bars} bars{of}{at} cannot last {shortest:g}..{longest:g} s; choose other bars")

    @property
    def scale(self) -> Scale | None:
        """The key."""
        return None if self.key is None else parse_scale(self.key)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Key signatures of the piece: one, or none where no key was asked for or the mode has none."""
        signature = self.scale.signature if self.scale else None
        return () if signature is None else (signature,)

    @property
    def pitches(self) -> frozenset[int]:
        """Pitches that all but drums may play: beyond the piano's compass only where the range leaves nothing else."""
        low, high = (0, 127) if self.pitch_range is None else parse_range(str(self.pitch_range))
        classes = range(12) if self.scale is None else self.scale.pitch_classes
        wanted = frozenset(pitch for pitch in range(low, high + 1) if pitch % 12 in classes)
        return wanted & frozenset(COMPASS) or wanted

    @property
    def programs(self) -> tuple[int, ...]:
        """Programs of the instruments, the codec's DRUMS for drums; none where they are left open."""
        return tuple(find_program(name) for name in self.instruments or ())

    @property
    def inferred_ensemble(self) -> str | None:
        """The kind of ensemble that the instruments make."""
        return ensemble_for(self.programs) if self.instruments else None

    @property
    def meters(self) -> tuple[int, ...]:
        """Meters, as the codec numbers them, of which the piece may be: the one asked for, or those that bars allow."""
        meters = SIMPLE_METERS if self.meter is None else (meter_index(Meter(0, *parse_meter(self.meter))),)
        return tuple(meter for meter in meters if self.tempos(meter))

    def tempos(self, meter: int) -> tuple[float, float] | None:
        """Return `tempos_of` the bars of a meter."""
        return self.tempos_of(bar_ticks(meter))

    def tempos_of(self, bar: int) -> tuple[float, float] | None:
        """Slowest and fastest tempo (bpm) at which bars of so many ticks can last as long as a piece may, or None."""
        slowest, fastest = TEMPO_BPM if self.tempo_bpm is None else (self.tempo_bpm, self.tempo_bpm)
        if self.bars is not None:
            beats = self.bars * bar / TICKS_PER_BEAT
            slowest, fastest = max(slowest, beats * 60 / SECONDS[1]), min(fastest, beats * 60 / SECONDS[0])
        return (slowest, fastest) if slowest <= fastest else None
