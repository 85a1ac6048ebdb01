"""Miniatures of corpora: scores of a few notes, and files laid out as in the real ones."""

from imagemusic.data.corpora.catalogue import read_corpus
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Key, Meter, Note, Score, Tempo, Track

C = 60


def put(folder, path, score):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    save_midi(score, folder / path)


def quarters(count=8, *, program=0, name="", step=120, velocity=80, drums=False, pitch=C, **options):
    notes = [Note(step * beat, pitch, step, velocity) for beat in range(count)]
    return Track(notes, program, drums, name)


def engraved(*tracks, bpm=90.0):
    return Score(tracks, [Tempo(0, bpm)], [Meter(0, 4, 4)], [Key(0, -1)], ticks_per_beat=120)


def only(folder, corpus):
    pieces = list(read_corpus(folder, corpus))
    assert len(pieces) == 1
    return pieces[0]
