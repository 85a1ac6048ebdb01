"""Inspect a decoder's layers: probes, selective units, gates and memory, as plain figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagemusic.checkpoint import Checkpoint
from imagemusic.errors import ConfigError
from imagemusic.evaluation.intervals import mean_of, plain
from imagemusic.events import codec
from imagemusic.executors import Progress
from imagemusic.model.decoder import NoteDecoder
from imagemusic.music.score import Score
from imagemusic.research.inspection.excerpts import TARGETS, Excerpt, columns, label
from imagemusic.research.inspection.memory import by_note, divergences, gradients
from imagemusic.research.inspection.probes import Probe, Steps, probe_classes, probe_numbers, split
from imagemusic.research.inspection.tracing import GATES, Trace, trace
from imagemusic.research.inspection.units import Unit, highest_activations, most_selective, passage
from imagemusic.training.evaluation import to_tensors
from imagemusic.training.loading import load_decoder

Figures = dict[str, Any]
Tables = tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]  # read, events, weights: (P, T) each

HALF_LIVES = {"a tenth of the units": 0.1, "half": 0.5, "nine tenths": 0.9, "all but one in a hundred": 0.99}
NOTE_BANDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
STARTS = {
    "another start": "initial state of another piece's condition, the same condition at every step",
    "no start": "initial state of the null condition, the same condition at every step",
    "another condition": "another piece's condition in the initial state and at every step",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectOptions:
    """How much music is read.

    Raises:
        ConfigError: a value is out of range.
    """

    pieces: int = 100
    events: int = 256  # of each piece, at most
    seed: int = 0  # of the choice and transposition of pieces, and of the split

    def __post_init__(self) -> None:
        if self.pieces < 10 or not 32 <= self.events <= 4096:
            raise ConfigError(f"pieces must be 10 or more and events in 32..4096, got {self.pieces} and {self.events}")
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or more, got {self.seed}")


@dataclass(frozen=True, slots=True, eq=False)
class SelectiveUnit:
    """The unit that depends most on a target, with the passages before its strongest activations."""

    target: str  # a key of TARGETS
    unit: Unit
    passages: tuple[Score, ...]


def inspect(
    checkpoint: Checkpoint,
    excerpts: Sequence[Excerpt],
    options: InspectOptions,
    progress: Progress = lambda done, message: None,
) -> tuple[Figures, list[SelectiveUnit]]:
    """Measure every layer of a checkpoint's decoder while it reads excerpts; return the figures and the units.

    Raises:
        DataError: all excerpts are of one group, so they cannot be split.
    """
    decoder = load_decoder(checkpoint)
    before, target, weights = columns(excerpts)
    counts = weights["gap"] > 0
    counts[:, 0] = False  # nothing has been read yet
    length = counts.shape[1]
    groups = [excerpt.group for excerpt in excerpts]
    steps = split(groups, counts, options.seed)
    labels = {name: np.stack([label(excerpt, length)[name] for excerpt in excerpts]) for name in TARGETS}
    dials = np.stack([excerpt.dials(checkpoint.scale) for excerpt in excerpts])

    progress(0.05, "reading")
    # With the null condition, a layer's information comes from the events alone.
    null_condition = torch.zeros(len(excerpts), decoder.config.condition_size)
    read = to_tensors(before)
    traced = trace(decoder, read, null_condition, counts)
    figures: Figures = {
        "checkpoint": checkpoint.id, "pieces": len(excerpts), "events": int(counts.sum()),
        "layers": decoder.config.layers, "hidden_size": decoder.config.hidden_size,
    }  # fmt: skip
    progress(0.4, "probing")
    figures["probes"] = _probe(traced, labels, dials, checkpoint.layout.dials, steps, groups)
    progress(0.7, "choosing units")
    units = _find_units(traced, labels, steps, excerpts)
    figures["units"] = {one.target: _unit_figures(one.unit) for one in units}
    figures["gates"] = _gates(traced)
    progress(0.8, "measuring memory")
    conditions = _conditions(checkpoint, excerpts, dials)
    tables = (read, to_tensors(target), to_tensors(weights))
    figures["first_state"] = _first_state(decoder, tables, conditions, target["part"], counts, groups)
    figures["gradients"] = _gradients(decoder, tables, conditions, counts, groups)
    return figures, units


def _probe(
    traced: Trace,
    labels: dict[str, NDArray[np.int64]],
    dials: NDArray[np.float64],
    names: Sequence[str],
    steps: Steps,
    groups: Sequence[str],
) -> Figures:
    """Probe the input and every layer for all targets and dials."""
    found: Figures = {"classes": {}, "dials": {}}
    layers = {"input": traced.inputs} | {f"layer {n + 1}": states for n, states in enumerate(traced.hidden)}
    for place, features in layers.items():
        for name, values in labels.items():
            probe = probe_classes(features, values, steps, groups)
            found["classes"].setdefault(name, {})[place] = _plain(probe)
        for column, name in enumerate(names):
            probe = probe_numbers(features, dials[:, column], steps, groups)
            found["dials"].setdefault(name, {})[place] = _plain(probe)
    return found


def _plain(probe: Probe | None) -> Figures | None:
    return None if probe is None else probe.score.to_json() | {"chance": plain(probe.chance)}


def _find_units(
    traced: Trace, labels: dict[str, NDArray[np.int64]], steps: Steps, excerpts: Sequence[Excerpt]
) -> list[SelectiveUnit]:
    units = []
    for name, values in labels.items():
        unit = most_selective(traced.hidden, values, steps, len(TARGETS[name]))
        if unit is not None:
            activation = traced.hidden[unit.layer, :, :, unit.number]
            found = highest_activations(unit.direction * activation, steps.train | steps.test)
            units.append(SelectiveUnit(name, unit, tuple(passage(excerpts[piece], step) for piece, step in found)))
    return units


def _unit_figures(unit: Unit) -> Figures:
    means = [plain(value) for value in unit.by_class.tolist()]
    return {"layer": unit.layer + 1, "unit": unit.number, "told": plain(unit.explained), "by_class": means}


def _gates(traced: Trace) -> Figures:
    """Summarise the gates of each layer; a unit's half-life is log 2 / -log f events, f being its mean forget gate."""
    found: Figures = {}
    for layer, gates in enumerate(traced.gates):
        half_lives = np.log(2) / -np.log(np.clip(gates[GATES.index("forget")].astype(np.float64), 1e-6, 1 - 1e-6))
        found[f"layer {layer + 1}"] = {
            name: {
                "mean": plain(gates[number].mean()), "shut": plain(traced.shut[layer, number]),
                "open": plain(traced.open[layer, number]),
                "histogram": (np.histogram(gates[number], bins=40, range=(0, 1))[0] / gates.shape[1]).tolist(),
            }
            for number, name in enumerate(GATES)
        } | {"half_life_events": {
            words: plain(np.quantile(half_lives, share)) for words, share in HALF_LIVES.items()
        }}  # fmt: skip
    return found


def _conditions(checkpoint: Checkpoint, excerpts: Sequence[Excerpt], dials: NDArray[np.float64]) -> Tensor:
    """Return the condition (P, C) of each piece's own dials and ensemble, without a picture."""
    layout = checkpoint.layout
    rows = [
        layout.vector(
            None,
            {name: None if np.isnan(value) else float(value) for name, value in zip(layout.dials, row, strict=True)},
            excerpt.ensemble if excerpt.ensemble in layout.ensembles else None,
        )
        for excerpt, row in zip(excerpts, dials, strict=True)
    ]
    return torch.from_numpy(np.stack(rows))


def _first_state(
    decoder: NoteDecoder, tables: Tables, conditions: Tensor, part: NDArray[np.int64],
    counts: NDArray[np.bool_], groups: Sequence[str],
) -> Figures:  # fmt: skip
    """Measure the divergence of predictions after another initial state, by number of note."""
    others = conditions.roll(1, 0)
    none = torch.zeros_like(conditions)
    changed = {
        "another start": (others, conditions),
        "no start": (none, conditions),
        "another condition": (others, others),
    }
    found: Figures = {"what": STARTS, "notes": [], "bits": {}}
    for name, differs in divergences(decoder, *tables, conditions, changed).items():
        gathered = by_note(differs, counts & (part < codec.SLOTS), NOTE_BANDS[-1])
        rows = []
        for low, high in zip(NOTE_BANDS, NOTE_BANDS[1:], strict=False):
            band = gathered[:, low - 1 : high - 1]
            pieces = np.flatnonzero(~np.isnan(band).all(1))
            if len(pieces):
                estimate = mean_of(np.nanmean(band[pieces], axis=1), [groups[piece] for piece in pieces.tolist()])
                rows.append({"from": low, "to": high - 1} | estimate.to_json())
        found["bits"][name] = rows
    return found


def _gradients(
    decoder: NoteDecoder, tables: Tables, conditions: Tensor, counts: NDArray[np.bool_],
    groups: Sequence[str],
) -> Figures:  # fmt: skip
    """Measure the gradient of a prediction's loss with respect to earlier inputs, by distance in events."""
    length = counts.shape[1]
    long = np.flatnonzero(counts[:, length - 1])  # pieces that fill the whole excerpt
    if not len(long):
        return {"pieces": 0, "share": []}
    before, target, weights = ({name: column[long] for name, column in table.items()} for table in tables)
    norms = gradients(decoder, before, target, weights, conditions[long], length - 1)
    shares = norms / norms[:, :1]
    distances = sorted({int(round(2**power)) for power in np.arange(0, np.log2(length - 1), 0.5)})
    names = [groups[piece] for piece in long.tolist()]
    rows = [{"distance": distance} | mean_of(shares[:, distance], names).to_json() for distance in distances]
    return {"pieces": len(long), "share": rows}
