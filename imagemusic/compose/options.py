"""What a caller may ask for: one flat, frozen `ComposeOptions`, and narrow views of it for the layers below."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from imagemusic.compose.constraints import DEFAULT_SECONDS, Constraints
from imagemusic.compose.form import parse_form
from imagemusic.compose.harmony import check_chords
from imagemusic.compose.rules.bars import PHRASE_BARS
from imagemusic.compose.rules.cadence import final_downbeat
from imagemusic.compose.rules.harmony import substitute_for_dominant
from imagemusic.config import check, check_names, check_whole
from imagemusic.errors import ConfigError
from imagemusic.events.context import bar_ticks
from imagemusic.generation.sampling import SamplingOptions
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.styles import STYLES
from imagemusic.plan.lead_sheet import Chord, parse_lead_sheet, write_lead_sheet
from imagemusic.plan.plan import Plan

PICTURE_SIZE = (32, 1024)  # pixels a side
FORMS = ("auto", "free")  # beside letters
ENDINGS = ("cadence", "fade", "open")
TAKES = (1, 16)
RULES = (1, 2)
# What records of version 0.1 leave out, and meant.
OPTIONS_OF_0_1 = {
    "form": "free",
    "ending": "open",
    "ritardando": False,
    "playable": False,
    "takes": 1,
    "rules": 1,
    "rhythm_temperature": 1.0,
}
DECIDED_BY = {"tempo": "tempo_bpm", "mode": "key", "polyphony": "polyphony"}  # dial -> the constraint that decides it


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeOptions:
    """Options of one piece.  None leaves a choice to the picture and the model.

    Length:
        seconds: how long the piece lasts, 4 to 600; kept to a second.  Not used where `bars` is given.
        bars: how many bars it has.

    Constraints, kept exactly (drums have no key, range or polyphony):
        key: a tonic and a mode, like "A minor" or "D dorian".
        meter: like "3/4".
        tempo_bpm: 30 to 300.  None takes the picture's tempo, moved by up to 3 % to fit whole bars.
        instruments: like "piano,cello,drums", or a list of General MIDI names and programs; all play, and no others.
        pitch_range: like "C3-C6", or its two ends, both included; C4 is MIDI pitch 60.
        polyphony: notes that may sound at once, 1 to 64.
        chords: a lead sheet like "Am F | C/E G7", a bar between bar lines, repeated to the end (plan/lead_sheet.py).
            A cadence writes the last chord.

    Picture and dials:
        ensemble: one of ENSEMBLES; None takes the one that `instruments` make, or else one that fits the picture.
        style: one of STYLES (music/styles.py), like "waltz"; None takes that of music with like dials.
        dials: values in -1..1 by name (see music/dials.py) that replace the picture's.
        size: side in pixels at which the encoder reads the picture, 32 to 1024; None takes that of training.
        guidance_scale: classifier-free guidance, 0 to 10; 1 is off, higher follows the condition more closely.
        feedback: gain of the controller that holds a piece to its dials while it is generated, 0 (off) to 5.

    Repetition:
        repetition_bonus: nats that a phrase gains for repeating the one that it answers (AABA), 0 (off) to 5.
        repetition_guard: lower the logit of a pitch that a part has repeated too often.
        repetition_share: share of a part's last 32 notes that one pitch may have before that.

    Form:
        form: "auto" plans which bars come back, "free" does not; or letters such as "AABA" and "A A' B A" (four bars
            each, a prime for a varied repeat), which are kept.
        plan: form and chords of every bar, a `Plan` (plan/plan.py) or its JSON, as a record has them; kept.
        ending: "cadence" (dominant, then the tonic on the last downbeat), "fade", or "open" (the music just stops);
            None takes a cadence where the length holds one.
        ritardando: slow down into a cadence.  An exact tempo is kept until the last four beats.
        playable: keep every part within its instrument's range (unless `pitch_range` is given), winds to one note at a
            time, and hands to a tenth.
        takes: pieces that are generated side by side, 1 to 16; the best is kept.
        rules: version of the rules of texture, openings and drums; 1 is that of imagemusic 0.1.

    Sampling:
        seed: of the random numbers, 0 or more.
        variation: 1 or more; another piece for the same picture and seed.
        temperature: 0.05 to 5; lower is safer, higher is stranger.
        rhythm_temperature: times the temperature, for when notes start, who plays them and how long they last: a
            figure holds where pitches may vary.
        top_p: share of probability, above 0 to 1, of the values that are kept.
        sampler: "nucleus" keeps the likeliest values, "typical" those nearest to the mean surprise.
        temperatures, top_ps: the same for single fields of an event (FIELDS), where they differ.

    Raises:
        ConfigError: a value is out of range, unknown, or contradicts another; the message names it.
    """

    # Length.
    seconds: float = DEFAULT_SECONDS
    bars: int | None = None
    # Constraints.
    key: str | None = None
    meter: str | None = None
    tempo_bpm: float | None = None
    instruments: str | Sequence[str | int] | None = None
    pitch_range: str | Sequence[str | int] | None = None
    polyphony: int | None = None
    chords: str | None = None
    # Picture and dials.
    ensemble: str | None = None
    style: str | None = None
    dials: Mapping[str, float] = field(default_factory=dict)
    size: int | None = None
    guidance_scale: float = 2.0
    feedback: float = 1.5
    # Repetition.
    repetition_bonus: float = 0.0
    repetition_guard: bool = True
    repetition_share: float = 0.4
    # Form.
    form: str = "auto"
    plan: Mapping[str, Any] | Plan | None = None
    ending: str | None = None
    ritardando: bool = True
    playable: bool = True
    takes: int = 2
    rules: int = 2
    # Sampling.
    seed: int = 0
    variation: int = 1
    temperature: float = 0.9
    rhythm_temperature: float = 0.8
    top_p: float = 0.9
    sampler: str = "nucleus"
    temperatures: Mapping[str, float] = field(default_factory=dict)
    top_ps: Mapping[str, float] = field(default_factory=dict)
    # Views, made from the fields above.
    sampling: SamplingOptions = field(init=False, repr=False, compare=False)
    constraints: Constraints = field(init=False, repr=False, compare=False)
    planned: Plan | None = field(init=False, repr=False, compare=False)
    chord_bars: tuple[tuple[Chord, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sampling", self._view(SamplingOptions))
        check("feedback", self.feedback, 0, 5)
        check("repetition_bonus", self.repetition_bonus, 0, 5)
        if not isinstance(self.repetition_guard, bool):
            raise ConfigError(f"repetition_guard must be True or False, got {self.repetition_guard!r}")
        check("repetition_share", self.repetition_share, 0, 1, above=True)
        self._check_form()
        object.__setattr__(self, "planned", self._read_plan())
        object.__setattr__(self, "constraints", self._view(Constraints))
        for name in ("key", "meter", "instruments", "pitch_range"):  # in their standard spelling
            object.__setattr__(self, name, getattr(self.constraints, name))
        self._check_chords()
        self._check_dials()
        self._check_length()
        if self.size is not None:
            check_whole("size", self.size)
            check("size", self.size, *PICTURE_SIZE)
        check_whole("seed", self.seed)
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must be 0 or more and below 2**63, got {self.seed}")
        check_whole("variation", self.variation)
        if self.variation < 1:
            raise ConfigError(f"variation must be 1 or more, got {self.variation}")

    def _view(self, kind: type[Any]) -> Any:
        return kind(**{option.name: getattr(self, option.name) for option in fields(kind)})

    def _read_plan(self) -> Plan | None:
        """Read the plan; it sets the bars and the meter.

        Raises:
            ConfigError: it is damaged, or contradicts another option.
        """
        if self.plan is None:
            return None
        plan = self.plan if isinstance(self.plan, Plan) else Plan.from_json(self.plan)
        for name, value, free in (("chords", self.chords, None), ("form", self.form, "auto")):
            if value != free:
                raise ConfigError(f"plan: it has {name} of its own; leave out {name} {value!r}, or the plan")
        meter = "/".join(map(str, plan.meter))
        if self.bars not in (None, len(plan)):
            raise ConfigError(f"plan: it has {len(plan)} bars, {self.bars} were asked for; leave out one of the two")
        if self.meter not in (None, meter):
            raise ConfigError(f"plan: it is in {meter}, {self.meter} was asked for; leave out one of the two")
        if self.seconds != DEFAULT_SECONDS:
            raise ConfigError(f"plan: its {len(plan)} bars say how long; leave out {self.seconds:g} seconds")
        object.__setattr__(self, "plan", plan.to_json())
        object.__setattr__(self, "bars", len(plan))
        object.__setattr__(self, "meter", meter)
        return plan

    def _check_chords(self) -> None:
        """Read the chords; refuse some that the key or the range does not hold."""
        if self.chords is not None and not isinstance(self.chords, str):
            raise ConfigError(f"chords must be a text like 'Am F | C G', got {self.chords!r}")
        bars = parse_lead_sheet(self.chords) if self.chords is not None else ()
        if bars:
            object.__setattr__(self, "chords", write_lead_sheet(bars))
        if self.planned is not None:
            bars = self.planned.chords
        object.__setattr__(self, "chord_bars", bars)
        constraints = self.constraints
        check_chords(bars, constraints.scale, {pitch % 12 for pitch in constraints.pitches}, self.pitch_range)

    def _check_dials(self) -> None:
        check_names("dials", self.dials, "dial", DIALS)
        for name, value in self.dials.items():
            check(f"dial {name}", value, -1, 1)
        for dial, constraint in DECIDED_BY.items():
            if dial in self.dials and (exact := getattr(self, constraint)) is not None:
                raise ConfigError(f"dial {dial}: {constraint} {exact} decides it; leave out one of the two")
        if self.ensemble is not None and self.ensemble not in ENSEMBLES:
            raise ConfigError(f"unknown ensemble {self.ensemble!r}; choose from {', '.join(ENSEMBLES)}")
        if self.style is not None and self.style not in STYLES:
            raise ConfigError(f"unknown style {self.style!r}; choose from {', '.join(STYLES)}")
        inferred = self.constraints.inferred_ensemble
        if self.ensemble is not None and inferred not in (None, self.ensemble):
            raise ConfigError(
                f"ensemble {self.ensemble}: {', '.join(map(str, self.instruments or ()))} make {inferred}; "
                "leave out one of the two"
            )

    def _check_form(self) -> None:
        if not isinstance(self.form, str):
            raise ConfigError(f"form must be {', '.join(FORMS)} or letters, got {self.form!r}")
        if self.form not in FORMS:
            object.__setattr__(self, "form", " ".join(parse_form(self.form)))
        if self.ending not in (None, *ENDINGS):
            raise ConfigError(f"unknown ending {self.ending!r}; choose from {', '.join(ENDINGS)}")
        for name in ("ritardando", "playable"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be True or False, got {getattr(self, name)!r}")
        check_whole("takes", self.takes)
        check("takes", self.takes, *TAKES)
        if self.rules not in RULES:
            raise ConfigError(f"rules must be one of {', '.join(map(str, RULES))}, got {self.rules!r}")

    def _check_length(self) -> None:
        """Refuse an ending or a form that the bars, or the players, do not hold."""
        if self.ending == "cadence" and self.requested_ensemble == "drums":
            raise ConfigError("ending cadence: drums alone play no harmony; choose fade or open")
        if self.bars is not None:
            lengths = [bar_ticks(meter) for meter in self.constraints.meters]
            misfits = [self.misfit(self.bars * bar, bar) for bar in lengths]
            if all(misfits):
                raise ConfigError(misfits[0] or "")

    def misfit(self, end: int, bar: int) -> str | None:
        """Return why a piece of `end` ticks, `bar` ticks a bar, cannot hold what was asked for; None where it does."""
        bars = -(-end // bar)
        if self.form not in FORMS:
            phrases = len(self.form.split())
            if bars < (needed := phrases * PHRASE_BARS):
                return (
                    f"form {self.form}: {phrases} phrases of {PHRASE_BARS} bars need {needed} bars, not {bars}; "
                    "make the piece longer or leave out letters"
                )
        if self.ending == "cadence" and final_downbeat(0, bar, end) is None:
            return f"ending cadence: {bars} bars cannot hold one; make the piece longer or choose fade or open"
        return None

    @property
    def ending_used(self) -> str:
        """The ending, a cadence where none was asked for."""
        return self.ending or "cadence"

    @property
    def notice(self) -> str | None:
        """What to know of the ending that was asked for: its chord, where the mode has none on its fifth degree."""
        scale = self.constraints.scale
        if self.ending != "cadence" or scale is None or not (chord := substitute_for_dominant(scale)):
            return None
        return f"ending cadence: {scale} has no chord on its fifth degree; {chord} takes its place"

    @property
    def requested_ensemble(self) -> str | None:
        """The ensemble that was asked for, by its name or by its instruments."""
        return self.ensemble or self.constraints.inferred_ensemble

    def to_json(self) -> dict[str, Any]:
        """Return the options as plain values, by name."""
        return {option.name: getattr(self, option.name) for option in fields(self) if option.init}


def parse_dials(settings: Iterable[str]) -> dict[str, float]:
    """Read dials that are written as `arousal=0.8`; the last one counts where a dial is set twice.

    Raises:
        ConfigError: one is not a name and a number.
    """
    dials = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            dials[name.strip()] = float(value)
        except ValueError as error:
            raise ConfigError(f"dial {setting!r} is not a name and a number, such as arousal=0.8") from error
    return dials
