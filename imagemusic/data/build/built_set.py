"""Open a built data set for training: pieces with their notes, and the covers that are paired with them.

manifest ──> PreparedSet: pieces, notes and segments mapped from the blocks, normalization of the dials
         └─> BuiltRow, one per piece: its cover, label and terms
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.data.build.blocks import NOTES
from imagemusic.data.build.manifest import Manifest
from imagemusic.data.build.note_store import BlockArray
from imagemusic.data.prepared import ROW, PreparedPiece, PreparedSet, fit_normalizer
from imagemusic.errors import DataError
from imagemusic.events.codec import CodecConfig
from imagemusic.music.dials import CUES, DialNormalizer

MOST_FOR_NORMALIZER = 20_000  # training pieces to which the dials are fitted
COLUMNS = (
    "key", "artist", "title", "split", "group", "block", "start", "first_segment", "prepared", "cover", "paired",
    "label", "terms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BuiltRow:
    """The columns of the manifest that training uses, of one piece."""

    key: str
    artist: str
    title: str
    cover: str | None  # path in the data set's folder
    paired: str
    label: str | None
    terms: str


@dataclass(frozen=True, slots=True)
class BuiltSet:
    """An opened data set; `rows` correspond to the pieces of `prepared`."""

    folder: Path
    manifest: Manifest
    prepared: PreparedSet
    rows: tuple[BuiltRow, ...]


def open_built_set(folder: Path, scale: DialNormalizer | None = None) -> BuiltSet:
    """Open a data set that `imagemusic data build` made.

    Args:
        scale: the normalization of dials of the model that is fine-tuned; else it is fitted to the training pieces.

    Raises:
        DataError: the set is missing, damaged, of another version or codec, or has nothing to train on.
    """
    manifest = Manifest.open(folder)
    if manifest.header.codec != json.loads(json.dumps(asdict(CodecConfig()))):
        raise DataError(f"{manifest.path}: made for another note codec; run imagemusic data build again")
    blocks = manifest.header.blocks
    notes = [folder / NOTES / f"{block.id}.arrow" for block in blocks]
    rows = BlockArray(notes, [block.rows for block in blocks], ROW)
    kind = "segments" if manifest.header.version > 1 else "stretches"  # the old name is read for one version
    files = [folder / NOTES / f"{block.id}.{kind}.arrow" for block in blocks]
    segments = BlockArray(files, [block.segments for block in blocks], np.dtype("f4"), (len(CUES),))
    pieces: list[PreparedPiece] = []
    built: list[BuiltRow] = []
    for row in manifest.rows(COLUMNS):
        if row["prepared"]:
            pieces.append(_piece(row, rows, segments, manifest.path))
            built.append(BuiltRow(**{name: row[name] for name in BuiltRow.__slots__}))
    # BlockArrays are sliced as the memory-mapped arrays of a prepared set are.
    all_rows: Any = rows
    all_segments: Any = segments
    training = [piece for piece in pieces if piece.split == "train"]
    scale = scale or _fit([piece for piece in training if piece.metrical] or training, segments)
    return BuiltSet(folder, manifest, PreparedSet(all_rows, all_segments, tuple(pieces), scale), tuple(built))


def _piece(row: dict[str, Any], rows: BlockArray, segments: BlockArray, path: Path) -> PreparedPiece:
    try:
        piece = PreparedPiece.from_json(json.loads(row["prepared"]))
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: pieces of another version; run imagemusic data build again") from error
    start, first_segment = (int(array.starts[row["block"]]) for array in (rows, segments))
    return replace(
        piece, split=row["split"], group=row["group"], start=start + row["start"],
        first_segment=first_segment + row["first_segment"],
    )  # fmt: skip


def _fit(pieces: Sequence[PreparedPiece], segments: BlockArray) -> DialNormalizer:
    """Fit dials to pieces, at most MOST_FOR_NORMALIZER of them."""
    if not pieces:
        raise DataError("no piece to train on: all are held out; gather more artists")
    chosen = np.random.default_rng(0).permutation(len(pieces))[:MOST_FOR_NORMALIZER]
    return fit_normalizer([pieces[place] for place in np.sort(chosen).tolist()], segments)
