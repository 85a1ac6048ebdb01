"""Fine-tune the picture encoder on rated pictures and jackets, measure it, and embed the pictures for the decoder.

    python scripts/train_encoder.py --data CORPORA --out runs/encoder

reads affect/, covers/ and weights/ below CORPORA and writes

    data/heldout_pictures.json     the split, made once and only checked from then on
    OUT/encoder.safetensors, encoder.json, encoder.onnx
    OUT/../pictures.npz            embeddings and labels of every picture, for the decoder's training
    RESULTS                        what was measured on the pictures held out
"""

import argparse
import json
import os
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two busy threads on a shared machine wait for each other

import numpy as np
import torch
from numpy.typing import NDArray

from imagemusic.errors import DataError
from imagemusic.vision.accuracy import best_ridge, compare, coverage
from imagemusic.vision.encoder import DIALS, EncoderConfig, ImageEncoder, load_encoder, save_encoder
from imagemusic.vision.export import export_onnx
from imagemusic.vision.finetune import Examples, FinetuneOptions, features_of, finetune
from imagemusic.vision.image import load_image, load_pixels
from imagemusic.vision.labels import SPLITS, LabelledPicture, Ranks, read_pictures
from imagemusic.vision.views import MORE_VIEWS, NULL_EDITS, VIEWS, View

# The mean and deviation are those of the weights that training starts from.
CONFIG = EncoderConfig(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), trainable_from=4)
HELDOUT = Path("data/heldout_pictures.json")
MEASURED = (("oasis", "valence"), ("oasis", "arousal"), ("bass", "valence"), ("bass", "arousal"), ("otoge", "tempo"))


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


def views_of(picture: LabelledPicture) -> dict[str, View]:
    """Give rated pictures, which are few, more views than jackets."""
    return VIEWS if picture.source == "otoge" else VIEWS | MORE_VIEWS


def maps_of(pictures: list[LabelledPicture], weights: Path) -> NDArray[np.float16]:
    """Compute what the first trainable stage reads for every view of some pictures: (rows, C, H, W)."""
    torch.set_num_threads(1)
    encoder = load_encoder(CONFIG, weights).eval().to(memory_format=torch.channels_last)
    rows = []
    for picture in pictures:
        image = load_image(picture.path)
        pixels = []
        for name, view in views_of(picture).items():
            # Seeded by the name, so that the order of the work does not matter.
            rng = np.random.default_rng(list(f"{picture.id} {name}".encode()))
            pixels.append(load_pixels(view(image, rng), CONFIG.size))
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(pixels)).contiguous(memory_format=torch.channels_last)
            rows.append(encoder.before_stage(batch, encoder.cached_stage).numpy().astype(np.float16))
    return np.concatenate(rows)


def cache_maps(pictures: list[LabelledPicture], weights: Path, path: Path, workers: int) -> NDArray[np.float16]:
    """Compute the maps of all pictures once; rows lie in the order of the pictures, then of their views."""
    if not path.exists():
        chunks = [pictures[start : start + 24] for start in range(0, len(pictures), 24)]
        count = sum(len(views_of(picture)) for picture in pictures)
        temporary = path.with_name(path.name + ".tmp")
        shape = (count, *maps_of(pictures[:1], weights).shape[1:])
        maps = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            row = 0
            for part in pool.map(maps_of, chunks, [weights] * len(chunks)):
                maps[row : row + len(part)] = part
                row += len(part)
                print(f"\rmaps: {row} of {count} views", end="", flush=True)
        print()
        maps.flush()
        temporary.replace(path)
    cached: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return cached


def rank_labels(pictures: list[LabelledPicture]) -> tuple[NDArray[np.float32], list[float]]:
    """Rank labels (P, 3) among the training pictures of their source; also give the quantiles of the tempo."""
    source = np.array([picture.source for picture in pictures])
    train = np.array([picture.split == "train" for picture in pictures])
    dials = np.full((len(pictures), len(DIALS)), np.nan, dtype=np.float32)
    tempo_quantiles: list[float] = []
    for column, name in enumerate(("valence", "arousal", "tempo_bpm")):
        values = np.array([getattr(picture, name) for picture in pictures])
        for one in np.unique(source):
            here = source == one
            if not np.isnan(values[here]).all():
                ranks = Ranks(values[here & train])
                dials[here, column] = ranks.signed(values[here])
                if name == "tempo_bpm":
                    tempo_quantiles = ranks.quantiles()
    return dials, tempo_quantiles


def collect(pictures: list[LabelledPicture], maps: NDArray[np.float16], dials: NDArray[np.float32]) -> Examples:
    views = np.array([len(views_of(picture)) for picture in pictures])
    categories = sorted({picture.category for picture in pictures} - {""})
    return Examples(
        maps=maps,
        first_row=np.cumsum(views) - views,
        views=views,
        dials=dials,
        category=np.array([categories.index(p.category) if p.category else -1 for p in pictures]),
        source=np.array([picture.source for picture in pictures]),
        split=np.array([picture.split for picture in pictures]),
    )


@torch.no_grad()
def write_pictures(encoder: ImageEncoder, examples: Examples, pictures: list[LabelledPicture], path: Path) -> None:
    """Embed the four views of every picture for the decoder's training."""
    everything = np.arange(len(pictures))
    embeddings = [encoder.embed(features_of(encoder, examples, everything, view)) for view in range(len(VIEWS))]
    dials = encoder.affect(embeddings[0])
    temporary = path.with_name(f"partial-{path.name}")
    np.savez(
        temporary,
        id=np.array([picture.id for picture in pictures]),
        source=examples.source,
        group=np.array([picture.group for picture in pictures]),
        split=examples.split,
        embedding=torch.stack(embeddings, dim=1).numpy().astype(np.float16),
        valence=examples.dials[:, 0],
        arousal=examples.dials[:, 1],
        tempo=examples.dials[:, 2],
        tempo_bpm=np.array([picture.tempo_bpm for picture in pictures], dtype=np.float32),
        dial_mean=dials.mean.numpy(),
        dial_sd=dials.sd.numpy(),
    )
    temporary.replace(path)


def measure(
    encoder: ImageEncoder, frozen: NDArray[np.float64], examples: Examples, groups: NDArray[np.str_]
) -> dict[str, object]:
    """Correlate the dials of held-out pictures with their labels, beside a ridge on the frozen features."""
    table: dict[str, object] = {}
    with torch.no_grad():
        dials = encoder.affect(encoder.embed(features_of(encoder, examples, np.arange(len(groups)))))
    for source, name in MEASURED:
        column = DIALS.index(name)
        truth = examples.dials[:, column].astype(np.float64)
        rows = {
            s: np.flatnonzero((examples.source == source) & (examples.split == s) & ~np.isnan(truth)) for s in SPLITS
        }
        test = rows["test"]
        mean, sd = dials.mean[test, column].double().numpy(), dials.sd[test, column].double().numpy()
        baseline = best_ridge(frozen, truth, rows["train"], rows["validation"])(frozen[test])
        table[f"{source}_{name}"] = {
            "pictures": len(test),
            "groups": len(np.unique(groups[test])),
            **compare(mean, baseline, truth[test], groups[test]),
            "coverage": {str(percent): round(share, 3) for percent, share in coverage(truth[test], mean, sd).items()},
            "mean_sd": round(float(sd.mean()), 3),
        }
    return table


@torch.no_grad()
def measure_null_edits(encoder: ImageEncoder, pictures: list[LabelledPicture]) -> dict[str, object]:
    """Tell how far the dials of held-out pictures move under edits that change no mood."""

    def see(edit: str | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        seen = []
        for picture in pictures:
            image = load_image(picture.path)
            pixels = load_pixels(NULL_EDITS[edit](image) if edit else image, CONFIG.size)
            embedding = encoder(torch.from_numpy(pixels)[None].contiguous(memory_format=torch.channels_last))
            seen.append((embedding[0].numpy(), encoder.affect(embedding).mean[0].numpy()))
        embeddings, dials = zip(*seen, strict=True)
        return np.stack(embeddings), np.stack(dials)

    embeddings, dials = see(None)
    order = np.random.default_rng(0).permutation(len(pictures))

    def moved(others: tuple[NDArray[np.float32], NDArray[np.float32]]) -> dict[str, object]:
        change = np.abs(others[1] - dials).astype(np.float64)
        return {
            "embedding_distance": round(float(np.linalg.norm(others[0] - embeddings, axis=1).mean()), 3),
            "dials_mean": dict(zip(DIALS, np.round(change.mean(axis=0), 4).tolist(), strict=True)),
            "dials_95_percent": dict(zip(DIALS, np.round(np.quantile(change, 0.95, axis=0), 4).tolist(), strict=True)),
        }

    return {"pictures": len(pictures), "another_picture": moved((embeddings[order], dials[order]))} | {
        edit: moved(see(edit)) for edit in NULL_EDITS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with affect/, covers/ and weights/")
    parser.add_argument("--out", type=Path, default=Path("runs/encoder"))
    parser.add_argument("--results", type=Path, default=Path("docs/results/encoder.json"))
    parser.add_argument("--workers", type=int, default=2, help="processes that prepare pictures")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    weights = arguments.data / "weights/mobilenet_v2_imagenet.pth"
    pictures = read_pictures(arguments.data)
    freeze_split(pictures, HELDOUT)
    started = time.perf_counter()
    maps = cache_maps(pictures, weights, arguments.out / "maps.npy", arguments.workers)
    dials, tempo_quantiles = rank_labels(pictures)
    examples = collect(pictures, maps, dials)
    encoder = load_encoder(CONFIG, weights).to(memory_format=torch.channels_last).eval()
    frozen = features_of(encoder, examples, np.arange(len(pictures))).double().numpy()
    options = FinetuneOptions(seed=arguments.seed)
    history = finetune(encoder, examples, options)
    seconds = time.perf_counter() - started
    write_pictures(encoder, examples, pictures, arguments.out.parent / "pictures.npz")
    save_encoder(encoder, arguments.out / "encoder.safetensors")
    description = {"encoder": asdict(CONFIG), "dials": DIALS, "tempo_quantiles_bpm": tempo_quantiles}
    (arguments.out / "encoder.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    export_onnx(encoder, arguments.out / "encoder.onnx")
    print(f"written after {seconds:.0f} s; measuring")
    groups = np.array([picture.group for picture in pictures])
    results = {
        "command": f"python scripts/train_encoder.py --data CORPORA --seed {arguments.seed}",
        "commit": subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip(),
        "seed": arguments.seed,
        "encoder": asdict(CONFIG),
        "options": asdict(options),
        "history": asdict(history),
        "seconds": round(seconds),
        "pictures": {
            source: {split: int(((examples.source == source) & (examples.split == split)).sum()) for split in SPLITS}
            for source in np.unique(examples.source).tolist()
        },
        "intervals": "value, then 95 % bounds from 2000 bootstrap draws of whole groups",
        "held_out": measure(encoder, frozen, examples, groups),
        "null_edits": measure_null_edits(encoder, [picture for picture in pictures if picture.split == "test"]),
    }
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: results[key] for key in ("held_out", "null_edits")}, indent=1))


if __name__ == "__main__":
    main()
