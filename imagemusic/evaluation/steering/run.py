"""The steering evaluation: all figures, each cached once measured, then one JSON file and one page.

REPORT/parts/pieces.jsonl    measurements of every composed piece
REPORT/parts/NAME.json       a figure, with a hash of all it depends on; a run that was killed resumes after it
REPORT/steering.json         all figures, the goals, and the provenance
REPORT/index.html            the same as a page, with charts and a gallery
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.corpora.piece import Piece
from imagemusic.data.prepared import PreparedSet
from imagemusic.errors import DataError, OutputError
from imagemusic.evaluation.steering.affect_regressor import AffectRegressor, cross_validate, read_clips
from imagemusic.evaluation.steering.composing import COMPOSING, ComposeJob, Composer, Report, compose_jobs
from imagemusic.evaluation.steering.conditional import conditional_gap
from imagemusic.evaluation.steering.copying import copying
from imagemusic.evaluation.steering.gallery import gallery
from imagemusic.evaluation.steering.goals import goals
from imagemusic.evaluation.steering.pairs import SEED, Pair, PairList, distinct_pictures
from imagemusic.evaluation.steering.quality import quality
from imagemusic.evaluation.steering.report_page import build_page
from imagemusic.evaluation.steering.response import DialMeter, dose_response, picture_response
from imagemusic.evaluation.steering.retrieval import retrieval
from imagemusic.evaluation.steering.sensitivity import Pool, compose_pool, sensitivity, variance_shares
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.files import write_atomically
from imagemusic.reports.figure_cache import FigureCache
from imagemusic.reports.results import write_result
from imagemusic.vision.image import load_image

FEWEST_PICTURES = 2
PARTS_VERSION = 3

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """Optional inputs, each for figures that pairs alone do not give."""

    ratings: tuple[Path, ...] = ()  # folders of EMOPIA and VGMIDI, for the affect regressor
    unconditional: Path | None = None  # checkpoint of the unconditional baseline
    prepared: Path | None = None  # training set, to search for copies
    controls: Path | None = None  # result of scripts/check_controls.py
    gallery: tuple[Path, ...] = ()  # pictures to show; by default the first of the list
    data: tuple[str, ...] = field(default=())  # names of the data, for the provenance


def evaluate(
    model: ImageMusic, pairs: PairList, out: Path, options: SteeringOptions, extras: Extras, report: Report
) -> Figure:
    """Measure all figures that the pairs allow, write the report to the folder `out`, and return the figures.

    Raises:
        DataError: fewer than two pictures, or an input of `extras` cannot be used.
        CheckpointError: the unconditional baseline is missing or damaged.
        ImageError: a picture for the gallery cannot be read.
        OutputError: the report cannot be written.
    """
    usable = list(pairs.pairs)
    pictures = distinct_pictures(usable, len(usable))
    if len(pictures) < FEWEST_PICTURES:
        raise DataError("a report needs two pictures at least, to swap them; this list has one")
    # Inputs are opened first, so that a wrong one is reported at once.
    controls = read_controls(extras.controls)
    clips = read_clips(extras.ratings)
    prepared = PreparedSet.open(extras.prepared) if extras.prepared else None
    baseline = ImageMusic.from_pretrained(extras.unconditional) if extras.unconditional else None
    for path in extras.gallery:
        load_image(path)
    parts = _make_folder(out)
    scored = {"version": PARTS_VERSION, "model": model.checkpoint.id}
    composed = scored | {
        "composing": COMPOSING, "ratings": hashlib.sha256(repr(clips).encode()).hexdigest(),
        "unconditional": baseline.checkpoint.id if baseline else None,
        "set": _stamps(extras.prepared) if extras.prepared else None,
    }  # fmt: skip
    keep_scored = FigureCache(parts, _key(usable, options, scored), report)
    keep = FigureCache(parts, _key(usable, options, composed), report)
    with_music = [pair for pair in usable if pair.piece is not None]
    meter = DialMeter(AffectRegressor.fit(clips) if clips else None)
    figures: Figure = {
        "checkpoint": model.checkpoint.id,
        "options": asdict(options),
        "pairs": {
            "rows": len(usable), "with_music": len(with_music), "pictures": len(pictures),
            "groups": len({pair.group for pair in usable}),
            "picture_groups": len({pair.picture_group for pair in usable}), "left_out": list(pairs.problems),
        },
        "judge": cross_validate(clips) if clips else None,
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
        figures["dose_response"] = keep(
            "dose_response", lambda: dose_response(model, composer, pictures, meter, options)
        )
        figures["picture_response"] = keep(
            "picture_response", lambda: picture_response(composer, usable, meter, options)
        )
        figures["variance"] = keep("variance", lambda: variance_shares(pool()))
        figures["retrieval"] = keep("retrieval", lambda: retrieval(pool()))
        figures["sensitivity"] = keep("sensitivity", lambda: sensitivity(model, composer, pool(), options))
        figures["quality"] = keep("quality", lambda: quality(model, composer, pool(), with_music, options, baseline))
    if prepared is not None:
        report("copying: searching the composed pieces for the training set")
        figures["copying"] = keep("copying", lambda: copying(_scores(model, pictures, options), prepared))
    figures["controls"] = controls
    figures["goals"] = goals(figures)
    report("writing the page")
    write_result(out / "steering.json", figures, data=extras.data, seed=SEED)
    shown = gallery(model, extras.gallery or tuple(pair.image for pair in pictures), options)
    write_atomically(out / "index.html", build_page(figures, shown))
    return figures


def _scores(model: ImageMusic, pictures: Sequence[Pair], options: SteeringOptions) -> list[Any]:
    chosen = distinct_pictures(pictures, options.copied_pieces)
    return list(
        compose_jobs(model, [ComposeJob(pair.reading, ComposeOptions(seconds=options.seconds)) for pair in chosen])
    )


def read_controls(path: Path | None) -> Figure | None:
    """Read figure 7, the measured controls that scripts/check_controls.py writes; None where `path` is.

    Raises:
        DataError: the file cannot be read, or is not a JSON object.
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
    """Return a hash of all that a figure depends on; the number of workers and the gallery do not count."""
    sizes = asdict(replace(options, workers=1, gallery=0))
    rows = [
        [pair.name, pair.reading.hash, pair.group, pair.picture_group, pair.genre, pair.valence, pair.arousal,
         pair.tempo_bpm, _content(pair.piece) if pair.piece else None]
        for pair in pairs
    ]  # fmt: skip
    return hashlib.sha256(json.dumps([sizes, dict(about), rows], sort_keys=True).encode()).hexdigest()


def _content(piece: Piece) -> str:
    """Return a hash of a piece's notes, instruments, tempos, meters and keys."""
    score = piece.score
    about = [score.tempos, score.meters, score.keys, score.ticks_per_beat, piece.velocity_known, piece.metrical]
    digest = hashlib.sha256(repr(about).encode())
    for track in score.tracks:
        digest.update(repr([track.program, track.is_drum, len(track)]).encode() + track.notes.tobytes())
    return digest.hexdigest()


def _stamps(folder: Path) -> list[list[Any]]:
    """Return name, size and time of change of a folder's files, which are too large to hash."""
    files = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in files]
