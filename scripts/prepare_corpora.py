"""Prepare the open corpora for training: grid, events, context and dials, memory-mapped.

python scripts/prepare_corpora.py --corpora CORPORA --out runs/prepared
"""

import argparse
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from imagemusic.data.corpora.catalogue import TRAINABLE
from imagemusic.data.prepared import prepare
from imagemusic.errors import ImageMusicError
from imagemusic.reports.results import write_result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds a folder for each corpus")
    parser.add_argument("--out", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--only", nargs="+", default=list(TRAINABLE), help="corpora (default: all open ones)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--result", type=Path, help="write speed, memory and losses there as JSON")
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        prepared = prepare(
            arguments.corpora, arguments.out, arguments.only, workers=arguments.workers,
            progress=lambda results, total: tqdm(results, total=total, unit="file"),
        )  # fmt: skip
    except ImageMusicError as error:
        print(f"prepare_corpora: error: {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    by_corpus: dict[str, Counter[str]] = {}
    for piece in prepared:
        counts = by_corpus.setdefault(piece.corpus, Counter())
        counts.update(pieces=1, notes=piece.notes, rows=piece.rows)
        counts.update({f"lost_{kind}": count for kind, count in piece.losses.items()})
    notes = sum(piece.notes for piece in prepared)
    peaks = [resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result = {
        "seconds": seconds, "notes": notes, "notes_per_second": notes / seconds, "workers": arguments.workers,
        "peak_bytes_parent": peaks[0], "peak_bytes_worker": peaks[1],
        "corpora": {name: dict(sorted(counts.items())) for name, counts in by_corpus.items()},
    }  # fmt: skip
    print(f"{len(prepared.pieces)} pieces, {notes} notes in {seconds:.0f} s: {notes / seconds:.0f} notes a second")
    if arguments.result:
        write_result(arguments.result, result, data=arguments.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
