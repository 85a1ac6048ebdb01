"""Form and chords of a piece in the making: planned once its header says how long it is and who plays.

    options, condition ──► planner ──► Plan ──► which bars are copied; what the memory and the decoder read

A checkpoint without a planner samples the letters of a form and plans no chords.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imagemusic.compose.form import BarPlan, bar_answers, bar_plans, plan_bars, sample_form
from imagemusic.compose.harmony import chords_at, is_minor, plan_answers, sample_tonic
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.rules.bars import PHRASE_BARS, BarGrid, drum_part, pitched_parts
from imagemusic.compose.rules.cadence import Cadence
from imagemusic.compose.rules.chords import scale_of
from imagemusic.events.grammar import GrammarState
from imagemusic.events.memory.running import NO_PLAN, PlanIndices
from imagemusic.events.vocabulary import METERS
from imagemusic.plan.plan import Plan, Request
from imagemusic.plan.planner import Planner

FORM_STREAM, PLAN_STREAM = 3, 5  # of random numbers
SONG_FORMS = 0.4  # share of pieces whose phrases follow a song form; the planner alone seldom returns to an opening
ACCOMPANIMENT = ("inner", "chords", "bass")  # roles


class Planning:
    """Plans a piece, and says what its plan holds."""

    def __init__(
        self,
        options: ComposeOptions,
        planner: Planner | None,
        condition: NDArray[np.float32],
        seed: Sequence[int],
    ) -> None:
        """Begin without a plan; `condition` (C,) has no style."""
        self.options, self.planner, self.condition, self.seed = options, planner, condition, seed
        self.plan: Plan | None = None
        self._grid: BarGrid | None = None
        self._kinds: list[int] = []  # of bars, as BAR_KINDS
        self._halves: list[int] = []  # chords of half bars

    def plan_form(self, grammar: GrammarState, cadence: Cadence | None, grid: BarGrid) -> list[BarPlan]:
        """Plan which bars repeat which, and let the memory know; the ending repeats nothing."""
        options, rng = self.options, np.random.default_rng([*self.seed, FORM_STREAM])
        letters = tuple(options.form.split()) if options.form != "auto" else ()
        downbeat = cadence.downbeat if cadence else None
        free_from = grid.bars if downbeat is None or cadence is None else grid.bar_of(cadence.dominant_start)
        parts, drums = pitched_parts(grammar), drum_part(grammar)
        self._grid = grid
        if self.planner is None and options.planned is None:
            roles = grammar.roles
            plans = plan_bars(
                letters or sample_form(-(-grid.bars // PHRASE_BARS), rng),
                grid.bars,
                free_from=free_from,
                parts=parts,
                accompaniment=[part for part in parts if roles[part] in ACCOMPANIMENT],
                drums=drums,
                rng=rng,
                exact=bool(letters),
            )
            answers = bar_answers(plans, grid, parts)
        else:
            self.plan = options.planned or self._sample(grammar, grid, letters, free_from, downbeat)
            exact = bool(letters) or options.planned is not None
            plans = bar_plans(self.plan, free_from=free_from, parts=parts, drums=drums, rng=rng, exact=exact)
            answers = plan_answers(self.plan, grid)
            self._halves = self.plan.half_bars.ravel().tolist()
        self._kinds = answers.kinds.tolist()
        if grammar.memory is not None:
            grammar.memory.answer_bars(answers)
        return plans

    def _sample(
        self, grammar: GrammarState, grid: BarGrid, letters: Sequence[str], free_from: int, downbeat: int | None
    ) -> Plan:
        """Sample form and chords around what was asked for."""
        assert self.planner is not None
        options, rng = self.options, np.random.default_rng([*self.seed, PLAN_STREAM])
        if not letters and rng.random() < SONG_FORMS:
            letters = sample_form(-(-grid.bars // PHRASE_BARS), rng)
        scale = options.constraints.scale or (scale_of(options.chord_bars) if options.chord_bars else None)
        request = Request.of(grid.bars, letters=letters, chords=options.chord_bars, free_from=free_from)
        if downbeat is not None:  # the ending writes the last chord
            kept = {bar: chords for bar, chords in request.chords.items() if bar < grid.bar_of(downbeat)}
            request = replace(request, chords=kept)
        return self.planner.sample(
            self.condition,
            grid.bars,
            METERS[grammar.events[0][2] - 1],
            int(rng.integers(2**31)),
            request,
            tonic=scale.tonic_class if scale else sample_tonic(rng),
            minor=is_minor(scale) if scale else None,
            ending="open" if downbeat is None else "cadence",
        )

    def at(self, tick: int) -> PlanIndices:
        """Return what the plan says at a tick, in the order of PLAN_SIZES."""
        if self._grid is None:
            return NO_PLAN
        kind = self._kinds[max(0, min(self._grid.bar_of(tick), len(self._kinds) - 1))]
        return kind, *(chords_at(self._halves, self._grid, tick) if self._halves else (0, 0))
