"""Names for the files of many pictures and variations.

picture.jpg ──> a base name ──> base.mid  base.wav  base.json
                                base-2.mid  ...       further variations
"""

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def name_outputs(pictures: Sequence[Path], variations: int = 1) -> list[str]:
    """Give each picture a base name, so that no two of them write the same file.

    A stem that several pictures share gets its folder's name in front, `abbey_cover`; what still meets another
    picture's file, a variation's `-2` included, is numbered `cover_2`.  Upper and lower case count as equal, as they
    do on some disks.
    """
    shared = Counter(picture.stem.casefold() for picture in pictures)
    taken: set[str] = set()
    names = []
    for picture in pictures:
        stem = picture.stem
        if shared[stem.casefold()] > 1 and (folder := Path(os.path.realpath(picture)).parent.name):
            stem = f"{folder}_{stem}"
        for count in itertools.count(1):
            name = stem if count == 1 else f"{stem}_{count}"
            files = {variation_name(name, number).casefold() for number in range(1, variations + 1)}
            if not files & taken:
                break
        taken |= files
        names.append(name)
    return names


def variation_name(base: str, number: int) -> str:
    """Name the file of a variation without its suffix: the first is the base itself, the second ends with -2."""
    return base if number == 1 else f"{base}-{number}"
