"""Export an encoder as one ONNX graph, so that composing needs no torch.

    pixels (B, 3, H, W) float32 in 0..1  ──>  embedding (B, E), dial_mean (B, 3), dial_sd (B, 3)

Batch and sides are free.  Weights keep their names of the state dict and nothing is folded into them, so that a
checkpoint may hold the weights once, for torch and for ONNX Runtime.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from imagemusic.files import replace_atomically
from imagemusic.training.encoder.features import FEATURES
from imagemusic.training.encoder.net import ImageEncoder

OUTPUTS = ("embedding", "dial_mean", "dial_sd")


class _AllOutputs(nn.Module):
    """Embedding and dials in one pass."""

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embedding = self.encoder(pixels)
        return embedding, *self.encoder.affect(embedding)


class _Backbone(nn.Module):
    """Pooled features of every augmentation."""

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> Tensor:
        return self.encoder.augmented_features(pixels)


def export_onnx(encoder: ImageEncoder, path: Path) -> None:
    """Write an encoder as a float32 ONNX file; the file appears whole or not at all."""
    _export(_AllOutputs(encoder), OUTPUTS, encoder, path)


def export_backbone(encoder: ImageEncoder, path: Path) -> None:
    """Write the backbone alone, pixels to features (B, A, F) of A augmentations, to compute those of many pictures."""
    _export(_Backbone(encoder), (FEATURES,), encoder, path)


def _export(module: nn.Module, outputs: Sequence[str], encoder: ImageEncoder, path: Path) -> None:
    size = encoder.config.size
    free = {0: "batch", 2: "height", 3: "width"}
    with replace_atomically(path) as temporary:
        with warnings.catch_warnings():
            # The tracing exporter is called legacy; its successor folds batch norms into weights and needs onnxscript.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module.eval(),
                (torch.zeros(1, 3, size, size),),
                str(temporary),
                input_names=["pixels"],
                output_names=list(outputs),
                dynamic_axes={"pixels": free} | {name: {0: "batch"} for name in outputs},
                opset_version=17,
                dynamo=False,
                do_constant_folding=False,
                training=torch.onnx.TrainingMode.PRESERVE,  # in eval mode already; this keeps batch norms separate
            )
        model = onnx.load(temporary)
        _restore_names(model.graph, encoder)
        onnx.checker.check_model(model)
        onnx.save(model, temporary)


def _restore_names(graph: onnx.GraphProto, encoder: ImageEncoder) -> None:
    """Name weights as in the state dict; equal weights, which the exporter shares, get a copy each."""
    prefix = "encoder."
    shared = [node for node in graph.node if node.op_type == "Identity" and node.output[0].startswith(prefix)]
    for node in shared:
        graph.node.remove(node)
    for initializer in graph.initializer:
        initializer.name = initializer.name.removeprefix(prefix)
    state = encoder.state_dict()
    for node in shared:
        name = node.output[0].removeprefix(prefix)
        graph.initializer.append(numpy_helper.from_array(state[name].numpy(), name))
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = name.removeprefix(prefix)
