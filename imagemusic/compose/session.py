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
from typing import Protocol

import numpy as np

from imagemusic.checkpoint import Checkpoint
from imagemusic.compose.feedback import Feedback, FeedbackOptions
from imagemusic.compose.finish import cut_notes, fade_out, fill_holes, number_names, separate_notes
from imagemusic.compose.meters import sample_meter
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.plan import plan_piece
from imagemusic.compose.planning import Planning
from imagemusic.compose.prior import Prior
from imagemusic.compose.repetition import PhraseRepetition
from imagemusic.compose.ritardando import MILD, tempo_map
from imagemusic.compose.rules.bars import drum_part
from imagemusic.compose.rules.cadence import Cadence
from imagemusic.compose.rules.chords import ChordSheet, scale_of
from imagemusic.compose.rules.copying import BarCopying
from imagemusic.compose.rules.drums import DrumKit
from imagemusic.compose.rules.lineup import MAX_PARTS, MIN_PARTS, LineUp
from imagemusic.compose.rules.playable import Playable
from imagemusic.compose.rules.stacking import Stacking
from imagemusic.compose.rules.texture import OpeningRegister, PhraseBreath, Presence
from imagemusic.compose.targets import condition_of, piece_seed, resolve_targets
from imagemusic.errors import CodecError
from imagemusic.events import codec
from imagemusic.events.grammar import Event, GrammarState, Plan
from imagemusic.events.memory.running import PlannedMemory
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.generation.generate import MAX_EVENTS
from imagemusic.generation.processors import EndingHold, LogitProcessor, RepetitionPenalty
from imagemusic.generation.scoring import sequence_nats
from imagemusic.generation.slots import GenerationRequest
from imagemusic.generation.stepper import Stepper
from imagemusic.music.ensembles import Instrumentation
from imagemusic.music.score import Score, Tempo, Track
from imagemusic.plan.plan import Plan as PiecePlan
from imagemusic.plan.planner import Planner
from imagemusic.vision.features import ImageFeatures

Snapshot = tuple[Event, ...]
GUIDANCE_DELAY = 16  # notes that are generated without guidance
TAKE_STREAM, METER_STREAM = 2, 4  # of random numbers, beside the sampling of targets, which is 1
EVENTS_A_SECOND = 100  # at most; the densest music has 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Parts of a session that an ablation may leave out."""

    instrumentation: bool = True  # the mask of who may play
    silence: bool = True  # the limit to rests of all parts together
    repetition_penalty: bool = True


class Model(Protocol):
    """What a session needs of a loaded model."""

    @property
    def checkpoint(self) -> Checkpoint: ...
    @property
    def prior(self) -> Prior: ...
    @property
    def stepper(self) -> Stepper: ...
    @property
    def planner(self) -> Planner | None: ...


class Session:
    """A piece in the making."""

    def __init__(
        self,
        model: Model,
        features: ImageFeatures,
        options: ComposeOptions,
        *,
        prefix: Sequence[Event] = (),
        take: int = 0,
        switches: Switches | None = None,
        feedback: FeedbackOptions | None = None,
    ) -> None:
        """Start take number `take` of a piece for a picture that was encoded; `feedback` has other constants."""
        self.take = take
        self.model, self.features, self.options = model, features, options
        self.feedback = feedback
        self.switches = switches or Switches()
        self.targets = resolve_targets(model.checkpoint, model.prior, features, options)
        self._start(tuple(prefix))

    def _start(self, prefix: Snapshot) -> None:
        model, options = self.model, self.options
        condition = condition_of(model.checkpoint, self.features, self.targets)
        conditions = [condition] if options.guidance_scale == 1 else [condition, np.zeros_like(condition)]
        bare = model.checkpoint.layout.without_style(condition)
        self.planning = Planning(options, model.planner, bare, self._seed)
        memory = PlannedMemory(self.planning.at) if model.stepper.has_memory else None
        self.grammar = GrammarState(self._plan(None), replan=self._plan, memory=memory)
        feedback = self._feedback(condition)
        self.request = GenerationRequest(
            conditions=np.stack(conditions),
            grammar=self.grammar,
            options=options.sampling,
            rng=np.random.default_rng(self._seed),
            processors=self._processors(feedback),
            conditioner=feedback,
            prefix=prefix,
            guidance_delay=GUIDANCE_DELAY if options.rules > 1 else 0,
            max_events=max(MAX_EVENTS, round(EVENTS_A_SECOND * self.planned_seconds)),
        )

    @property
    def plan(self) -> PiecePlan | None:
        """Form and chords of the piece; None before they are planned, and where nothing is."""
        return self.planning.plan

    @property
    def planned_seconds(self) -> float:
        """How long the piece will last, as far as it is known: a ritardando makes it a little longer."""
        plan = self.grammar.plan
        return plan.end / TICKS_PER_BEAT * 60 / plan.tempo_bpm

    @property
    def _seed(self) -> list[int]:
        seed = piece_seed(self.features, self.options)
        return [*seed, self.take, TAKE_STREAM] if self.take else seed

    def _plan(self, meter: int | None) -> Plan:
        """Plan the piece: its tempo, length and players; again once the decoder has chosen a meter."""
        bpm = self.model.checkpoint.scale.from_percentile("tempo", self.targets.dials["tempo"].value)
        ensemble = self.targets.ensemble if self.switches.instrumentation else None
        silence = TICKS_PER_BEAT if self.options.rules > 1 and not self._is_sparse else None
        planned = partial(plan_piece, self.options, bpm, ensemble, longest_silence=silence)
        plan = planned(meter)
        if meter is None and self.options.rules > 1 and not self.options.meter:
            rng = np.random.default_rng([*self._seed, METER_STREAM])
            meter = sample_meter(self.targets.ensemble, plan.meters, rng)
            plan = planned(meter)
        if self.options.rules > 1 and meter is not None:
            plan = replace(plan, meter=meter)
        if self.options.rules > 1 and plan.instrumentation is not None and not self.options.instruments:
            plan = replace(plan, instrumentation=_lined_up(plan.instrumentation, self.targets.ensemble))
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
        gain = options.feedback
        return Feedback(targets, checkpoint.scale, moved, gain, feedback_only=unconditioned, options=self.feedback)

    def _processors(self, feedback: Feedback | None) -> list[LogitProcessor]:
        """Return the rules that change logits, in the order in which they are applied."""
        options = self.options
        processors: list[LogitProcessor] = [EndingHold()]
        processors += self._rules()
        if feedback:
            processors.append(feedback)
        if options.repetition_bonus:
            processors.append(PhraseRepetition(self.grammar.running, options.repetition_bonus))
        if options.repetition_guard and self.switches.repetition_penalty:
            processors.append(RepetitionPenalty(options.repetition_share))
        return processors

    def _rules(self) -> list[LogitProcessor]:
        """Return the rules of music; where two contradict each other, the earlier one wins."""
        options, grammar = self.options, self.grammar
        rules: list[LogitProcessor] = []
        self.cadence = self.copying = None
        scale = options.constraints.scale
        self.chords = None
        if options.chord_bars:
            scale = scale or scale_of(options.chord_bars)
            self.chords = ChordSheet(grammar, options.chord_bars, scale)
            rules.append(self.chords)
        playable = None
        if options.playable:
            playable = Playable(grammar, self.targets.ensemble, ranges=options.pitch_range is None)
            rules.append(playable)
        if options.ending_used == "cadence":
            ranges = options.pitch_range is None
            self.cadence = Cadence(
                grammar, scale, options.polyphony, self.targets.ensemble, free_dominant=not self.chords, ranges=ranges
            )
            rules.append(self.cadence)
            if self.chords:
                self.chords.ending = self.cadence
        if options.form != "free":
            plan_form = partial(self.planning.plan_form, grammar, self.cadence)
            self.copying = BarCopying(grammar, plan_form, self._seed, self._copying_limit)
            if playable:
                self.copying.is_full = playable.is_full
            rules.append(self.copying)
        if options.rules > 1 and not options.instruments and self.switches.instrumentation:
            rules.append(LineUp(grammar, self.targets.ensemble))
        if options.rules > 1:
            register = self.targets.values.get("register", 0.0)
            rules += [
                DrumKit(grammar),
                OpeningRegister(grammar, self.model.checkpoint.scale.from_percentile("register", register)),
                Presence(grammar),
                PhraseBreath(grammar, self._is_free_bar),
            ]
        if choosing := [rule for rule in (self.copying, playable) if rule is not None]:
            rules.append(Stacking(grammar, choosing))
        return rules

    def _copying_limit(self) -> int | None:
        """Return the tick at which the dominant of the ending begins; None where there is none."""
        return None if self.cadence is None or self.cadence.downbeat is None else self.cadence.dominant_start

    def _is_free_bar(self, bar: int) -> bool:
        """Whether a bar copies no notes."""
        plan = self.copying.plan if self.copying else None
        if not plan or bar >= len(plan):
            return True
        drums = drum_part(self.grammar)
        return all(copy.mode == "rhythm" for part, copy in plan[bar].copies.items() if part != drums)

    @property
    def _is_sparse(self) -> bool:
        """Whether the caller asked for sparse music."""
        return min(self.options.dials.get(name, 0.0) for name in ("density", "polyphony", "articulation")) < -0.3

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
        options, plan, ensemble = self.options, grammar.plan, self.targets.ensemble
        score = codec.decode(np.array(grammar.events, np.int16))
        tracks = number_names(score.tracks) if options.rules > 1 else _capitalized(score.tracks)
        if options.playable:
            tracks = [separate_notes(track, ensemble) for track in tracks]
        score = replace(score, tracks=tracks, tempos=[Tempo(0, plan.tempo_bpm)])
        if options.ritardando and self.cadence and self.cadence.downbeat is not None:
            running = grammar.running
            tempos = tempo_map(plan.tempo_bpm, plan.end, running.origin, running.bar, mild=ensemble in MILD)
            slowing = replace(score, tempos=tempos)
            if options.bars is not None or abs(slowing.seconds - options.seconds) < 1:
                score = slowing
        score = replace(score, keys=options.constraints.keys)
        if options.rules > 1 and not self._is_sparse:
            score = fill_holes(score)
        if self.chords:
            score = cut_notes(score, self.chords.fits_until)
        return fade_out(score) if options.ending_used == "fade" else score


def _lined_up(instrumentation: Instrumentation, ensemble: str) -> Instrumentation:
    """Limit how many parts play."""
    most = min(instrumentation.most, MAX_PARTS.get(ensemble, instrumentation.most))
    least = max(instrumentation.least, MIN_PARTS.get(ensemble, 1))
    return replace(instrumentation, least=least, most=most)


def _capitalized(tracks: Sequence[Track]) -> list[Track]:
    return [replace(track, name=track.name.capitalize()) for track in tracks]
