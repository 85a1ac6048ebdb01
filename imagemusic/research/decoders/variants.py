"""The variants that are compared, as nets of about the same number of parameters.

decoders    other cores, heads, inputs and tokens, all unconditional
conditions  ways to condition the plain LSTM; `none` is the same net, unconditional
settings    ways to train the LSTM of the first group
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from imagemusic.model.decoder import NoteDecoder
from imagemusic.research.decoders.auxiliary_losses import AUXILIARY, CONTRAST, DialPredictingDecoder
from imagemusic.research.decoders.benchmark import Benchmark
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
SMALL_CONDITION = 8  # hidden size of the condition of an unconditional net, which is always null


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How a decoder is made and trained, and the group that it is compared with."""

    group: str
    about: str
    net: type[NoteDecoder] | None = None  # for note events
    tokens: str = ""  # or the kind of tokens
    layers: int = 2
    conditioned: bool = False  # whether it is trained with conditions
    every_step: bool = True
    shape: Mapping[str, bool] = field(default_factory=dict)  # changes to `DecoderOptions`
    dropout: float = DROPOUT
    rate: float = 1.0  # of its learning rate to that of all
    batch_options: Mapping[str, Any] = field(default_factory=dict)  # changes to `BatchOptions`
    auxiliary: str = ""  # a loss beside that of the notes, see auxiliary_losses.py

    @property
    def training(self) -> dict[str, Any]:
        """Settings of training that differ from those of all, for the record."""
        usual = {"dropout": DROPOUT, "rate": 1.0, "reads": {}}
        own = {"dropout": self.dropout, "rate": self.rate, "reads": dict(self.batch_options)}
        return {name: value for name, value in own.items() if value != usual[name]}

    def make(self, benchmark: Benchmark, width: int) -> nn.Module:
        """Make the net with `width` hidden units."""
        if self.net is None:
            return TokenDecoder(benchmark.tokens[self.tokens].size, width, self.layers, self.dropout)
        options = DecoderOptions(
            hidden_size=width, layers=self.layers, head_size=HEAD_SIZE, dropout=self.dropout,
            condition_hidden=256 if self.group == "conditions" else SMALL_CONDITION,
            condition_every_step=self.every_step, event_dropout=0.1 if self.group == "conditions" else 0.0,
            **{"residual": False, "condition_scales": False} | dict(self.shape),
        )  # fmt: skip
        return self.net(decoder_config(options, benchmark.layout))

    def batches(self, benchmark: Benchmark) -> BatchOptions:
        """Return the batch options for note events; the unconditional baseline differs in the condition alone."""
        if self.group != "conditions":
            return replace(benchmark.unconditional, **self.batch_options)
        conditional = benchmark.conditional
        return conditional if self.conditioned else replace(conditional, drop_condition=1.0, piece_level=0.0, noisy=0.0)


def _decoder(about: str, net: type[NoteDecoder], layers: int = 2, **shape: bool) -> Variant:
    return Variant(group="decoders", about=about, net=net, layers=layers, shape=shape)


def _condition(
    about: str,
    net: type[NoteDecoder] = NoteDecoder,
    *,
    conditioned: bool = True,
    every: bool = True,
    auxiliary: str = "",
    **shape: bool,
) -> Variant:
    return Variant(
        group="conditions",
        about=about,
        net=net,
        conditioned=conditioned,
        every_step=every,
        shape=shape,
        auxiliary=auxiliary,
    )


def _setting(about: str, *, dropout: float = DROPOUT, rate: float = 1.0, **batch_options: Any) -> Variant:
    return Variant(
        group="settings", about=about, net=NoteDecoder, dropout=dropout, rate=rate, batch_options=batch_options
    )


VARIANTS = {
    "lstm": _decoder("LSTM, a step a note, nested heads", NoteDecoder),
    "lstm-stream": _decoder("residual LSTM: ours", NoteDecoder, residual=True),
    "lstm-independent": _decoder("`lstm`, independent heads", IndependentHeads),
    "lstm-fields": _decoder("`lstm` without context columns", FieldsAlone),
    "gru": _decoder("GRU, else `lstm`", GRUDecoder),
    "lstm-residual": _decoder("the same, LayerNorm on the first input too, no gains", ResidualLSTMDecoder),
    "minlstm": _decoder("minLSTM, else `lstm`", MinLSTMDecoder, 3),
    "transformer": _decoder("causal Transformer, else `lstm`", TransformerDecoder, 4),
    "transformer-fields": _decoder("the same without context columns", FieldsAloneTransformer, 4),
    "remi": Variant(group="decoders", about="REMI tokens, plain LSTM", tokens="remi"),
    "remi-bpe": Variant(group="decoders", about="REMI tokens joined by BPE, plain LSTM", tokens="remi-bpe"),
    "none": _condition("unconditional baseline", conditioned=False),
    "initial": _condition("first state only", every=False),
    "add": _condition("first state, added to each step and head"),
    "film-heads": _condition("the same, and FiLM on the heads: ours", condition_scales=True),
    "film-heads-auxiliary": _condition(
        "... with an auxiliary loss: predict the dials",
        DialPredictingDecoder,
        auxiliary=AUXILIARY,
        condition_scales=True,
    ),
    "film-heads-contrast": _condition(
        "... with a contrastive loss between conditions", auxiliary=CONTRAST, condition_scales=True
    ),
    "concatenate": _condition("first state, concatenated to each step", ConcatenatedCondition),
    "film": _condition("first state, FiLM on each step and head", FiLMCondition),
    "lstm-fresh": _setting("the state is reset at every window of training", drop_state=1.0),
    "lstm-long": _setting(
        "windows of 512 rows, batches of 4: longer truncated backpropagation", window=512, batch_size=4
    ),
    "lstm-one-key": _setting("no transposition", transpose=0),
    "lstm-even": _setting("every corpus read once an epoch", corpus_weights={}),
    "lstm-no-dropout": _setting("no dropout", dropout=0.0),
    "lstm-dropout-20": _setting("dropout 0.2", dropout=0.2),
    "lstm-rate-half": _setting("half the learning rate", rate=0.5),
    "lstm-rate-double": _setting("twice the learning rate", rate=2.0),
}


def parameters_of(net: nn.Module) -> int:
    """Count the parameters of a net."""
    return sum(parameter.numel() for parameter in net.parameters())


def fitting_width(make: Callable[[int], nn.Module], parameters: int) -> int:
    """Return the width in WIDTHS that gives a net closest to a number of parameters, which grows with the width."""

    def count(width: int) -> int:
        with torch.device("meta"):
            return parameters_of(make(width))

    place = bisect_left(WIDTHS, parameters, key=count)
    return min(WIDTHS[max(place - 1, 0) : place + 1], key=lambda width: abs(count(width) - parameters))
