"""Write the card of a data set: what it holds, under whose terms, how it was split, what it must not be used for."""

from collections import Counter

from imagemusic.data.build.manifest import Manifest
from imagemusic.data.build.statistics import Statistics, measure_set

CARD = "README.md"

TERMS = {
    "spotify": "**Spotify.**  Spotify's developer terms forbid training machine-learning models on its content and "
    "keeping a database of it.  Only ids are kept of its answers; the covers were fetched by you.  "
    "`imagemusic train` refuses these rows without `--accept-spotify-terms`, and the model's card then says so.",
    "musicbrainz": "**MusicBrainz and the Cover Art Archive.**  Its core data is in the public domain (CC0).  "
    "The covers of the archive belong to their labels and artists: shown there as a reference, not licensed to anyone.",
    "own": "**Your own folder.**  The covers lay beside the music; whether they may be used is for you to know.",
}


def dataset_card(manifest: Manifest) -> str:
    """Return the card of a data set, in Markdown."""
    found = measure_set(manifest)
    terms = found.counts["terms"]
    return TEMPLATE.format(
        rows=found.rows, usable=sum(terms.values()), notes=found.notes, hours=found.seconds / 3600,
        covers=found.covers, groups=found.groups,
        duplicate_pieces=found.duplicate_pieces, duplicate_covers=found.duplicate_covers,
        status=_table(found.counts["status"]), paired=_table(found.counts["paired"]),
        licences=_table(found.counts["licence"]), splits=_table(found.counts["split"]),
        instruments=_table(Counter(dict(found.instruments.most_common(12)))),
        terms="\n\n".join(TERMS.get(name, f"**{name}.**  Terms unknown to imagemusic.") for name in terms),
        failures=_failures(found), source=manifest.header.source,
    )  # fmt: skip


def _table(counts: Counter[str]) -> str:
    rows = [f"| {name.replace('|', '/')} | {count:,} |" for name, count in counts.most_common()]
    return "\n".join(["| | files |", "|---|---|", *rows])


def _failures(found: Statistics) -> str:
    if not found.failures:
        return "Every file could be used."
    lines = [f"- `{key}`: {why}" for key, why in found.failures.items()]
    more = found.rows - sum(found.counts["terms"].values()) - len(lines)
    return "\n".join([*lines, *([f"- and {more} more, in the manifest"] if more > 0 else [])])


TEMPLATE = """---
pretty_name: covers and MIDI files
tags: [music, midi, album-covers, imagemusic]
---

# A data set of covers and music

Gathered with imagemusic from {source}, for training a model that composes music for pictures.  {rows:,} MIDI files were
looked at, {usable:,} can be used: {notes:,} notes, {hours:.1f} hours, with {covers:,} different covers.

{status}

`matched` files have a release and its cover; `doubtful` ones wait for review; `unmatched` and `failed` ones have no
cover.  All of them train if their notes can be read, paired as follows.

## How pieces meet pictures

{paired}

`exact`: the cover of the release that the file was matched with.  `label`: any cover of the same label.  `dials`: a
cover whose dials, as predicted by the encoder, are close to those of the notes.

## Splits

{splits}

Files of one artist or album, with the same cover or a similar one, or with music that is the same in any key
or shares a passage, form a group: {groups:,} of them.  A group is in one split, drawn from a hash of its name, so
splits stay when the set grows.  {duplicate_pieces:,} files have a near-duplicate of their music in the set,
{duplicate_covers:,} share their cover.

## Instruments

Files in which each plays:

{instruments}

## Whose this is

Licences of the covers as their sources state them; MIDI files are under the terms of their makers, and most of them
arrange works that are in copyright.

{licences}

{terms}

Nothing here gives a right to pass on covers or MIDI files.  `imagemusic data export` writes what may be passed on: ids
and fingerprints.

## Not usable

{failures}

## What is in this folder

| file | content |
|---|---|
| `manifest.parquet` | a row for each MIDI file: what it is, its hashes, source, licence, split and near-duplicates |
| `notes/` | the notes as training reads them, memory-mapped Arrow |
| `covers/` | pictures, named by their hash |
| `journal.jsonl`, `dataset.json` | what gathering found |
"""
