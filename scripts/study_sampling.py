"""Compose under many settings of chance and hold each against held-out music: which comes nearest to it?

    python scripts/study_sampling.py --pictures DATA --prepared runs/prepared --out docs/results/sampling.json

DATA holds affect/ and covers/.  Pictures and music are those of the validation split, and every setting composes for
the same pictures with the same random numbers, so what differs is the setting.  The figure of merit is the mean overlap
area over music/distributions.py; the real pieces are weighted so that each kind of ensemble is as frequent as among
ours.  Intervals are of pieces drawn again 1,000 times, ours in pairs.  A killed run goes on: what was composed lies in
--work.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from likeness import Drawn, Sample, Table, compare, compared, figure, mean_with_interval, similarities
from numpy.typing import NDArray
from sample_quality import held_out_pieces, held_out_scores
from tqdm import tqdm

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.prepared import PreparedPiece, PreparedSet
from imagemusic.errors import ImageMusicError
from imagemusic.generation.sampling import SamplingOptions
from imagemusic.music.distributions import alike_weights, mean_shares
from imagemusic.reports.results import write_result
from imagemusic.training.encoder.labels import read_pictures
from imagemusic.vision.features import ImageFeatures

FIRST = "as it ships"  # what the others are held against
BASE: dict[str, Any] = asdict(SamplingOptions())
CHANGES: dict[str, dict[str, Any]] = {
    FIRST: {},
    "top_p 0.95": {"top_p": 0.95},
    "top_p 0.98": {"top_p": 0.98},
    "top_p 1": {"top_p": 1.0},
    "temperature 0.9": {"temperature": 0.9},
    "temperature 1.1": {"temperature": 1.1},
    "guard off": {"repetition_guard": False},
    "guard from 0.28": {"repetition_share": 0.28},
    "temperature 0.9, top_p 1": {"temperature": 0.9, "top_p": 1.0},
    "duration top_p 1": {"top_ps": {"duration": 1.0}},
    "pitch top_p 0.97": {"top_ps": {"pitch": 0.97}},
    "gap top_p 0.97": {"top_ps": {"gap": 0.97}},
    "all but pitch top_p 0.97": {"top_p": 0.97, "top_ps": {"pitch": 0.9}},
    "guidance 1": {"guidance_scale": 1.0},
    "guidance 1.5": {"guidance_scale": 1.5},
    "guidance 4": {"guidance_scale": 4.0},
    "feedback 0": {"feedback": 0.0},
    "feedback 1": {"feedback": 1.0},
    "feedback 3": {"feedback": 3.0},
    "pitch top_p 0.8": {"top_ps": {"pitch": 0.8}},
    "pitch temperature 0.9": {"temperatures": {"pitch": 0.9}},
    "duration temperature 1.1": {"temperatures": {"duration": 1.1}},
    "typical 0.9": {"sampler": "typical"},
    "recurrence 1": {"repetition_bonus": 1.0},
    "recurrence 2": {"repetition_bonus": 2.0},
    "recurrence 3": {"repetition_bonus": 3.0},
}
# What a note's length comes from: each step takes something away.
STEPS: dict[str, dict[str, Any]] = {
    FIRST: {},
    "drawn from all that the decoder says": {
        "top_p": 1.0, "guidance_scale": 1.0, "feedback": 0.0, "repetition_guard": False,
    },
}  # fmt: skip


class Study:
    """Composes for the same pictures again and again."""

    def __init__(self, model: ImageMusic, readings: Sequence[ImageFeatures], seconds: float, work: Path) -> None:
        self.model, self.readings, self.seconds, self.work = model, readings, seconds, work
        work.mkdir(parents=True, exist_ok=True)

    def compose(self, changes: dict[str, Any], own: Sequence[dict[str, Any]] | None = None) -> Sample:
        """Compose a piece for each picture, or for each of `own`: options of single pieces."""
        own = own or [{} for _ in self.readings]
        readings = [self.readings[i % len(self.readings)] for i in range(len(own))]
        told = [self.model.checkpoint.id, self.seconds, BASE | changes, own, [reading.hash for reading in readings]]
        path = self.work / f"{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]}.npz"
        if not path.exists():
            requests = [
                (reading, ComposeOptions(seconds=self.seconds, seed=number, **(BASE | changes | one)))
                for number, (reading, one) in enumerate(zip(readings, own, strict=True))
            ]
            pieces = self.model.compose_batch(requests)
            asked = [{name: dial.value for name, dial in piece.dials.items()} for piece in pieces]
            Sample.of([piece.score for piece in pieces], self.model.checkpoint.scale, asked).save(path)
        return Sample.load(path)


def told(sample: Sample, found: Table, base: Table) -> dict[str, Any]:
    """Figures of a setting, and how far they lie from those of the first."""
    return {
        "figures": {name: figure(values) for name, values in found.items()},
        "against_first": {name: compared(values, base[name]) for name, values in found.items()},
        "similarity": similarities(sample.shares),
        "notes": float(np.median(sample.notes)),
    }


def show(name: str, row: Mapping[str, Any]) -> str:
    """A line of the table."""
    figures, gap = row["figures"], row["against_first"]["overlap"]
    rest = "  ".join(f"{key} {figures[key]['value']:.3f}" for key in ("worn_windows", "note_beats", "dials_followed"))
    less = f"{gap['value']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f}) {gap['verdict']:6}"
    return f"{name:26} overlap {figures['overlap']['value']:.3f} {less} {rest}"


def lengths(
    study: Study, pieces: Sequence[PreparedPiece], real: Sample, weights: NDArray[np.float64]
) -> dict[str, Any]:
    """Mean beats a note: real, ours for pictures, and ours with the dials and ensembles of the real pieces."""
    scale = study.model.checkpoint.scale
    chosen = np.random.default_rng(0).permutation(len(pieces))[: len(study.readings)].tolist()
    own = [
        {"dials": {name: value for name, value in scale.dials(pieces[i].cues).items() if value is not None},
         "ensemble": pieces[i].ensemble}
        for i in chosen
    ]  # fmt: skip
    result: dict[str, Any] = {
        "real": mean_with_interval(real.note_beats),
        "real, ensembles as frequent as ours": round(float(real.note_beats @ weights / weights.sum()), 4),
        "real, those whose dials are used": mean_with_interval(real.note_beats[chosen]),
    }
    for name, changes in tqdm(STEPS.items(), desc="note lengths", unit="setting"):
        result[f"for pictures, {name}"] = mean_with_interval(study.compose(changes).note_beats)
        result[f"with the dials of real pieces, {name}"] = mean_with_interval(study.compose(changes, own).note_beats)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder that holds affect/ and covers/")
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--count", type=int, default=120, help="pieces for each setting")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--work", type=Path, default=Path("runs/sampling"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/sampling.json"))
    arguments = parser.parse_args()
    try:
        model = ImageMusic.from_pretrained(arguments.checkpoint)
        pictures = [picture for picture in read_pictures(arguments.pictures) if picture.split == "validation"]
        order = np.random.default_rng(0).permutation(len(pictures))[: arguments.count]
        readings = [model.encode(pictures[i].path) for i in tqdm(order.tolist(), desc="looking", unit="picture")]
        study = Study(model, readings, arguments.seconds, arguments.work)
        prepared = PreparedSet.open(arguments.prepared)
        held_out = held_out_pieces(prepared, "validation")
        scores = held_out_scores(prepared, held_out, arguments.seconds)
        real = Sample.of(scores, model.checkpoint.scale, [{"ensemble": piece.ensemble} for piece in held_out])
        first = study.compose({})
        weights = alike_weights([piece.ensemble for piece in held_out], first.ensembles.tolist())
        drawn = Drawn.of(len(readings), weights, [piece.group for piece in held_out])
        there = {name: mean_shares(rows, drawn.real) for name, rows in real.shares.items()}
        base = compare(first, drawn, there)
        result: dict[str, Any] = {
            "checkpoint": model.checkpoint.id, "pieces": len(readings), "seconds": arguments.seconds,
            "held_out": {
                "pieces": len(held_out),
                "worn_windows": round(float(np.divide(*(weights @ real.worn))), 4),
                "similarity": similarities(real.shares, weights),
            },
            "base": BASE, "settings": {}, "note_beats": {},
        }  # fmt: skip
        data = ["validation pictures of OASIS, BASS and jackets", "validation music"]
        for name, changes in tqdm(CHANGES.items(), desc="composing", unit="setting"):
            sample = study.compose(changes)
            result["settings"][name] = row = told(sample, compare(sample, drawn, there), base)
            tqdm.write(show(name, row))
            write_result(arguments.out, result, seed=0, data=data)
        result["note_beats"] = lengths(study, held_out, real, weights)
    except ImageMusicError as error:
        print(f"study_sampling: error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result["note_beats"], indent=1))
    write_result(arguments.out, result, seed=0, data=data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
