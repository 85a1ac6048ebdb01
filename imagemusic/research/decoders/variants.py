"""The table of what is compared, and nets of about the same number of parameters.

decoders    other cores, heads, inputs and tokens; none is ever told a condition
conditions  ways to tell the plain LSTM a condition; `none` has the same net and is never told one
settings    ways to train the LSTM of the first table
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from imagemusic.model.decoder import NoteDecoder
from imagemusic.research.decoders.aims import AUXILIARY, CONTRAST, TellingDecoder
from imagemusic.research.decoders.bench import Bench
from imagemusic.research.decoders.conditions import ConcatenatedCondition, FiLMCondition
from imagemusic.research.decoders.nets import (
    FieldsAlone,
    FieldsAloneTransformer,
    GRUDecoder,
    IndependentHeads,
    MinLSTMDecoder,
    ResidualLSTMDecoder,
    TransformerDecoder,
)
from imagemusic.research.decoders.token_decoder import TokenDecoder
from imagemusic.training.batches import BatchOptions
from imagemusic.training.settings import DecoderOptions, decoder_config

WIDTHS = range(64, 1025, 8)
DROPOUT = 0.05
HEAD_SIZE = 160
SMALL_CONDITION = 8  # hidden size of a condition that is never given: it holds the first state and little else


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How a decoder is made, and in which table it stands."""

    group: str
    about: str
    net: type[NoteDecoder] | None = None  # for note events
    tokens: str = ""  # or the tokens that are spelled
    layers: int = 2
    told: bool = False  # is there a condition in training?
    every_step: bool = True
    shape: Mapping[str, bool] = field(default_factory=dict)  # what of its decoder differs
    dropout: float = DROPOUT
    rate: float = 1.0  # of learning, times that of all
    reads: Mapping[str, Any] = field(default_factory=dict)  # settings of its batches that differ
    aim: str = ""  # what it learns beside the notes; see aims.py

    @property
    def training(self) -> dict[str, Any]:
        """What of its training differs from that of all, for the record."""
        usual = {"dropout": DROPOUT, "rate": 1.0, "reads": {}}
        own = {"dropout": self.dropout, "rate": self.rate, "reads": dict(self.reads)}
        return {name: value for name, value in own.items() if value != usual[name]}

    def make(self, bench: Bench, width: int) -> nn.Module:
        """Make the net, `width` hidden units wide."""
        if self.net is None:
            return TokenDecoder(bench.tokens[self.tokens].size, width, self.layers, self.dropout)
        options = DecoderOptions(
            hidden_size=width, layers=self.layers, head_size=HEAD_SIZE, dropout=self.dropout,
            condition_hidden=256 if self.group == "conditions" else SMALL_CONDITION,
            condition_every_step=self.every_step, event_dropout=0.1 if self.group == "conditions" else 0.0,
            **{"residual": False, "condition_scales": False} | dict(self.shape),
        )  # fmt: skip
        return self.net(decoder_config(options, bench.layout))

    def batches(self, bench: Bench) -> BatchOptions:
        """How batches of note events are drawn: those of a twin differ in the condition alone."""
        if self.group != "conditions":
            return replace(bench.unconditional, **self.reads)
        return bench.told if self.told else replace(bench.told, drop_condition=1.0, piece_level=0.0, noisy=0.0)


def _decoder(about: str, net: type[NoteDecoder], layers: int = 2, **shape: bool) -> Variant:
    return Variant(group="decoders", about=about, net=net, layers=layers, shape=shape)


def _condition(
    about: str,
    net: type[NoteDecoder] = NoteDecoder,
    *,
    told: bool = True,
    every: bool = True,
    aim: str = "",
    **shape: bool,
) -> Variant:
    return Variant(group="conditions", about=about, net=net, told=told, every_step=every, shape=shape, aim=aim)


def _setting(about: str, *, dropout: float = DROPOUT, rate: float = 1.0, **reads: Any) -> Variant:
    return Variant(group="settings", about=about, net=NoteDecoder, dropout=dropout, rate=rate, reads=reads)


VARIANTS = {
    "lstm": _decoder("LSTM, a step a note, nested heads", NoteDecoder),
    "lstm-stream": _decoder("LSTM layers that add to a stream: ours", NoteDecoder, residual=True),
    "lstm-independent": _decoder("`lstm`, heads that are not told of each other", IndependentHeads),
    "lstm-fields": _decoder("`lstm` without what follows from the notes before", FieldsAlone),
    "gru": _decoder("GRU, else `lstm`", GRUDecoder),
    "lstm-residual": _decoder("the same, the first layer's input normed too, no gains", ResidualLSTMDecoder),
    "minlstm": _decoder("minLSTM, else `lstm`", MinLSTMDecoder, 3),
    "transformer": _decoder("causal Transformer, else `lstm`", TransformerDecoder, 4),
    "transformer-fields": _decoder("the same without what follows", FieldsAloneTransformer, 4),
    "remi": Variant(group="decoders", about="REMI tokens, plain LSTM", tokens="remi"),
    "remi-bpe": Variant(group="decoders", about="REMI tokens joined by BPE, plain LSTM", tokens="remi-bpe"),
    "none": _condition("never told: the unconditional twin", told=False),
    "initial": _condition("first state only", every=False),
    "add": _condition("first state, added to each step and head"),
    "film-heads": _condition("the same, and scales heads: ours", condition_scales=True),
    "film-heads-auxiliary": _condition(
        "... and its outputs are to tell the dials", TellingDecoder, aim=AUXILIARY, condition_scales=True
    ),
    "film-heads-contrast": _condition(
        "... and its notes are to tell whose condition was given", aim=CONTRAST, condition_scales=True
    ),
    "concatenate": _condition("first state, beside each step", ConcatenatedCondition),
    "film": _condition("first state, scales and shifts each step and head", FiLMCondition),
    "lstm-fresh": _setting("in training every window begins afresh: no state is carried over", drop_state=1.0),
    "lstm-long": _setting("windows of 512 rows, 4 at a time: gradients reach further back", window=512, batch_size=4),
    "lstm-one-key": _setting("no transposition", transpose=0),
    "lstm-even": _setting("every corpus read once an epoch", corpus_weights={}),
    "lstm-no-dropout": _setting("no dropout", dropout=0.0),
    "lstm-dropout-20": _setting("dropout 0.2", dropout=0.2),
    "lstm-rate-half": _setting("half the learning rate", rate=0.5),
    "lstm-rate-double": _setting("twice the learning rate", rate=2.0),
}


def parameters_of(net: nn.Module) -> int:
    """Count the numbers that a net learns."""
    return sum(parameter.numel() for parameter in net.parameters())


def fitting_width(make: Callable[[int], nn.Module], parameters: int) -> int:
    """Find the width that makes a net of about so many parameters; a wider one has more."""

    def count(width: int) -> int:
        with torch.device("meta"):
            return parameters_of(make(width))

    place = bisect_left(WIDTHS, parameters, key=count)
    return min(WIDTHS[max(place - 1, 0) : place + 1], key=lambda width: abs(count(width) - parameters))
