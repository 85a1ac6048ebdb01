"""ONNX graphs to bytes, so that the graph of a step can be built where the onnx package is not installed.

    node, value, tensor, pointer ──► message fields of onnx.proto3 ──► model(...) as bytes

A message is its fields one after the other: a key (field number, wire type), then a number or a length and bytes.
The numbers below are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOAT, UINT8, INT64, FLOAT16 = 1, 2, 7, 10  # TensorProto.DataType
EXTERNAL = 1  # TensorProto.DataLocation
GRAPH, INITIALIZER, NAME = 7, 5, 8  # fields of ModelProto, GraphProto, TensorProto
ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS = 1, 2, 7  # AttributeProto.AttributeType
DATA_TYPES = {"float32": FLOAT, "uint8": UINT8, "int64": INT64, "float16": FLOAT16}
CONTRIB = "com.microsoft"  # operators that only ONNX Runtime has


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a float16 tensor lies in another file."""

    file: str
    offset: int  # bytes
    shape: tuple[int, ...]

    @property
    def length(self) -> int:
        """Bytes."""
        return 2 * int(np.prod(self.shape))


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int | float | list[int]) -> bytes:
    """Spell a NodeProto, named after its first output; MatMulNBits is known to be a contributed operator."""
    parts = [_text(1, name) for name in inputs] + [_text(2, name) for name in outputs]
    parts += [_text(3, outputs[0]), _text(4, operator)]
    for name, value in attributes.items():
        if isinstance(value, list):
            spelled = b"".join(_number(8, each) for each in value) + _number(20, ATTRIBUTE_INTS)
        elif isinstance(value, float):
            spelled = _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, ATTRIBUTE_FLOAT)
        else:
            spelled = _number(3, value) + _number(20, ATTRIBUTE_INT)
        parts.append(_message(5, _text(1, name) + spelled))
    if operator == "MatMulNBits":
        parts.append(_text(7, CONTRIB))
    return b"".join(parts)


def value(name: str, *shape: int | str) -> bytes:
    """Spell a ValueInfoProto of floats; a letter stands for a length that is not known."""
    sizes = [_message(1, _text(2, size) if isinstance(size, str) else _number(1, size)) for size in shape]
    tensor_type = _number(1, FLOAT) + _message(2, b"".join(sizes))
    return _text(1, name) + _message(2, _message(1, tensor_type))


def tensor(name: str, data: NDArray[np.generic]) -> bytes:
    """Spell a TensorProto that holds its data."""
    sizes = b"".join(_number(1, size) for size in data.shape)
    kind = _number(2, DATA_TYPES[data.dtype.name])
    return sizes + kind + _text(8, name) + _message(9, np.ascontiguousarray(data).tobytes())


def pointer(name: str, stored: Stored) -> bytes:
    """Spell a TensorProto of float16 whose data lies in another file."""
    parts = [_number(1, size) for size in stored.shape] + [_number(2, FLOAT16), _text(8, name)]
    for key, found in (("location", stored.file), ("offset", str(stored.offset)), ("length", str(stored.length))):
        parts.append(_message(13, _text(1, key) + _text(2, found)))
    return b"".join([*parts, _number(14, EXTERNAL)])


def model(
    name: str,
    nodes: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    initializers: Sequence[bytes],
    *,
    opsets: Mapping[str, int],
    ir_version: int,
) -> bytes:
    """Spell a ModelProto; opsets: the version of each domain of operators that it uses."""
    graph = [_message(1, each) for each in nodes] + [_text(2, name)]
    graph += [_message(5, each) for each in initializers]
    graph += [_message(11, each) for each in inputs] + [_message(12, each) for each in outputs]
    operators = [_message(8, _text(1, domain) + _number(2, version)) for domain, version in opsets.items()]
    return b"".join([_number(1, ir_version), _message(7, b"".join(graph)), *operators])


def repoint(spelled: bytes, find: Callable[[str], Stored | None]) -> bytes:
    """Spell a model again with the tensors that `find` knows by their names as references to where they lie.

    Raises:
        ValueError: it is not a message.
    """

    def tensor(body: bytes, whole: bytes) -> bytes:
        name = next((part for field, part, _ in _fields(body) if field == NAME), b"").decode()
        stored = find(name)
        return whole if stored is None else _message(INITIALIZER, pointer(name, stored))

    def graph(body: bytes) -> bytes:
        parts = (tensor(part, whole) if field == INITIALIZER else whole for field, part, whole in _fields(body))
        return _message(GRAPH, b"".join(parts))

    return b"".join(graph(part) if field == GRAPH else whole for field, part, whole in _fields(spelled))


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Part a message into its fields: number, body where it has one, and the field as it is spelled."""
    at = 0
    while at < len(message):
        start, body = at, b""
        key, at = _read_varint(message, at)
        if key & 7 == 0:
            _, at = _read_varint(message, at)
        elif key & 7 == 2:
            length, at = _read_varint(message, at)
            body = message[at : at + length]
            at += length
        else:
            at += {1: 8, 5: 4}.get(key & 7, len(message))
        if at > len(message):
            raise ValueError("not a message, or cut short")
        yield key >> 3, body, message[start:at]


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    """Read a number; return it and where it ends."""
    number = shift = 0
    while at < len(message):
        number |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 0x80:
            return number, at
    raise ValueError("not a message, or cut short")


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    number &= (1 << 64) - 1  # negative numbers as two's complement
    spelled = bytearray()
    while number > 0x7F:
        spelled.append(number & 0x7F | 0x80)
        number >>= 7
    spelled.append(number)
    return bytes(spelled)


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())
