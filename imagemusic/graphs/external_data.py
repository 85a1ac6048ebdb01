"""Where an ONNX graph finds its weights: read without the onnx package, and checked before ONNX Runtime reads them.

A safetensors file is a header and then raw tensors, which is just what ONNX calls external data: a graph names a file,
an offset and a length (https://onnx.ai/onnx/repo-docs/ExternalData.html).  So a checkpoint stores each weight once, in
float16, and any ONNX runtime can read it.  A checkpoint may come from anyone: its graphs must name no other file, and
each of their tensors must name the bytes of the weight that bears its name.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

WEIGHTS = "model.safetensors"
STORED = ".f16"  # end of the name of an external tensor: NAME.f16 is stored as PREFIX.NAME, a Cast node makes NAME

# The messages of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3 that lead to external data, by field number.
MESSAGES: dict[str, dict[int, str]] = {
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
    "TensorProto": {13: "StringStringEntryProto"},
    "StringStringEntryProto": {},
}  # fmt: skip
FIELD_NAMES = {"StringStringEntryProto": "external_data"}  # of the fields that are read by name
TEXTS = {"TensorProto": {8: "name"}, "StringStringEntryProto": {1: "key", 2: "value"}}


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


def open_weights(path: Path) -> memoryview:
    """Map a file into memory; nothing is read before it is used.

    Raises:
        OSError: there is no such file.
    """
    with open(path, "rb") as file:
        return memoryview(mmap(file.fileno(), 0, access=ACCESS_READ) if path.stat().st_size else b"")


def read_spans(weights: bytes | memoryview) -> dict[str, Span]:
    """Return where the float16 tensors of a safetensors file lie, by name.

    Raises:
        ValueError: it is not a safetensors file.
    """
    try:
        (length,) = struct.unpack_from("<Q", weights)
        header, start = json.loads(bytes(weights[8 : 8 + length])), 8 + length
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
            places = f"bytes {tensor.offset} + {tensor.length} of {WEIGHTS}, need {span.offset} + {span.length}"
            raise ValueError(f"{tensor.name} is {places}")


def external_tensors(graph: bytes) -> list[ExternalTensor]:
    """List the tensors of a serialized ModelProto that lie in other files, those inside nodes and functions too.

    Raises:
        ValueError: it is not a serialized ModelProto.
    """
    try:
        return list(_external_tensors(_model_class().FromString(graph)))
    except DecodeError as error:
        raise ValueError("not an ONNX graph, or cut short") from error


def _external_tensors(message: Any) -> Iterator[ExternalTensor]:
    """Go through the messages in a message of MESSAGES that is above TensorProto."""
    for _, parts in message.ListFields():
        for part in parts:
            if part.DESCRIPTOR.name != "TensorProto":
                yield from _external_tensors(part)
            elif entries := part.external_data:
                place = {entry.key: entry.value for entry in entries}
                if len(place) < len(entries):
                    raise ValueError(f"{part.name} names its place twice")
                offset, length = int(place.get("offset", 0)), int(place.get("length", 0))
                yield ExternalTensor(part.name, place.get("location", ""), offset, length)


@cache
def _model_class() -> Any:
    """Make the protobuf class of ModelProto, with only the fields above.

    All messages are declared as repeated.  Where a message is there twice in place of once, protobuf merges the two;
    here both are read, and each must be right.
    """
    file = FileDescriptorProto(name="external_data.proto", package="graphs", syntax="proto3")
    for name, parts in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, kind in parts.items():
            message.field.add(
                name=FIELD_NAMES.get(kind, f"field_{number}"), number=number, label=Field.LABEL_REPEATED,
                type=Field.TYPE_MESSAGE, type_name=f".graphs.{kind}",
            )  # fmt: skip
        for number, text in TEXTS.get(name, {}).items():
            message.field.add(name=text, number=number, label=Field.LABEL_OPTIONAL, type=Field.TYPE_STRING)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("graphs.ModelProto"))
