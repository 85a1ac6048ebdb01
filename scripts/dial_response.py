"""Ask whether the music does what the dials say: Spearman's rho between each dial given and the same dial measured.

    python scripts/dial_response.py --pictures PICTURES --out docs/results/dials.json

Dials are those of the pictures, as `imagemusic compose` gives them.  Tempo is exact and counts for nothing here.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from imagemusic.composition import ComposeOptions
from imagemusic.errors import ImageMusicError
from imagemusic.music.dials import DIALS, measure
from imagemusic.pipeline import ImageMusic
from imagemusic.training.results import write_result
from imagemusic.vision.image import IMAGE_SUFFIXES

REPEATS = 2000


def spearman(pairs: np.ndarray) -> float:
    """Rank correlation of pairs (N, 2)."""
    ranks = pairs.argsort(axis=0).argsort(axis=0).astype(np.float64)
    ranks -= ranks.mean(axis=0)
    given, measured = ranks.T
    return float(given @ measured / np.sqrt((given @ given) * (measured @ measured)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of pictures, searched through")
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the model that ships)")
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--guidance", type=float, default=ComposeOptions().guidance_scale)
    parser.add_argument("--out", type=Path, default=Path("docs/results/dials.json"))
    arguments = parser.parse_args()
    found = sorted(path for path in arguments.pictures.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    try:
        model = ImageMusic.from_pretrained(arguments.checkpoint)
        options = ComposeOptions(seconds=arguments.seconds, guidance_scale=arguments.guidance)
        pairs: dict[str, list[tuple[float, float]]] = {dial: [] for dial in DIALS}
        for picture in tqdm(found[: arguments.count], unit="picture"):
            piece = model.compose(picture, options)
            measured = model.checkpoint.scale.dials(measure(piece.score))
            for dial in DIALS:
                value = measured[dial]
                if dial in piece.dials and value is not None:
                    pairs[dial].append((float(piece.dials[dial].value), value))
    except ImageMusicError as error:
        print(f"dial_response: error: {error}", file=sys.stderr)
        return 1
    rng, figures = np.random.default_rng(0), {}
    for dial, values in pairs.items():
        if len(values) < 20:
            print(f"{dial}: {len(values)} pieces are too few")
            continue
        table = np.array(values)
        again = [spearman(table[rng.integers(len(table), size=len(table))]) for _ in range(REPEATS)]
        low, high = np.quantile(again, [0.025, 0.975])
        figures[dial] = {"rho": spearman(table), "low": float(low), "high": float(high), "pieces": len(table)}
        print(f"{dial}: rho {figures[dial]['rho']:.2f} ({low:.2f} to {high:.2f}), {len(table)} pieces")
    result = {"dials": figures, "guidance_scale": arguments.guidance, "checkpoint": model.checkpoint.id}
    write_result(arguments.out, result, seed=0, data=[f"{arguments.count} pictures"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
