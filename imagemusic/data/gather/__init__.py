"""A user's MIDI files -> releases of a catalogue and their covers: `imagemusic data match` and `data album`.

In: a folder of files named Artist/Title.mid, and a catalogue: MusicBrainz, Spotify or a folder (`releases.Source`).
Out: DATASET/journal.jsonl with a row per file, and DATASET/covers/.
Read first: gather.py; it parses names (file_names.py, title_parsing.py), searches, and ranks (matching.py).
A new catalogue is one class with the methods of `Source` and one line in catalogues.py.
"""
