"""General MIDI: what the program numbers and the drum keys are called.

Names from the General MIDI 1 sound set, MIDI Manufacturers Association 1991.
"""

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


def drum_name(pitch: int) -> str:
    """Name a drum by its key; outside General MIDI by its number."""
    return GM_DRUMS[pitch - FIRST_DRUM] if 0 <= pitch - FIRST_DRUM < len(GM_DRUMS) else f"Drum {pitch}"
