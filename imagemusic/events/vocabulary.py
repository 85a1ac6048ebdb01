"""The event vocabulary: fields, columns, kinds of row, number of values; one page for training and generation.

An event is a row of five indices, see codec.py.  A context row stands beside each event, see context.py.
"""

from itertools import product
from typing import Any, TypeVar

FIELDS = ("gap", "part", "pitch", "duration", "velocity")  # in the order in which the decoder chooses them
GAP, PART, PITCH, DURATION, VELOCITY = range(len(FIELDS))  # columns of an event

SLOTS = 16  # parts, one for each MIDI channel
SLOT, METER, TEMPO, REST, END, START = range(SLOTS, SLOTS + 6)  # kinds of row that are not notes
HEADER = (SLOT, METER, TEMPO)  # kinds of row that the header holds
HEADER_KINDS = len(HEADER)  # each has pitch embeddings and pitch logits of its own, after those of notes

MAX_GAP = 96  # ticks
MAX_DURATION = 192  # ticks
HOLD = MAX_DURATION  # index d < HOLD lasts d + 1 ticks
DRUMS = 128  # the program of a slot of drums
VELOCITY_STEP = 4
METERS = [(n, d) for d, n in product((1, 2, 4, 8, 16), range(1, 25))]  # index 0 is "not known"
SIZES = (MAX_GAP + 1, START + 1, 129, MAX_DURATION + 1, 32)  # values of each field

# Columns of a context row, each known before the field of the event that it helps to choose.
CONTEXT = ("place", "bar", "chroma", "program", "last_pitch", "last_duration", "last_velocity")
PLACE, BAR, CHROMA, PROGRAM, LAST_PITCH, LAST_DURATION, LAST_VELOCITY = range(len(CONTEXT))
PLACES = 192  # ticks in the bar; longer bars repeat their third and fourth beat
BARS = 8  # bars since the last change of meter, modulo a phrase
PITCH_CLASSES = 12  # sounding pitch classes are a set of bits
NO_PROGRAM, NO_PITCH, NO_DURATION, NO_VELOCITY = DRUMS + 1, 128, MAX_DURATION + 1, 32
CONTEXT_SIZES = (PLACES, BARS, 1 << PITCH_CLASSES, DRUMS + 2, 129, MAX_DURATION + 2, 33)
REMAINING_SIZE = 64  # steps of the time that is left; index 0: not given

# Number of values of everything that a decoder reads or writes.
VOCABULARY = dict(zip((*FIELDS, *CONTEXT), (*SIZES, *CONTEXT_SIZES), strict=True)) | {"remaining": REMAINING_SIZE}

# What becomes known with each field, and so conditions the later fields of the event.
STAGES = (
    ("gap", "place", "chroma"),
    ("part", "program", "last_pitch"),
    ("pitch", "last_duration"),
    ("duration", "last_velocity"),
)
# What a step reads of the event before; `interval` is its pitch less the last pitch of its part.
INPUTS = (*FIELDS, "place", "bar", "program", "interval", "remaining", "chroma")

# What the plan says of a bar; 0 where it says nothing.
BAR_KINDS = ("unknown", "new", "varied", "same")
CHORDS = 121  # none, and 12 roots of 10 qualities, see plan/chords.py
PLAN_SIZES = {"bar_kind": len(BAR_KINDS), "chord": CHORDS, "next_chord": CHORDS}

SEGMENT = 16  # events that share one condition: a bar or two of a melody, a chord or two of a band

MAX_INTERVAL = 24  # semitones; wider ones count as this
NO_INTERVAL, REPEATED_PITCH = 0, MAX_INTERVAL + 1  # indices
INTERVALS = 2 * MAX_INTERVAL + 2

Array = TypeVar("Array", bound=Any)


def interval_index(pitch: int, last_pitch: int, program: int) -> int:
    """Return the index of the interval from a part's last pitch; NO_INTERVAL for drums, first notes and other rows."""
    if program < DRUMS and last_pitch < NO_PITCH:
        return max(-MAX_INTERVAL, min(MAX_INTERVAL, pitch - last_pitch)) + REPEATED_PITCH
    return NO_INTERVAL


def interval_indices(pitch: Array, last_pitch: Array, program: Array) -> Array:
    """Compute `interval_index` for integer arrays of one shape (...): of numpy, or torch tensors."""
    index = (pitch - last_pitch).clip(-MAX_INTERVAL, MAX_INTERVAL) + REPEATED_PITCH
    return index * ((program < DRUMS) & (last_pitch < NO_PITCH))  # NO_INTERVAL is 0
