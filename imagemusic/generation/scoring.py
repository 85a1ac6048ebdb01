"""How likely a given piece is under the decoder, without torch."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from imagemusic.events.grammar import Event, GrammarState, Plan
from imagemusic.events.memory.running import PlannedMemory
from imagemusic.events.vocabulary import FIELDS
from imagemusic.generation.backends import Array
from imagemusic.generation.stepper import Stepper


def sequence_nats(
    stepper: Stepper, condition: Array, events: Sequence[Event], plan: Callable[[int | None], Plan]
) -> NDArray[np.float64]:
    """Return the negative log-likelihood (N, fields) in nats of events, each given those before and a condition (C,).

    A field that the grammar leaves no choice has none.  A memory reads the events before, and no plan.
    """
    grammar = GrammarState(plan(None), replan=plan, memory=PlannedMemory() if stepper.has_memory else None)
    state, conditioning = stepper.start(condition[None])
    nats = np.zeros((len(events), len(FIELDS)))
    for row, event in zip(nats, events, strict=True):
        heads, state = stepper.step(state, conditioning, [grammar.previous])
        for column, value in enumerate(event):
            if grammar.forced_value(column) is None:
                if stepper.has_memory:
                    heads.propose([grammar.proposal(column)])
                logits = heads.logits(column)[0].astype(np.float64)
                row[column] = np.logaddexp.reduce(logits) - logits[value]
            grammar.append(value)
            if column < len(FIELDS) - 1:
                heads.condition_on(column, [grammar.context_of(column)])
    return nats
