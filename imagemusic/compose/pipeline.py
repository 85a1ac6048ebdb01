"""All the steps in order: picture -> embedding and dials -> condition -> events -> score.

model = ImageMusic.from_pretrained()
piece = model.compose("cover.jpg", ComposeOptions(seconds=60, seed=7))
piece.score.save("cover.mid")
piece.render().save("cover.wav")
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np

from imagemusic.checkpoint import Checkpoint, open_checkpoint, resolve
from imagemusic.compose.composition import ComposeOptions, Composition, Dial, ImageFeatures
from imagemusic.compose.plan import plan_piece
from imagemusic.compose.prior import Prior
from imagemusic.compose.targets import composing_condition, feedback_for, settle
from imagemusic.errors import CodecError
from imagemusic.events import codec
from imagemusic.events.grammar import GrammarState, Plan
from imagemusic.generation.backends import DEFAULT
from imagemusic.generation.generate import GenerationRequest, generate
from imagemusic.generation.stepper import Stepper
from imagemusic.music.midi import midi_bytes
from imagemusic.music.score import Score, Tempo
from imagemusic.version import __version__
from imagemusic.vision.encoder import ImageEncoder
from imagemusic.vision.image import load_pixels, picture_hash

if TYPE_CHECKING:
    from PIL import Image

Picture: TypeAlias = "str | Path | bytes | Image.Image"
Pictures: TypeAlias = "list[Picture] | tuple[Picture, ...]"
Progress = Callable[[float, str], None]  # share done in 0..1, what is being done


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Whether composing again gave the same piece."""

    identical: bool
    differences: tuple[str, ...]
    composition: Composition


@dataclass(frozen=True, slots=True)
class _Draft:
    """A piece in the making."""

    dials: dict[str, Dial]
    options: ComposeOptions
    writer: GrammarState
    job: GenerationRequest

    @property
    def share_done(self) -> float:
        """How much of the piece is written, 0..1."""
        return 1.0 if self.writer.finished else min(self.writer.tick / self.writer.plan.end, 1.0)

    def score(self) -> Score:
        """Read what was written."""
        writer = self.writer
        if not writer.finished:
            raise CodecError(f"the piece was not finished after {len(writer.events)} events; ask for fewer seconds")
        score = codec.decode(np.array(writer.events, np.int16))
        tracks = [replace(track, name=track.name.capitalize()) for track in score.tracks]
        return replace(score, tracks=tracks, tempos=(Tempo(0, writer.plan.tempo_bpm),), keys=self.options.keys)


class ImageMusic:
    """A loaded model, ready to compose.  Holds no settings, so one instance can serve many callers."""

    def __init__(self, checkpoint: Checkpoint, stepper: Stepper, reader: ImageEncoder, prior: Prior) -> None:
        self.checkpoint, self.stepper, self.reader, self.prior = checkpoint, stepper, reader, prior

    @classmethod
    def from_pretrained(cls, name: str | Path | None = None, *, engine: str = DEFAULT) -> "ImageMusic":
        """Load a model: the bundled one, a checkpoint directory, or a hub id `owner/name`.

        Raises:
            CheckpointError: it is missing, damaged, or of another version.
            ConfigError: the engine is unknown or not installed.
        """
        checkpoint = open_checkpoint(resolve(name))
        prior = Prior(checkpoint.weights["prior.dials"], checkpoint.weights["prior.ensembles"], checkpoint.layout)
        reader = ImageEncoder(checkpoint.folder, checkpoint.config["encoder"]["size"])
        return cls(checkpoint, checkpoint.stepper(engine), reader, prior)

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
            "engine": self.stepper.backend.name,
            "card": "README.md" if (self.checkpoint.folder / "README.md").exists() else "none",
        }

    def look(self, picture: Picture, size: int | None = None) -> ImageFeatures:
        """See a picture.

        Raises:
            ImageError: it cannot be read.
        """
        pixels = load_pixels(picture, size or self.reader.size)
        return ImageFeatures(picture_hash(picture), *self.reader.read(pixels))

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
        """Compose a piece for a picture, or one for each of a list of pictures.

        Raises:
            ImageError: a picture cannot be read.
        """
        options = options or ComposeOptions()
        if isinstance(image, list | tuple):
            return self.compose_batch([(self.look(one, options.size), options) for one in image], progress)
        return self.compose_features(self.look(image, options.size), options, progress)

    def compose_variations(self, image: Picture, options: ComposeOptions, count: int) -> list[Composition]:
        """Compose `count` pieces for one picture, variations 1 to `count`."""
        reading = self.look(image, options.size)
        return self.compose_batch([(reading, replace(options, variation=number + 1)) for number in range(count)])

    def compose_features(
        self, reading: ImageFeatures, options: ComposeOptions, progress: Progress | None = None
    ) -> Composition:
        """Compose a piece for a picture that was seen already."""
        return self.compose_batch([(reading, options)], progress)[0]

    def compose_batch(
        self, requests: Sequence[tuple[ImageFeatures, ComposeOptions]], progress: Progress | None = None
    ) -> list[Composition]:
        """Compose a piece for each of some pictures that were seen already, all side by side.

        Each is the piece that it would be alone.

        Raises:
            CodecError: a piece did not end.
        """
        started = time.perf_counter()
        drafts = [self._draft(reading, options) for reading, options in requests]

        def report(_: int) -> None:
            if progress:
                progress(sum(draft.share_done for draft in drafts) / len(drafts), "composing")

        generate(self.stepper, [draft.job for draft in drafts], progress=report)
        scores = [draft.score() for draft in drafts]
        if progress:
            progress(1.0, "composed")
        seconds = (time.perf_counter() - started) / max(len(drafts), 1)
        return [
            Composition(
                score=score, dials=draft.dials, options=options, picture=reading, checkpoint_id=self.checkpoint.id,
                engine=self.stepper.backend.name, versions=library_versions(), compose_seconds=seconds,
            )
            for (reading, options), draft, score in zip(requests, drafts, scores, strict=True)
        ]  # fmt: skip

    def _draft(self, reading: ImageFeatures, options: ComposeOptions) -> "_Draft":
        """Settle what a piece shall be like."""
        dials = settle(self.checkpoint, self.prior, reading, options)
        condition = composing_condition(self.checkpoint, reading, dials)
        rows = [condition] if options.guidance_scale == 1 else [condition, np.zeros_like(condition)]
        pictured_bpm = self.checkpoint.scale.from_percentile("tempo", float(dials["tempo"].value))
        ensemble = str(dials["ensemble"].value) if "ensemble" in dials else None

        def plan(meter: int | None) -> Plan:
            return plan_piece(options, pictured_bpm, ensemble, meter)

        rng = np.random.default_rng([options.seed, int(reading.hash[:16], 16), options.variation])
        writer = GrammarState(plan(None), replan=plan)
        feedback = feedback_for(self.checkpoint, condition, dials, options)
        return _Draft(dials, options, writer, GenerationRequest(np.stack(rows), writer, options, rng, feedback))

    def replay(self, recorded: Composition) -> ReplayReport:
        """Compose a recorded piece again and compare the MIDI bytes."""
        again = self.compose_features(recorded.picture, recorded.options)
        if midi_bytes(again.score) == midi_bytes(recorded.score):
            return ReplayReport(True, (), again)
        pairs = [("checkpoint", recorded.checkpoint_id, again.checkpoint_id), ("engine", recorded.engine, again.engine)]
        names = sorted(recorded.versions.keys() | again.versions.keys())
        pairs += [(name, recorded.versions.get(name, "none"), again.versions.get(name, "none")) for name in names]
        differences = [f"{name} was {was}, is {now} here" for name, was, now in pairs if was != now]
        differences.append(f"{recorded.score.note_count} notes were recorded, {again.score.note_count} composed again")
        return ReplayReport(False, tuple(differences), again)


@cache
def library_versions() -> dict[str, str]:
    """Versions of what decides which notes are written."""
    return {name: version(name) for name in ("numpy", "onnxruntime", "pillow")} | {"imagemusic": __version__}
