import csv

import numpy as np
import pytest
from PIL import Image

from imagemusic.music.midi import save_midi
from tests import tiny


def write_picture(path, colour, seed=0):
    """A picture of one colour with a little noise, so that no two have the same pixels."""
    rng = np.random.default_rng(seed)
    pixels = np.clip(np.array(colour) + rng.integers(-3, 4, (32, 32, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_pairs(folder, count=10, **changes):
    """Write pictures, tunes and pairs.csv; changes map a row number to cells that differ."""
    folder.mkdir(exist_ok=True)
    names = ("image", "midi", "album", "artist", "genre", "valence", "arousal", "tempo_bpm")
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names)
        table.writeheader()
        for number in range(count):
            colour = (255 * number // max(count - 1, 1), 128, 255 - 255 * number // max(count - 1, 1))
            write_picture(folder / f"{number}.png", colour, number)
            save_midi(tiny.tune(number, bars=4), folder / f"{number}.mid")
            row = {
                "image": f"{number}.png", "midi": f"{number}.mid", "album": f"album {number // 2}", "artist": "someone",
                "genre": "folk" if number % 2 else "rock", "valence": number / 10, "arousal": -number,
                "tempo_bpm": 80 + 5 * number,
            }  # fmt: skip
            table.writerow(row | changes.get(f"row_{number + 2}", {}))
    return folder / "pairs.csv"


@pytest.fixture(scope="session")
def tiny_model(tiny_checkpoint):
    from imagemusic.compose.pipeline import ImageMusic

    return ImageMusic.from_pretrained(tiny_checkpoint)
