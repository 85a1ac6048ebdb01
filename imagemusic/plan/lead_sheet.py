"""Lead sheets: chord symbols, bar by bar, read and written.

    "Am F | C/E G7 | %"  ──►  bars of chords; a chord is its root, its pitch classes, its bass and its symbol

Bars stand between bar lines; the chords of a bar share it equally; % repeats the bar before; N.C. is no chord.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imagemusic.errors import ConfigError
from imagemusic.plan.chords import NO_CHORD, QUALITIES, chord_index, chord_name

MOST_CHORDS = 4  # of a bar

# Quality as written -> semitones above the root, and the quality of the vocabulary that is nearest.
_WRITTEN: dict[str, tuple[tuple[int, ...], str]] = {
    "": ((0, 4, 7), "maj"), "m": ((0, 3, 7), "min"), "dim": ((0, 3, 6), "dim"), "aug": ((0, 4, 8), "aug"),
    "7": ((0, 4, 7, 10), "7"), "maj7": ((0, 4, 7, 11), "maj7"), "m7": ((0, 3, 7, 10), "m7"),
    "m7b5": ((0, 3, 6, 10), "m7b5"), "dim7": ((0, 3, 6, 9), "dim"), "mmaj7": ((0, 3, 7, 11), "min"),
    "sus4": ((0, 5, 7), "sus4"), "sus2": ((0, 2, 7), "sus2"), "7sus4": ((0, 5, 7, 10), "sus4"),
    "5": ((0, 7), "maj"), "6": ((0, 4, 7, 9), "maj"), "m6": ((0, 3, 7, 9), "min"),
    "9": ((0, 2, 4, 7, 10), "7"), "maj9": ((0, 2, 4, 7, 11), "maj7"), "m9": ((0, 2, 3, 7, 10), "m7"),
    "add9": ((0, 2, 4, 7), "maj"), "madd9": ((0, 2, 3, 7), "min"), "69": ((0, 2, 4, 7, 9), "maj"),
}  # fmt: skip
_ALIASES = {
    "maj": "", "M": "", "min": "m", "-": "m", "°": "dim", "o": "dim", "+": "aug", "#5": "aug",
    "M7": "maj7", "Δ": "maj7", "Δ7": "maj7", "j7": "maj7", "dom7": "7",
    "min7": "m7", "-7": "m7", "ø": "m7b5", "ø7": "m7b5", "min7b5": "m7b5", "-7b5": "m7b5", "hdim7": "m7b5",
    "°7": "dim7", "o7": "dim7", "mM7": "mmaj7", "minmaj7": "mmaj7", "m(maj7)": "mmaj7",
    "sus": "sus4", "7sus": "7sus4", "maj6": "6", "M6": "6", "min6": "m6", "-6": "m6",
    "M9": "maj9", "min9": "m9", "-9": "m9", "6/9": "69",
}  # fmt: skip
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ROOT = r"([A-G])([#b]?)"
_SYMBOL = re.compile(rf"{_ROOT}(.*?)(?:/{_ROOT})?")
_NO_CHORD = {"N.C.", "NC", "N.C", "N"}
ADVICE = "write a root A-G with # or b, then nothing, m, 7, maj7, m7, dim, aug, sus4, 6, 9, ... and a bass like /E"


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord symbol."""

    symbol: str  # as it is written back
    root: int  # pitch class, C = 0; -1 for N.C.
    classes: int  # pitch classes as 12 bits, the bass among them; 0 for N.C.
    bass: int  # pitch class; -1 for N.C.
    index: int  # the nearest chord of the vocabulary of chords.py

    @property
    def pitch_classes(self) -> frozenset[int]:
        """Pitch classes, C = 0."""
        return frozenset(one for one in range(12) if self.classes >> one & 1)


NO_CHORD_SYMBOL = Chord("N.C.", -1, 0, -1, NO_CHORD)


def parse_chord(text: str) -> Chord:
    """Read one chord symbol, like "F#m7b5/E" or "N.C.".

    Raises:
        ConfigError: it is not one.
    """
    plain = text.strip().replace("♯", "#").replace("♭", "b")
    if plain.upper() in _NO_CHORD:
        return NO_CHORD_SYMBOL
    found = _SYMBOL.fullmatch(plain)
    quality = _ALIASES.get(found[3], found[3]) if found else None
    if found is None or quality not in _WRITTEN:
        raise ConfigError(f"unknown chord {text.strip()!r}; {ADVICE}")
    steps, nearest = _WRITTEN[quality]
    root = _pitch_class(found[1], found[2])
    bass = _pitch_class(found[4], found[5]) if found[4] else root
    classes = sum(1 << (root + step) % 12 for step in steps) | 1 << bass
    symbol = found[1] + found[2] + quality + (f"/{found[4]}{found[5]}" if found[4] else "")
    return Chord(symbol, root, classes, bass, chord_index(root, QUALITIES.index(nearest)))


def chord_at(index: int) -> Chord:
    """Return a chord of the vocabulary as a symbol."""
    return parse_chord(chord_name(index)) if index != NO_CHORD else NO_CHORD_SYMBOL


def parse_lead_sheet(text: str) -> tuple[tuple[Chord, ...], ...]:
    """Read bars of chords, like "Am F | C G"; bar lines at either end are left out.

    Raises:
        ConfigError: no chord at all, an empty bar, too many chords in one, % with no bar before it, or with others
            in its bar, or a symbol that is no chord.
    """
    line = re.sub(r"\|+", "|", text.replace("\n", "|")).strip()
    line = re.sub(r"^[|\s]+|[|\s]+$", "", line)
    if not line:
        raise ConfigError("chords: no chord; write bars like 'Am F | C G'")
    bars: list[tuple[Chord, ...]] = []
    for number, written in enumerate(line.split("|"), 1):
        symbols = written.split()
        where = f"chords: bar {number}"
        if not symbols:
            raise ConfigError(f"{where}: empty; write a chord, N.C. for none, or % for the bar before")
        if len(symbols) > MOST_CHORDS:
            raise ConfigError(f"{where}: {len(symbols)} chords; at most {MOST_CHORDS} share a bar")
        if "%" in symbols:
            if not bars or len(symbols) > 1:
                raise ConfigError(f"{where}: % stands alone, for the bar before; got {written.strip()!r}")
            bars.append(bars[-1])
            continue
        try:
            bars.append(tuple(parse_chord(symbol) for symbol in symbols))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
    return tuple(bars)


def write_lead_sheet(bars: Sequence[Sequence[Chord]]) -> str:
    """Write bars of chords as `parse_lead_sheet` reads them."""
    return " | ".join(" ".join(chord.symbol for chord in bar) for bar in bars)


def bars_of(bars: Sequence[Sequence[Chord]], count: int) -> tuple[tuple[Chord, ...], ...]:
    """Repeat bars of chords to `count` bars."""
    return tuple(tuple(bars[number % len(bars)]) for number in range(count))


def half_bars(bars: Sequence[Sequence[Chord]]) -> list[tuple[int, int]]:
    """Return the two chords of the vocabulary of each bar: those with which its halves begin."""
    return [(bar[0].index, bar[len(bar) // 2].index) for bar in bars]


def chord_spans(bar: Sequence[Chord], length: int) -> list[tuple[int, int]]:
    """Return the start and end of each chord of a bar, in ticks since the bar's start, of its `length` ticks."""
    edges = [length * number // len(bar) for number in range(len(bar) + 1)]
    return list(zip(edges, edges[1:], strict=False))


def _pitch_class(letter: str, accidental: str) -> int:
    return (_LETTERS[letter] + {"#": 1, "b": -1, "": 0}[accidental]) % 12
