"""Conversion of a picture to sRGB by its embedded ICC profile, as browsers do, with Little CMS."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

SAME = 2  # of 255: a profile that changes no colour by more is sRGB, and its pictures are left as they are
GRID = 17  # levels a channel at which a profile is compared with sRGB

# Modes of an image that a profile of a colour space may be applied to, and the mode that it is applied in.
MODES = {
    "RGB": ("RGB", {"RGB", "RGBA", "RGBX", "P", "PA", "L", "LA", "1", "YCbCr"}),
    "GRAY": ("L", {"L", "LA", "1"}),
    "CMYK": ("CMYK", {"CMYK"}),
}


def apply_profile(image: Image.Image) -> Image.Image:
    """Return an image in sRGB, RGB or RGBA, converted by its ICC profile.

    The image itself is returned if it has no profile, one of sRGB, one of another colour space than its mode's, or a
    damaged one.
    """
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
        mode, modes = MODES[profile.profile.xcolor_space.strip()]
        if image.mode not in modes:
            return image
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (KeyError, OSError, TypeError, ValueError, ImageCms.PyCMSError):
        return image
    if mode != "CMYK" and _is_identity(transform, mode):
        return image
    converted = ImageCms.applyTransform(image.convert(mode), transform)
    assert converted is not None  # it is None for conversions in place alone
    if image.has_transparency_data:
        converted.putalpha(image.convert("RGBA").getchannel("A"))
    converted.info = {key: value for key, value in image.info.items() if key not in ("icc_profile", "transparency")}
    return converted


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether a transform changes no colour by more than SAME."""
    levels = np.linspace(0, 255, GRID).round().astype(np.uint8)
    if mode == "L":
        before = np.arange(256, dtype=np.uint8)[None]
        expected = np.repeat(before[..., None], 3, axis=2)
    else:
        before = expected = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    after = ImageCms.applyTransform(Image.fromarray(before), transform)
    return int(np.abs(np.asarray(after, np.int16) - expected).max()) <= SAME
