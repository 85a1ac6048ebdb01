"""One piece in the making as an object: targets, plan, rules, random numbers, and the events so far.

    session = Session(model, features, options)   targets, condition, plan, rules
    session.prefix(events)                        events that are given: they are read, not generated
    generate(model.stepper, [session.request])    or many sessions side by side
    session.score()                               the notes

A session is a pure function of its arguments and its prefix: `snapshot` returns the events so far, and a session that
is restored from them goes on as the first did, or otherwise with another seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from imagemusic.compose.feedback import Feedback
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.plan import plan_piece
from imagemusic.compose.repetition import PhraseRepetition
from imagemusic.compose.targets import condition_of, piece_seed, resolve_targets
from imagemusic.errors import CodecError
from imagemusic.events import codec
from imagemusic.events.grammar import Event, GrammarState, Plan
from imagemusic.generation.generate import GenerationRequest
from imagemusic.generation.processors import EndingHold, LogitProcessor, RepetitionPenalty
from imagemusic.generation.scoring import sequence_nats
from imagemusic.music.score import Score, Tempo
from imagemusic.vision.features import ImageFeatures

if TYPE_CHECKING:
    from imagemusic.compose.pipeline import ImageMusic

Snapshot = tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Parts of a session that an ablation may leave out."""

    instrumentation: bool = True  # the mask of who may play
    silence: bool = True  # the limit to rests of all parts together
    repetition_penalty: bool = True


class Session:
    """A piece in the making."""

    def __init__(
        self,
        model: "ImageMusic",
        features: ImageFeatures,
        options: ComposeOptions,
        *,
        prefix: Sequence[Event] = (),
        switches: Switches | None = None,
    ) -> None:
        """Start a piece for a picture that was encoded."""
        self.model, self.features, self.options = model, features, options
        self.switches = switches or Switches()
        self.targets = resolve_targets(model.checkpoint, model.prior, features, options)
        self._start(tuple(prefix))

    def _start(self, prefix: Snapshot) -> None:
        model, options = self.model, self.options
        condition = condition_of(model.checkpoint, self.features, self.targets)
        conditions = [condition] if options.guidance_scale == 1 else [condition, np.zeros_like(condition)]
        self.grammar = GrammarState(self._plan(None), replan=self._plan)
        feedback = self._feedback(condition)
        self.request = GenerationRequest(
            conditions=np.stack(conditions),
            grammar=self.grammar,
            options=options.sampling,
            rng=np.random.default_rng(piece_seed(self.features, options)),
            processors=self._processors(feedback),
            conditioner=feedback,
            prefix=prefix,
        )

    def _plan(self, meter: int | None) -> Plan:
        """Plan the piece: its tempo, length and players; again once the decoder has chosen a meter."""
        bpm = self.model.checkpoint.scale.from_percentile("tempo", self.targets.dials["tempo"].value)
        ensemble = self.targets.ensemble if self.switches.instrumentation else None
        plan = plan_piece(self.options, bpm, ensemble, meter)
        return plan if self.switches.silence else replace(plan, longest_silence=plan.end)

    def _feedback(self, condition: np.ndarray) -> Feedback | None:
        """Return the controller of the dials; None where it is off.

        A key decides the mode, and a limit to the notes at once the polyphony.
        """
        options, checkpoint = self.options, self.model.checkpoint
        if not options.feedback:
            return None
        targets = self.targets.values
        if options.key:
            targets.pop("mode", None)
        if options.polyphony is not None:
            targets.pop("polyphony", None)
        unconditioned = frozenset(name for name, dial in self.targets.dials.items() if not dial.conditioned)
        moved = partial(checkpoint.layout.moved, condition)
        return Feedback(targets, checkpoint.scale, moved, options.feedback, feedback_only=unconditioned)

    def _processors(self, feedback: Feedback | None) -> list[LogitProcessor]:
        """Return the rules that change logits, in the order in which they are applied."""
        options = self.options
        processors: list[LogitProcessor] = [EndingHold()]
        if feedback:
            processors.append(feedback)
        if options.repetition_bonus:
            processors.append(PhraseRepetition(self.grammar.running, options.repetition_bonus))
        if options.repetition_guard and self.switches.repetition_penalty:
            processors.append(RepetitionPenalty(options.repetition_share))
        return processors

    def prefix(self, events: Sequence[Event]) -> None:
        """Begin again with events that are given."""
        self._start(tuple(events))

    def snapshot(self) -> Snapshot:
        """Return the events so far."""
        return tuple(self.grammar.events)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot: generation goes on from its last event."""
        self._start(snapshot)

    def nats(self) -> np.ndarray:
        """Return the negative log-likelihood of every event so far (N, fields), in nats, under the unguided decoder."""
        return sequence_nats(self.model.stepper, self.request.conditions[0], self.grammar.events, self._plan)

    @property
    def progress(self) -> float:
        """Share of the piece that is generated, 0..1."""
        return 1.0 if self.grammar.finished else min(self.grammar.tick / self.grammar.plan.end, 1.0)

    def score(self) -> Score:
        """Return the notes of a finished piece.

        Raises:
            CodecError: it is not finished.
        """
        grammar = self.grammar
        if not grammar.finished:
            raise CodecError(f"the piece was not finished after {len(grammar.events)} events; ask for fewer seconds")
        score = codec.decode(np.array(grammar.events, np.int16))
        tracks = [replace(track, name=track.name.capitalize()) for track in score.tracks]
        tempos = (Tempo(0, grammar.plan.tempo_bpm),)
        return replace(score, tracks=tracks, tempos=tempos, keys=self.options.constraints.keys)
