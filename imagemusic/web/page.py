"""The page: a picture and a few settings on the left, the music made from it on the right.

    picture ─┐                     ┌─> notes: piano roll, dials, MIDI       shown first, after a second
    settings ┴─> ImageMusic.compose ┴─> sound: player, WAV                   shown once it is played

The settings that the page does not offer keep the defaults of `ComposeOptions`.
"""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from imagemusic.audio.synthesis import has_sound
from imagemusic.compose.composition import Composition
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import ConfigError, ImageMusicError
from imagemusic.resources import EXAMPLES
from imagemusic.vision.heif import HEIF_SUFFIXES
from imagemusic.vision.image import IMAGE_SUFFIXES, load_image
from imagemusic.web.dials import add_dials, dial_options, follow_picture
from imagemusic.web.exact import add_exact, exact_options
from imagemusic.web.readout import targets_html
from imagemusic.web.storage import Storage

BROWSER_SUFFIXES = IMAGE_SUFFIXES - {".tif", ".tiff", *HEIF_SUFFIXES}  # what a browser shows by itself

# One visitor must not keep the others waiting: the page offers less than the command line.
SECONDS = (10, 180)
TEMPERATURE = (0.5, 1.5)
GUIDANCE = (1.0, 4.0)
MAX_SEED = 2**31 - 1
RECENT_SECONDS = 3600  # for which a visitor's recent pieces are kept
PIECE_BYTES = 150_000_000  # of disk that the files of one piece may take, copies included
PICTURES = "pictures"  # one at a time is read, which takes up to half a gigabyte
RECENT = 8  # pieces a visitor finds again
SHOW_MUSIC = "() => { document.querySelector('#music').scrollIntoView({behavior: 'smooth', block: 'nearest'}) }"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece that a visitor has made, with what the strip of recent pieces shows of it."""

    name: str
    composition: Composition
    thumbnail: Image.Image

    @property
    def caption(self) -> str:
        """Length and seed of the piece, to show below it."""
        options = self.composition.options
        length = f"{options.seconds:g} s" if options.bars is None else f"{options.bars} bars"
        return f"{length} · seed {options.seed}"


def build_page(model: ImageMusic | None = None, *, storage: Storage | None = None) -> gr.Blocks:
    """Build the page for a model, by default the one that ships; `storage` limits the disk that pieces take."""
    model = model or ImageMusic.from_pretrained()
    defaults = ComposeOptions()

    def room() -> AbstractContextManager[None]:
        return storage.reserve(PIECE_BYTES) if storage else nullcontext()

    def compose(
        picture: str | None,
        seconds: float,
        seed: int | None,
        temperature: float,
        guidance_scale: float,
        recent: list[Piece],
        ensemble: str,
        dials: list[str],
        key: str = "",
        meter: str = "",
        tempo_bpm: str = "",
        bars: str = "",
        instruments: str = "",
        pitch_range: str = "",
        polyphony: str = "",
        form: str = "",
        ending: str = "",
        takes: str = "",
        progress: gr.Progress = gr.Progress(),  # noqa: B008  (how gradio finds it)
    ) -> Iterator[tuple[Any, ...]]:
        if picture is None:
            raise gr.Error("No picture yet: drop one, or pick an example.", print_exception=False)
        path = Path(picture)
        if not path.exists():
            raise gr.Error("The picture is not kept any more: drop it again.", print_exception=False)
        try:
            exact = exact_options(
                seconds=seconds, key=key, meter=meter, tempo_bpm=tempo_bpm, bars=bars, instruments=instruments,
                pitch_range=pitch_range, polyphony=polyphony, form=form, ending=ending, takes=takes,
            )  # fmt: skip
            options = ComposeOptions(
                seed=seed or 0, temperature=temperature, guidance_scale=guidance_scale,
                **dial_options(ensemble, dials), **exact,
            )  # fmt: skip
            with room():
                features = model.encode(path, options.size)
                check_length(model.planned_seconds(features, options))
                composition = model.compose_features(
                    features, options, lambda done, message: progress(done / 2, desc=message)
                )
                piece = Piece(path.stem, composition, draw_thumbnail(path, composition))
                recent = [piece, *recent][:RECENT]
                thumbnails = [(one.thumbnail, one.caption) for one in recent]
                for shown in show_piece(piece):
                    yield *shown, recent, thumbnails, gr.Column(visible=True), gr.Column(visible=True)
                    progress(0.6, desc="playing")
        except ImageMusicError as error:
            raise gr.Error(in_short(error, path), print_exception=False) from error

    def show_again(recent: list[Piece], event: gr.SelectData) -> Iterator[tuple[Any, ...]]:
        try:
            with room():
                yield from show_piece(recent[event.index])
        except ImageMusicError as error:
            raise gr.Error(str(error), print_exception=False) from error

    with gr.Blocks(title="imagemusic", analytics_enabled=False) as page:
        gr.Markdown("# imagemusic\nGive it a picture; it composes music for what it sees.", elem_id="title")
        recent = gr.State([], time_to_live=RECENT_SECONDS)
        with gr.Row():
            with gr.Column(scale=4, min_width=320):
                picture = gr.Image(
                    type="filepath",
                    image_mode=None,
                    sources=["upload", "clipboard"],
                    show_label=False,
                    height=320,
                    elem_id="picture",
                )
                # The upload as it is: gr.Image would open it itself, with a less exact error.
                picture.preprocess = lambda payload: payload.path if payload else None  # type: ignore[method-assign]
                if examples := sorted(path for path in EXAMPLES.glob("*") if path.suffix in IMAGE_SUFFIXES):
                    rows = [[str(path)] for path in examples]
                    gr.Examples(rows, picture, label="Or one of these", elem_id="examples")
                seconds = gr.Slider(*SECONDS, defaults.seconds, step=5, label="Length, seconds")
                with gr.Row(elem_id="seed"):
                    seed = gr.Number(
                        defaults.seed, label="Seed", info="The same seed, the same piece", precision=0,
                        minimum=0, maximum=MAX_SEED, min_width=120,
                    )  # fmt: skip
                    dice = gr.Button("⚄", elem_id="dice", min_width=64)
                temperature = gr.Slider(
                    *TEMPERATURE, defaults.temperature, step=0.05, label="Creativity", info="Left safe, right strange"
                )
                guidance = gr.Slider(
                    *GUIDANCE, defaults.guidance_scale, step=0.1, label="Guidance", info="How closely to follow it"
                )
                controls = add_dials()
                exact_fields = add_exact()
                button = gr.Button("Compose", variant="primary", size="lg")
            with gr.Column(scale=6, min_width=320):
                audio = gr.Audio(label="Music", interactive=False, type="filepath", buttons=[], elem_id="music")
                roll = gr.Image(show_label=False, interactive=False, buttons=["fullscreen"], elem_id="roll")
                with gr.Column(visible=False) as details:
                    with gr.Row():
                        midi = gr.DownloadButton("MIDI", min_width=80, elem_id="midi")
                        sound = gr.DownloadButton("Sound", min_width=80, elem_id="sound")
                        record = gr.DownloadButton("Record", min_width=80)
                    readout = gr.HTML(container=True, padding=True)
                with gr.Column(visible=False) as strip:
                    gr.Markdown("#### Recent pieces")
                    gallery = gr.Gallery(
                        show_label=False,
                        container=False,
                        interactive=False,
                        allow_preview=False,
                        buttons=[],
                        fit_columns=False,
                        height="auto",
                        object_fit="contain",
                        elem_id="recent",
                    )

        results = [audio, roll, midi, sound, record, readout]
        picture.upload(check_picture, picture, picture, concurrency_id=PICTURES, api_visibility="private")
        follow_picture(controls, model, picture, seed, concurrency_id=PICTURES)
        dice.click(None, None, seed, js="() => Math.floor(Math.random() * 1e6)", api_visibility="private")
        button.click(None, None, None, js=SHOW_MUSIC, api_visibility="private")
        button.click(
            compose,
            [
                picture,
                seconds,
                seed,
                temperature,
                guidance,
                recent,
                controls.ensemble,
                controls.by_hand,
                *exact_fields.values(),
            ],
            [*results, recent, gallery, details, strip],
            api_name="compose",
            concurrency_id="model",
            concurrency_limit=1,
            show_progress_on=[audio],
        )
        gallery.select(
            show_again,
            recent,
            results,
            concurrency_id="model",
            show_progress_on=[audio],
            api_visibility="private",
        )
    return page


def show_piece(piece: Piece) -> Iterator[tuple[Any, ...]]:
    """Yield the values of the result components: all but the sound, then all."""
    composition = piece.composition
    # Gradio copies the files that it is given while this generator waits for its next turn.
    with tempfile.TemporaryDirectory() as folder:
        midi, sound, record = (Path(folder, piece.name + suffix) for suffix in (".mid", ".wav", ".json"))
        composition.save(midi)
        composition.save(record)
        roll, readout = composition.piano_roll(), targets_html(composition.targets)
        yield None, roll, midi, None, record, readout
        if has_sound():
            composition.save(sound)
            yield sound, roll, midi, sound, record, readout
        else:
            gr.Warning("No synthesizer is installed, so there is no sound; run: pip install --no-deps tinysoundfont")


def check_picture(picture: str) -> Iterator[str | Path | None]:
    """Refuse an upload that is no picture; convert formats that browsers do not show to PNG."""
    path = Path(picture)
    try:
        image = load_image(path)
    except ImageMusicError as error:
        gr.Warning(in_short(error, path))
        yield None
        return
    if path.suffix.lower() in BROWSER_SUFFIXES:
        yield picture
        return
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder, f"{path.stem}.png")
        image.save(shown)
        yield shown


def check_length(seconds: float) -> None:
    """Refuse a piece that lasts longer than the page offers.

    Raises:
        ConfigError: it does.
    """
    if seconds > SECONDS[1] + 1:
        raise ConfigError(f"so many bars last {seconds:.0f} s, and this page offers {SECONDS[1]}; ask for fewer")


def in_short(error: ImageMusicError, path: Path) -> str:
    """Return an error message with the file name that the visitor knows instead of the path of the upload."""
    return str(error).replace(str(path), path.name)


def draw_thumbnail(picture: Path, composition: Composition, height: int = 120) -> Image.Image:
    """Draw the picture beside its piano roll."""
    cover = ImageOps.contain(load_image(picture, at_least=height), (height, height))
    roll = composition.piano_roll().resize((2 * height, height))
    canvas = Image.new("RGB", (3 * height, height), "black")
    canvas.paste(cover, ((height - cover.width) // 2, (height - cover.height) // 2))
    canvas.paste(roll, (height, 0))
    return canvas
