"""Sample the plan of a piece: form and chords, bar by bar, around what a person asked for.

A cadence ends on the tonic, and comes to it from a dominant or a subdominant.  A bar that is the same as an earlier one
has its chords.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import ConfigError
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.plan.analysis import NEW, NOWHERE, REACH, SAME, VARIED
from imagemusic.plan.chords import CHORDS, NO_CHORD, QUALITIES, chord_index, transposed
from imagemusic.plan.features import DISTANCES, FARTHEST, NONE_YET, Bars, distance_class, meter_class, read_before
from imagemusic.plan.lead_sheet import Chord, chord_at, half_bars
from imagemusic.plan.network import IMPOSSIBLE, POINTER, Network, State
from imagemusic.plan.plan import FREE, PHRASE_BARS, Plan, Request

Floats = NDArray[np.float32]

MOST_BARS = 2000
FAR_STEP = PHRASE_BARS  # answers farther than FARTHEST lie whole phrases back


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a plan is sampled."""

    temperature: float = 0.95  # of chords
    form_temperature: float = 1.0  # of kinds and distances
    top_p: float = 0.95  # of chords and distances
    repeat_bias: float = 0.0  # added to the log odds of a bar that answers another against a new one


class Planner:
    """Samples plans."""

    def __init__(self, network: Network) -> None:
        """Take the trained network."""
        self.network = network

    @classmethod
    def load(cls, folder: Path) -> "Planner":
        """Read a planner that training wrote.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        return cls(Network.load(folder))

    def sample(
        self,
        condition: Floats,
        bars: int,
        meter: tuple[int, int],
        seed: int,
        fixed: Request | None = None,
        *,
        tonic: int = 0,
        minor: bool | None = None,
        ending: str = "cadence",
        sampling: Sampling | None = None,
    ) -> Plan:
        """Sample a plan of `bars` bars; the same seed gives the same plan.

        Args:
            condition: a condition vector (C,), of which the end, dials and ensemble, is read; zeros for none.
            fixed: what must be kept, in absolute pitch.
            tonic: pitch class of the key.
            minor: its mode; sampled from the condition by default.

        Raises:
            ConfigError: no bar or too many, or a request that contradicts itself.
        """
        if not 1 <= bars <= MOST_BARS:
            raise ConfigError(f"plan: must have 1 to {MOST_BARS} bars, got {bars}")
        request, rng = fixed or Request(), np.random.default_rng(seed)
        state = self.network.start(np.asarray(condition, np.float32))
        if minor is None:
            minor = bool(rng.random() < 1 / (1 + np.exp(-self.network.minor_logit(state))))
        writer = _Writer(self.network, request, rng, sampling or Sampling(), bars, tonic, minor, ending)
        length = meter[0] * 4 * TICKS_PER_BEAT // meter[1]
        written = Bars(np.zeros(bars, np.int64), np.full(bars, NOWHERE), np.zeros((bars, 2), np.int64),
                       meter_class(length), minor)  # fmt: skip
        keys = np.empty((bars, POINTER), np.float32)
        for number in range(bars):
            state = self.network.step(state, *read_before(written, number, bars))
            writer.write(written, number, state, keys[:number])
            keys[number] = self.network.key(state, int(written.kinds[number]), int(written.chords[number, 0]))
        chords = []
        for number in range(bars):
            asked = request.chords.get(number)
            chords.append(tuple(asked) if asked else _symbols(transposed(written.chords[number], tonic)))
        return Plan(tonic, minor, meter, ending, tuple(written.kinds.tolist()), tuple(written.answers.tolist()),
                    tuple(chords))  # fmt: skip


class _Writer:
    """Chooses the fields of one bar after another."""

    def __init__(
        self, network: Network, request: Request, rng: np.random.Generator, sampling: Sampling, bars: int, tonic: int,
        minor: bool, ending: str,
    ) -> None:  # fmt: skip
        self.network, self.request, self.rng, self.sampling, self.bars = network, request, rng, sampling, bars
        asked = {bar: np.array(half_bars([chords])[0]) for bar, chords in request.chords.items()}
        self.asked = {bar: transposed(chords, -tonic) for bar, chords in asked.items()}
        self.allowed = _cadence(bars, minor) if ending == "cadence" else {}

    def write(self, written: Bars, number: int, state: State, keys: Floats) -> None:
        """Choose the fields of bar `number` and put them into `written`."""
        possible = self._possible(written, number)
        kind = self._kind(number, state, possible)
        answer = NOWHERE
        if kind != NEW:
            answer = self.request.answers.get(number, NOWHERE)
            if not 0 <= answer < number and answer != NOWHERE:
                raise ConfigError(f"plan: bar {number + 1} cannot answer bar {answer + 1}")
            if answer == NOWHERE:
                answer = self._answer(written, number, state, keys, kind, possible)
        written.kinds[number], written.answers[number] = kind, answer
        written.chords[number] = self._chords(written, number, state, kind, answer)

    def _possible(self, written: Bars, number: int) -> NDArray[np.bool_]:
        """Return which bars (number,) may be answered."""
        bars = np.arange(number)
        return (bars >= self.request.earliest.get(number, 0)) & (bars >= number - REACH)

    def _kind(self, number: int, state: State, possible: NDArray[np.bool_]) -> int:
        kind = self.request.kinds.get(number, FREE)
        if kind == FREE and number in self.request.answers:
            kind = VARIED
        if kind != FREE:
            if kind != NEW and not number:
                raise ConfigError("plan: bar 1 must be new")
            return kind
        logits = self.network.kind_logits(state).copy()
        if not possible.any():
            return NEW
        logits[NEW] -= self.sampling.repeat_bias
        if any((number, half) in self.allowed for half in range(2)):
            logits[SAME] = IMPOSSIBLE  # it would bring its own chords
        return self._draw(logits, self.sampling.form_temperature, 1.0)

    def _answer(
        self, written: Bars, number: int, state: State, keys: Floats, kind: int, possible: NDArray[np.bool_]
    ) -> int:
        last = int(written.answers[number - 1])
        logits = self.network.distance_logits(state, kind, distance_class(number - 1, last), keys)
        classes = np.minimum(number - np.arange(number), FARTHEST + 1)
        far = (classes == FARTHEST + 1) & ((number - np.arange(number)) % FAR_STEP > 0)
        open_classes = np.zeros(DISTANCES, bool)
        open_classes[classes[possible & ~far]] = True
        if not open_classes.any():
            raise ConfigError(f"plan: bar {number + 1} has no bar before it to answer")
        logits[~open_classes] = IMPOSSIBLE
        chosen = self._draw(logits, self.sampling.form_temperature, self.sampling.top_p)
        if chosen > FARTHEST and last != NOWHERE and classes[last + 1] > FARTHEST and possible[last + 1]:
            return last + 1  # goes on where the bar before answered
        candidates = np.flatnonzero(possible & ~far & (classes == chosen))
        return int(candidates[-1]) if chosen <= FARTHEST else int(self.rng.choice(candidates))

    def _chords(self, written: Bars, number: int, state: State, kind: int, answer: int) -> NDArray[np.int64]:
        if number in self.asked:
            return self.asked[number]
        answered = (NONE_YET, NONE_YET) if answer == NOWHERE else tuple(written.chords[answer].tolist())
        if kind == SAME and not any((number, half) in self.allowed for half in range(2)):
            return written.chords[answer]
        logits = self.network.first_logits(state, kind, answered)
        first = self._chord(logits, number, 0)
        logits = self.network.second_logits(state, kind, first, answered)
        return np.array([first, self._chord(logits, number, 1)])

    def _chord(self, logits: Floats, number: int, half: int) -> int:
        logits[NO_CHORD] = IMPOSSIBLE
        if (allowed := self.allowed.get((number, half))) is not None:
            closed = np.ones(CHORDS, bool)
            closed[allowed] = False
            logits[closed] = IMPOSSIBLE
        return self._draw(logits, self.sampling.temperature, self.sampling.top_p)

    def _draw(self, logits: Floats, temperature: float, top_p: float) -> int:
        """Sample an index from the likeliest that make up `top_p`."""
        scaled = logits.astype(np.float64) / max(temperature, 1e-6)
        chance = np.exp(scaled - scaled.max())
        chance /= chance.sum()
        order = np.argsort(-chance, kind="stable")
        kept = order[: int(np.searchsorted(np.cumsum(chance[order]), top_p)) + 1]
        return int(kept[self.rng.choice(len(kept), p=chance[kept] / chance[kept].sum())])


def _cadence(bars: int, minor: bool) -> dict[tuple[int, int], list[int]]:
    """Return the chords that the last halves of a piece may have, relative to the tonic: (bar, half) -> chords."""
    major_triad, minor_triad, seventh = (QUALITIES.index(name) for name in ("maj", "min", "7"))
    triad = minor_triad if minor else major_triad
    tonic, before = (
        [chord_index(0, triad)],
        [chord_index(7, major_triad), chord_index(7, seventh), chord_index(5, triad)],
    )
    last = bars - 1
    return {(last, 0): tonic, (last, 1): tonic} | ({(last - 1, 1): before} if bars > 1 else {})


def _symbols(halves: NDArray[np.int64]) -> tuple[Chord, ...]:
    first, second = (chord_at(int(chord)) for chord in halves)
    return (first,) if first == second else (first, second)
