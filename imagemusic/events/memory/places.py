"""Places: the note where the music was some bars before, or in the bar that the plan names."""

from bisect import bisect_left

from imagemusic.events.context import COMMON_BAR
from imagemusic.events.memory.pointers import ANSWER, BARS_BACK, HITS, TICK_KEY, BarAnswers

PLACES = (*BARS_BACK, ANSWER)
_RECENT = (1 << HITS) - 1


class Places:
    """Finds notes by their keys, and remembers which places proposed right."""

    def __init__(self) -> None:
        self.keys: list[int] = []  # of the notes so far, rising
        self.first = 0  # tick from which places may be looked up
        self.bar = COMMON_BAR  # ticks
        self.answers: tuple[list[int], list[int]] | None = None  # starts of bars, and how far back each answers
        self._hits = dict.fromkeys(PLACES, 0)  # bits: which of the last notes a place proposed right

    def answer_bars(self, answers: BarAnswers | None) -> None:
        """Set which earlier bar each bar answers."""
        known = answers is not None and len(answers.shifts)
        self.answers = (answers.starts.tolist(), answers.shifts.tolist()) if answers is not None and known else None

    def lag(self, pointer: int, tick: int, now: int) -> int:
        """Return how many ticks a place lies back, seen from a tick; 0 where there is none.  `now` ends the past."""
        if pointer == ANSWER:
            return self.answers[1][self.answered_bar(tick)] if self.answers is not None else 0
        lag = BARS_BACK[pointer] * self.bar
        return lag if now - lag >= self.first else 0

    def answered_bar(self, tick: int) -> int:
        """Return the bar of the plan that holds a tick."""
        assert self.answers is not None
        starts, shifts = self.answers
        return max(0, min(bisect_left(starts, tick + 1) - 1, len(shifts) - 1))

    def first_after(self, key: int, lag: int) -> int:
        """Find the first note at or after a key less a lag; -1 for none of the past."""
        found = bisect_left(self.keys, key - lag * TICK_KEY) if lag > 0 else len(self.keys)
        return found if found < len(self.keys) else -1

    def level(self, pointer: int) -> int:
        """Return how sure a place is: one more than the notes of the last HITS that it proposed right."""
        return 1 + self._hits[pointer].bit_count()

    def judge(self, pointer: int, right: bool) -> None:
        """Note whether a place proposed the last note right."""
        self._hits[pointer] = (self._hits[pointer] << 1 | right) & _RECENT
