"""General MIDI: what the program numbers and the drum keys are called, and whom a person means by a name.

Names from the General MIDI 1 sound set, MIDI Manufacturers Association 1991.
"""

import difflib
import re
from functools import cache

from imagemusic.errors import ConfigError

GM_PROGRAMS = tuple(
    name.strip()
    for name in """
    Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano,
    Electric Piano 1, Electric Piano 2, Harpsichord, Clavinet,
    Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone, Tubular Bells, Dulcimer,
    Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed Organ, Accordion, Harmonica, Tango Accordion,
    Nylon Guitar, Steel Guitar, Jazz Guitar, Clean Guitar, Muted Guitar, Overdriven Guitar, Distortion Guitar,
    Guitar Harmonics,
    Acoustic Bass, Fingered Bass, Picked Bass, Fretless Bass, Slap Bass 1, Slap Bass 2, Synth Bass 1, Synth Bass 2,
    Violin, Viola, Cello, Contrabass, Tremolo Strings, Pizzicato Strings, Orchestral Harp, Timpani,
    String Ensemble 1, String Ensemble 2, Synth Strings 1, Synth Strings 2, Choir Aahs, Voice Oohs, Synth Voice,
    Orchestra Hit,
    Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section, Synth Brass 1, Synth Brass 2,
    Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe, English Horn, Bassoon, Clarinet,
    Piccolo, Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle, Ocarina,
    Square Lead, Sawtooth Lead, Calliope Lead, Chiff Lead, Charang Lead, Voice Lead, Fifths Lead, Bass and Lead,
    New Age Pad, Warm Pad, Polysynth Pad, Choir Pad, Bowed Pad, Metallic Pad, Halo Pad, Sweep Pad,
    Rain, Soundtrack, Crystal, Atmosphere, Brightness, Goblins, Echoes, Sci-fi,
    Sitar, Banjo, Shamisen, Koto, Kalimba, Bagpipe, Fiddle, Shanai,
    Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum, Melodic Tom, Synth Drum, Reverse Cymbal,
    Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet, Telephone Ring, Helicopter, Applause, Gunshot
    """.replace("\n", " ").split(",")
)

BASS_PROGRAMS = range(32, 40)
DRUM_KIT = 128  # in a list of programs; also how the codec spells a part of drums

# What else people call them: names of the standard where it writes them otherwise, and everyday ones.
_ALIASES = {
    0: "piano, grand piano, acoustic piano", 1: "bright piano", 2: "electric grand", 3: "honky tonk, honkytonk",
    4: "electric piano, e-piano, epiano, rhodes", 6: "cembalo", 7: "clavi", 9: "bells", 11: "vibes",
    14: "tubular bell, chimes", 16: "organ, hammond, hammond organ, electric organ", 19: "pipe organ",
    23: "bandoneon", 24: "guitar, acoustic guitar, classical guitar, acoustic guitar nylon",
    25: "acoustic guitar steel", 26: "electric guitar jazz", 27: "electric guitar, electric guitar clean",
    28: "electric guitar muted, palm muted guitar", 29: "overdrive guitar", 30: "distorted guitar",
    32: "upright bass, bass acoustic", 33: "bass, bass guitar, electric bass, electric bass finger, finger bass",
    34: "electric bass pick, pick bass", 38: "synth bass", 42: "violoncello", 43: "double bass", 45: "pizzicato",
    46: "harp", 47: "timpani drum, kettledrum", 48: "strings, string ensemble, string section", 50: "synth strings",
    52: "choir, chorus, choir aah", 53: "voice, voice ooh, vocal", 54: "synth choir", 60: "horn", 61: "brass",
    62: "synth brass", 65: "sax, saxophone, alto saxophone", 64: "soprano saxophone", 66: "tenor saxophone",
    67: "baritone saxophone", 69: "cor anglais", 73: "transverse flute", 75: "panpipe, panflute",
    80: "synth, synthesizer, lead, square wave", 81: "saw lead, sawtooth wave", 87: "lead 8 bass lead, bass lead",
    88: "pad", 103: "fx 8 sci fi", 109: "bagpipe", 114: "steel drum", 116: "taiko", 119: "reverse cymbals",
    DRUM_KIT: "drums, drum kit, drum set, percussion, kit",
}  # fmt: skip

FIRST_DRUM = 35  # pitch of the first name below
GM_DRUMS = tuple(
    name.strip()
    for name in """
    Low Kick, Kick, Side Stick, Snare, Clap, Electric Snare, Low Floor Tom, Closed Hat, High Floor Tom, Pedal Hat,
    Low Tom, Open Hat, Low Mid Tom, High Mid Tom, Crash, High Tom, Ride, China, Ride Bell, Tambourine, Splash, Cowbell,
    Crash 2, Vibraslap, Ride 2, High Bongo, Low Bongo, Mute Conga, Open Conga, Low Conga, High Timbale, Low Timbale,
    High Agogo, Low Agogo, Cabasa, Maracas, Short Whistle, Long Whistle, Short Guiro, Long Guiro, Claves,
    High Woodblock, Low Woodblock, Mute Cuica, Open Cuica, Mute Triangle, Open Triangle
    """.replace("\n", " ").split(",")
)


def instrument_name(program: int, is_drum: bool = False) -> str:
    """Name what a track plays."""
    return "Drums" if is_drum else GM_PROGRAMS[program]


def find_program(name: str | int) -> int:
    """Find the program, 0..127, that a name or a number means; DRUM_KIT for drums.

    Raises:
        ConfigError: there is no such instrument.
    """
    if re.fullmatch(r"\s*-?\d+\s*", str(name)):
        if 0 <= int(name) < len(GM_PROGRAMS):
            return int(name)
        raise ConfigError(f"instruments: a program is 0..127, got {int(name)}")
    word, programs = _plain(str(name)), _programs()
    for spelling in (word, word.removesuffix("s")):
        if spelling in programs:
            return programs[spelling]
    near = difflib.get_close_matches(word, programs, n=1)
    hint = f"did you mean {instrument_name(programs[near[0]] % 128, programs[near[0]] == DRUM_KIT)}?" if near else ""
    raise ConfigError(
        f"instruments: unknown instrument {str(name).strip()!r}; " + (hint or "say General MIDI names, such as piano")
    )


@cache
def _programs() -> dict[str, int]:
    """Every spelling -> program."""
    found = {}
    for first, kind in ((80, "Lead"), (88, "Pad"), (96, "FX")):  # the standard says "Lead 2 (sawtooth)"
        for number in range(8):
            own = GM_PROGRAMS[first + number].replace(f" {kind}", "")
            found[_plain(f"{kind} {number + 1} {own}")] = first + number
    found |= {_plain(alias): program for program, aliases in _ALIASES.items() for alias in aliases.split(",")}
    return found | {_plain(name): program for program, name in enumerate(GM_PROGRAMS)}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def drum_name(pitch: int) -> str:
    """Name a drum by its key; outside General MIDI by its number."""
    return GM_DRUMS[pitch - FIRST_DRUM] if 0 <= pitch - FIRST_DRUM < len(GM_DRUMS) else f"Drum {pitch}"
