"""Notes a second of each decoder while it writes, like with like.

Every net writes the same held-out notes again, one step at a time: alone, with its state, in torch on one thread, fp32.
After each step every softmax is drawn from, as a composer would; then what the piece has is taken, so that all write
the same.  What is not the net is left out: grammar, masks, and keeping track of what follows from the notes.
"""

import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from imagemusic.data.prepared import PreparedPiece
from imagemusic.model.decoder import NoteDecoder
from imagemusic.research.decoders.bench import Bench
from imagemusic.research.decoders.token_decoder import TokenDecoder
from imagemusic.research.decoders.tokens import RemiTokens
from imagemusic.training.batches import window_columns
from imagemusic.training.evaluation import to_tensors

WARM_UP, ROWS = 20, 300


def notes_per_second(net: nn.Module, bench: Bench, piece: PreparedPiece, tokens: RemiTokens | None) -> float:
    """Measure a net on the first rows of a piece."""
    net.eval()
    # The kernels that nn.LSTM has for whole sequences pack its weights anew at each call.
    kernels = torch.backends.mkldnn.flags(enabled=False)
    # Torch warns of another flag that it sets along.
    with warnings.catch_warnings(action="ignore"), kernels, torch.inference_mode():
        if isinstance(net, NoteDecoder):
            return _per_second(_note_steps(net, bench, piece), ROWS)
        assert isinstance(net, TokenDecoder) and tokens is not None
        spelled = tokens.encode(bench.prepared.events(piece))
        steps = round(ROWS * len(spelled) / piece.rows)
        return _per_second(_token_steps(net, spelled.tolist(), tokens.start), steps) * piece.rows / len(spelled)


def _per_second(step: Callable[[int], None], count: int) -> float:
    for number in range(WARM_UP):
        step(number)
    begun = time.perf_counter()
    for number in range(WARM_UP, WARM_UP + count):
        step(number)
    return count / (time.perf_counter() - begun)


def _draw(scores: Tensor) -> None:
    scores.flatten().softmax(0).multinomial(1).item()


def _note_steps(net: NoteDecoder, bench: Bench, piece: PreparedPiece) -> Callable[[int], None]:
    rows = bench.prepared.rows[piece.start : piece.start + piece.rows]
    before, target, _ = (
        to_tensors({name: values[None] for name, values in part.items()})
        for part in window_columns(rows, piece.end, 0, WARM_UP + ROWS, hide_remaining=True)
    )
    condition = torch.zeros(1, net.config.condition_size)
    state = net.initial_state(condition)

    def step(number: int) -> None:
        nonlocal state
        now = slice(number, number + 1)
        heads, state = net({name: values[:, now] for name, values in before.items()}, condition, state)
        for scores in net.logits(heads, {name: values[:, now] for name, values in target.items()}).values():
            _draw(scores)

    return step


def _token_steps(net: TokenDecoder, spelled: list[int], start: int) -> Callable[[int], None]:
    before, state = [start, *spelled], net.initial_state(1)

    def step(number: int) -> None:
        nonlocal state
        scores, state = net(torch.tensor([[before[number]]]), state)
        _draw(scores)

    return step
