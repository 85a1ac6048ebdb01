"""Open corpora -> pieces on a metrical grid, with unknown attributes marked.

In: a folder per corpus, as scripts/fetch_corpora.py downloads them by the registry (`registry.py`).
Out: `Piece`s (`piece.py`): a score with 24 ticks a beat, group, title, licence, split (`held_out.py`).
Read first: catalogue.py, the table of corpora.  A new corpus is one reader and one line in that table.
grid.py, bars.py and beats.py repair what files lack: the grid, pickups, the beat.
"""
