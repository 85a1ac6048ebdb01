"""Notes a second of each decoder in generation, under equal conditions.

Every net is run over the same held-out notes (teacher forcing), one step at a time: batch size 1, in torch on one
thread, fp32.  Each step also samples from every softmax, as generation does.  Grammar, masks and the computation of
context columns are left out.
"""

import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from imagemusic.data.prepared import PreparedPiece
from imagemusic.model.decoder import NoteDecoder
from imagemusic.research.decoders.benchmark import Benchmark
from imagemusic.research.decoders.token_decoder import TokenDecoder
from imagemusic.research.decoders.tokens import RemiTokens
from imagemusic.training.batches import window_columns
from imagemusic.training.evaluation import to_tensors

WARM_UP, ROWS = 20, 300


def notes_per_second(net: nn.Module, benchmark: Benchmark, piece: PreparedPiece, tokens: RemiTokens | None) -> float:
    """Measure the notes a second of a net on the first rows of a piece."""
    net.eval()
    # The oneDNN kernels of nn.LSTM repack the weights at each call.
    kernels = torch.backends.mkldnn.flags(enabled=False)
    # Torch warns about another flag that it sets with this one.
    with warnings.catch_warnings(action="ignore"), kernels, torch.inference_mode():
        if isinstance(net, NoteDecoder):
            return _per_second(_note_steps(net, benchmark, piece), ROWS)
        assert isinstance(net, TokenDecoder) and tokens is not None
        encoded = tokens.encode(benchmark.prepared.events(piece))
        steps = round(ROWS * len(encoded) / piece.rows)
        return _per_second(_token_steps(net, encoded.tolist(), tokens.start), steps) * piece.rows / len(encoded)


def _per_second(step: Callable[[int], None], count: int) -> float:
    for number in range(WARM_UP):
        step(number)
    begun = time.perf_counter()
    for number in range(WARM_UP, WARM_UP + count):
        step(number)
    return count / (time.perf_counter() - begun)


def _sample(scores: Tensor) -> None:
    scores.flatten().softmax(0).multinomial(1).item()


def _note_steps(net: NoteDecoder, benchmark: Benchmark, piece: PreparedPiece) -> Callable[[int], None]:
    rows = benchmark.prepared.rows[piece.start : piece.start + piece.rows]
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
            _sample(scores)

    return step


def _token_steps(net: TokenDecoder, encoded: list[int], start: int) -> Callable[[int], None]:
    before, state = [start, *encoded], net.initial_state(1)

    def step(number: int) -> None:
        nonlocal state
        scores, state = net(torch.tensor([[before[number]]]), state)
        _sample(scores)

    return step
