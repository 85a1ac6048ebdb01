"""A data set of one's own -> a model of one's own: `imagemusic train --data DATASET`.

    DATASET ──> covers embedded ──┐
    checkpoint ──> encoder, decoder, dials ──> trained on the pieces ──> RUN/checkpoint, with a card that says on what

The decoder starts from a checkpoint's and keeps its dials, so that a dial goes on to mean what it meant.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.checkpoint import WEIGHTS, Checkpoint, open_checkpoint, resolve, write_checkpoint
from imagemusic.data.build.built_set import BuiltSet, open_built_set
from imagemusic.data.prepared import PreparedPiece
from imagemusic.errors import ConfigError, DataError
from imagemusic.model.decoder import DecoderConfig
from imagemusic.music.dials import DIALS, IMAGE_DIALS, as_row
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.training.batches import BatchOptions
from imagemusic.training.cover_embeddings import embed_covers, own_pictures
from imagemusic.training.curves import last_values
from imagemusic.training.export import read_decoder
from imagemusic.training.own_card import own_card
from imagemusic.training.settings import DecoderOptions, TrainConfig, TrainOptions, decoder_config
from imagemusic.training.trainer import fit
from imagemusic.training.unpacking import encoder_graph

SPOTIFY = "spotify"
ENOUGH_PIECES = 200  # with all the dials that a picture tells, to draw from them alone when composing
SHARE_OF_WARMUP = 0.1
Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneOptions:
    """How to train on a data set of one's own."""

    run: Path
    start: str | None = None  # the checkpoint to begin with; None: the one that ships
    from_scratch: bool = False  # forget what its decoder learned
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
    """Train on a data set; return the folder of the new checkpoint.

    Raises:
        DataError: the data set was not built, has nothing to train on, or holds rows of Spotify whose terms were not
            accepted.
        CheckpointError: what to start from is missing.
    """
    base = open_checkpoint(resolve(options.start))
    own = open_built_set(data, None if options.from_scratch else base.scale)
    bound = check_terms(own, accepted=options.accept_spotify_terms)
    pieces = own.prepared.select("train")
    if not pieces:
        raise DataError(f"{data}: all of its pieces are held out; gather more artists")
    path = embed_covers(own, base, progress)
    config = train_config(data, path, base, options)
    options.run.mkdir(parents=True, exist_ok=True)
    (options.run / "config.json").write_text(json.dumps(asdict(config), indent=1) + "\n")
    fit(config, own.prepared, own_pictures(own, path), base.layout, pieces, resume=not options.restart)
    return _export(config, own, base, pieces, bound, fresh=options.from_scratch)


def check_terms(own: BuiltSet, *, accepted: bool) -> int:
    """Count the rows to train on that come under Spotify's terms.

    Raises:
        DataError: there are some, and nobody accepted the terms.
    """
    bound = sum(row.terms == SPOTIFY for row in own.rows)
    if bound and not accepted:
        raise DataError(
            f"{own.folder}: {bound} of its pieces come from Spotify, whose terms forbid training on its content; read "
            "docs/data.md, then pass --accept-spotify-terms or gather from another source"
        )
    return bound


def train_config(data: Path, pictures: Path, base: Checkpoint, options: FinetuneOptions) -> TrainConfig:
    """Say how to train, with a decoder of the shape of the checkpoint's."""
    shape = asdict(DecoderConfig.from_json(base.config["decoder"]))  # with what older checkpoints do not say
    return TrainConfig(
        training=TrainOptions(
            prepared=str(data), pictures=str(pictures), run=str(options.run), seed=options.seed, steps=options.steps,
            init_from="" if options.from_scratch else str(base.folder), learning_rate=options.learning_rate,
            warmup_steps=max(1, round(SHARE_OF_WARMUP * options.steps)), threads=1,
            validate_every=max(1, options.steps // 4), save_every=min(50, options.steps),
            log_every=min(20, options.steps),
        ),
        decoder=DecoderOptions(**{one.name: shape[one.name] for one in fields(DecoderOptions)}),
        batches=BatchOptions(batch_size=options.batch_size, drop_state=0.25, header_weight=8.0),
    )  # fmt: skip


def _export(
    config: TrainConfig, own: BuiltSet, base: Checkpoint, pieces: tuple[PreparedPiece, ...], bound: int, *, fresh: bool
) -> Path:
    """Write RUN/checkpoint: the encoder of the checkpoint it began with, the new decoder, and the dials of the data."""
    from safetensors.numpy import load_file

    run = Path(config.training.run)
    decoder, step = read_decoder(run / "last.ckpt", decoder_config(config.decoder, base.layout))
    weights = {name: value for name, value in load_file(base.folder / WEIGHTS).items() if name.startswith("encoder.")}
    weights |= {f"decoder.{name}": value.numpy() for name, value in decoder.state_dict().items()}
    weights |= prior_of(own, pieces, base, alone=fresh)
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
        "started_from": "chance" if fresh else base.id,
        "data": {"pieces": len(pieces), "notes": sum(piece.notes for piece in pieces), "terms": {}, "paired": {}},
        "spotify_terms_accepted_for": bound,
        "validation": last_values(run / "metrics.csv", "validation/"),
        "versions": {name: version(name) for name in ("torch", "lightning", "numpy", "symusic")},
    }
    for name in ("terms", "paired"):
        training["data"][name] = dict(Counter(getattr(rows[piece.id], name) for piece in pieces))
    card = own_card(training, own.manifest.header.source)
    write_checkpoint(run / "checkpoint", settings, weights, encoder_graph(base), training=training, card=card)
    return run / "checkpoint"


def prior_of(
    own: BuiltSet, pieces: tuple[PreparedPiece, ...], base: Checkpoint, *, alone: bool
) -> dict[str, NDArray[np.float64]]:
    """Collect the dials and ensembles of the pieces, which say what music that answers a picture is like.

    Where they are few, those of the checkpoint stand beside them, unless the pieces are to be `alone`.
    """
    dials = own.prepared.scale.table(np.array([as_row(piece.cues) for piece in pieces]))
    ensembles = np.array([float(ENSEMBLES.index(piece.ensemble)) for piece in pieces])
    seen = [DIALS.index(name) for name in IMAGE_DIALS]
    known = int((~np.isnan(dials[:, seen]).any(axis=1) & (ensembles != ENSEMBLES.index("drums"))).sum())
    if known < ENOUGH_PIECES and not (alone and known):
        dials = np.concatenate([base.weights["prior.dials"], dials])
        ensembles = np.concatenate([base.weights["prior.ensembles"], ensembles])
    return {"prior.dials": dials, "prior.ensembles": ensembles}
