"""Embed the covers of a data set with the encoder of a model, once for all epochs.

DATASET/pictures.npz   id, split, embedding (P, 3, E) of three views, dial_mean (P, 3), percentiles of the affect dials;
                       a cover that is in the file is not embedded again
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.checkpoint import Checkpoint
from imagemusic.compose.prior import Prior
from imagemusic.data.build.built_set import BuiltSet
from imagemusic.data.pairing import Pictures
from imagemusic.errors import DataError
from imagemusic.executors import Progress
from imagemusic.files import replace_atomically
from imagemusic.music.dials import AFFECT_DIALS, IMAGE_DIALS
from imagemusic.vision.encoder import ImageEncoder
from imagemusic.vision.image import load_image, load_pixels
from imagemusic.vision.null_edits import COVER_VIEWS

PICTURES = "pictures.npz"
SAVE_EVERY = 500  # covers


def embed_covers(own: BuiltSet, checkpoint: Checkpoint, progress: Progress | None = None) -> Path:
    """Embed every cover of a piece; return the file.

    Raises:
        DataError: no piece has a cover that can be read.
    """
    splits = {row.cover: piece.split for row, piece in zip(own.rows, own.prepared, strict=True) if row.cover}
    path = own.folder / PICTURES
    done = _known(path, checkpoint.id)
    encoder = ImageEncoder(checkpoint.folder, checkpoint.config["encoder"]["size"])
    missing = [cover for cover in splits if cover not in done]
    for number, cover in enumerate(missing, 1):
        image = load_image(own.folder / cover, at_least=2 * encoder.size)
        outputs = [encoder.encode(load_pixels(view(image), encoder.size)) for view in COVER_VIEWS]
        done[cover] = (np.stack([embedding for embedding, _, _ in outputs]).astype(np.float16), outputs[0][1])
        if progress:
            progress(number / len(missing), f"embedding covers, {number} of {len(missing)}")
        if number % SAVE_EVERY == 0:
            _save(path, done, splits, checkpoint)
    if not splits:
        raise DataError(f"{own.folder}: no piece has a cover of its own; match some first, see its review.csv")
    _save(path, done, splits, checkpoint)
    return path


def _known(path: Path, checkpoint_id: str) -> dict[str, tuple[NDArray[np.float16], NDArray[np.float32]]]:
    """Read embeddings (3, E) and dial means (3,) by cover; empty where there is no file, or one of another model."""
    try:
        with np.load(path) as arrays:
            if str(arrays["checkpoint"]) != checkpoint_id:
                return {}
            return dict(
                zip(arrays["id"].tolist(), zip(arrays["embedding"], arrays["dial_mean"], strict=True), strict=True)
            )
    except (OSError, ValueError, KeyError):
        return {}


def _save(path: Path, done: Mapping[str, Any], splits: Mapping[str, str], checkpoint: Checkpoint) -> None:
    ids = [cover for cover in done if cover in splits]
    means = np.array([done[cover][1] for cover in ids], np.float32).reshape(-1, len(IMAGE_DIALS))
    prior = Prior(checkpoint.weights["prior.dials"], checkpoint.weights["prior.ensembles"], checkpoint.layout)
    ranks = [prior.rank_normalize(mean, checkpoint.config["pictures"]) for mean in means]
    labels: dict[str, Any] = {
        name: np.array([rank[name] if name in AFFECT_DIALS else np.nan for rank in ranks]) for name in IMAGE_DIALS
    }
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file, id=np.array(ids), split=np.array([splits[cover] for cover in ids]), dial_mean=means,
            embedding=np.stack([done[cover][0] for cover in ids]), checkpoint=np.array(checkpoint.id), **labels,
        )  # fmt: skip


def own_pictures(own: BuiltSet, path: Path, split: str = "train") -> Pictures:
    """Open the embedded covers of a split, paired with the pieces of the same release or the same label.

    Raises:
        DataError: no cover is in that split.
    """
    pictures = Pictures.open(path, split)
    place = {str(name): number for number, name in enumerate(pictures.ids)}
    pieces = [(piece.id, row) for piece, row in zip(own.prepared, own.rows, strict=True) if piece.split == split]
    exact = {name: place[row.cover] for name, row in pieces if row.cover in place}
    labelled: dict[str, Sequence[int]] = {}
    for name, row in pieces:
        if row.label and name in exact:
            labelled[row.label] = [*labelled.get(row.label, ()), exact[name]]
    by_label = {label: np.unique(np.array(numbers)) for label, numbers in labelled.items()}
    kinds = {name: by_label[row.label] for name, row in pieces if row.label in by_label and name not in exact}
    return Pictures(pictures.ids, pictures.embeddings, pictures.labels, own=exact, by_label=kinds)
