"""The form of a piece as letters: which phrase answers which, and how exactly.

    phrases of four bars ──> mean likeness of their bars ──> "A A' B A"

A phrase whose bars all equal those of an earlier one has its letter; one that is like an earlier one by VARIED or more
has that letter with a prime; another one has the next letter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from imagemusic.music.form import likeness
from imagemusic.music.timeline import EPSILON, Floats, Timeline

EXACT = 1 - EPSILON  # likeness of bars
VARIED = 0.5  # mean likeness of the bars of a phrase
NEAR = 0.5  # likeness of a bar that is kept nearly
PICKUP = 0.5  # of the first bar: a piece whose first note comes later begins with a pickup


@dataclass(frozen=True, slots=True)
class Answer:
    """How a phrase relates to the earlier ones."""

    label: str  # like "A" or "B'"
    model: int  # number of the phrase that it is like; its own where it is new
    likeness: float  # mean over the bars; 0 where it is new

    @property
    def kind(self) -> str:
        """Name it "exact", "varied" or "new"."""
        return "new" if not self.likeness else "exact" if self.likeness >= EXACT else "varied"


def first_full_bar(notes: Timeline) -> int:
    """Return the number of the bar with which phrases begin: 1 after a pickup, else 0."""
    late = len(notes.onset) > 0 and notes.onset[0] - notes.bar_start[0] > PICKUP * notes.bar_length[0]
    return int(late and len(notes.bar_start) > 1)


def bar_likeness(notes: Timeline, *, drums: bool = False) -> Floats:
    """Compute how alike every two bars are (B, B), by (place, pitch class), or by (place, drum); 1 for empty ones."""
    chosen = notes.drum == drums
    onset, pitch = notes.onset[chosen], notes.pitch[chosen]
    count = len(notes.bar_start)
    bar = notes.bar_of(onset)
    alike = likeness(bar, notes.place_of(onset) * 128 + (pitch if drums else pitch % 12), count)
    empty = np.bincount(bar, minlength=count) == 0
    alike[np.ix_(empty, empty)] = 1
    return alike


def phrase_likeness(alike: Floats, size: int) -> Floats:
    """Average the likeness of bars (B, B) to that of phrases of `size` bars (P, P); bars left over are dropped."""
    count = len(alike) // size
    blocks = alike[: count * size, : count * size].reshape(count, size, count, size)
    mean: Floats = np.einsum("aibi->ab", blocks) / size
    return mean


def label_phrases(alike: Floats) -> list[Answer]:
    """Label phrases by their likeness (P, P): an answer takes the letter of the likeliest earlier phrase."""
    answers: list[Answer] = []
    letters = iter(ascii_uppercase)
    for phrase in range(len(alike)):
        model = int(alike[phrase, :phrase].argmax()) if phrase else 0
        found = float(alike[phrase, model]) if phrase else 0.0
        if found >= EXACT:
            answers.append(Answer(answers[model].label, model, found))
        elif found >= VARIED:
            answers.append(Answer(answers[model].label.rstrip("'") + "'", model, found))
        else:
            answers.append(Answer(next(letters, "Z"), phrase, 0.0))
    return answers


def form_of(answers: Sequence[Answer]) -> str:
    """Write labels as a form, like "A A' B A"."""
    return " ".join(answer.label for answer in answers)


def kept_bars(alike: Floats, size: int, phrase: int, model: int) -> NDArray[np.float64]:
    """Return the likeness (size,) of each bar of a phrase to its place in the phrase that it answers."""
    steps = np.arange(size)
    row: NDArray[np.float64] = alike[phrase * size + steps, model * size + steps]
    return row
