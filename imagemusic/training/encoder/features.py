"""Pooled features of pictures under a frozen backbone, computed once and kept in a file.

Every augmentation of a picture has a row of its own, to measure what averaging them gains.  ONNX Runtime is about twice
as fast here as torch.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemusic.errors import DataError
from imagemusic.files import replace_atomically
from imagemusic.graphs.session import load_session
from imagemusic.training.encoder.labels import LabelledPicture
from imagemusic.vision.image import load_image, load_pixels
from imagemusic.vision.null_edits import NULL_EDITS

FEATURES = "looks"  # output of the graph of `export_backbone`
CHUNK = 16  # pictures that a worker takes at a time

Features = NDArray[np.float16]  # (P, V, A, F): views, augmentations


def _unchanged(image: Image.Image) -> Image.Image:
    return image


VIEWS: dict[str, Callable[[Image.Image], Image.Image]] = {"original": _unchanged, **NULL_EDITS}


def cache_features(
    pictures: Sequence[LabelledPicture],
    views: Sequence[str],
    graph: Path,
    path: Path,
    *,
    size: int,
    shape: tuple[int, int],
    workers: int,
) -> Features:
    """Compute the features (P, V, A, F) of every view of pictures, unless `path` holds them already.

    Args:
        graph: file of `export_backbone`.
        shape: (A, F), augmentations and features.

    Raises:
        DataError: `path` holds the features of other pictures, or of another graph.
    """
    whole = (len(pictures), len(views), *shape)
    made_by = path.with_name(path.name + ".graph")
    if not path.exists():
        chunks = [pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK)]
        rest = ([value] * len(chunks) for value in (tuple(views), graph, size))
        with replace_atomically(path) as temporary:
            rows = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=whole)
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                done = 0
                for part in pool.map(_features, chunks, *rest):
                    rows[done : done + len(part)] = part
                    done += len(part)
                    print(f"\rfeatures of {done} of {len(rows)} pictures", end="", flush=True)
            print()
            rows.flush()
            made_by.write_text(_digest(graph))
    cached: Features = np.load(path, mmap_mode="r")
    if cached.shape != whole:
        raise DataError(f"{path}: holds features {cached.shape}, need {whole}; remove it to compute them again")
    if not made_by.exists() or made_by.read_text() != _digest(graph):
        raise DataError(f"{path}: made by another encoder than {graph}; remove it to compute it again")
    return cached


def _digest(graph: Path) -> str:
    return hashlib.sha256(graph.read_bytes()).hexdigest() + "\n"


def _features(pictures: Sequence[LabelledPicture], views: Sequence[str], graph: Path, size: int) -> Features:
    session = load_session(graph)
    rows = []
    for picture in pictures:
        image = load_image(picture.path)
        pixels = [load_pixels(VIEWS[view](image), size) for view in views]
        rows.append(np.concatenate([session.run([FEATURES], {"pixels": one[None]})[0] for one in pixels]))
    return np.stack(rows).astype(np.float16)
