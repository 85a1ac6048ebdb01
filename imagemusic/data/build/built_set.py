"""A built data set as training sees it: pieces with their notes, and the pictures that belong to them.

manifest ──> PreparedSet: pieces, notes and segments mapped from the blocks, the scale of the dials
         └─> OwnRow, one a piece: its cover, label and terms
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

MOST_FOR_SCALE = 20_000  # training pieces that say how cues become dials
COLUMNS = (
    "key", "artist", "title", "split", "group", "block", "start", "first_segment", "prepared", "cover", "paired",
    "label", "terms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OwnRow:
    """What the manifest says of a piece beside its notes."""

    key: str
    artist: str
    title: str
    cover: str | None  # in the data set's folder; the piece's own
    paired: str
    label: str | None
    terms: str


@dataclass(frozen=True, slots=True)
class OwnSet:
    """An opened data set; `rows` go with the pieces of `prepared`."""

    folder: Path
    manifest: Manifest
    prepared: PreparedSet
    rows: tuple[OwnRow, ...]


def open_own_set(folder: Path, scale: DialNormalizer | None = None) -> OwnSet:
    """Open what `imagemusic data build` made.

    Args:
        scale: how cues become dials, as the model that is trained further has it; else it is fitted to the pieces.

    Raises:
        DataError: there is none, or it is damaged, of another version or codec, or has nothing to train on.
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
    pieces, own = [], []
    for row in manifest.rows(COLUMNS):
        if row["prepared"]:
            pieces.append(_piece(row, rows, segments, manifest.path))
            own.append(OwnRow(*(row[name] for name in ("key", "artist", "title", "cover", "paired", "label", "terms"))))
    # Blocks are sliced as the arrays are that a prepared set of the corpora maps.
    all_rows: Any = rows
    all_segments: Any = segments
    training = [piece for piece in pieces if piece.split == "train"]
    scale = scale or _scale_of([piece for piece in training if piece.metrical] or training, segments)
    return OwnSet(folder, manifest, PreparedSet(all_rows, all_segments, tuple(pieces), scale), tuple(own))


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


def _scale_of(pieces: Sequence[PreparedPiece], segments: BlockArray) -> DialNormalizer:
    """Fit dials to pieces, at most MOST_FOR_SCALE of them."""
    if not pieces:
        raise DataError("no piece to train on: all are held out; gather more artists")
    chosen = np.random.default_rng(0).permutation(len(pieces))[:MOST_FOR_SCALE]
    return fit_normalizer([pieces[place] for place in np.sort(chosen).tolist()], segments)
