"""Fine-tune the decoder on a data set that `imagemusic data build` made: `imagemusic train --data DATASET`.

    DATASET ──> embedded covers ──┐
    checkpoint ──> encoder, decoder, dials ──> trained on the pieces ──> RUN/checkpoint, with a model card

The decoder starts with the weights of a checkpoint and keeps its normalization of dials, so that dials keep their
meaning.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.checkpoint import WEIGHTS, Checkpoint, open_checkpoint, resolve, write_checkpoint
from imagemusic.data.build.built_set import BuiltSet, open_built_set
from imagemusic.data.prepared import PreparedPiece
from imagemusic.errors import ConfigError, DataError
from imagemusic.executors import Progress
from imagemusic.model.decoder import DecoderConfig
from imagemusic.music.dials import DIALS, IMAGE_DIALS, as_row
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.training.card import finetuned_card
from imagemusic.training.condition_sampler import TrainingData
from imagemusic.training.cover_embeddings import embed_covers, own_pictures
from imagemusic.training.curves import last_values
from imagemusic.training.loading import load_encoder_graph, load_trained_decoder
from imagemusic.training.settings import BatchOptions, DecoderOptions, TrainConfig, TrainOptions, decoder_config
from imagemusic.training.trainer import fit, library_versions

SPOTIFY = "spotify"
ENOUGH_PIECES = 200  # with known image dials, for a prior from the data set alone
WARMUP_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneOptions:
    """How to fine-tune on a data set."""

    run: Path
    init_from: str | None = None  # checkpoint to begin with; None: the one that ships
    from_scratch: bool = False  # random decoder weights, and dials normalized on the data set
    steps: int = 400
    learning_rate: float = 3e-4
    batch_size: int = 16
    seed: int = 0
    accept_spotify_terms: bool = False
    restart: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or self.learning_rate <= 0:
            raise ConfigError("steps, batch_size and learning_rate must be above 0")


def finetune(data: Path, options: FinetuneOptions, progress: Progress | None = None) -> Path:
    """Fine-tune on a data set; return the folder of the new checkpoint.

    Raises:
        DataError: the data set was not built, has nothing to train on, or holds rows of Spotify whose terms were not
            accepted.
        CheckpointError: the checkpoint to begin with is missing.
        ConfigError: the loss is not finite.
    """
    base = open_checkpoint(resolve(options.init_from))
    own = open_built_set(data, None if options.from_scratch else base.scale)
    spotify_rows = check_terms(own, accepted=options.accept_spotify_terms)
    pieces = own.prepared.select("train")
    if not pieces:
        raise DataError(f"{data}: all of its pieces are held out; gather more artists")
    path = embed_covers(own, base, progress)
    config = train_config(data, path, base, options)
    options.run.mkdir(parents=True, exist_ok=True)
    (options.run / "config.json").write_text(json.dumps(asdict(config), indent=1) + "\n")
    fit(config, TrainingData(own.prepared, pieces, own_pictures(own, path), base.layout), resume=not options.restart)
    return _export(config, own, base, pieces, spotify_rows, from_scratch=options.from_scratch)


def check_terms(own: BuiltSet, *, accepted: bool) -> int:
    """Count the rows of a data set that come under Spotify's terms.

    Raises:
        DataError: there are some, and the terms were not accepted.
    """
    count = sum(row.terms == SPOTIFY for row in own.rows)
    if count and not accepted:
        raise DataError(
            f"{own.folder}: {count} of its pieces come from Spotify, whose terms forbid training on its content; read "
            "docs/data.md, then pass --accept-spotify-terms or gather from another source"
        )
    return count


def train_config(data: Path, pictures: Path, base: Checkpoint, options: FinetuneOptions) -> TrainConfig:
    """Return the training settings, with a decoder of the shape of the checkpoint's."""
    shape = asdict(DecoderConfig.from_json(base.config["decoder"]))  # with defaults for older checkpoints
    return TrainConfig(
        training=TrainOptions(
            prepared=str(data), pictures=str(pictures), run=str(options.run), seed=options.seed, steps=options.steps,
            init_from="" if options.from_scratch else str(base.folder), learning_rate=options.learning_rate,
            warmup_steps=max(1, round(WARMUP_SHARE * options.steps)), threads=1,
            validate_every=max(1, options.steps // 4), save_every=min(50, options.steps),
            log_every=min(20, options.steps),
        ),
        decoder=DecoderOptions(**{one.name: shape[one.name] for one in fields(DecoderOptions)}),
        batches=BatchOptions(batch_size=options.batch_size, drop_state=0.25, header_weight=8.0),
    )  # fmt: skip


def _export(
    config: TrainConfig,
    own: BuiltSet,
    base: Checkpoint,
    pieces: tuple[PreparedPiece, ...],
    spotify_rows: int,
    *,
    from_scratch: bool,
) -> Path:
    """Write RUN/checkpoint: the encoder of the base checkpoint, the new decoder, dials and prior of the data."""
    from safetensors.numpy import load_file

    run = Path(config.training.run)
    decoder, step = load_trained_decoder(run / "last.ckpt", decoder_config(config.decoder, base.layout))
    weights = {name: value for name, value in load_file(base.folder / WEIGHTS).items() if name.startswith("encoder.")}
    weights |= {f"decoder.{name}": value.numpy() for name, value in decoder.state_dict().items()}
    weights |= prior_of(own, pieces, base, alone=from_scratch)
    settings = {name: value for name, value in base.config.items() if name != "format_version"}
    settings |= {
        "decoder": asdict(decoder.config),
        "condition": asdict(base.layout),
        "dials": own.prepared.scale.to_json(),
    }
    rows = dict(zip((piece.id for piece in own.prepared), own.rows, strict=True))
    training: dict[str, Any] = {
        "step": step,
        "config": json.loads(json.dumps(asdict(config))),
        "started_from": "random weights" if from_scratch else base.id,
        "data": {"pieces": len(pieces), "notes": sum(piece.notes for piece in pieces), "terms": {}, "paired": {}},
        "spotify_terms_accepted_for": spotify_rows,
        "validation": last_values(run / "metrics.csv", "validation/"),
        "versions": library_versions(),
    }
    for name in ("terms", "paired"):
        training["data"][name] = dict(Counter(getattr(rows[piece.id], name) for piece in pieces))
    card = finetuned_card(training, own.manifest.header.source)
    write_checkpoint(
        run / "checkpoint", settings, weights, load_encoder_graph(base.folder), training=training, card=card
    )
    return run / "checkpoint"


def prior_of(
    own: BuiltSet, pieces: tuple[PreparedPiece, ...], base: Checkpoint, *, alone: bool
) -> dict[str, NDArray[np.float64]]:
    """Collect the prior, from which attributes that a picture leaves open are sampled when composing.

    Returns "prior.dials" (P, D), NaN where unknown, and "prior.ensembles" (P,) of the pieces.  Where they are few,
    those of the checkpoint are added, unless the pieces are to be `alone`.
    """
    dials = own.prepared.scale.table(np.array([as_row(piece.cues) for piece in pieces]))
    ensembles = np.array([float(ENSEMBLES.index(piece.ensemble)) for piece in pieces])
    image_columns = [DIALS.index(name) for name in IMAGE_DIALS]
    known = int((~np.isnan(dials[:, image_columns]).any(axis=1) & (ensembles != ENSEMBLES.index("drums"))).sum())
    if known < ENOUGH_PIECES and not (alone and known):
        dials = np.concatenate([base.weights["prior.dials"], dials])
        ensembles = np.concatenate([base.weights["prior.ensembles"], ensembles])
    return {"prior.dials": dials, "prior.ensembles": ensembles}
