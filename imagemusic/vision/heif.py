"""HEIC and other HEIF pictures, which most phones write, through pillow-heif, an optional part."""

from io import BytesIO
from pathlib import Path

from imagemusic.errors import ImageError

HEIF_SUFFIXES = (".heic", ".heif", ".hif")
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}
HEADER = 256  # bytes that hold the brands


def is_heif(file: Path | BytesIO) -> bool:
    """Return whether a file is HEIF by its brands (ISO/IEC 23008-12); AVIF, which Pillow reads itself, is not."""
    if isinstance(file, BytesIO):
        start = file.getvalue()[:HEADER]
    else:
        with file.open("rb") as opened:
            start = opened.read(HEADER)
    if start[4:8] != b"ftyp":
        return False
    box = start[8 : int.from_bytes(start[:4])]  # major brand, version, further brands
    brands = {box[at : at + 4] for at in (0, *range(8, len(box), 4))}
    return bool(brands & HEIF_BRANDS) and not brands & AVIF_BRANDS


def register_heif(where: str) -> None:
    """Let Pillow read HEIF.

    Raises:
        ImageError: pillow-heif is not installed; `where` names the picture.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise ImageError(f"{where}: HEIC needs pillow-heif; run: pip install 'imagemusic[heic]'") from error
    pillow_heif.register_heif_opener()
