"""Turn dials against pictures with other strengths of feedback: how well does the music follow?

    python scripts/study_feedback.py --pictures DATA --out docs/results/feedback.json

The pictures are jackets of the training split, so nothing here is held out for the report on steering.  Dials are
measured in the score, masks off; rho is Spearman's, with 95 % intervals over pictures.
"""

import argparse
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from imagemusic.compose import feedback
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import ImageMusicError
from imagemusic.evaluation.steering.composing import compose_unmasked
from imagemusic.evaluation.steering.measures import measured
from imagemusic.evaluation.steering.pairs import Pair
from imagemusic.evaluation.steering.response import dose_jobs, response
from imagemusic.evaluation.steering.settings import SteeringOptions
from imagemusic.reports.results import write_result
from imagemusic.training.encoder.labels import read_pictures

DIALS = ("mode", "articulation", "polyphony")  # those that scores lean on
VARIANTS: dict[str, dict[str, float]] = {
    "as it ships": {},
    "every 16 events": {"LEAN_EVERY": 16},
    "later": {"LEAN_SLOW": 16},
    "mode 8 nats": {"MODE_NATS": 8.0},
    "nothing for polyphony": {"TOGETHER_NATS": 0.0, "OVERLAP": 0.0},
    "no longer notes for polyphony": {"OVERLAP": 0.0},
}
CHUNK = 48  # pieces side by side


def measure(model: ImageMusic, pairs: list[Pair], options: SteeringOptions) -> dict[str, Any]:
    """Turn each of DIALS against the pictures."""
    found = {}
    for dial in DIALS:
        jobs, levels, names = dose_jobs(model, dial, pairs, options, ComposeOptions(), masked=False)
        chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
        scores = [score for chunk in chunks for score in compose_unmasked(model, chunk)]
        heard = np.array([measured(score, model.checkpoint.scale).dial(dial) for score in scores])
        found[dial] = response(levels, heard, names)["rho"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder that holds affect/ and covers/")
    parser.add_argument("--count", type=int, default=48, help="jackets (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/results/feedback.json"))
    arguments = parser.parse_args()
    try:
        jackets = [one for one in read_pictures(arguments.pictures) if (one.source, one.split) == ("otoge", "train")]
        chosen = np.random.default_rng(arguments.seed).permutation(len(jackets))[: arguments.count]
        model = ImageMusic.from_pretrained()
        pairs = [
            Pair(name=jackets[i].id, image=jackets[i].path, reading=model.encode(jackets[i].path), piece=None)
            for i in chosen.tolist()
        ]
        figures = {}
        for name, changes in VARIANTS.items():
            with patch.dict(vars(feedback), changes):
                figures[name] = measure(model, pairs, SteeringOptions())
            print(name, {dial: rho["value"] for dial, rho in figures[name].items()}, flush=True)
    except ImageMusicError as error:
        print(f"study_feedback: error: {error}", file=sys.stderr)
        return 1
    write_result(arguments.out, {"rho": figures, "changes": VARIANTS}, seed=arguments.seed, data=["otoge jackets"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
