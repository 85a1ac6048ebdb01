"""Where an ONNX graph finds its weights: read without the onnx package, and checked before ONNX Runtime reads them.

A safetensors file is a header and then raw tensors, which is just what ONNX calls external data: a graph names a file,
an offset and a length (https://onnx.ai/onnx/repo-docs/ExternalData.html).  So a checkpoint stores each weight once, in
float16, and any ONNX runtime can read it.  A checkpoint may come from anyone: its graphs must name no other file, and
each of their tensors must name the bytes of the weight that bears its name.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

WEIGHTS = "model.safetensors"
STORED = ".f16"  # end of the name of an external tensor: NAME.f16 is stored as PREFIX.NAME, a Cast node makes NAME

# The messages of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3 that can hold a tensor, by field number.
NESTED: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto",
        22: "SparseTensorProto", 23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}  # fmt: skip
NAME, EXTERNAL_DATA, KEY, VALUE = 8, 13, 1, 2  # fields of TensorProto and of its StringStringEntryProto
MAX_DEPTH = 100  # as in protobuf itself


class Span(NamedTuple):
    """Bytes of a file, and the shape of the float16 tensor that they are."""

    offset: int
    length: int
    shape: tuple[int, ...]


class ExternalTensor(NamedTuple):
    """A tensor whose data a graph finds in another file."""

    name: str
    location: str  # file, relative to the graph
    offset: int  # bytes
    length: int


def read_spans(weights: bytes) -> dict[str, Span]:
    """Return where the float16 tensors of a safetensors file lie, by name.

    Raises:
        ValueError: it is not a safetensors file.
    """
    try:
        (length,) = struct.unpack_from("<Q", weights)
        header, start = json.loads(weights[8 : 8 + length]), 8 + length
        return {
            name: Span(start + first, last - first, tuple(entry["shape"]))
            for name, entry in header.items()
            if entry.get("dtype") == "F16"
            for first, last in [entry["data_offsets"]]
        }
    except (struct.error, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a safetensors file") from error


def check_external_data(graph: bytes, spans: Mapping[str, Span], prefix: str) -> None:
    """Refuse a graph that takes a tensor from anywhere but the bytes of its weight in `model.safetensors`.

    Raises:
        ValueError: it does, or it is not a graph.
    """
    if not graph:
        raise ValueError("an empty file")
    for tensor in external_tensors(graph):
        if tensor.location != WEIGHTS:
            raise ValueError(f"{tensor.name} is taken from {tensor.location!r}, need {WEIGHTS!r}")
        span = spans.get(f"{prefix}.{tensor.name.removesuffix(STORED)}")
        if span is None:
            raise ValueError(f"{tensor.name} has no float16 weight in {WEIGHTS}")
        if (tensor.offset, tensor.length) != (span.offset, span.length):
            raise ValueError(
                f"{tensor.name} is bytes {tensor.offset} + {tensor.length} of {WEIGHTS}, "
                f"need {span.offset} + {span.length}"
            )


def external_tensors(graph: bytes) -> list[ExternalTensor]:
    """List the tensors of a serialized ModelProto that lie in other files, those inside nodes and functions too.

    Raises:
        ValueError: it is not a serialized ModelProto.
    """
    return list(_external_tensors(memoryview(graph), "ModelProto", 0))


def _external_tensors(message: memoryview, kind: str, depth: int) -> Iterator[ExternalTensor]:
    if depth > MAX_DEPTH:
        raise ValueError("messages are nested too deeply")
    if kind == "TensorProto":
        yield from _external_data(message)
        return
    nested = NESTED[kind]
    for number, part in _fields(message):
        if number in nested:
            yield from _external_tensors(part, nested[number], depth + 1)


def _external_data(tensor: memoryview) -> Iterator[ExternalTensor]:
    name, entries = "", []
    for number, part in _fields(tensor):
        if number == NAME:
            name = str(part, "utf-8")
        elif number == EXTERNAL_DATA:
            entry = dict(_fields(part))
            entries.append([str(entry.get(field, b""), "utf-8") for field in (KEY, VALUE)])
    if entries:
        table = dict(entries)
        if len(table) < len(entries):
            raise ValueError(f"{name} names its place twice")
        yield ExternalTensor(name, table.get("location", ""), int(table.get("offset", 0)), int(table.get("length", 0)))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Split a protobuf message into its fields: number, and content where that is bytes.

    Raises:
        ValueError: it is not a message, or is cut short.
    """
    at, size = 0, len(message)
    while at < size:
        key, at = _varint(message, at)
        wire, end = key & 7, at
        if wire == 0:
            _, end = _varint(message, at)
        elif wire == 2:
            length, at = _varint(message, at)
            end = at + length
        else:
            end = at + {1: 8, 5: 4}.get(wire, size)  # groups are not part of proto3
        if end > size or key >> 32:
            raise ValueError("not an ONNX graph, or cut short")
        yield key >> 3, message[at:end]
        at = end


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first; return it and where it ends."""
    number = shift = 0
    while at < len(message):
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ValueError("not an ONNX graph, or cut short")
