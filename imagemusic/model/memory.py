"""How the decoder uses its memory: levels in the step, proposals in the heads, and a gated mixture with copies.

    p(value) = g_0 softmax(scores) + sum over pointers k of g_k [value is what pointer k proposes]

The gates g come from the input of the field's head and from the level of each proposal; a pointer that proposes nothing
has none.  See events/memory/pointers.py.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.events.memory.pointers import LEVELS, POINTERS
from imagemusic.events.vocabulary import FIELDS

FIRST_GATE = -4.0  # of a proposal, before training: the memory begins with little to say
LEAST = 1e-30  # probability


class MemoryHeads(nn.Module):
    """Weights that read the proposals of a memory."""

    def __init__(self, sizes: dict[str, int], hidden: int, head: int) -> None:
        """Make them for heads of inputs (..., head) and steps (..., hidden); they begin without effect."""
        super().__init__()
        count = len(POINTERS)
        self.step = nn.Embedding(count * LEVELS, hidden)
        self.proposals = nn.ModuleDict({name: nn.Embedding(sizes[name], head) for name in FIELDS})
        self.strengths = nn.Parameter(torch.zeros(len(FIELDS), count * LEVELS))
        self.gates = nn.ModuleDict({name: nn.Linear(head, 1 + count) for name in FIELDS})
        self.gate_levels = nn.Parameter(torch.full((len(FIELDS), count * LEVELS), FIRST_GATE))

    def reset(self) -> None:
        """Set weights that have no effect yet; called once the decoder has set its own."""
        for module in (self.step, *self.gates.values()):
            for parameter in module.parameters():
                nn.init.zeros_(parameter)

    def step_terms(self, levels: Tensor) -> Tensor:
        """Compute what levels (B, T, K), those of the gap, add to a step: (B, T, H)."""
        rows = _rows(levels)
        return functional.embedding_bag(rows.flatten(0, 1), self.step.weight, mode="sum").unflatten(0, rows.shape[:2])

    def head_terms(self, name: str, values: Tensor, levels: Tensor) -> Tensor:
        """Compute what proposals, values and levels (B, T, K), add to the input of a field's head: (B, T, head)."""
        known = levels > 0
        weights = self.strengths[FIELDS.index(name)][_rows(levels)] * known
        table = self.proposals[name]
        assert isinstance(table, nn.Embedding)
        index = torch.where(known, values, 0).long()
        return functional.embedding_bag(
            index.flatten(0, 1), table.weight, per_sample_weights=weights.flatten(0, 1), mode="sum"
        ).unflatten(0, index.shape[:2])

    def mix(self, name: str, hidden: Tensor, scores: Tensor, values: Tensor, levels: Tensor) -> Tensor:
        """Mix a field's scores (B, T, V) with its proposals, values and levels (B, T, K), into log-probabilities.

        hidden: (B, T, head), the input of the field's head.
        """
        known = levels > 0
        gates = self.gates[name](hidden)
        pointers = (gates[..., 1:] + self.gate_levels[FIELDS.index(name)][_rows(levels)]).masked_fill(
            ~known, -torch.inf
        )
        shares = torch.cat([gates[..., :1], pointers], dim=-1).float().softmax(-1)
        mixed = scores.float().softmax(-1) * shares[..., :1]
        mixed = mixed.scatter_add(-1, torch.where(known, values, 0).long(), shares[..., 1:])
        return mixed.clamp(min=LEAST).log()


def _rows(levels: Tensor) -> Tensor:
    """Return the row (..., K) of each pointer's level (..., K) in tables of all pointers' levels."""
    return levels.long() + torch.arange(len(POINTERS), device=levels.device) * LEVELS
