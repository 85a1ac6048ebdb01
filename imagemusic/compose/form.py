"""The form of a piece: which bar repeats which earlier one, and how closely.

    letters "A A' B A"  ──► phrases of four bars ──► for every bar and part: free, or copied from an earlier bar

A letter that was there before repeats its phrase; with a prime the repeat is varied and ends otherwise.  A letter that
is new is free, but its accompaniment keeps its figure and its drums their groove, with a fill in the last bar.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imagemusic.compose.rules.bars import PHRASE_BARS, BarGrid
from imagemusic.errors import ConfigError
from imagemusic.events.memory.pointers import BarAnswers
from imagemusic.events.vocabulary import BAR_KINDS
from imagemusic.plan.analysis import SAME
from imagemusic.plan.analysis import VARIED as VARIED_BAR
from imagemusic.plan.plan import Plan

# Forms of four phrases, and how often they are sampled: song forms, rounded binary, period pairs, rondo.
FORMS = {
    "A A' B A": 4.0, "A A B A'": 2.0, "A B A B'": 2.0, "A A' B B'": 1.5, "A B A' B": 1.5, "A A' B C": 1.0,
    "A B A C": 1.0, "A A' A B": 1.0, "A B C A'": 1.0,
}  # fmt: skip
EXACT, VARIED, RHYTHM, FREE = "exact", "varied", "rhythm", "free"


@dataclass(frozen=True, slots=True)
class Copy:
    """How one part of a bar is made."""

    mode: str = FREE  # EXACT: notes; VARIED: notes, some with new pitches; RHYTHM: onsets and lengths; FREE
    source: int = -1  # bar that is copied
    until: float = 1.0  # share of the bar that is copied


@dataclass(frozen=True, slots=True)
class BarPlan:
    """How a bar is made."""

    letter: str
    copies: dict[int, Copy]  # part -> how it is made; a part that is not named is free

    def of(self, part: int) -> Copy:
        """Return how a part is made."""
        return self.copies.get(part, Copy())


def parse_form(text: str) -> tuple[str, ...]:
    """Read letters like "AABA" or "A A' B A".

    Raises:
        ConfigError: something else than letters, primes and spaces, or a prime before its letter.
    """
    letters: list[str] = []
    for character in text.replace("’", "'").replace(" ", "").replace("-", ""):
        if character.isascii() and character.isalpha():
            letters.append(character.upper())
        elif character == "'" and letters:
            letters[-1] += "'"
        else:
            raise ConfigError(f"form: unexpected {character!r} in {text!r}; write letters, like AABA or AA'BA")
    if not letters:
        raise ConfigError(f"form: no letters in {text!r}; write letters, like AABA or AA'BA")
    return tuple(letters)


def sample_form(phrases: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Sample the letters of a piece: FORMS in a row, the later ones on new letters; the first phrase ends it."""
    names, weights = list(FORMS), np.array(list(FORMS.values()))
    letters: list[str] = []
    shift = 0
    while len(letters) < phrases:
        form = names[rng.choice(len(names), p=weights / weights.sum())].split()
        part = [_shifted(letter, shift) for letter in form]
        if letters and rng.random() < 0.6:
            part[-2:] = [letters[0], letters[1]]
        letters += part
        shift += len({letter[0] for letter in form}) - (1 if rng.random() < 0.5 else 0)
    letters = letters[:phrases]
    if phrases > 2 and letters[-1][0] != letters[0][0]:
        letters[-1] = letters[0] + "'"
    return tuple(letters)


def _shifted(letter: str, by: int) -> str:
    return chr(ord("A") + (ord(letter[0]) - ord("A") + by) % 26) + letter[1:]


def plan_bars(
    letters: Sequence[str],
    bars: int,
    *,
    free_from: int,
    parts: Sequence[int],
    accompaniment: Sequence[int],
    drums: int | None,
    rng: np.random.Generator,
    exact: bool = False,
) -> list[BarPlan]:
    """Plan every bar of a piece.

    `free_from` is the first bar of the ending, which copies nothing.  `exact` keeps what was asked for: a plain letter
    repeats its phrase exactly, a primed one with variation.
    """
    first_phrase: dict[str, int] = {}  # letter -> bar at which its phrase was new
    plans: list[BarPlan] = []
    for bar in range(bars):
        phrase, place = divmod(bar, PHRASE_BARS)
        letter = letters[phrase % len(letters)]
        start = first_phrase.setdefault(letter[0], bar - place)
        copies: dict[int, Copy] = {}
        if bar < free_from:
            if start + place < bar:
                copies = _repeat(start + place, place, letter, parts, rng, exact)
            elif place:
                copies = _figures(bar, place, parts, accompaniment, rng)
        if drums is not None and bar < free_from + 1:
            copies[drums] = _groove(bar, place, rng)
        plans.append(BarPlan(letter, copies))
    return plans


def bar_plans(
    plan: Plan,
    *,
    free_from: int,
    parts: Sequence[int],
    drums: int | None,
    rng: np.random.Generator,
    exact: bool,
) -> list[BarPlan]:
    """Plan every bar of a piece as its plan says: bars that are the same are copied, varied ones left to the decoder.

    `free_from` is the first bar of the ending, which copies nothing.  `exact` keeps a form that was asked for: varied
    bars are copied with variation, too.
    """
    modes = {SAME: EXACT} | ({VARIED_BAR: VARIED} if exact else {})
    plans, letters = list[BarPlan](), plan.letters
    for bar, (kind, answer) in enumerate(zip(plan.kinds, plan.answers, strict=True)):
        copies: dict[int, Copy] = {}
        if bar < free_from and kind in modes:
            copies = {part: Copy(modes[kind], answer) for part in parts}
        if drums is not None and bar < free_from + 1:
            copies[drums] = _groove(bar, bar % PHRASE_BARS, rng)
        plans.append(BarPlan(letters[bar // PHRASE_BARS], copies))
    return plans


def _repeat(
    source: int, place: int, letter: str, parts: Sequence[int], rng: np.random.Generator, exact: bool
) -> dict[int, Copy]:
    """Copy the bar of an earlier phrase: exactly or varied, with an ending of its own where it is primed."""
    primed, last, chance = letter.endswith("'"), place == PHRASE_BARS - 1, rng.random()
    if exact:
        mode = VARIED if primed else EXACT
    elif last:
        mode = FREE if chance < (0.7 if primed else 0.25) else VARIED
    elif primed:
        mode = EXACT if chance < (0.3 if place < 2 else 0.1) else VARIED
    else:
        mode = EXACT if chance < 0.6 else VARIED
    return {part: Copy(mode, source) for part in parts} if mode != FREE else {}


def _figures(
    bar: int, place: int, parts: Sequence[int], accompaniment: Sequence[int], rng: np.random.Generator
) -> dict[int, Copy]:
    """In a new phrase the accompaniment keeps its figure, and now and then a bar comes back after another."""
    if place == 2 and rng.random() < 0.3:
        return {part: Copy(VARIED, bar - 2) for part in parts}
    if place < PHRASE_BARS - 1 or rng.random() < 0.5:
        return {part: Copy(RHYTHM, bar - 1) for part in accompaniment if rng.random() < 0.8}
    return {}


def _groove(bar: int, place: int, rng: np.random.Generator) -> Copy:
    """Keep the drums' bar; the last bar of a phrase ends with a fill."""
    if bar == 0:
        return Copy()
    if place == 0:  # the groove of the phrase before, not its fill
        return Copy(EXACT, max(bar - PHRASE_BARS, 0))
    if place == PHRASE_BARS - 1:
        return Copy(EXACT, bar - 1, until=0.5 if rng.random() < 0.7 else 0.75)
    return Copy(EXACT if rng.random() < 0.75 else VARIED, bar - 1)


def bar_answers(plans: Sequence[BarPlan], grid: BarGrid, parts: Sequence[int]) -> BarAnswers:
    """Return which earlier bar each bar answers, by its pitched parts, and what kind of bar it is."""
    shifts, kinds = [], []
    for bar, plan in enumerate(plans):
        copies = [plan.of(part) for part in parts if plan.of(part).mode in (EXACT, VARIED)]
        shifts.append((bar - copies[0].source) * grid.bar if copies else 0)
        same = all(copy.mode == EXACT for copy in copies)
        kinds.append(BAR_KINDS.index(("same" if same else "varied") if copies else "new"))
    starts = [grid.start(bar) for bar in range(len(plans) + 1)]
    return BarAnswers(np.array(starts, np.int64), np.array(shifts, np.int64), np.array(kinds, np.uint8))
