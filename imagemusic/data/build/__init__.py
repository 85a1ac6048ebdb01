"""A gathered set -> a data set that trains: `imagemusic data build`, `show`, `stats` and `export`.

In: the journal and covers of gather/, and the MIDI files.
Out: DATASET/notes/ (events, memory-mapped), DATASET/manifest.parquet (a row per file, with its split), and a card.
Read first: build.py, the steps; blocks.py is the part that workers do, grouping.py keeps related files in one split.
built_set.py opens the result for training; html_view.py, statistics.py and export.py report on it.
"""
