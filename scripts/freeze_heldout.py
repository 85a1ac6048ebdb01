"""Choose the held-out pieces, once, and write imagemusic/resources/heldout.json.

    python scripts/freeze_heldout.py --corpora DIR

Groups (see data/README.md) are first joined where pieces of different groups share music.  In each corpus, the one
with the fewest groups first, whole joined groups are then taken in the order of a salted hash of their names, as long
as each brings the corpus nearer to its share of notes.  A hash alone would miss the shares by far: groups are uneven.
"""

import argparse
import hashlib
import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagemusic.data.build.fingerprint import Match, fingerprint, join, near_duplicates
from imagemusic.data.corpora.catalogue import CORPORA, TRAINABLE, read_corpus
from imagemusic.data.corpora.held_out import HELDOUT, SPLITS, read_heldout
from imagemusic.errors import DataError, ImageMusicError
from imagemusic.files import write_atomically

SHARES = {"test": 0.08, "validation": 0.04}  # of notes; the rest trains
SALT = "imagemusic held-out 1"


@dataclass(frozen=True, slots=True)
class Row:
    """What of a piece decides where it stands."""

    id: str
    corpus: str
    group: str
    title: str
    notes: int

    @property
    def file(self) -> str:
        """Id without the number of the piece in its file."""
        return self.id.partition("#")[0]


def read_rows(folder: Path) -> tuple[list[Row], list[Match]]:
    """Read every corpus; return its pieces and the near-duplicates among them."""
    rows, prints = [], []
    for corpus in CORPORA:
        for piece in read_corpus(folder, corpus):
            rows.append(Row(piece.id, corpus, piece.group, piece.title, piece.score.note_count))
            prints.append(fingerprint(piece.score))
        print(f"{corpus}: {sum(row.corpus == corpus for row in rows)} pieces", file=sys.stderr)
    return rows, near_duplicates(prints, [row.group for row in rows])


def place(name: str, salt: str = SALT) -> float:
    """Turn a group's name into a number in 0..1 that no one chose."""
    return int.from_bytes(hashlib.sha256(f"{salt}\n{name}".encode()).digest()[:8], "big") / 2**64


def assign(notes: dict[str, dict[str, int]], fixed: dict[str, str]) -> dict[str, str]:
    """Choose a split for each joined group.

    Args:
        notes: corpus -> group -> notes.
        fixed: groups that stand already, from an earlier version of the list.
    """
    split = dict(fixed)
    for corpus in sorted(notes, key=lambda name: (len(notes[name]), name)):
        groups = notes[corpus]
        ordered = sorted(groups, key=place)
        for name, share in SHARES.items():
            target = share * sum(groups.values())
            total = sum(size for group, size in groups.items() if split.get(group) == name)
            for group in ordered:
                if group not in split and abs(total + groups[group] - target) < abs(total - target):
                    split[group] = name
                    total += groups[group]
            if not total:
                smallest = min((group for group in ordered if group not in split), key=lambda group: groups[group])
                split[smallest] = name
        for group in ordered:
            split.setdefault(group, "train")
    return split


def is_bach_chorale(row: Row) -> bool:
    """Return whether a piece may be in the JSB Chorales benchmark: BWV 250 to 438, or a chorale of Bach by title."""
    if not row.id.startswith("mutopia/Bach"):
        return False
    numbers = [int(number) for number in re.findall(r"bwv[-_ ]?(\d+)", row.id, re.IGNORECASE)]
    return any(250 <= number <= 438 for number in numbers) or "choral" in row.title.lower()


def held_out(rows: list[Row], matches: list[Match], earlier: dict[str, Any] | None) -> dict[str, Any]:
    """Build the list: joined groups, their splits, and what was counted."""
    trains = [row.corpus in TRAINABLE for row in rows]
    inside = [match for match in matches if trains[match.first] and trains[match.second]]
    joined = join([(rows[match.first].group, rows[match.second].group) for match in inside])
    group_of = {row.group: joined.get(row.group, row.group) for row in rows}

    notes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    files: dict[str, set[str]] = defaultdict(set)
    for row in (row for row, trainable in zip(rows, trains, strict=True) if trainable):
        notes[row.corpus][group_of[row.group]] += row.notes
        files[group_of[row.group]].add(row.file)
    before = {
        name: held
        for held, groups in (earlier or {"splits": {}})["splits"].items()
        for ids in groups.values()
        for name in ids
    }
    fixed = {group: before[name] for group, names in files.items() for name in sorted(names) if name in before}
    split = assign(notes, fixed)

    members: dict[str, list[str]] = defaultdict(list)
    for name, root in sorted(joined.items()):
        members[root].append(name)
    across = [(match.first, match.second) if trains[match.second] else (match.second, match.first) for match in matches]
    return {
        "version": (earlier or {"version": 0})["version"] + 1,
        "salt": SALT,
        "shares": SHARES,
        "counts": count(rows, {row.group: split.get(group_of[row.group], "") for row in rows}),
        "splits": {
            held: {group: sorted(files[group]) for group in sorted(files) if split[group] == held}
            for held in SPLITS[1:]
        },
        "near_duplicates": {
            "pairs": len(inside),
            "groups_joined": len(joined),
            "examples": [
                {"first": rows[m.first].id, "second": rows[m.second].id, "share": round(m.share, 3)}
                for m in inside[:: max(1, len(inside) // 20)]
            ],
        },
        "joined_groups": dict(sorted(members.items())),
        "jsb_overlap": sorted(row.id for row in rows if is_bach_chorale(row)),
        "evaluation_overlap": sorted({rows[e].id for e, t in across if trains[t] and not trains[e]}),
    }


def count(rows: list[Row], split_of_group: dict[str, str]) -> dict[str, dict[str, dict[str, int]]]:
    """Count groups, pieces and notes, by corpus and split."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for corpus in TRAINABLE:
        counts[corpus] = {}
        for split in SPLITS:
            chosen = [row for row in rows if row.corpus == corpus and split_of_group[row.group] == split]
            counts[corpus][split] = {
                "groups": len({row.group for row in chosen}),
                "pieces": len(chosen),
                "notes": sum(row.notes for row in chosen),
            }
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds a folder for each corpus")
    parser.add_argument("--out", type=Path, default=HELDOUT)
    parser.add_argument("--new-version", action="store_true", help="follow an earlier list; what it held out stays so")
    arguments = parser.parse_args()
    try:
        exists = arguments.out.exists()
        if exists and not arguments.new_version:
            raise DataError(f"{arguments.out}: the list is frozen; --new-version makes the next one")
        earlier = read_heldout(arguments.out) if exists else None
        listed = held_out(*read_rows(arguments.corpora), earlier)
    except ImageMusicError as error:
        print(f"freeze_heldout: error: {error}", file=sys.stderr)
        return 1
    write_atomically(arguments.out, json.dumps(listed, indent=1, ensure_ascii=False) + "\n")
    for corpus, splits in listed["counts"].items():
        print(
            corpus,
            *(f"{split} {n['groups']} groups {n['pieces']} pieces {n['notes']} notes;" for split, n in splits.items()),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
