"""The frozen list of held-out pieces: excluded from training, used for every reported figure.

    resources/heldout.json   {"version": 1, "splits": {"validation": {group: [id, ...]}, "test": {...}}, ...}

All pieces of the trainable corpora that are not on the list are training pieces.  It is versioned, never edited.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from imagemusic import resources
from imagemusic.data.corpora.catalogue import CORPORA
from imagemusic.errors import DataError

HELDOUT = resources.HELD_OUT
SPLITS = ("train", "validation", "test")


def split_of(piece_id: str, path: Path = HELDOUT) -> str:
    """Return the split of a piece: 'train', 'validation', 'test', or 'evaluation' in a corpus for evaluation only.

    Raises:
        DataError: the list is missing or damaged.
    """
    corpus = CORPORA.get(piece_id.partition("/")[0])
    if corpus and corpus.evaluation_only:
        return "evaluation"
    return _split_by_file(path).get(piece_id.partition("#")[0], "train")


def read_heldout(path: Path = HELDOUT) -> dict[str, Any]:
    """Return the whole list, with its counts, joined groups and marks.

    Raises:
        DataError: the list is missing or damaged.
    """
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        if set(listed["splits"]) != set(SPLITS[1:]):
            raise ValueError(f"splits must be validation and test, got {', '.join(listed['splits'])}")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no list of held-out pieces; scripts/freeze_heldout.py makes it") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: damaged list of held-out pieces ({error})") from error
    return listed


@lru_cache(maxsize=4)
def _split_by_file(path: Path) -> dict[str, str]:
    """Map the id of a held-out file, which is that of its pieces up to '#', to its split."""
    splits = read_heldout(path)["splits"]
    return {name: split for split, groups in splits.items() for ids in groups.values() for name in ids}
