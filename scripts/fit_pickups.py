"""Fit the weights of imagemusic/data/corpora/bars.py, and measure how often they find the pickup.

    python scripts/fit_pickups.py --corpora DIR

The truth comes from pieces in which a second meter follows: what whole bars leave over before it is the pickup.  Only
pieces that train are used; accuracy is that of five-fold cross-validation, and of orchestral movements not fitted on.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagemusic.data.corpora.bars import CUES, FEWEST_NOTES, STEP, WEIGHTS, has_places, pickup_cues
from imagemusic.data.corpora.catalogue import list_pieces
from imagemusic.data.corpora.grid import bar_ticks, on_grid
from imagemusic.data.corpora.held_out import split_of
from imagemusic.errors import ImageMusicError
from imagemusic.music.midi import load_midi
from imagemusic.music.score import ONSET

FIT, CHECK = ("openscore-lieder", "mutopia"), ("hauptstimme",)
PULL = 0.02  # of the weights to zero
REPORT = Path(__file__).parents[1] / "docs" / "results" / "pickups.json"


class Case(NamedTuple):
    """A piece whose pickup is known, in eighths."""

    cues: NDArray[np.float64]  # (P, 7)
    pickup: int


def known_cases(folder: Path, corpus: str) -> list[Case]:
    """Collect the pieces of a corpus in which a second meter tells the pickup."""
    cases = []
    for key in list_pieces(folder, corpus):
        score, _ = on_grid(load_midi(folder / corpus / key))
        trains = split_of(f"{corpus}/{key.removesuffix('.mid')}") == "train"
        if not trains or len(score.meters) < 2 or score.meters[0].tick or not has_places(score.meters[0]):
            continue
        bar, until = bar_ticks(score.meters[0]), score.meters[1].tick
        notes = np.concatenate([track.notes for track in score.tracks])
        notes = notes[notes[:, ONSET] < until]
        if len(notes) >= FEWEST_NOTES and until >= 6 * bar and until % bar % STEP == 0:
            cases.append(Case(pickup_cues(notes, score.meters[0]), until % bar // STEP))
    return cases


def fit(cases: list[Case]) -> NDArray[np.float64]:
    """Return the weights under which the known pickups are likeliest, by Newton's method."""
    weights = np.zeros(len(CUES))
    for _ in range(20):
        slope, bend = PULL * len(cases) * weights, PULL * len(cases) * np.eye(len(CUES))
        for cues, pickup in cases:
            odds = cues @ weights
            share = np.exp(odds - odds.max())
            share /= share.sum()
            mean = share @ cues
            slope += mean - cues[pickup]
            bend += (cues * share[:, None]).T @ cues - np.outer(mean, mean)
        weights = weights - np.linalg.solve(bend, slope)
    return weights


def hits(cases: list[Case], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell for each case whether the pickup is found."""
    return np.array([int((cues @ weights).argmax()) == pickup for cues, pickup in cases])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds a folder for each corpus")
    arguments = parser.parse_args()
    try:
        cases = [case for corpus in FIT for case in known_cases(arguments.corpora, corpus)]
        checks = [case for corpus in CHECK for case in known_cases(arguments.corpora, corpus)]
    except ImageMusicError as error:
        print(f"fit_pickups: error: {error}", file=sys.stderr)
        return 1
    order = np.random.default_rng(0).permutation(len(cases))
    folds = [[cases[i] for i in order[fold::5]] for fold in range(5)]
    found = []
    for fold in range(5):
        others = [case for number, part in enumerate(folds) if number != fold for case in part]
        found.append(hits(folds[fold], fit(others)))
    none = float(np.mean([case.pickup == 0 for case in cases]))
    report = {
        "command": "python scripts/fit_pickups.py --corpora DIR",
        "commit": subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip(),
        "fitted": dict(zip(CUES, fit(cases).round(2).tolist(), strict=True)),
        "in_use": dict(zip(CUES, WEIGHTS, strict=True)),
        "pieces": len(cases),
        "right_saying_none": round(none, 3),
        "right_cross_validated": round(float(np.concatenate(found).mean()), 3),
        "orchestral": {
            "pieces": len(checks),
            "right_saying_none": round(float(np.mean([case.pickup == 0 for case in checks])), 3),
            "right": round(float(hits(checks, np.array(WEIGHTS)).mean()), 3),
        },
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
