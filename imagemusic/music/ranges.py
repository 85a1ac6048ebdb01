"""What an instrument can play: its sounding range, one note at a time or several, and what a hand spans.

Orchestral instruments, harp, keyboards and tuned percussion: the professional range in Samuel Adler, The Study of
Orchestration (3rd ed., W. W. Norton 2002).  Where the book names a wider range for soloists, the range here is that of
an orchestral part.  Choir: the outer ranges of bass and soprano in Kent Kennan and Donald Grantham, The Technique of
Orchestration (6th ed., Prentice Hall 2002).  What these books leave out has the compass that its construction gives
(open strings and frets, reeds, bars).  Synthesizers have the compass of the piano; percussion and effects
without a pitch have all keys.  Pitches sound as written here: transposing instruments and octave clefs are resolved.
"""

from imagemusic.errors import ConfigError
from imagemusic.music.instruments import GM_PROGRAMS

PIANO_RANGE = range(21, 109)  # A0 to C8
HAND_SPAN = 16  # semitones, a tenth: the largest interval that Adler (chapter on the piano) gives to one hand

_GUITAR_STRINGS = {  # from the lowest open string to the last fret of the highest
    24: (40, 83),  # six strings from E2, 19 frets
    25: (40, 86),  # 22 frets
    **dict.fromkeys(range(26, 31), (38, 88)),  # the lowest string tuned down to D2; 24 frets
    31: (52, 100),  # harmonics: an octave above the open strings and more
}
_BASS_STRINGS = {
    32: (24, 67),  # double bass with the low C extension
    **dict.fromkeys(range(33, 40), (23, 67)),  # five strings from B0, 24 frets; synthesized basses do the same job
}

# Program -> lowest and highest sounding MIDI pitch, both included; other programs have the compass of the piano.
_SOUNDING = {
    6: (29, 89), 7: (29, 88), 8: (60, 108), 9: (79, 108), 10: (53, 96), 11: (53, 89), 12: (36, 96), 13: (65, 108),
    14: (60, 77), 15: (43, 91),
    **dict.fromkeys((16, 17, 18), (24, 108)), 19: (24, 108), 20: (29, 96), 21: (28, 96), 22: (48, 98), 23: (36, 95),
    **_GUITAR_STRINGS, **_BASS_STRINGS,
    40: (55, 100), 41: (48, 88), 42: (36, 81), 43: (24, 67), 44: (24, 100), 45: (24, 100), 46: (23, 104), 47: (38, 60),
    48: (24, 100), 49: (24, 100), 52: (40, 84), 53: (40, 84), 54: (40, 84),
    56: (52, 86), 57: (34, 77), 58: (26, 65), 59: (52, 86), 60: (34, 77), 61: (26, 86),
    64: (56, 87), 65: (49, 80), 66: (44, 75), 67: (36, 68), 68: (58, 91), 69: (52, 81), 70: (34, 75), 71: (50, 94),
    72: (74, 108), 73: (59, 98), 74: (60, 98), 75: (55, 96), 76: (48, 84), 77: (55, 93), 78: (60, 108), 79: (60, 96),
    104: (48, 84), 105: (48, 88), 106: (48, 84), 107: (48, 91), 108: (48, 84), 109: (57, 81), 110: (55, 100),
    111: (55, 84), 112: (60, 108), 114: (52, 89), **dict.fromkeys((113, *range(115, 128)), (0, 127)),
}  # fmt: skip

_SOLO_WINDS = frozenset((*range(56, 61), *range(64, 80), 111))  # without sections and synthesized brass
_VOICES = frozenset(range(52, 55))


def playable_range(program: int) -> range:
    """Return the sounding MIDI pitches that the instrument of a General MIDI program can play.

    Raises:
        ConfigError: the program is not in 0..127.
    """
    _check(program)
    if program not in _SOUNDING:
        return PIANO_RANGE
    lowest, highest = _SOUNDING[program]
    return range(lowest, highest + 1)


def is_monophonic(program: int, *, ensemble: str | None = None) -> bool:
    """Tell whether the instrument of a program plays one note at a time: a wind, or the singer of a song.

    Sections (brass section, choir) play chords, but the voices of the ensemble "voice" are singers.

    Raises:
        ConfigError: the program is not in 0..127.
    """
    _check(program)
    return program in _SOLO_WINDS or (ensemble == "voice" and program in _VOICES)


def _check(program: int) -> None:
    if not 0 <= program < len(GM_PROGRAMS):
        raise ConfigError(f"program must be in 0..127, got {program}")
