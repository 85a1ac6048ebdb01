"""Prepared notes in memory-mapped Arrow files: training reads windows of them without a copy.

    DATASET/notes/BLOCK.arrow           every event of the pieces of a block and its context (`prepared.ROW`)
    DATASET/notes/BLOCK.segments.arrow  the cues of every segment of those pieces, 8 float32

Each file holds one record batch of one column, `row`, of fixed-size bytes.  A block holds a few hundred pieces, is
written whole by one worker and never changed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DataError
from imagemusic.files import replace_atomically

LAYOUT = b"layout"  # key in the schema: what the bytes of a row are


def write_array(path: Path, rows: NDArray[Any]) -> None:
    """Write an array (R, ...) atomically as an Arrow file of R rows."""
    import pyarrow as pa

    kind = pa.binary(rows.dtype.itemsize * int(np.prod(rows.shape[1:])))
    column = pa.FixedSizeBinaryArray.from_buffers(kind, len(rows), [None, pa.py_buffer(rows.tobytes())])
    layout = _layout(rows.dtype, rows.shape[1:])
    schema = pa.schema([pa.field("row", kind, nullable=False)], metadata={LAYOUT: layout})
    with (
        replace_atomically(path) as temporary,
        pa.OSFile(str(temporary), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        writer.write_batch(pa.record_batch([column], schema=schema))


def open_array(path: Path, kind: np.dtype[Any], shape: tuple[int, ...] = ()) -> NDArray[Any]:
    """Return the rows (R, *shape) of an Arrow file, memory-mapped and read-only.

    Raises:
        DataError: the file is missing, damaged, or of another layout.
    """
    import pyarrow as pa

    try:
        # The map stays open as long as the array that points into it.
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        layout = (reader.schema.metadata or {}).get(LAYOUT)
        batch = reader.get_batch(0)
    except (OSError, pa.ArrowInvalid, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: missing or damaged notes ({reason}); run imagemusic data build again") from error
    if layout != _layout(kind, shape):
        raise DataError(f"{path}: notes of another version; run imagemusic data build again")
    return np.frombuffer(batch.column(0).buffers()[1], kind, len(batch) * int(np.prod(shape))).reshape(-1, *shape)


def _layout(kind: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return repr((kind.descr, tuple(shape))).encode()


class BlockArray:
    """The arrays of many blocks as one array; each is mapped on first use."""

    def __init__(
        self, paths: Sequence[Path], lengths: Sequence[int], kind: np.dtype[Any], shape: tuple[int, ...] = ()
    ) -> None:
        self._paths, self._kind, self._shape = paths, kind, shape
        self.starts = np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))])  # of the blocks, and the end
        self._open: dict[int, NDArray[Any]] = {}

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, wanted: slice | NDArray[np.integer]) -> NDArray[Any]:
        """Return a view of a slice within one block, as of one piece; or a copy of rows by their numbers (...)."""
        if isinstance(wanted, slice):
            start, stop, _ = wanted.indices(len(self))
            block = int(np.searchsorted(self.starts, start, side="right")) - 1
            first = int(self.starts[block])
            return self._block(block)[start - first : stop - first]
        found = np.empty((*wanted.shape, *self._shape), self._kind)
        blocks = np.searchsorted(self.starts, wanted, side="right") - 1
        for block in np.unique(blocks).tolist():
            chosen = blocks == block
            found[chosen] = self._block(block)[wanted[chosen] - self.starts[block]]
        return found

    def _block(self, number: int) -> NDArray[Any]:
        if number not in self._open:
            self._open[number] = open_array(self._paths[number], self._kind, self._shape)
        return self._open[number]
