"""Rules of music as logit processors, one file each: endings, phrases that come back, ranges, drums, openings.

`compose/session.py` lists them in the order in which they are applied: a rule that comes earlier wins.
"""
