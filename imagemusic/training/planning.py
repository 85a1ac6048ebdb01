"""Train the planner: a small LSTM over bars, started by dials and ensemble, that writes the plan of a piece.

    prepared set ─ analyse ─► bars of each piece ─► PlannerNet ─► planner.safetensors (float16), planner.json

The net is the one of plan/network.py in torch; test_planning.py shows that both give the same numbers.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.events.quantize import TICKS_PER_BEAT
from imagemusic.events.vocabulary import DRUMS, DURATION, MAX_DURATION, PART, PITCH, SLOT, SLOTS
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.music.dials import DIALS, IMAGE_DIALS, as_row
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.harmony import key_of
from imagemusic.plan.analysis import analyse
from imagemusic.plan.chords import CHORDS
from imagemusic.plan.features import DISTANCES, FARTHEST, FIELDS, READ, Bars, bars_of_piece, read_all, written
from imagemusic.plan.network import IMPOSSIBLE, POINTER, TABLES, WIDTHS, Network, PlannerConfig

EXCLUDED = ("pianolatron", "groove-midi")  # no beats, or drums alone
FEWEST_BARS, MOST_BARS = 8, 320
UNIFORM_SD = 1 / np.sqrt(3)  # standard deviation of dials, which are uniform in -1..1
DROP_CONDITION, DROP_ENSEMBLE, FROM_PICTURE = 0.1, 0.2, 0.5  # shares of the pieces


class Example(NamedTuple):
    """A piece as the net takes it."""

    read: Tensor  # (B, columns) int64
    numbers: Tensor  # (B, NUMBERS)
    written: Tensor  # (B, 4) int64
    answered: Tensor  # (B, 2) int64
    minor: int
    dials: NDArray[np.float64]  # (D,)
    ensemble: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningOptions:
    """How the planner is trained."""

    epochs: int = 20
    batch: int = 32
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    dropout: float = 0.25
    seconds: float = 540.0  # no epoch begins later
    seed: int = 0


class PlannerNet(nn.Module):
    """The planner with gradients; the names of its weights are those of `Planner.weights`."""

    def __init__(self, config: PlannerConfig, dropout: float = 0.0) -> None:
        """Make random weights."""
        super().__init__()
        self.config, self.dropout = config, dropout
        hidden, head = config.hidden, config.head
        for name, width in WIDTHS.items():
            size = CHORDS + 1 if name == "chord" else READ[name]
            self.register_parameter(f"embed_{name}", nn.Parameter(torch.randn(size, width) * 0.1))
        self.condition = nn.Linear(config.condition_size, config.condition_hidden)
        self.start = nn.Linear(config.condition_hidden, 2 * hidden)
        self.mode = nn.Linear(config.condition_hidden, 1)
        self.cell = nn.LSTM(config.input_size, hidden, batch_first=True)
        self.kind = nn.Linear(hidden, 3)
        self.distance_in, self.distance_out = nn.Linear(hidden + WIDTHS["kind"], head), nn.Linear(head, DISTANCES)
        chord, kinds = WIDTHS["chord"], WIDTHS["kind"]
        self.query, self.key = nn.Linear(hidden + kinds, POINTER), nn.Linear(hidden + kinds + chord, POINTER)
        self.first_in = nn.Linear(hidden + WIDTHS["kind"] + 2 * chord, head)
        self.second_in = nn.Linear(hidden + WIDTHS["kind"] + 3 * chord, head)
        self.first_out, self.second_out = nn.Linear(head, CHORDS), nn.Linear(head, CHORDS)
        # By kind: how much likelier the distance of the bar before, the answered bar's chords, and the first chord are.
        self.same_distance = nn.Parameter(torch.zeros(3))
        self.copy_first, self.copy_second = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
        self.stay = nn.Parameter(torch.zeros(3))

    def chord(self, chords: Tensor) -> Tensor:
        """Look chords up."""
        return functional.embedding(chords, self.get_parameter("embed_chord"))

    def losses(
        self, read: Tensor, numbers: Tensor, target: Tensor, answered: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return nats of each field (P, B, 4) of P pieces, 0 for distances of new bars, and logits (P,) of minor."""
        code = torch.tanh(self.condition(condition))
        state = torch.tanh(self.start(code)).chunk(2, dim=-1)
        embedded = []
        for column, table in enumerate(TABLES.values()):
            embedded.append(functional.embedding(read[..., column], self.get_parameter(f"embed_{table}")))
        repeated = code[:, None].expand(-1, read.shape[1], -1)
        inputs = functional.dropout(torch.cat([*embedded, numbers, repeated], dim=-1), self.dropout, self.training)
        output, _ = self.cell(inputs, tuple(part[None].contiguous() for part in state))
        output = functional.dropout(output, self.dropout, self.training)
        kind, distance, first, second = target.unbind(-1)
        of_kind = functional.embedding(kind, self.get_parameter("embed_kind"))
        distances = self.distance_out(torch.tanh(self.distance_in(torch.cat([output, of_kind], dim=-1))))
        before = read[..., list(READ).index("distance")].clamp(max=DISTANCES - 1)
        distances = _raised(distances, before, self.same_distance[kind]) + self._pointers(output, of_kind, first)
        sources = [self.chord(answered[..., 0]), self.chord(answered[..., 1])]
        firsts = self.first_out(torch.tanh(self.first_in(torch.cat([output, of_kind, *sources], dim=-1))))
        firsts = _raised(firsts, answered[..., 0], self.copy_first[kind])
        inside = torch.cat([output, of_kind, self.chord(first), *sources], dim=-1)
        seconds = self.second_out(torch.tanh(self.second_in(inside)))
        seconds = _raised(seconds, answered[..., 1], self.copy_second[kind])
        seconds = _raised(seconds, first, self.stay[kind])
        nats = [
            functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").view_as(kind)
            for logits, wanted in ((self.kind(output), kind), (distances, distance), (firsts, first), (seconds, second))
        ]
        nats[1] = nats[1].masked_fill(kind == 0, 0.0)
        return torch.stack(nats, dim=-1), self.mode(code)[:, 0]

    def _pointers(self, output: Tensor, of_kind: Tensor, first: Tensor) -> Tensor:
        """Score the bars of each distance (P, B, DISTANCES) by query and key; IMPOSSIBLE where there is none."""
        query = self.query(torch.cat([output, of_kind], dim=-1))
        key = self.key(torch.cat([output, of_kind, self.chord(first)], dim=-1))
        scores = query @ key.transpose(1, 2) / POINTER**0.5
        number, distance = torch.arange(output.shape[1])[:, None], torch.arange(DISTANCES)
        source = (number - distance).clamp(min=0).expand(len(output), -1, -1)
        found = scores.gather(2, source) * (distance <= FARTHEST)
        return found.masked_fill((distance == 0) | (distance > number), IMPOSSIBLE)


def _raised(logits: Tensor, index: Tensor, by: Tensor) -> Tensor:
    """Add `by` (...) to the logit of `index` (...) where it is one of them."""
    inside = index < logits.shape[-1]
    return logits.scatter_add(-1, (index * inside)[..., None], (by * inside)[..., None])


def read_examples(
    prepared: PreparedSet, pieces: Sequence[PreparedPiece], report: Callable[[str], None] = lambda line: None
) -> list[Example]:
    """Analyse the pieces that can be planned: metrical, of FEWEST_BARS at least; of long ones the first MOST_BARS."""
    chosen = [piece for piece in pieces if piece.metrical and piece.corpus not in EXCLUDED]
    examples = []
    for number, piece in enumerate(chosen):
        bars = bars_of_events(prepared.events(piece))
        if len(bars.kinds) >= FEWEST_BARS:
            dials = prepared.scale.table(as_row(piece.cues))
            examples.append(example_of(bars, dials, ENSEMBLES.index(piece.ensemble)))
        if number % 1000 == 999:
            report(f"{number + 1} of {len(chosen)} pieces analysed")
    return examples


def bars_of_events(events: NDArray[np.integer]) -> Bars:
    """Analyse events (N, 5), in the key of the whole piece."""
    parts = events[:, PART]
    programs = np.append(events[parts == SLOT, PITCH], [DRUMS] * SLOTS)[:SLOTS]
    pitched = (parts < SLOTS) & (programs[np.minimum(parts, SLOTS - 1)] != DRUMS)
    length = np.minimum(events[pitched, DURATION].astype(np.int64) + 1, MAX_DURATION) / TICKS_PER_BEAT
    key = key_of(events[pitched, PITCH].astype(np.int64), length)
    return bars_of_piece(analyse(events), key.tonic, key.minor)


def example_of(bars: Bars, dials: NDArray[np.float64], ensemble: int) -> Example:
    """Lay out a piece, its dials (D,) and the index of its ensemble."""
    read, numbers = read_all(bars)
    fields, answered = written(bars)
    one, two, three, four = (torch.from_numpy(table[:MOST_BARS]) for table in (read, numbers, fields, answered))
    return Example(one, two, three, four, int(bars.minor), dials, ensemble)


def conditions_of(
    examples: Sequence[Example], layout: ConditionLayout, rng: np.random.Generator | None
) -> NDArray[np.float32]:
    """Return conditions (P, C) without the embedding: as of pictures and requests, or exact without a generator."""
    dials = np.array([example.dials for example in examples])
    ensemble = np.array([example.ensemble for example in examples])
    deviations = np.zeros_like(dials)
    if rng is not None:
        count = len(examples)
        correlation = rng.uniform(0.1, 0.95, dials.shape)
        left = np.sqrt(1 - correlation**2) * UNIFORM_SD
        of_picture = (rng.random(count) < FROM_PICTURE)[:, None] & np.isin(DIALS, IMAGE_DIALS)
        noisy = correlation * dials + left * rng.standard_normal(dials.shape)
        dials, deviations = np.where(of_picture, noisy, dials), np.where(of_picture, left, 0)
        dials = np.where(rng.random(dials.shape) < np.where(of_picture, 0.9, rng.random((count, 1))), dials, np.nan)
        dropped = rng.random(count) < DROP_CONDITION
        dials[dropped] = np.nan
        ensemble = np.where(dropped | (rng.random(count) < DROP_ENSEMBLE), -1, ensemble)
    return layout.pack(None, dials, ensemble, deviations)[:, layout.embedding_size + 1 :]


def _batch(examples: Sequence[Example]) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Pad the tables of P pieces to (P, B, ...); also return which bars are there (P, B)."""
    read, numbers, fields, answered = zip(*(example[:4] for example in examples), strict=True)
    lengths = torch.tensor([len(table) for table in read])
    there = torch.arange(int(lengths.max())) < lengths[:, None]
    return (_padded(read), _padded(numbers), _padded(fields), _padded(answered)), there


def _padded(tables: Sequence[Tensor]) -> Tensor:
    return nn.utils.rnn.pad_sequence(list(tables), batch_first=True)


def planning_layout() -> ConditionLayout:
    """Return the layout whose end, from the dials on, is what the planner reads."""
    return ConditionLayout(embedding_size=1, dials=DIALS, ensembles=ENSEMBLES)


def train(
    examples: Sequence[Example],
    held_out: Sequence[Example],
    config: PlannerConfig,
    options: PlanningOptions,
    report: Callable[[str], None] = print,
) -> PlannerNet:
    """Train a net, a cosine of the learning rate over the epochs; keep the best epoch on `held_out`."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    net, layout = PlannerNet(config, options.dropout), planning_layout()
    optimiser = torch.optim.AdamW(net.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    steps = options.epochs * -(-len(examples) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.learning_rate, total_steps=steps, pct_start=0.05)
    best, kept, began = float("inf"), net.state_dict(), time.monotonic()
    for epoch in range(options.epochs):
        if time.monotonic() - began > options.seconds:
            break
        # Pieces of about one length together; the batches in random order.
        order = np.argsort([len(example.read) * rng.uniform(0.8, 1.25) for example in examples])
        batches = np.array_split(order, steps // options.epochs)
        net.train()
        for number in rng.permutation(len(batches)):
            chosen = [examples[index] for index in batches[number]]
            tables, there = _batch(chosen)
            condition = torch.from_numpy(conditions_of(chosen, layout, rng))
            nats, minor = net.losses(*tables, condition)
            wanted = torch.tensor([float(example.minor) for example in chosen])
            loss = nats[there].sum(dim=-1).mean()
            loss = loss + 0.1 * functional.binary_cross_entropy_with_logits(minor, wanted)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        found = nats_per_field(net, held_out)
        figures = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        report(f"epoch {epoch + 1}, {time.monotonic() - began:.0f} s: {figures} nats a bar")
        if sum(found.values()) < best:
            best, kept = sum(found.values()), {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(kept)
    return net.eval()


@torch.no_grad()
def nats_per_field(net: PlannerNet, examples: Sequence[Example]) -> dict[str, float]:
    """Return mean nats a bar of each field; dials and ensemble are given."""
    net.eval()
    layout, total, bars = planning_layout(), torch.zeros(len(FIELDS)), 0
    for start in range(0, len(examples), 64):
        chosen = examples[start : start + 64]
        tables, there = _batch(chosen)
        nats, _ = net.losses(*tables, torch.from_numpy(conditions_of(chosen, layout, None)))
        total += nats[there].sum(dim=0)
        bars += int(there.sum())
    return dict(zip(FIELDS, (total / max(bars, 1)).tolist(), strict=True))


def network_of(net: PlannerNet) -> Network:
    """Return the planner in numpy, its weights rounded to float16 as they are saved."""
    return Network(net.config, {name: value.numpy().astype(np.float16) for name, value in net.state_dict().items()})
