"""`imagemusic evaluate listening` and `score-listening`: a blind test with people, and what came of it."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from imagemusic.commands import Commands
from imagemusic.commands.options import add_checkpoint
from imagemusic.commands.terminal import print_error, progress_bar

if TYPE_CHECKING:
    from imagemusic.evaluation.listening.scoring import Result

KIT_EXAMPLES = """
  imagemusic evaluate listening --pictures covers/ --out kit
  imagemusic evaluate listening --pictures covers/ --out kit --trials 40 --seconds 15 --seed 3

Listeners get the folder; the key, kit-key.json beside it, stays with you.
kit/README.md explains how to run the test."""

SCORE_EXAMPLES = """
  imagemusic evaluate score-listening kit-key.json answers-*.json
  imagemusic evaluate score-listening kit-key.json answers-*.csv --json"""


def register_listening(commands: Commands) -> None:
    """Add `listening` and `score-listening`."""
    kit = commands(
        "listening", "write a page that asks people which of two pictures a piece was made from", KIT_EXAMPLES
    )
    kit.add_argument(
        "--pictures", nargs="+", required=True, metavar="COVER", help="pictures, folders of pictures, or globs"
    )
    kit.add_argument("--out", type=Path, required=True, metavar="KIT", help="folder to write; it must not exist yet")
    kit.add_argument("--trials", type=int, default=24, metavar="N", help="questions (default 24)")
    kit.add_argument("--seconds", type=float, default=20.0, metavar="N", help="length of a piece (default 20)")
    kit.add_argument("--seed", type=int, default=0, metavar="N", help="decides pieces and pairs (default 0)")
    kit.add_argument("--format", default="mp3", metavar="NAME", help="mp3 or ogg (default mp3)")
    add_checkpoint(kit)
    kit.set_defaults(run=run_listening)

    score = commands("score-listening", "score the answers of listeners", SCORE_EXAMPLES)
    score.add_argument("key", type=Path, metavar="KEY", help="the key of the kit, KIT-key.json")
    score.add_argument("answers", type=Path, nargs="+", metavar="ANSWERS", help="JSON or CSV files that the page saved")
    score.add_argument("--json", action="store_true", help="print JSON, for programs")
    score.set_defaults(run=run_score)


def run_listening(arguments: argparse.Namespace) -> int:
    from imagemusic.compose.pipeline import ImageMusic
    from imagemusic.evaluation.listening.kit import KitOptions, make_kit
    from imagemusic.vision.listing import find_pictures

    options = KitOptions(
        trials=arguments.trials, seconds=arguments.seconds, seed=arguments.seed, format=arguments.format
    )
    pictures, failures = find_pictures(arguments.pictures)
    if failures:
        for path, error in failures:
            print_error(error, where=str(path))
        return 1
    model = ImageMusic.from_pretrained(arguments.checkpoint)
    with progress_bar() as (progress, _):
        key = make_kit(model, pictures, arguments.out, options, progress=progress)
    print(f"{arguments.out / 'index.html'}: the page, for listeners")
    print(f"{key}: which picture is right; keep it from the listeners")
    return 0


def run_score(arguments: argparse.Namespace) -> int:
    from imagemusic.evaluation.listening.scoring import score

    result = score(arguments.key, arguments.answers)
    print(json.dumps(result.to_json()) if arguments.json else "\n".join(spell_out(result)))
    return 0


def spell_out(result: "Result") -> list[str]:
    """Write what came of a kit as lines for people."""
    from imagemusic.evaluation.listening.scoring import CAVEAT, LEAST_LISTENERS

    width = max(map(len, (*result.listeners, "all answers")))
    lines = []
    for name, tally in (*result.listeners.items(), ("all answers", result.overall)):
        low, high = tally.interval
        left_out = result.trials - tally.answered
        note = f"; {left_out} not answered" if name in result.listeners and left_out > 0 else ""
        lines.append(
            f"{name:<{width}}  {tally.right} of {tally.answered} right, {tally.share:.1%}, "
            f"95 % interval {low:.1%} to {high:.1%}: {_against_chance(low, high)}{note}"
        )
    if result.over_listeners is None:
        lines.append(f"an interval over listeners takes {LEAST_LISTENERS} of them, got {len(result.listeners)}")
    else:
        low, high = result.over_listeners
        lines.append(
            f"over {len(result.listeners)} listeners the mean share has a 95 % bootstrap interval of "
            f"{low:.1%} to {high:.1%}: {_against_chance(low, high)}"
        )
    return [*lines, CAVEAT]


def _against_chance(low: float, high: float) -> str:
    return "above chance" if low > 0.5 else "below chance" if high < 0.5 else "holds 50 %, which is chance"
