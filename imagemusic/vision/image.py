"""Read pictures of common formats as checked RGB pixels.

    file, bytes or PIL image ──> header checked ──> first frame ──> turned ──> sRGB ──> (3, S, S) in 0..1

Pictures are resized to a square, not cropped: album covers are square already, and a centre crop of a photograph may
lose its subject.
"""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from imagemusic.errors import ImageError
from imagemusic.vision.colour_profiles import apply_profile
from imagemusic.vision.heif import HEIF_SUFFIXES, is_heif, register_heif
from imagemusic.vision.image_repair import JPEG_START, PNG_START, missing_share, with_jpeg_end, without_png_metadata

# Formats that may be opened, with the suffixes that folders are searched for.  Pillow's other formats are rare, and
# some of them start helper programs.
FORMATS: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jfif"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
IMAGE_SUFFIXES = frozenset(suffix for suffixes in (*FORMATS.values(), HEIF_SUFFIXES) for suffix in suffixes)

# A camera's sides are rounded up: 40 and 200 megapixels are a little more than 40 and 200 million.
MAX_PIXELS = 42_000_000  # of a decoded picture
MAX_JPEG_PIXELS = 210_000_000  # of a JPEG, which is decoded at a fraction of its size
MAX_HEIF_PIXELS = 50_000_000  # phones write 48 megapixels, which cannot be decoded at a fraction

ROWS_OF_PIXELS = 1 << 20  # pixels of the rows that are scaled at once
HASH_SIZE = 256  # side in pixels at which pictures are hashed
MOST_REPAIRED = 256 << 20  # bytes of a file
MOST_MISSING = 0.02  # share of its rows that a JPEG without its end may lack


def load_image(source: Path | str | bytes | Image.Image, *, at_least: int | None = None) -> Image.Image:
    """Read a picture as an upright sRGB image: the first frame of an animation, transparency on white.

    Args:
        source: a path, the bytes of a file, or an image.
        at_least: allow a JPEG to be decoded at a fraction of its size, which is much faster, while both sides keep at
            least this many pixels.  One of more than MAX_PIXELS is decoded at a fraction in any case.

    Raises:
        ImageError: not a picture, damaged, empty, too large, or not readable.
    """
    with warnings.catch_warnings():
        # Pillow warns of bombs far above our own limit and of metadata that is of no use here.
        warnings.simplefilter("ignore")
        if isinstance(source, Image.Image):
            _check_size(source, "picture")
            return _decode(source, "picture")
        where = "picture" if isinstance(source, bytes) else str(source)
        if isinstance(source, bytes) and not source:
            raise ImageError(f"{where}: empty, not a picture")
        file = source if isinstance(source, bytes) else _checked_path(Path(source))
        try:
            return _read(file, where, at_least)
        except ImageError:
            repaired = _read_repaired(_contents(file), where, at_least)
            if repaired is None:
                raise
            return repaired


def load_pixels(source: Path | str | bytes | Image.Image, size: int = 224) -> NDArray[np.float32]:
    """Read a picture as float32 pixels (3, size, size) in 0..1, the encoder's input before normalisation.

    Raises:
        ImageError: as `load_image`.
    """
    # Decoding at twice the size or more leaves the antialiasing to the resize.
    image = load_image(source, at_least=2 * size)
    small = image.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    pixels = np.asarray(small, dtype=np.float32) / np.float32(255)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (S, S, 3) -> (3, S, S)


def picture_hash(source: Path | str | bytes | Image.Image) -> str:
    """Return the sha256 of a picture's RGB pixels at HASH_SIZE x HASH_SIZE, which does not depend on the file format.

    Raises:
        ImageError: as `load_image`.
    """
    small = load_image(source).resize((HASH_SIZE, HASH_SIZE), Image.Resampling.BOX)
    return hashlib.sha256(small.tobytes()).hexdigest()


def _read(file: Path | bytes, where: str, at_least: int | None, profile: bytes | None = None) -> Image.Image:
    """Read a picture; `profile` is an ICC profile that was taken out of the file."""
    with _opened(file, where, at_least) as image:
        if profile is not None:
            image.info["icc_profile"] = profile
        return _decode(image, where)


@contextmanager
def _opened(file: Path | bytes, where: str, at_least: int | None) -> Iterator[Image.Image]:
    """Open a picture, check its size and choose the fraction at which it will be decoded."""
    with _open(BytesIO(file) if isinstance(file, bytes) else file, where) as image:
        if image.format == "HEIF":
            _check_size(image, where, MAX_HEIF_PIXELS)
        else:
            _check_size(image, where, MAX_JPEG_PIXELS if isinstance(image, JpegImageFile) else MAX_PIXELS)
            _reduce(image, at_least)
            _check_size(image, where)
        yield image


def _reduce(image: Image.Image, at_least: int | None) -> None:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8 of its size: to MAX_PIXELS at most, or to `at_least` a side."""
    width, height = image.size
    fraction = next(n for n in (1, 2, 4, 8) if width * height <= n * n * MAX_PIXELS)
    if at_least is not None or fraction > 1:
        image.draft(None, (min(width // fraction, at_least or width), min(height // fraction, at_least or height)))


def _read_repaired(data: bytes, where: str, at_least: int | None) -> Image.Image | None:
    """Read a picture that could not be read, after a repair; None where there is none for it, or it does not help."""
    try:
        if data.startswith(PNG_START) and (plain := without_png_metadata(data)):
            return _read(plain[0], where, at_least, plain[1])
        if data.startswith(JPEG_START) and (ended := with_jpeg_end(data)):
            with _opened(ended, where, at_least) as image:
                read = _decode(image, where)
                return read if missing_share(image) <= MOST_MISSING else None
    except ImageError:
        pass
    return None


def _contents(file: Path | bytes) -> bytes:
    """Return the bytes of a file; none of one that is too large to repair or cannot be read."""
    if isinstance(file, bytes):
        return file
    try:
        return file.read_bytes() if file.stat().st_size <= MOST_REPAIRED else b""
    except OSError:
        return b""


def _checked_path(path: Path) -> Path:
    try:
        if path.is_dir():
            raise ImageError(f"{path}: a folder, not a picture")
        if not path.exists():
            raise ImageError(f"{path}: no such file")
        if not path.is_file():  # reading a pipe would block
            raise ImageError(f"{path}: not a regular file")
        if path.stat().st_size == 0:
            raise ImageError(f"{path}: empty, not a picture")
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be read ({_reason(error)})") from error
    return path


def _open(file: Path | BytesIO, where: str) -> Image.Image:
    try:
        if is_heif(file):
            register_heif(where)
            return Image.open(file, formats=["HEIF"])
        return Image.open(file, formats=tuple(FORMATS))
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        # Pillow's own limit of 179 megapixels is for whole pictures; a JPEG is decoded at a fraction.
        jpeg = _open_jpeg(file)
        if jpeg is None:
            raise ImageError(f"{where}: more than {MAX_PIXELS / 1e6:.0f} megapixels; make it smaller") from error
        return jpeg
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"{where}: not a picture that can be read; use {', '.join(FORMATS)}") from error
    except PermissionError as error:
        raise ImageError(f"{where}: cannot be read ({_reason(error)})") from error
    except Exception as error:  # Pillow raises many types for damaged headers
        raise ImageError(f"{where}: damaged or not a picture ({_reason(error)})") from error


def _open_jpeg(file: Path | BytesIO) -> Image.Image | None:
    """Open a JPEG of any size; None for another format."""
    try:
        if isinstance(file, BytesIO):
            file.seek(0)
        return JpegImageFile(file)
    except Exception:  # as in _open
        return None


def _check_size(image: Image.Image, where: str, most: int = MAX_PIXELS) -> None:
    width, height = image.size
    if width * height > most:
        raise ImageError(f"{where}: {width} x {height} is more than {most / 1e6:.0f} megapixels; make it smaller")
    if not width or not height:
        raise ImageError(f"{where}: {width} x {height} has no pixels")


def _decode(image: Image.Image, where: str) -> Image.Image:
    try:
        image.load()
        return _as_rgb(apply_profile(_upright(image)))
    except Exception as error:  # as in _open
        raise ImageError(f"{where}: damaged or cut short ({_reason(error)})") from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block does not affect the pixels
        return image


def _as_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to RGB: 16 bits are scaled, not clipped; transparency is put on white."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_to_bytes(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_bytes(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale samples (H, W), 16 or 32 bit integers or floats, to 0..255, a few rows at a time."""
    if samples.dtype == np.uint16:
        return (samples >> 8).astype(np.uint8)
    rows = max(1, ROWS_OF_PIXELS // samples.shape[1])
    strips = [samples[first : first + rows] for first in range(0, len(samples), rows)]
    # These formats do not define white: 1 for floats up to 1, else 255 or 65535, whichever the samples need.
    highest = max(float(_finite(strip).max()) for strip in strips)
    white = 1.0 if samples.dtype.kind == "f" and highest <= 1 else 255.0 if highest <= 255 else max(65535.0, highest)
    result = np.empty(samples.shape, np.uint8)
    for number, strip in enumerate(strips):
        result[number * rows :][: len(strip)] = np.clip(np.rint(_finite(strip) * (255.0 / white)), 0, 255)
    return result


def _finite(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Return samples as floats, those that are no numbers as 0."""
    return np.nan_to_num(samples.astype(np.float32))


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0] if text else type(error).__name__
