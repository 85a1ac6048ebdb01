"""All the steps in order: picture -> embedding -> targets -> condition -> events -> score.

model = ImageMusic.from_pretrained()
piece = model.compose("cover.jpg", ComposeOptions(seconds=60, seed=7))
piece.save("cover.mid")
piece.save("cover.wav")
"""

import itertools
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from imagemusic.checkpoint import Checkpoint, open_checkpoint, resolve
from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.prior import Prior
from imagemusic.compose.session import Session
from imagemusic.compose.takes import best_take
from imagemusic.compose.targets import Targets, resolve_targets
from imagemusic.config import current_names
from imagemusic.errors import ImageMusicWarning
from imagemusic.executors import Progress
from imagemusic.generation.backends import DEFAULT
from imagemusic.generation.generate import generate
from imagemusic.generation.stepper import Stepper
from imagemusic.generation.threads import one_blas_thread
from imagemusic.music.midi import midi_bytes
from imagemusic.plan.planner import Planner
from imagemusic.version import __version__
from imagemusic.vision.encoder import ImageEncoder
from imagemusic.vision.features import ImageFeatures
from imagemusic.vision.image import load_pixels, picture_hash

if TYPE_CHECKING:
    from PIL import Image

Picture: TypeAlias = "str | Path | bytes | Image.Image"
Pictures: TypeAlias = "list[Picture] | tuple[Picture, ...]"


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Whether composing again gave the same piece."""

    identical: bool
    differences: tuple[str, ...]
    composition: Composition


class ImageMusic:
    """A loaded model, ready to compose.  Holds no settings, so one instance can serve many callers."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        stepper: Stepper,
        encoder: ImageEncoder,
        prior: Prior,
        planner: Planner | None = None,
    ) -> None:
        self.checkpoint, self.stepper, self.encoder, self.prior = checkpoint, stepper, encoder, prior
        self.planner = planner

    @classmethod
    def from_pretrained(
        cls, name: str | Path | None = None, *, backend: str = DEFAULT, engine: str | None = None
    ) -> "ImageMusic":
        """Load a model: the bundled one, a checkpoint directory, or a hub id `owner/name`.

        `backend` runs the LSTM: "int8", "onnx" (fp32) or "torch".  `engine` is its old name, read until version 0.3.

        Raises:
            CheckpointError: it is missing, damaged, or of another version.
            ConfigError: the backend is unknown or not installed.
        """
        if engine is not None:
            backend = current_names({"engine": engine}, {"engine": "backend"}, where="from_pretrained")["backend"]
        checkpoint = open_checkpoint(resolve(name))
        weights = checkpoint.weights
        prior = Prior(
            weights["prior.dials"], weights["prior.ensembles"], checkpoint.layout, weights.get("prior.styles")
        )
        encoder = ImageEncoder(checkpoint.folder, checkpoint.config["encoder"]["size"])
        model = cls(checkpoint, checkpoint.stepper(backend), encoder, prior, checkpoint.planner())
        checkpoint.check_steps()
        return model

    def describe(self) -> dict[str, Any]:
        """Say what this model is, for people."""
        config = self.checkpoint.config
        return {
            "checkpoint": self.checkpoint.folder.name,
            "id": self.checkpoint.id,
            "format version": config["format_version"],
            "encoder": config["encoder"],
            "decoder": {key: value for key, value in config["decoder"].items() if key != "sizes"},
            "codec": config["codec"],
            "dials": list(config["condition"]["dials"]),
            "ensembles": list(config["condition"]["ensembles"]),
            "styles": list(config["condition"].get("styles", ())),
            "backend": self.stepper.backend.name,
            "card": "README.md" if (self.checkpoint.folder / "README.md").exists() else "none",
        }

    def encode(self, picture: Picture, size: int | None = None) -> ImageFeatures:
        """Return what the encoder reads from a picture, at `size` pixels a side (default: that of training).

        Raises:
            ImageError: it cannot be read.
        """
        return ImageFeatures(
            picture_hash(picture), *self.encoder.encode(load_pixels(picture, size or self.encoder.size))
        )

    @overload
    def compose(
        self, image: "Pictures", options: ComposeOptions | None = ..., progress: Progress | None = ...
    ) -> list[Composition]: ...
    @overload
    def compose(
        self, image: Picture, options: ComposeOptions | None = ..., progress: Progress | None = ...
    ) -> Composition: ...
    def compose(
        self,
        image: "Picture | Pictures",
        options: ComposeOptions | None = None,
        progress: Progress | None = None,
    ) -> Composition | list[Composition]:
        """Compose a piece for a picture, or a list of pieces for a list of pictures.

        Args:
            image: a path, the bytes of a file, or a PIL image; JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF.  A list or
                tuple of them gives a list of pieces, generated side by side; each is the piece that it would be alone.
            options: see `ComposeOptions`; the defaults leave everything to the picture.
            progress: called with the share that is done, 0..1, and what is being done ("composing"), a few times a
                second.

        Returns:
            A `Composition`: notes, targets, options and record.

        Raises:
            ImageError: a picture cannot be read.
            CodecError: a piece did not end within the limit of events.
        """
        options = options or ComposeOptions()
        pictures = image if isinstance(image, list | tuple) else [image]
        pieces = self.compose_batch([(self.encode(picture, options.size), options) for picture in pictures], progress)
        return pieces if isinstance(image, list | tuple) else pieces[0]

    def targets(self, features: ImageFeatures, options: ComposeOptions) -> Targets:
        """Return the targets of a piece: every dial, and the ensemble."""
        return resolve_targets(self.checkpoint, self.prior, features, options)

    def planned_seconds(self, features: ImageFeatures, options: ComposeOptions) -> float:
        """Return how long the longest take of a piece will last, before anything is generated."""
        return max(Session(self, features, options, take=take).planned_seconds for take in range(options.takes))

    def compose_variations(self, image: Picture, options: ComposeOptions, count: int) -> list[Composition]:
        """Compose `count` pieces for one picture, variations 1 to `count`."""
        features = self.encode(image, options.size)
        return self.compose_batch([(features, replace(options, variation=number + 1)) for number in range(count)])

    def compose_features(
        self, features: ImageFeatures, options: ComposeOptions, progress: Progress | None = None
    ) -> Composition:
        """Compose a piece for a picture that was encoded."""
        return self.compose_batch([(features, options)], progress)[0]

    def compose_batch(
        self, requests: Sequence[tuple[ImageFeatures, ComposeOptions]], progress: Progress | None = None
    ) -> list[Composition]:
        """Compose a piece for each of some encoded pictures, side by side; each is the piece that it would be alone.

        Raises:
            CodecError: a piece did not end within the limit of events.
        """
        for message in dict.fromkeys(options.notice for _, options in requests):
            if message:
                warnings.warn(message, ImageMusicWarning, stacklevel=2)
        return self._compose([(features, options, range(options.takes)) for features, options in requests], progress)

    def _compose(
        self, requests: Sequence[tuple[ImageFeatures, ComposeOptions, Sequence[int]]], progress: Progress | None
    ) -> list[Composition]:
        """Compose pieces, each from the takes whose numbers are given."""
        started = time.perf_counter()
        with one_blas_thread():
            # 1. Resolve the targets of every take, plan it, and gather its rules.
            groups = [
                [Session(self, features, options, take=take) for take in takes] for features, options, takes in requests
            ]
            sessions = list(itertools.chain(*groups))
            # 2. Generate events, all takes side by side.
            generate(self.stepper, [session.request for session in sessions], progress=_reporter(sessions, progress))
        # 3. Decode the events into scores, and keep the best take of every piece.
        kept = [best_take(group) for group in groups]
        if progress:
            progress(1.0, "composed")
        # 4. Keep what is needed to compose each piece again.
        seconds = (time.perf_counter() - started) / max(len(groups), 1)
        return [
            Composition(
                score=score, targets=session.targets, options=session.options, features=session.features,
                checkpoint_id=self.checkpoint.id, backend=self.stepper.backend.name, take=take,
                plan=session.plan, versions=library_versions(), compose_seconds=seconds,
            )
            for session, score, take in kept
        ]  # fmt: skip

    def replay(self, recorded: Composition) -> ReplayReport:
        """Compose a recorded piece again and compare the MIDI bytes."""
        (again,) = self._compose([(recorded.features, recorded.options, [recorded.take.kept])], None)
        if midi_bytes(again.score) == midi_bytes(recorded.score):
            return ReplayReport(True, (), again)
        pairs = [
            ("checkpoint", recorded.checkpoint_id, again.checkpoint_id),
            ("backend", recorded.backend, again.backend),
        ]
        names = sorted(recorded.versions.keys() | again.versions.keys())
        pairs += [(name, recorded.versions.get(name, "none"), again.versions.get(name, "none")) for name in names]
        differences = [f"{name} was {was}, is {now} here" for name, was, now in pairs if was != now]
        differences.append(f"{recorded.score.note_count} notes were recorded, {again.score.note_count} composed again")
        return ReplayReport(False, tuple(differences), again)


@cache
def library_versions() -> dict[str, str]:
    """Versions of what decides which notes are written."""
    return {name: version(name) for name in ("numpy", "onnxruntime", "pillow")} | {"imagemusic": __version__}


def _reporter(sessions: Sequence[Session], progress: Progress | None) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda events: progress(sum(session.progress for session in sessions) / len(sessions), "composing")
