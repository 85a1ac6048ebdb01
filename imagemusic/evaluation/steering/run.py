"""The proof as one call: all figures, each kept as soon as it is measured, then one JSON file and one page.

REPORT/parts/pieces.jsonl    every composed piece, measured
REPORT/parts/NAME.json       a figure, with a key of all it depends on; a run that was killed goes on after it
REPORT/steering.json         all figures with goals reached or not, and how they came about
REPORT/index.html            the same for people, with plots and a gallery
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.corpora.piece import Piece
from imagemusic.data.prepared import PreparedSet
from imagemusic.errors import DataError, OutputError
from imagemusic.evaluation.steering.affect_regressor import Judge, check_judge, read_clips
from imagemusic.evaluation.steering.composing import COMPOSING, ComposeJob, Composer, Report, compose_jobs
from imagemusic.evaluation.steering.conditional import conditional_gap
from imagemusic.evaluation.steering.copying import copying
from imagemusic.evaluation.steering.gallery import gallery
from imagemusic.evaluation.steering.goals import goals
from imagemusic.evaluation.steering.pairs import SEED, Pair, PairList, distinct_pictures
from imagemusic.evaluation.steering.quality import quality
from imagemusic.evaluation.steering.report_page import build_page
from imagemusic.evaluation.steering.response import Ear, dose_response, picture_response
from imagemusic.evaluation.steering.retrieval import retrieval
from imagemusic.evaluation.steering.sensitivity import Pool, compose_pool, sensitivity, variance_shares
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.files import write_atomically
from imagemusic.reports.results import write_result
from imagemusic.vision.image import load_image

FEWEST_PICTURES = 2
PARTS_VERSION = 3

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What else may be given; each answers a question that pairs alone cannot."""

    ratings: tuple[Path, ...] = ()  # folders of EMOPIA and VGMIDI, for the judge of valence and arousal
    unconditional: Path | None = None  # checkpoint of a model trained without conditions
    prepared: Path | None = None  # training set, to look for copies in
    controls: Path | None = None  # what scripts/check_controls.py wrote
    gallery: tuple[Path, ...] = ()  # pictures to show; by default the first of the list
    data: tuple[str, ...] = field(default=())  # what the pairs are, for the record


def evaluate(
    model: ImageMusic, pairs: PairList, out: Path, options: SteeringOptions, extras: Extras, report: Report
) -> Figure:
    """Measure everything that the list allows, and write the report.

    Raises:
        DataError: fewer than two pictures, or something that was named is no use.
        CheckpointError: the model without conditions is missing or damaged.
        ImageError: a picture for the gallery cannot be read.
        OutputError: the report cannot be written.
    """
    usable = list(pairs.pairs)
    pictures = distinct_pictures(usable, len(usable))
    if len(pictures) < FEWEST_PICTURES:
        raise DataError("a report needs two pictures at least, to swap them; this list has one")
    # Opened first, so that what is named wrongly is said at once and not after minutes.
    controls = read_controls(extras.controls)
    clips = read_clips(extras.ratings)
    prepared = PreparedSet.open(extras.prepared) if extras.prepared else None
    plainer = ImageMusic.from_pretrained(extras.unconditional) if extras.unconditional else None
    for path in extras.gallery:
        load_image(path)
    parts = _make_folder(out)
    scored = {"version": PARTS_VERSION, "model": model.checkpoint.id}
    composed = scored | {
        "composing": COMPOSING, "ratings": hashlib.sha256(repr(clips).encode()).hexdigest(),
        "unconditional": plainer.checkpoint.id if plainer else None,
        "set": _stamps(extras.prepared) if extras.prepared else None,
    }  # fmt: skip
    keep_scored = _Keeper(parts, _key(usable, options, scored), report)
    keep = _Keeper(parts, _key(usable, options, composed), report)
    with_music = [pair for pair in usable if pair.piece is not None]
    ear = Ear(Judge.fit(clips) if clips else None)
    figures: Figure = {
        "checkpoint": model.checkpoint.id,
        "options": asdict(options),
        "pairs": {
            "rows": len(usable), "with_music": len(with_music), "pictures": len(pictures),
            "groups": len({pair.group for pair in usable}),
            "picture_groups": len({pair.picture_group for pair in usable}), "left_out": list(pairs.problems),
        },
        "judge": check_judge(clips) if clips else None,
    }  # fmt: skip
    with Composer(model, parts / "pieces.jsonl", workers=options.workers, report=report) as composer:
        pools: list[Pool] = []

        def pool() -> Pool:
            if not pools:
                pools.append(compose_pool(composer, usable, options))
            return pools[0]

        if with_music:
            figures["conditional_gap"] = keep_scored(
                "conditional_gap", lambda: conditional_gap(model, with_music, options, report)
            )
        figures["dose_response"] = keep("dose_response", lambda: dose_response(model, composer, pictures, ear, options))
        figures["picture_response"] = keep("picture_response", lambda: picture_response(composer, usable, ear, options))
        figures["variance"] = keep("variance", lambda: variance_shares(pool()))
        figures["retrieval"] = keep("retrieval", lambda: retrieval(pool()))
        figures["sensitivity"] = keep("sensitivity", lambda: sensitivity(model, composer, pool(), options))
        figures["quality"] = keep("quality", lambda: quality(model, composer, pool(), with_music, options, plainer))
    if prepared is not None:
        report("copying: looking for the training set in what was composed")
        figures["copying"] = keep("copying", lambda: copying(_scores(model, pictures, options), prepared))
    figures["controls"] = controls
    figures["goals"] = goals(figures)
    report("writing the page")
    write_result(out / "steering.json", figures, data=extras.data, seed=SEED)
    shown = gallery(model, extras.gallery or tuple(pair.image for pair in pictures), options)
    _write(out / "index.html", build_page(figures, shown))
    return figures


def _scores(model: ImageMusic, pictures: Sequence[Pair], options: SteeringOptions) -> list[Any]:
    chosen = distinct_pictures(pictures, options.copied_pieces)
    return list(
        compose_jobs(model, [ComposeJob(pair.reading, ComposeOptions(seconds=options.seconds)) for pair in chosen])
    )


def read_controls(path: Path | None) -> Figure | None:
    """Read the measured controls, figure 7, which scripts/check_controls.py makes; None where no file is named.

    Raises:
        DataError: the file cannot be read, or is no JSON object.
    """
    if path is None:
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(table, dict):
            raise ValueError("not an object")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); imagemusic study run controls makes it") from error
    except ValueError as error:
        raise DataError(f"{path}: not the result of imagemusic study run controls ({error})") from error
    table.pop("how", None)
    return table


def _make_folder(out: Path) -> Path:
    parts = out / "parts"
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot make the folder ({error.strerror})") from error
    return parts


def _key(pairs: list[Pair], options: SteeringOptions, about: Mapping[str, Any]) -> str:
    """Name all that a figure depends on; how many workers composed is not of it, nor what is shown."""
    sizes = asdict(replace(options, workers=1, gallery=0))
    rows = [
        [pair.name, pair.reading.hash, pair.group, pair.picture_group, pair.genre, pair.valence, pair.arousal,
         pair.tempo_bpm, _content(pair.piece) if pair.piece else None]
        for pair in pairs
    ]  # fmt: skip
    return hashlib.sha256(json.dumps([sizes, dict(about), rows], sort_keys=True).encode()).hexdigest()


def _content(piece: Piece) -> str:
    """Hash what a piece says: its notes and who plays them, tempos, meters and keys."""
    score = piece.score
    told = [score.tempos, score.meters, score.keys, score.ticks_per_beat, piece.velocity_known, piece.metrical]
    digest = hashlib.sha256(repr(told).encode())
    for track in score.tracks:
        digest.update(repr([track.program, track.is_drum, len(track)]).encode() + track.notes.tobytes())
    return digest.hexdigest()


def _stamps(folder: Path) -> list[list[Any]]:
    """Tell the files of a folder, which are too large to hash, by name, size and time of change."""
    files = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in files]


@dataclass(frozen=True, slots=True)
class _Keeper:
    """Measures a figure once: what stands in its file under the same key is taken from there."""

    folder: Path
    key: str
    report: Report

    def __call__(self, name: str, make: Callable[[], Figure]) -> Figure:
        path = self.folder / f"{name}.json"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["key"] == self.key:
                self.report(f"{name.replace('_', ' ')}: kept from before")
                figure: Figure = kept["figure"]
                return figure
        except (OSError, ValueError, KeyError, TypeError):
            pass  # measured anew
        self.report(name.replace("_", " "))
        figure = make()
        _write(path, json.dumps({"key": self.key, "figure": figure}, default=_plain_number))
        return figure


def _plain_number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _write(path: Path, text: str) -> None:
    write_atomically(path, text)
