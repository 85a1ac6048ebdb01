"""`imagemusic look`: what pictures say of the music, in words, as JSON, and as pictures."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagemusic.commands import Commands
from imagemusic.commands.options import add_checkpoint
from imagemusic.commands.terminal import notice, print_error

if TYPE_CHECKING:
    from imagemusic.compose.explain import ImageReport
    from imagemusic.compose.pipeline import ImageMusic

EXAMPLES = """
  imagemusic look cover.jpg
  imagemusic look covers/ --out seen
  imagemusic look cover.jpg --json"""

INDENT = 16  # columns before a value


def register(commands: Commands) -> None:
    """Add `look`."""
    look = commands("look", "tell what a picture says of the music: dials, colours, and which parts say so", EXAMPLES)
    look.add_argument("pictures", metavar="COVER", nargs="+", help="a picture, a folder of pictures, or a glob")
    look.add_argument(
        "--out", type=Path, metavar="DIR",
        help="folder for pictures of the colours and of which parts raise and lower each dial (default: none)",
    )  # fmt: skip
    look.add_argument("--json", action="store_true", help="print one JSON object a line, for programs")
    look.add_argument("--size", type=int, metavar="N", help="side in pixels at which the picture is seen")
    add_checkpoint(look)
    look.set_defaults(run=run_look)


def run_look(arguments: argparse.Namespace) -> int:
    from imagemusic import batch
    from imagemusic.compose.options import ComposeOptions
    from imagemusic.compose.pipeline import ImageMusic
    from imagemusic.errors import ImageMusicError

    size = ComposeOptions(size=arguments.size).size  # checked
    pictures, failures = batch.find_pictures(arguments.pictures)
    model = ImageMusic.from_pretrained(arguments.checkpoint) if pictures else None
    folder = batch.make_folder(arguments.out) if arguments.out and pictures else None
    for picture, name in zip(pictures, batch.name_outputs(pictures), strict=True):
        assert model is not None
        try:
            table = look_at(model, picture, folder and folder / name, size)
        except ImageMusicError as error:
            failures.append(batch.Outcome(picture, error=error))
            continue
        print(json.dumps(table, ensure_ascii=False) if arguments.json else "\n".join(spell_out(table)))
    for failure in failures:
        print_error(failure.error, where=str(failure.picture))
    if failures and len(pictures) > 1:
        notice(f"{len(failures)} pictures could not be seen")
    return 1 if failures else 0


def look_at(model: "ImageMusic", picture: Path, base: Path | None, size: int | None) -> dict[str, Any]:
    """See a picture, draw what it says into files that begin with `base`, and tell everything as plain values."""
    from imagemusic.batch import write_png
    from imagemusic.compose.explain import describe, ends_of, how_sure, occlusion_maps, report_image
    from imagemusic.vision.image import load_image
    from imagemusic.vision.palette import draw_palette
    from imagemusic.vision.saliency import draw_saliency, name_part

    look = report_image(model, picture, size)
    table = _plain(look) | {"picture": str(picture), "files": []}
    for name, dial in look.seen.items():
        table["seen"][name] |= {"words": describe(name, dial.value), "certainty": how_sure(dial.deviation)}
    if base is None:
        return table
    image = load_image(picture)
    for name, cells in occlusion_maps(model, picture, size).items():
        path = base.with_name(f"{base.name}-{name}.png")
        title = f"{name}, read as {look.seen[name].predicted:+.2f}: what hiding a part would take from that"
        write_png(draw_saliency(image, cells, title, ends_of(name)), path)
        table["files"].append(str(path))
        table["seen"][name] |= {
            words: name_part(part) if part.max() > 0 else "nothing"
            for words, part in (("raised_by", cells), ("lowered_by", -cells))
        }
        table["seen"][name]["parts"] = [[round(value, 4) for value in row] for row in cells.tolist()]
    path = base.with_name(f"{base.name}-palette.png")
    write_png(draw_palette(look.palette), path)
    table["files"].append(str(path))
    return table


def _plain(look: "ImageReport") -> dict[str, Any]:
    return {
        "hash": look.hash,
        "seen": {name: _rounded(asdict(dial)) for name, dial in look.seen.items()},
        "tempo_bpm": round(look.tempo_bpm, 1),
        "implied": {name: _rounded(asdict(dial)) for name, dial in look.implied.items()},
        "ensembles": dict(look.ensembles),
        "palette": [{"hex": colour.hex, "share": round(colour.share, 4)} for colour in look.palette],
    }


def _rounded(values: dict[str, float]) -> dict[str, Any]:
    return {name: round(float(value), 4) for name, value in values.items()}


def spell_out(table: dict[str, Any]) -> Iterator[str]:
    """Write what `look_at` found as lines for people."""

    def line(name: str, text: str) -> str:
        return f"  {name:<{INDENT - 2}}{text}"

    yield table["picture"]
    for name, dial in table["seen"].items():
        bpm = f", about {table['tempo_bpm']:.0f} bpm" if name == "tempo" else ""
        yield line(name, f"{dial['value']:+.2f}  {dial['words']}{bpm}")
        yield line("", f"       read as {dial['predicted']:+.2f} ± {dial['deviation']:.2f}: {dial['certainty']}")
        if "raised_by" in dial:
            yield line("", f"       raised most by {dial['raised_by']}, lowered most by {dial['lowered_by']}")
    yield "  implied by these, on average and in 8 of 10 draws"
    for name, dial in table["implied"].items():
        yield line(name, f"{dial['mean']:+.2f}  {dial['low']:+.2f} to {dial['high']:+.2f}")
    yield line("played by", ", ".join(f"{name} {share:.0%}" for name, share in table["ensembles"].items()))
    yield line("colours", ", ".join(f"{colour['hex']} {colour['share']:.0%}" for colour in table["palette"]))
    for file in table["files"]:
        yield f"  -> {file}"
