"""The fields of an event and what the decoder is told beside them: names shared by training and composing."""

FIELDS = ("gap", "part", "pitch", "duration", "velocity")  # in the order in which they are chosen

# What becomes known with each field, and so helps to choose the later ones.
STAGES = (
    ("gap", "place", "chroma"),
    ("part", "program", "last_pitch"),
    ("pitch", "last_duration"),
    ("duration", "last_velocity"),
)

# What the step reads of the event before; `interval` is its pitch less the part's last one.
INPUTS = (*FIELDS, "place", "bar", "program", "interval", "remaining", "chroma")

INTERVALS, NO_INTERVAL = 50, 0  # index 25 is a repeated pitch; wider than two octaves counts as two
CHROMA = 12  # sounding pitch classes: bits, not an index

# Pitches, and what the header declares in the same column, have rows of their own in the tables and the head of
# `pitch`: first the pitches, then as many for each kind of header row.
HEADER_KINDS = 3
