"""Scores to MIDI files and back.

load_midi, read_midi   file or bytes ──> Score        only what the file says: no default tempo, no default meter
midi_bytes, save_midi  Score ──> bytes or file        equal scores give equal bytes
load_corpus_midi       a file of the training corpora, as symusic reads it
"""

from imagemusic.music.midi.corpus import load_corpus_midi
from imagemusic.music.midi.reading import MidiReading, load_midi, read_midi
from imagemusic.music.midi.writing import midi_bytes, save_midi

__all__ = ["MidiReading", "load_corpus_midi", "load_midi", "midi_bytes", "read_midi", "save_midi"]
