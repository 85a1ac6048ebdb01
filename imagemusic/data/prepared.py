"""Prepare corpora for training: write a prepared set to disk, and open it memory-mapped.

    DIR/rows.bin      every event and its context, 17 bytes a row (`ROW`), piece after piece
    DIR/segments.bin  cues of every segment of SEGMENT rows (S, 8) float32, NaN where unknown
    DIR/pieces.jsonl  one line per piece: id, corpus, group, split, position of its rows, cues, quantisation losses
    DIR/dials.json    how cues become dials: fitted on the training pieces

Preparation streams, so its memory does not grow with the corpora.  Training reads windows of the memory map, so a set
may be larger than memory.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.catalogue import CORPORA, Piece, list_pieces, read_piece
from imagemusic.data.corpora.held_out import split_of
from imagemusic.data.corpora.styles import style_of
from imagemusic.errors import DataError
from imagemusic.events import codec
from imagemusic.events.context import context
from imagemusic.events.quantize import UNKNOWN_VELOCITY, canonicalise
from imagemusic.events.vocabulary import CONTEXT, SEGMENT
from imagemusic.files import replace_folder
from imagemusic.music.dials import CUES, DIALS, Cues, DialNormalizer, as_row, measure, measure_spans
from imagemusic.music.ensembles import ensemble_of
from imagemusic.music.score import VELOCITY

FORMAT_VERSION = 2
SEGMENTS_OF_MODE = 8  # segments over which a mode is measured: a few notes have no key
SEGMENTS_FILE, OLD_SEGMENTS_FILE = "segments.bin", "stretches.bin"  # the second is read for one version
ROW = np.dtype([(name, "u2" if name == "chroma" else "u1") for name in (*codec.FIELDS, *CONTEXT)] + [("tick", "u4")])


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPiece:
    """One line of pieces.jsonl."""

    id: str
    corpus: str
    group: str
    split: str
    start: int  # first row in rows.bin
    first_segment: int  # in segments.bin
    rows: int
    notes: int
    end: int  # ticks
    metrical: bool
    cues: Cues
    ensemble: str
    style: str = ""  # one of STYLES, "" where the corpus does not tell
    losses: dict[str, int] = field(default_factory=dict)  # what quantisation changed: kind -> number of notes

    @property
    def segments(self) -> slice:
        """Return the slice of this piece in the cues of all segments."""
        return slice(self.first_segment, self.first_segment + segment_count(self.rows))

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> "PreparedPiece":
        """Read a line of pieces.jsonl, also one whose field `first_segment` has its old name, `stretch`.

        Raises:
            TypeError: a field is missing or unknown.
        """
        renamed = {"first_segment": table["stretch"]} if "stretch" in table else {}
        return cls(**{name: value for name, value in table.items() if name != "stretch"} | renamed)


class SegmentCues(Protocol):
    """Cues (S, 8) of segments that can be sliced like an array."""

    def __getitem__(self, chosen: slice, /) -> NDArray[np.float32]: ...


def _open_segments(folder: Path) -> NDArray[np.float32]:
    path = folder / SEGMENTS_FILE
    if not path.exists() and (folder / OLD_SEGMENTS_FILE).exists():
        path = folder / OLD_SEGMENTS_FILE
    return np.memmap(path, np.float32, mode="r").reshape(-1, len(CUES))


def segment_count(rows: int) -> int:
    """Return the number of segments of a piece of `rows` rows."""
    return -(-rows // SEGMENT)


def prepare_piece(piece: Piece) -> tuple[NDArray[np.void], NDArray[np.float32], PreparedPiece] | None:
    """Quantise, encode and measure one piece.

    Returns:
        rows (R,) of ROW, cues of its segments (S, 8), its line of pieces.jsonl; None if quantisation leaves no notes.
    """
    score = piece.score
    if not piece.velocity_known:
        flat = [np.column_stack([t.notes[:, :VELOCITY], np.full(len(t), UNKNOWN_VELOCITY)]) for t in score.tracks]
        score = replace(score, tracks=[replace(t, notes=n) for t, n in zip(score.tracks, flat, strict=True)])
    score, losses = canonicalise(score)
    if not score.note_count:
        return None
    events = codec.encode_canonical(score)
    rows = np.empty(len(events), ROW)
    for column, name in enumerate(codec.FIELDS):
        rows[name] = events[:, column]
    derived = context(events)
    for column, name in enumerate(CONTEXT):
        rows[name] = derived[:, column]
    rows["tick"] = np.cumsum(events[:, codec.GAP].astype(np.int64))
    # A set without a beat grid still has seconds: its ticks are 1/48 s.
    tempo_known = piece.tempo_known or not piece.metrical
    cues = measure(score, tempo_known=tempo_known, velocity_known=piece.velocity_known)
    ends = np.append(rows["tick"][::SEGMENT], score.end).astype(np.int64)
    segments = measure_spans(
        score, ends, tempo_known=tempo_known, velocity_known=piece.velocity_known, spans_of_mode=SEGMENTS_OF_MODE
    )
    prepared = PreparedPiece(
        id=piece.id, corpus=piece.corpus, group=piece.group, split=split_of(piece.id), start=0, first_segment=0,
        rows=len(rows),
        notes=score.note_count, end=score.end, metrical=piece.metrical, cues=cues, ensemble=ensemble_of(score),
        style=style_of(piece),
        losses=dict(losses),
    )  # fmt: skip
    return rows, segments.astype(np.float32), prepared


def _read_and_prepare(folder: Path, corpus: str, key: str) -> list[tuple[bytes, bytes, PreparedPiece]]:
    made = [prepare_piece(piece) for piece in read_piece(folder, corpus, key)]
    return [(rows.tobytes(), segments.tobytes(), piece) for rows, segments, piece in filter(None, made)]


def fit_normalizer(pieces: Sequence[PreparedPiece], segments: SegmentCues) -> DialNormalizer:
    """Fit the dials to pieces, and measure the RMS difference between the dials of segments and of their pieces."""
    scale = DialNormalizer.fit([piece.cues for piece in pieces])
    squares, count = np.zeros(len(DIALS)), np.zeros(len(DIALS))
    for piece in pieces:
        cues = segments[piece.segments].astype(np.float64)
        difference = scale.table(cues) - scale.table(as_row(piece.cues))
        squares += np.nansum(difference**2, axis=0)
        count += (~np.isnan(difference)).sum(axis=0)
    return replace(scale, segment_rms=dict(zip(DIALS, np.sqrt(squares / np.maximum(count, 1)).tolist(), strict=True)))


def prepare(
    folder: Path,
    out: Path,
    corpora: Sequence[str],
    *,
    workers: int = 2,
    progress: Callable[[Iterable[object], int], Iterable[object]] | None = None,
) -> "PreparedSet":
    """Prepare the corpora in `folder` (one folder per corpus), write the set to `out`, and open it.

    An existing prepared set in `out` is replaced when the new one is complete.

    Args:
        progress: wraps the results and their number, as tqdm does.

    Raises:
        DataError: a corpus is unknown or missing, no piece trains, or `out` holds something other than a prepared set.
    """
    if unknown := [name for name in corpora if name not in CORPORA]:
        raise DataError(f"unknown corpus {unknown[0]!r}; choose from {', '.join(CORPORA)}")
    if out.exists() and not (out / "pieces.jsonl").exists():
        raise DataError(f"{out}: exists and is not a prepared set; name a new folder")
    jobs = [(corpus, key) for corpus in corpora for key in list_pieces(folder, corpus)]
    with replace_folder(out) as partial_out:
        with (
            ProcessPoolExecutor(workers) as pool,
            open(partial_out / "rows.bin", "wb") as rows_file,
            open(partial_out / SEGMENTS_FILE, "wb") as segments_file,
            open(partial_out / "pieces.jsonl", "w", encoding="utf-8") as pieces_file,
        ):
            results = pool.map(partial(_read_and_prepare, folder), *zip(*jobs, strict=True), chunksize=4)
            start, first_segment, training = 0, 0, []
            for made in progress(results, len(jobs)) if progress else results:
                for raw, raw_segments, piece in made:  # type: ignore[attr-defined]
                    piece = replace(piece, start=start, first_segment=first_segment)
                    rows_file.write(raw)
                    segments_file.write(raw_segments)
                    pieces_file.write(json.dumps(asdict(piece), ensure_ascii=False) + "\n")
                    start += piece.rows
                    first_segment += segment_count(piece.rows)
                    if piece.split == "train" and piece.metrical:
                        training.append(piece)
        if not training:
            raise DataError(f"{folder}: no piece to train on in {', '.join(corpora)}: held out, or without beats")
        scale = fit_normalizer(training, _open_segments(partial_out))
        header = {"format_version": FORMAT_VERSION, "codec": asdict(codec.CodecConfig()), "dials": scale.to_json()}
        (partial_out / "dials.json").write_text(json.dumps(header))
    return PreparedSet.open(out)


@dataclass(frozen=True, slots=True)
class PreparedSet:
    """A prepared set: pieces in memory, rows on disk."""

    rows: NDArray[np.void]  # (R,) of ROW, memory-mapped
    segments: NDArray[np.float32]  # (S, 8) cues, memory-mapped
    pieces: tuple[PreparedPiece, ...]
    scale: DialNormalizer

    @classmethod
    def open(cls, folder: Path) -> "PreparedSet":
        """Open a set that `prepare` wrote.

        Raises:
            DataError: the folder holds no prepared set, or one that is damaged or of another version or codec.
        """
        try:
            header = json.loads((folder / "dials.json").read_text())
            if header["format_version"] != FORMAT_VERSION:
                raise DataError(f"{folder}: format version {header['format_version']}, need {FORMAT_VERSION}")
            if header["codec"] != json.loads(json.dumps(asdict(codec.CodecConfig()))):
                raise DataError(f"{folder}: made for another note codec {header['codec']}; prepare the corpora again")
            with open(folder / "pieces.jsonl", encoding="utf-8") as lines:
                pieces = tuple(PreparedPiece.from_json(json.loads(line)) for line in lines)
            rows = np.memmap(folder / "rows.bin", ROW, mode="r")
            segments = _open_segments(folder)
            scale = DialNormalizer.from_json(header["dials"])
        except OSError as error:
            raise DataError(f"{folder}: no prepared set here; make one with scripts/prepare_corpora.py") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{folder}: damaged prepared set ({error}); prepare the corpora again") from error
        if len(rows) != sum(piece.rows for piece in pieces):
            raise DataError(f"{folder}: damaged prepared set, rows.bin is cut short; prepare the corpora again")
        if len(segments) != sum(segment_count(piece.rows) for piece in pieces):
            raise DataError(f"{folder}: damaged prepared set, its segments are cut short; prepare the corpora again")
        return cls(rows, segments, pieces, scale)

    def select(self, split: str) -> tuple[PreparedPiece, ...]:
        """Return the pieces of one split."""
        return tuple(piece for piece in self.pieces if piece.split == split)

    def events(self, piece: PreparedPiece) -> codec.Events:
        """Return the events (N, 5) int16 of one piece."""
        rows = self.rows[piece.start : piece.start + piece.rows]
        return np.column_stack([rows[name] for name in codec.FIELDS]).astype(np.int16)

    def __iter__(self) -> Iterator[PreparedPiece]:
        return iter(self.pieces)
