"""The plan of a piece, bar by bar, and what a person asks of one.

Plan      kind, answered bar and chords of every bar, in a key, with an ending; as JSON, as text
Request   the same with gaps: what must be kept
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ConfigError
from imagemusic.plan.analysis import KINDS, NEW, NOWHERE, SAME, VARIED
from imagemusic.plan.chords import ROOTS
from imagemusic.plan.lead_sheet import Chord, bars_of, half_bars, parse_chord

FREE = -1  # a kind that is not asked for
PHRASE_BARS = 4
ENDINGS = ("cadence", "fade", "loop", "open")
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a piece."""

    tonic: int  # pitch class, C = 0
    minor: bool
    meter: tuple[int, int]  # like (3, 4)
    ending: str  # of ENDINGS
    kinds: tuple[int, ...]  # (B,) NEW, VARIED or SAME
    answers: tuple[int, ...]  # (B,) the bar that is answered, NOWHERE for new ones
    chords: tuple[tuple[Chord, ...], ...]  # (B,) one to four, which share the bar equally

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ConfigError: a value out of range, or tables of different lengths.
        """
        if self.tonic not in range(12) or self.ending not in ENDINGS:
            raise ConfigError(f"plan: tonic must be in 0..11 and ending one of {', '.join(ENDINGS)}")
        if not 1 <= self.meter[0] <= 24 or self.meter[1] not in (1, 2, 4, 8, 16):
            raise ConfigError(f"plan: no such meter: {self.meter[0]}/{self.meter[1]}")
        if not self.kinds or not len(self.kinds) == len(self.answers) == len(self.chords):
            raise ConfigError(
                f"plan: {len(self.kinds)} kinds, {len(self.answers)} answers and {len(self.chords)} bars of chords; "
                "there must be as many of each, and one at least"
            )
        for bar, (kind, answer) in enumerate(zip(self.kinds, self.answers, strict=True)):
            if kind not in (NEW, VARIED, SAME) or not (answer == NOWHERE if kind == NEW else 0 <= answer < bar):
                raise ConfigError(f"plan: bar {bar + 1}: a varied or same bar answers an earlier one, a new bar none")
            if not 1 <= len(self.chords[bar]) <= 4:
                raise ConfigError(f"plan: bar {bar + 1}: must have 1 to 4 chords, got {len(self.chords[bar])}")

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.kinds)

    @property
    def half_bars(self) -> NDArray[np.uint8]:
        """Return the chords of half bars (B, 2) of the vocabulary of chords.py."""
        return np.array(half_bars(self.chords), np.uint8)

    @property
    def letters(self) -> tuple[str, ...]:
        """Name each phrase of PHRASE_BARS bars: as the phrase that half of its bars answer, with ' if varied."""
        letters: list[str] = []
        unused = iter(ascii_uppercase)
        for start in range(0, len(self), PHRASE_BARS):
            bars = range(start, min(start + PHRASE_BARS, len(self)))
            outside = [self.answers[bar] // PHRASE_BARS for bar in bars if 0 <= self.answers[bar] < start]
            model = max(sorted(set(outside)), key=outside.count, default=NOWHERE)
            if 2 * outside.count(model) < len(bars):
                letters.append(next(unused, "Z"))
                continue
            exact = all(self.kinds[bar] == SAME and self.answers[bar] // PHRASE_BARS == model for bar in bars)
            letters.append(letters[model] if exact else letters[model].rstrip("'") + "'")
        return tuple(letters)

    def text(self) -> str:
        """Write it a phrase a line: its letter and its chords; = marks a bar that is the same, ~ one that is varied."""
        name = f"{ROOTS[self.tonic]} {'minor' if self.minor else 'major'}"
        lines = [f"{name}, {self.meter[0]}/{self.meter[1]}, {len(self)} bars, ending: {self.ending}"]
        for number, letter in enumerate(self.letters):
            bars = range(number * PHRASE_BARS, min((number + 1) * PHRASE_BARS, len(self)))
            cells = [self._cell(bar) for bar in bars]
            lines.append(f"{bars[0] + 1:>4}  {letter:<3}| {' | '.join(cells)} |")
        return "\n".join(lines)

    def _cell(self, bar: int) -> str:
        chords = " ".join(chord.symbol for chord in self.chords[bar])
        mark = {NEW: "", VARIED: "~", SAME: "="}[self.kinds[bar]]
        return f"{chords} {mark}{self.answers[bar] + 1}" if mark else chords

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; `from_json` reads it back."""
        return {
            "version": FORMAT_VERSION, "tonic": self.tonic, "minor": self.minor, "meter": list(self.meter),
            "ending": self.ending, "kinds": [KINDS[kind] for kind in self.kinds], "answers": list(self.answers),
            "chords": [[chord.symbol for chord in bar] for bar in self.chords],
        }  # fmt: skip

    @classmethod
    def from_json(cls, table: Any) -> "Plan":
        """Read what `to_json` wrote.

        Raises:
            ConfigError: a value is missing, unknown, or of another kind.
        """
        wanted = {"version", "tonic", "minor", "meter", "ending", "kinds", "answers", "chords"}
        if not isinstance(table, Mapping) or table.keys() != wanted:
            raise ConfigError(f"plan: must be an object with {', '.join(sorted(wanted))}")
        if table["version"] != FORMAT_VERSION:
            raise ConfigError(f"plan: version {table['version']!r}, need {FORMAT_VERSION}")
        meter, kinds, answers, chords = (_list(table, name) for name in ("meter", "kinds", "answers", "chords"))
        if len(meter) != 2 or not all(_is_int(value) for value in (*meter, *answers, table["tonic"])):
            raise ConfigError("plan: tonic and answers must be whole numbers, and meter two of them")
        if not isinstance(table["minor"], bool) or not isinstance(table["ending"], str):
            raise ConfigError("plan: minor must be true or false, and ending a word")
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise ConfigError(f"plan: unknown kind of bar {unknown[0]!r}; choose from {', '.join(KINDS)}")
        bars = []
        for number, bar in enumerate(chords, 1):
            if not isinstance(bar, list) or not all(isinstance(symbol, str) for symbol in bar):
                raise ConfigError(f"plan: bar {number}: chords must be a list of symbols")
            try:
                bars.append(tuple(parse_chord(symbol) for symbol in bar))
            except ConfigError as error:
                raise ConfigError(f"plan: bar {number}: {error}") from None
        return cls(
            table["tonic"], table["minor"], (meter[0], meter[1]), table["ending"],
            tuple(KINDS.index(kind) for kind in kinds), tuple(answers), tuple(bars),
        )  # fmt: skip


def _list(table: Mapping[str, Any], name: str) -> list[Any]:
    if not isinstance(value := table[name], list):
        raise ConfigError(f"plan: {name} must be a list, got {type(value).__name__}")
    return value


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a plan must keep; bars that are not named are free."""

    kinds: Mapping[int, int] = field(default_factory=dict)  # bar -> NEW, VARIED or SAME
    answers: Mapping[int, int] = field(default_factory=dict)  # bar -> the bar that it answers
    earliest: Mapping[int, int] = field(default_factory=dict)  # bar -> the first bar that it may answer
    chords: Mapping[int, tuple[Chord, ...]] = field(default_factory=dict)  # bar -> its chords

    @classmethod
    def of(
        cls,
        bars: int,
        *,
        letters: Sequence[str] = (),
        chords: Sequence[Sequence[Chord]] = (),
        free_from: int | None = None,
    ) -> "Request":
        """Ask for a form, a letter for each phrase of four bars, and for bars of chords; both repeat to the end.

        A letter that returns is the same, with a prime varied; a new one answers nothing before it.  The form is not
        asked of the bars `free_from` and after it.

        Raises:
            ConfigError: more letters than phrases.
        """
        phrases = -(-bars // PHRASE_BARS)
        if len(letters) > phrases:
            raise ConfigError(
                f"form: {len(letters)} letters need {len(letters) * PHRASE_BARS} bars, the piece has {bars}; "
                "ask for fewer letters or a longer piece"
            )
        kinds, answers, earliest = {}, {}, {}
        first: dict[str, int] = {}
        for bar in range(bars if free_from is None else min(free_from, bars)) if letters else ():
            phrase, place = divmod(bar, PHRASE_BARS)
            letter = letters[phrase % len(letters)]
            start = first.setdefault(letter[0], phrase * PHRASE_BARS)
            if start + place < bar:
                kinds[bar], answers[bar] = (VARIED if letter.endswith("'") else SAME), start + place
            else:
                earliest[bar] = start
                if not place:
                    kinds[bar] = NEW
        harmony = dict(enumerate(bars_of(chords, bars))) if chords else {}
        return cls(kinds=kinds, answers=answers, earliest=earliest, chords=harmony)
