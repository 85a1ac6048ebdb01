"""The model card: what a checkpoint learned from, how well it does, and what it is not for."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagemusic.data.corpora.catalogue import CORPORA
from imagemusic.data.prepared import PreparedPiece

ATTRIBUTION = {
    "openscore-lieder": "OpenScore Lieder Corpus",
    "openscore-quartets": "OpenScore String Quartets",
    "hauptstimme": "Hauptstimme orchestral scores (annotations not used)",
    "mutopia": "Mutopia Project, pieces in the public domain or under Creative Commons Attribution",
    "pop909": "POP909, Music X Lab",
    "freedoom": "Freedoom contributors",
    "freedoom-history": "Freedoom contributors, earlier tracks",
    "blasphemer": "Blasphemer contributors",
    "simutrans": "Simutrans music, its composers as credited there",
    "groove-midi": "Groove MIDI Dataset, Gillick et al. 2019, Google LLC, CC BY 4.0",
    "pianolatron": "Pianolatron, Stanford piano roll scans",
}


def model_card(training: Mapping[str, Any], pieces: Sequence[PreparedPiece], results: Path) -> str:
    """Write the card from what was trained and from the figures that lie in `results`, where they exist."""
    corpora = sorted({piece.corpus for piece in pieces})
    rows = [
        f"| {ATTRIBUTION[name]} | {CORPORA[name].licence} | {len(chosen)} | {sum(p.notes for p in chosen):,} |"
        for name in corpora
        for chosen in [[piece for piece in pieces if piece.corpus == name]]
    ]
    return CARD.format(rows="\n".join(rows), figures=_figures(results), **training)


def _figures(results: Path) -> str:
    lines = []
    if (path := results / "bits_per_note.json").exists():
        measured = json.loads(path.read_text())
        bits = measured["bits_per_note"]
        lines += ["| bits per note, held-out music | total | gap | part | pitch | duration | velocity, apart |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for name in ("model", "markov", "unigram"):
            values = " | ".join(f"{bits[name][field]:.2f}" for field in bits[name])
            lines.append(f"| {name} | {values} |")
    if (path := results / "encoder.json").exists():
        measured = json.loads(path.read_text())
        lines += ["", "| dial of held-out pictures | r | 95 % interval | share of the truth inside the 80 % interval |"]
        lines += ["|---|---|---|---|"]
        for dial, found in measured["held_out"].items():
            r, low, high = found["pearson"]
            inside = found["coverage"]["80"]
            lines.append(f"| {dial.replace('_', ' ')} | {r:.2f} | {low:.2f} to {high:.2f} | {inside:.2f} |")
    return "\n".join(lines) or "Not measured yet."


CARD = """---
license: mit
library_name: imagemusic
tags: [music-generation, image-to-music, midi, lstm]
---

# imagemusic, default model

A picture goes in, notes come out: MobileNetV2 (ImageNet weights under Apache-2.0, frozen) sees the picture, an LSTM
of {hidden_size} x {layers} units writes the notes, one step a note.  It runs on a CPU with ONNX Runtime and numpy.

## Learned from

No picture and no MIDI file is in this repository.  Music, {steps} steps of {processes} x {batch_size} x {window}
events, {precision}.  {notes}

| source | licence | pieces | notes |
|---|---|---|---|
{rows}

Pictures, for the encoder and for pairing: OASIS (Kurdi, Lozano & Banaji 2017) and BASS (CC BY 4.0), rated for valence
and arousal; jackets of songs with their tempo.  What the classes of ImageNet connote was rated by an AI model, from
their names alone (data/connotations.csv).  Pictures are not redistributed.  No piece was made for any of these
pictures: they meet through valence, arousal and tempo, as docs/model.md explains.  Whole groups (songs of a set, works,
composers, artists, themes) were held out: imagemusic/resources/heldout.json, data/heldout_pictures.json.

## How good it is

{figures}

How each figure was made, with command and commit, is in docs/results/.

## Limits

- What a picture says about music is weak: its mood, guessed from ratings of other pictures, and a tempo.  It is no
  account of what the picture shows.
- Most of the music is Western: songs with piano, Chinese pop for piano, quartets, orchestra, game music.  Other
  traditions, and lyrics, are not in it.
- Of itself the decoder follows density, register, loudness, polyphony and articulation, and hardly the mode.  Feedback
  while composing makes up for that (imagemusic/feedback.py); docs/results/steering has both.
- A piece has local phrases and an ending, but little long form: no planned return of a theme.
- Loudness was known for half of the music only, tempo for most.

## Intended use

Music for pictures, sketches to edit, research on conditioning.  Not for judging people or pictures by their mood, and
not for passing pieces off as a composer's.
"""
