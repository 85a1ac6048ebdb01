"""The sizes of one step of the LSTM, and the files of its graphs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagemusic.events.vocabulary import FIELDS

STEP, STEP_INT8 = "step.onnx", "step_int8.onnx"  # in a checkpoint; step_graph.py writes them


@dataclass(frozen=True, slots=True)
class StepShape:
    """The sizes of a step."""

    layers: int
    hidden_size: int
    heads_size: int  # length of the input that all heads share, 5K
    residual: bool = False  # see residual.py

    @property
    def input_size(self) -> int:
        """Length of a step's input: the gates of the first layer, and its part of the residual stream if any."""
        return (5 if self.residual else 4) * self.hidden_size

    @property
    def states(self) -> list[str]:
        """Name the inputs that hold the state: hidden and cell of each layer in turn."""
        return [f"{kind}_{layer}" for layer in range(self.layers) for kind in ("hidden", "cell")]

    @classmethod
    def of(cls, decoder: Mapping[str, Any]) -> "StepShape":
        """Read the table `decoder` of config.json."""
        heads_size = len(FIELDS) * decoder["head_size"]
        residual = decoder.get("residual", False)
        return cls(decoder["layers"], decoder["hidden_size"], heads_size, residual)

    def weights(self) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every weight of a step, as the decoder stores them."""
        gates, hidden = 4 * self.hidden_size, self.hidden_size
        found: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            found[f"lstm.weight_hh_l{layer}"] = (gates, hidden)
            if layer:
                found[f"lstm.weight_ih_l{layer}"] = (gates, hidden)
                found[f"lstm.bias_ih_l{layer}"] = found[f"lstm.bias_hh_l{layer}"] = (gates,)
            if self.residual:
                found[f"lstm.norms.{layer}.weight"] = found[f"lstm.norms.{layer}.bias"] = (hidden,)
                if layer:  # that of the first layer is applied to the input
                    found[f"lstm.gains.{layer}"] = (hidden,)
        return found | {"to_heads.weight": (self.heads_size, hidden), "to_heads.bias": (self.heads_size,)}
