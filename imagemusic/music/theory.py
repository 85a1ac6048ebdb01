"""Words of musicians to numbers: keys and modes, names of pitches, ranges, meters.

"Bb dorian" -> Scale: pitch classes 10 0 1 3 5 7 8     "C3-C6" -> (48, 84)     "6/8" -> (6, 8)
"""

import re
from dataclasses import dataclass

from imagemusic.errors import ConfigError
from imagemusic.music.score import Key

# Semitones above the tonic.
MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),  # as it ascends
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "phrygian dominant": (0, 1, 4, 5, 7, 8, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "major blues": (0, 2, 3, 4, 7, 9),
    "whole tone": (0, 2, 4, 6, 8, 10),
    "octatonic": (0, 2, 3, 5, 6, 8, 9, 11),  # begins with a whole tone
    "chromatic": tuple(range(12)),
}
_ALIASES = {
    "": "major", "maj": "major", "ionian": "major", "dur": "major",
    "m": "minor", "min": "minor", "aeolian": "minor", "natural minor": "minor", "moll": "minor",
    "pentatonic": "major pentatonic", "pentatonic major": "major pentatonic", "pentatonic minor": "minor pentatonic",
    "minor blues": "blues", "blues minor": "blues", "blues major": "major blues",
    "diminished": "octatonic", "wholetone": "whole tone",
}  # fmt: skip
# Fifths from the major key on the same tonic to the key signature that a mode is written with; the others have none.
_FIFTHS = {
    "major": 0, "lydian": 1, "mixolydian": -1, "dorian": -2, "phrygian": -4, "locrian": -5, "phrygian dominant": -4,
    "major pentatonic": 0, "major blues": 0,
    **dict.fromkeys(("minor", "harmonic minor", "melodic minor", "minor pentatonic", "blues"), -3),
}  # fmt: skip

_LETTERS = {letter: (semitone, fifths) for letter, semitone, fifths in zip(
    "FCGDAEB", (5, 0, 7, 2, 9, 4, 11), range(-1, 6), strict=True
)}  # fmt: skip
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_PITCH = r"[A-Ga-g][#b]{0,2}-?\d+|\d+"


@dataclass(frozen=True, slots=True)
class Scale:
    """A tonic and a mode."""

    tonic: str  # like "F#"
    mode: str  # of MODES

    def __str__(self) -> str:
        return f"{self.tonic} {self.mode}"

    @property
    def tonic_class(self) -> int:
        """Pitch class of the tonic, C = 0."""
        return _semitone(self.tonic) % 12

    @property
    def pitch_classes(self) -> frozenset[int]:
        """Those that belong to it, C = 0."""
        tonic = _semitone(self.tonic)
        return frozenset((tonic + step) % 12 for step in MODES[self.mode])

    @property
    def signature(self) -> Key | None:
        """The key signature that it is written with, respelled beyond seven accidentals; None where it has none."""
        if self.mode not in _FIFTHS:
            return None
        sharps = self.tonic.count("#") - self.tonic[1:].count("b")
        fifths = _LETTERS[self.tonic[0]][1] + 7 * sharps + _FIFTHS[self.mode]
        while abs(fifths) > 7:
            fifths -= 12 if fifths > 0 else -12
        steps = MODES[self.mode]
        return Key(0, fifths, minor=3 in steps and 4 not in steps)


def parse_scale(text: str) -> Scale:
    """Read a key like "D dorian", "Bb", "f# minor", "Am" or "chromatic".

    Raises:
        ConfigError: no such tonic or mode.
    """
    words = " ".join(re.sub(r"[\s:_-]+", " ", _plain(text)).split())
    if words.lower() == "chromatic":
        words = "C chromatic"
    found = re.fullmatch(r"([A-Ga-g][#b]{0,2})(?:([Mm])| ?(.*))", words)
    if found is None:
        raise ConfigError(f"key: unknown tonic in {text!r}; say a key like 'D dorian', 'Bb major' or 'F# minor'")
    tonic, letter, name = found.groups()
    mode = "minor" if letter == "m" else (name or "").lower()
    mode = _ALIASES.get(mode, mode)
    if mode not in MODES:
        raise ConfigError(f"key: unknown mode {mode!r}; choose from {', '.join(MODES)}")
    return Scale(tonic[0].upper() + tonic[1:], mode)


def parse_range(text: str) -> tuple[int, int]:
    """Read a range of pitches like "C3-C6" or "48-84", both ends included; C4 is 60.

    Raises:
        ConfigError: an end is no pitch of MIDI, or the low end comes second.
    """
    found = re.fullmatch(rf"({_PITCH})\s*(?:-|–|\.\.|:|to)\s*({_PITCH})", _plain(text).strip())
    if found is None:
        raise ConfigError(f"range must be like C3-C6 or 48-84, got {text!r}")
    low, high = (_pitch(end) for end in found.groups())
    if low > high:
        raise ConfigError(f"range must go from low to high, got {text!r}")
    return low, high


def parse_meter(text: str) -> tuple[int, int]:
    """Read a meter like "3/4": beats in a bar, and which note is a beat.

    Raises:
        ConfigError: it is not a meter, or one that the codec cannot write.
    """
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    numerator, denominator = map(int, found.groups()) if found else (0, 0)
    if not 1 <= numerator <= 24 or denominator not in (1, 2, 4, 8, 16):
        raise ConfigError(f"meter must be like 3/4: 1..24 over 1, 2, 4, 8 or 16, got {text!r}")
    return numerator, denominator


def pitch_name(pitch: int) -> str:
    """Name a pitch, 60 being C4; black keys are sharps."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def _plain(text: str) -> str:
    return text.replace("♯", "#").replace("♭", "b")


def _semitone(tonic: str) -> int:
    """Semitones from the C below the tonic's letter: B# is 12, Cb is -1."""
    return _LETTERS[tonic[0].upper()][0] + tonic.count("#") - tonic[1:].count("b")


def _pitch(name: str) -> int:
    if name.isdigit():
        pitch = int(name)
    else:
        octave = re.search(r"-?\d+$", name)
        assert octave is not None
        pitch = _semitone(name[: octave.start()]) + 12 * (int(octave[0]) + 1)
    if not 0 <= pitch <= 127:
        raise ConfigError(f"range must lie within C-1..G9, MIDI pitches 0..127, got {name}")
    return pitch
