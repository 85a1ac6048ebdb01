"""Data: open corpora and users' collections -> sets of pieces, with pictures, that train.

In: MIDI files of open corpora, or a user's MIDI files and a catalogue of covers.  Out: prepared sets (`prepared.py`) of
corpora, and built sets (`build/`) of users' collections; training opens both as a `PreparedSet`.
Rooms: corpora/ (open music -> pieces), gather/ (names -> releases -> covers), build/ (gathered files -> a built set).
Read first: prepared.py, the format that training reads; pairing.py is how pieces and pictures are paired.
"""
