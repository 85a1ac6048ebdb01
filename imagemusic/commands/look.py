"""`imagemusic look`: the dials that pictures give, in words, as JSON, and as pictures."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagemusic.commands import Commands
from imagemusic.commands.options import add_checkpoint, add_overwrite
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
    look = commands(
        "look", "report the dials that a picture gives, what in it raises and lowers them, its colours", EXAMPLES
    )
    look.add_argument("pictures", metavar="COVER", nargs="+", help="a picture, a folder of pictures, or a glob")
    look.add_argument(
        "--out", type=Path, metavar="DIR",
        help="folder for pictures of the colours and of which parts raise and lower each dial (default: none)",
    )  # fmt: skip
    look.add_argument("--json", action="store_true", help="print one JSON object a line, for programs")
    look.add_argument("--size", type=int, metavar="N", help="side in pixels at which the picture is read")
    add_overwrite(look)
    add_checkpoint(look)
    look.set_defaults(run=run_look)


def run_look(arguments: argparse.Namespace) -> int:
    from imagemusic.compose.options import ComposeOptions
    from imagemusic.compose.pipeline import ImageMusic
    from imagemusic.errors import ImageMusicError
    from imagemusic.export.naming import name_outputs
    from imagemusic.files import make_folder
    from imagemusic.vision.listing import find_pictures

    size = ComposeOptions(size=arguments.size).size  # checked
    pictures, missing = find_pictures(arguments.pictures)
    failures: list[tuple[Path, ImageMusicError]] = list(missing)
    model = ImageMusic.from_pretrained(arguments.checkpoint) if pictures else None
    folder = make_folder(arguments.out) if arguments.out and pictures else None
    for picture, name in zip(pictures, name_outputs(pictures), strict=True):
        assert model is not None
        try:
            table = look_at(model, picture, folder and folder / name, size, overwrite=arguments.overwrite)
        except ImageMusicError as error:
            failures.append((picture, error))
            continue
        print(json.dumps(table, ensure_ascii=False) if arguments.json else "\n".join(spell_out(table)))
    for path, failure in failures:
        print_error(failure, where=str(path))
    if failures and len(pictures) > 1:
        notice(f"{len(failures)} pictures could not be read")
    return 1 if failures else 0


def look_at(
    model: "ImageMusic", picture: Path, base: Path | None, size: int | None, *, overwrite: bool = False
) -> dict[str, Any]:
    """Return the report on a picture as plain values; draw it into files whose names begin with `base`, if given."""
    from imagemusic.compose.explain import describe, ends_of, how_sure, occlusion_maps, report_image
    from imagemusic.files import write_outputs
    from imagemusic.vision.image import load_image
    from imagemusic.vision.palette import draw_palette
    from imagemusic.vision.png import png_bytes
    from imagemusic.vision.saliency import draw_saliency, name_part

    look = report_image(model, picture, size)
    table = _plain(look) | {"picture": str(picture), "files": []}
    for name, dial in look.seen.items():
        table["seen"][name] |= {"words": describe(name, dial.value), "certainty": how_sure(dial.deviation)}
    if base is None:
        return table
    image, drawn = load_image(picture), {}
    for name, cells in occlusion_maps(model, picture, size).items():
        title = f"{name}, read as {look.seen[name].predicted:+.2f}: what hiding a part would take from that"
        drawn[base.with_name(f"{base.name}-{name}.png")] = png_bytes(draw_saliency(image, cells, title, ends_of(name)))
        table["seen"][name] |= {
            words: name_part(part) if part.max() > 0 else "nothing"
            for words, part in (("raised_by", cells), ("lowered_by", -cells))
        }
        table["seen"][name]["parts"] = [[round(value, 4) for value in row] for row in cells.tolist()]
    drawn[base.with_name(f"{base.name}-palette.png")] = png_bytes(draw_palette(look.palette))
    write_outputs(drawn, overwrite=overwrite)
    table["files"] = [str(path) for path in drawn]
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
    """Yield the report of `look_at` as lines to print."""

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
