"""A model directory on disk: the settings, the weights once, and three graphs that point into them.

    DIR/config.json         format version, shapes, codec, condition, how cues become dials
    DIR/model.safetensors   every weight as float16: encoder.*, decoder.*, and prior.*, the dials of the training music
    DIR/encoder.onnx        image -> embedding and dials, preprocessing included
    DIR/step.onnx           one LSTM step in float32        DIR/step_int8.onnx   the same with its matrices in int8
    DIR/training.json       how it was trained              DIR/README.md        model card

The graphs are exported when the directory is written and hold no weights: each tensor is a span of model.safetensors,
which loading compares with the header of that file (graphs/external_data.py).  Weights are rounded to float16 once,
when they are written; torch and ONNX Runtime read the same numbers.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import CheckpointError, ConfigError
from imagemusic.events.codec import CodecConfig
from imagemusic.events.vocabulary import VOCABULARY
from imagemusic.files import replace_folder
from imagemusic.generation.backends import DEFAULT
from imagemusic.generation.step_shape import STEP, STEP_INT8, StepShape
from imagemusic.generation.stepper import Stepper
from imagemusic.graphs.external_data import WEIGHTS, check_external_data, open_weights, read_spans
from imagemusic.model.conditioning import ConditionLayout
from imagemusic.music.dials import IMAGE_DIALS, DialNormalizer
from imagemusic.plan.network import VERSION, Network, PlannerConfig
from imagemusic.plan.planner import Planner
from imagemusic.vision.encoder import ENCODER

if TYPE_CHECKING:
    import onnx

FORMAT_VERSION = 2
BUNDLED = Path(__file__).parent / "checkpoints" / "default"
REQUIRED = ("config.json", WEIGHTS, ENCODER)
TABLES = ("encoder", "decoder", "condition", "dials", "pictures")  # of config.json
PRIOR = ("prior.dials", "prior.ensembles")
ENCODER_SIZE = (8, 4096)  # pixels a side


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An opened model directory."""

    folder: Path
    config: dict[str, Any]
    weights: dict[str, NDArray[np.floating]]  # decoder.* and prior.*, float32
    id: str  # first digits of the hash of settings and weights

    @property
    def layout(self) -> ConditionLayout:
        """What a condition of this model holds."""
        return ConditionLayout.from_json(self.config["condition"])

    @property
    def scale(self) -> DialNormalizer:
        """How cues become dials."""
        return DialNormalizer.from_json(self.config["dials"])

    def part(self, prefix: str) -> dict[str, NDArray[np.floating]]:
        """Weights below a prefix, without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.weights.items() if name.startswith(start)}

    def planner(self) -> Planner | None:
        """Load what plans form and chords; None for a checkpoint that has none.

        Raises:
            CheckpointError: its weights are missing or misshapen, it is of another version, or reads another condition.
        """
        if "planner" not in self.config:
            return None
        where, layout = self.folder / "config.json", self.layout
        try:
            config = PlannerConfig.from_json(self.config["planner"])
            if (config.version, config.dials, config.ensembles) != (VERSION, layout.dials, layout.ensembles):
                raise CheckpointError(f"{where}: its planner is of another version, or reads another condition")
            try:
                return Planner(Network(config, self.part("planner")))
            except CheckpointError as error:
                raise CheckpointError(f"{self.folder / WEIGHTS}: {error}") from error
        except (TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(f"{where}: damaged, 'planner' cannot be read") from error

    def stepper(self, backend: str = DEFAULT) -> Stepper:
        """Load the decoder with a backend, one of BACKENDS.

        Raises:
            CheckpointError: a weight is missing or misshapen, or a graph cannot be used.
            ConfigError: the backend is unknown or not installed.
        """
        try:
            return Stepper(backend, self.folder, self.part("decoder"), self.config["decoder"])
        except ConfigError:  # a ValueError too, but about the backend, not the checkpoint
            raise
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{self.folder / WEIGHTS}: a weight is missing or misshapen ({error})") from error

    def check_steps(self) -> None:
        """Refuse graphs of the step that do not point into the weights, also of a backend that is not used.

        Raises:
            CheckpointError: one does not, or cannot be read.
        """
        spans = read_spans(open_weights(self.folder / WEIGHTS))
        for name in (STEP, STEP_INT8):
            path = self.folder / name
            try:
                check_external_data(path.read_bytes(), spans, "decoder")
            except (OSError, ValueError) as error:
                raise CheckpointError(f"{path}: not a graph of the weights beside it ({error})") from error


def resolve(name: str | Path | None) -> Path:
    """Find a model directory: the bundled one for None, a folder, or a hub id `owner/name`, downloaded once.

    Raises:
        CheckpointError: there is no such folder, and it is no hub id or cannot be downloaded.
    """
    if name is None:
        return BUNDLED
    folder = Path(name)
    if folder.is_dir():
        return folder
    if str(name).count("/") != 1 or folder.is_absolute() or str(name).startswith("."):
        raise CheckpointError(f"{name}: no such checkpoint folder; name a folder or a hub id like owner/model")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(name), allow_patterns=["*.json", "*.safetensors", "*.onnx", "README.md"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(f"{name}: no such folder, and not on the hub ({str(error).splitlines()[0]})") from error


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read a model directory.

    Raises:
        CheckpointError: something is missing, damaged, or of another version or codec.
    """
    for name in REQUIRED:
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: not a checkpoint, {name} is missing")
    for name in (STEP, STEP_INT8):
        if not (folder / name).is_file():
            again = f"python -m imagemusic.training.export {folder}"
            raise CheckpointError(f"{folder}: {name} is missing; `{again}` writes it")
    raw = (folder / "config.json").read_bytes()
    try:
        config = json.loads(raw)
        found = config["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / 'config.json'}: damaged, or not the settings of a checkpoint") from error
    if found != FORMAT_VERSION:
        raise CheckpointError(f"{folder}: checkpoint format version {found}, this imagemusic reads {FORMAT_VERSION}")
    codec = json.loads(json.dumps(asdict(CodecConfig())))
    if config.get("codec") != codec:
        raise CheckpointError(f"{folder}: made for another note codec {config.get('codec')}, need {codec}")
    if missing := [name for name in TABLES if not isinstance(config.get(name), dict)]:
        raise CheckpointError(f"{folder / 'config.json'}: damaged, {missing[0]!r} is missing")
    if config["decoder"].get("sizes") != VOCABULARY:
        raise CheckpointError(f"{folder}: its decoder has another vocabulary than this note codec")
    weights = _read_weights(folder / WEIGHTS)
    if missing := [name for name in PRIOR if name not in weights]:
        raise CheckpointError(f"{folder / WEIGHTS}: damaged, {missing[0]} is missing")
    digest = hashlib.sha256(raw)
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].tobytes())
    if bad := [name for name, value in weights.items() if name not in PRIOR and not np.isfinite(value).all()]:
        raise CheckpointError(f"{folder / WEIGHTS}: {bad[0]} holds numbers that are not finite")
    kept = {name: value.astype(np.float32) for name, value in weights.items() if not name.startswith("encoder.")}
    made = Checkpoint(folder, config, kept, digest.hexdigest()[:12])
    try:
        fits = made.layout.size == config["decoder"].get("condition_size")
    except (KeyError, TypeError):
        fits = False
    except ConfigError as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from error
    if not fits:
        raise CheckpointError(f"{folder / 'config.json'}: damaged, decoder and condition do not fit each other")
    _check_settings(made)
    _check_prior(made)
    return made


def _check_settings(checkpoint: Checkpoint) -> None:
    """Refuse settings that would be missed only while composing.

    Raises:
        CheckpointError: one is missing or no number in its range.
    """
    where, config = checkpoint.folder / "config.json", checkpoint.config
    size = config["encoder"].get("size")
    if type(size) is not int or not ENCODER_SIZE[0] <= size <= ENCODER_SIZE[1]:
        raise CheckpointError(f"{where}: damaged, encoder size {size!r} is not a number of pixels")
    for name in IMAGE_DIALS:  # quantiles of the predictions for pictures
        table = config["pictures"].get(name)
        if not (isinstance(table, list) and len(table) >= 2 and all(map(_is_number, table)) and table == sorted(table)):
            raise CheckpointError(f"{where}: damaged, pictures.{name} is not a rising list of numbers")
    try:
        scale = checkpoint.scale.to_json()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{where}: damaged, 'dials' cannot be read") from error
    if not all(map(_is_number, _leaves(scale))):
        raise CheckpointError(f"{where}: damaged, 'dials' holds something else than numbers")


def _check_prior(checkpoint: Checkpoint) -> None:
    """Refuse dials and ensembles of the training music that do not fit each other or the condition.

    Raises:
        CheckpointError: they do not.
    """
    dials, ensembles = (checkpoint.weights[name] for name in PRIOR)
    layout, where = checkpoint.layout, checkpoint.folder / WEIGHTS
    if dials.ndim != 2 or dials.shape[1] != len(layout.dials) or ensembles.shape != dials.shape[:1] or not len(dials):
        raise CheckpointError(f"{where}: damaged, {PRIOR[0]} {dials.shape} and {PRIOR[1]} {ensembles.shape} do not fit")
    if np.isinf(dials).any() or not np.isin(ensembles, np.arange(len(layout.ensembles))).all():
        raise CheckpointError(f"{where}: damaged, {' or '.join(PRIOR)} holds values out of range")
    styles = checkpoint.weights.get("prior.styles")
    if styles is not None:
        fits = styles.shape == ensembles.shape and np.isin(styles, np.arange(-1, len(layout.styles))).all()
        if not fits:
            raise CheckpointError(f"{where}: damaged, prior.styles does not fit or holds values out of range")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and bool(np.isfinite(value))  # type: ignore[call-overload]


def _leaves(table: Any) -> Iterator[Any]:
    """Yield the values in nested tables and lists."""
    values = table.values() if isinstance(table, dict) else table if isinstance(table, list | tuple) else None
    if values is None:
        yield table
    else:
        for value in values:
            yield from _leaves(value)


def _read_weights(path: Path) -> dict[str, NDArray[np.floating]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged, or not a safetensors file ({error})") from error


def write_checkpoint(
    folder: Path,
    config: Mapping[str, Any],
    weights: Mapping[str, NDArray[np.floating]],
    encoder: "onnx.ModelProto",
    *,
    training: Mapping[str, Any],
    card: str,
) -> None:
    """Write a model directory under a temporary name and rename it last.

    The initializers of `encoder` have the names of weights below `encoder.`, which are stored in model.safetensors.
    """
    from safetensors.numpy import save_file

    with replace_folder(folder) as waiting:
        stored = {
            name: np.ascontiguousarray(value, np.float16 if np.issubdtype(value.dtype, np.floating) else None)
            for name, value in sorted(weights.items())
        }
        save_file(stored, waiting / WEIGHTS)
        (waiting / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
        write_graphs(waiting, config["decoder"], encoder)
        (waiting / "config.json").write_text(json.dumps({"format_version": FORMAT_VERSION} | dict(config)) + "\n")
        (waiting / "training.json").write_text(json.dumps(dict(training), indent=1) + "\n")
        (waiting / "README.md").write_text(card, encoding="utf-8")


def write_graphs(folder: Path, decoder: Mapping[str, Any], encoder: "onnx.ModelProto") -> None:
    """Write the three graphs of a model directory; `decoder` is that table of config.json.

    Raises:
        ValueError: a weight is missing from model.safetensors, or misshapen.
    """
    from imagemusic.generation.step_graph import write_step_graphs
    from imagemusic.graphs.weights import externalize_weights

    model = externalize_weights(encoder, folder / WEIGHTS, "encoder")
    (folder / ENCODER).write_bytes(model.SerializeToString(deterministic=True))
    write_step_graphs(folder, StepShape.of(decoder))
