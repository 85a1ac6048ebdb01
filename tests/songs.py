"""Songs of a catalogue that nobody has, with their MIDI files and covers."""

import functools
import hashlib
import io
from dataclasses import dataclass

from PIL import Image

from imagemusic.music.midi import midi_bytes
from imagemusic.music.score import Note, Score, Track

SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu"]


@dataclass(frozen=True)
class Song:
    """A track of the catalogue."""

    artist: str
    title: str
    album: str
    kind: str = "album"
    seconds: float = 200.0
    date: str = "1999-12-31"

    @property
    def key(self):
        return f"{self.artist}/{self.title}.mid"

    @property
    def id(self):
        return hashlib.sha256(self.key.encode()).hexdigest()[:22]

    @property
    def album_id(self):
        return hashlib.sha256(f"{self.artist}\0{self.album}".encode()).hexdigest()[:22]

    @property
    def group(self):
        text = hashlib.sha256(f"{self.artist}\0{self.album}".encode()).hexdigest()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def song_of(number):
    """Make up the song with this number, unlike any other."""
    digits = []
    for _ in range(5):
        number, digit = divmod(number, len(SYLLABLES))
        digits.append(SYLLABLES[digit])
    word = "".join(digits).title()
    return Song(artist=f"{word} Band", title=f"Song of {word}", album=f"The {word} Album")


def midi_of(seconds=4.0):
    """Spell a MIDI file that lasts so long."""
    beats = round(seconds * 2)
    return midi_bytes(Score([Track([Note(24 * beat, 60 + beat % 12, 24) for beat in range(beats)])]))


@functools.cache
def picture_of(name, width):
    """Draw the JPEG of a cover in a colour of its own."""
    colour = tuple(hashlib.sha256(name.encode()).digest()[:3])
    buffer = io.BytesIO()
    Image.new("RGB", (width, width), colour).save(buffer, format="JPEG")
    return buffer.getvalue()
