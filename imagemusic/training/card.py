"""Model cards of checkpoints: training data, results, limits and intended use."""

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
    """Write the card of a model, from its settings, its pieces and the figures in `results`, where they exist."""
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


def finetuned_card(training: Mapping[str, Any], source: str) -> str:
    """Write the card of a fine-tuned model, from the content of its training.json and the source of its data set."""
    data, bits = training["data"], training["validation"].get("bits/total")
    pairs = "\n".join(f"| {name} | {count:,} |" for name, count in data["paired"].items())
    terms = ", ".join(f"{name or 'unknown'}: {count:,}" for name, count in data["terms"].items())
    spotify = training["spotify_terms_accepted_for"]
    return FINETUNED_CARD.format(
        steps=training["step"], start=training["started_from"], source=source, pieces=data["pieces"],
        notes=data["notes"], pairs=pairs, terms=terms, spotify=SPOTIFY.format(count=spotify) if spotify else "",
        held_out=f"{bits:.2f} bits a note on the held-out pieces" if bits else "not measured: no piece is held out",
    )  # fmt: skip


CARD = """---
license: mit
library_name: imagemusic
tags: [music-generation, image-to-music, midi, lstm]
---

# imagemusic, default model

A picture goes in, notes come out: EfficientNet-Lite2 (ImageNet weights, copyright 2020 ML Illustrated, Apache-2.0;
frozen, its 1,000 classes merged into 299) encodes the picture, an LSTM of {hidden_size} x {layers} units generates the
notes, one step a note, with a memory of pointers into the notes so far; a small LSTM plans form and chords.  It runs
on a CPU with ONNX Runtime and numpy.

## Training data

No picture and no MIDI file is in this repository.  Music, {steps} steps of {processes} x {batch_size} x {window}
events, {precision}.  {notes}

| source | licence | pieces | notes |
|---|---|---|---|
{rows}

Pictures, for the encoder and for pairing: OASIS (Kurdi, Lozano & Banaji 2017) and BASS (CC BY 4.0), rated for valence
and arousal; jackets of songs with their tempo.  An AI model rated valence and arousal of the ImageNet classes from
their names alone (data/connotations.csv).  Pictures are not redistributed.  No piece was made for any of these
pictures: they are paired by valence, arousal and tempo, see docs/model.md.  Whole groups (songs of a set, works,
composers, artists, themes) were held out: imagemusic/resources/heldout.json, data/heldout_pictures.json.

## Results

{figures}

How each figure was made, with command and commit, is in docs/results/.

## Limits

- The encoder predicts little about the music: mood, learned from ratings of other pictures, and a tempo.  The music
  does not describe what the picture shows.
- Most of the music is Western: songs with piano, Chinese pop for piano, quartets, orchestra, game music.  Other
  traditions, and lyrics, are not in it.
- Without feedback the decoder follows density, register, loudness, polyphony and articulation, and hardly the mode.
  Feedback while composing compensates (imagemusic/compose/feedback.py); docs/results/steering has both.
- Form and chords come from the planner; within them a phrase may still wander.
- Velocities were known for half of the music only, tempo for most.

## Intended use

Music for pictures, sketches to edit, research on conditioning.  Not for judging people or pictures by their mood, and
not for attributing pieces to a composer.
"""

SPOTIFY = """
**Spotify's terms.**  {count} of the pieces were paired by way of Spotify.  Spotify's developer terms forbid using its
content to train machine-learning models.  The person who trained this model declared with `--accept-spotify-terms` that
they know this and take responsibility.  Do not distribute the model.
"""

FINETUNED_CARD = """---
library_name: imagemusic
tags: [music-generation, image-to-music, midi, lstm]
---

# imagemusic, a fine-tuned model

Trained with `imagemusic train --data`: {steps} steps, starting from {start}, on {pieces:,} pieces of {notes:,} notes,
gathered from {source}.  Validation and test split: whole groups of artists, albums, similar covers and similar
music; {held_out}.

| how pieces were paired with pictures | pieces |
|---|---|
{pairs}

`exact`: the cover of the piece's own release.  `label`: a cover of the same label.  `dials`: a cover of
similar dials.

## Rights

Terms of the pairs: {terms}.  The covers and the music belong to their authors.  A model trained on them gives no right
to them; whether it may be distributed is for the person who trained it to find out.
{spotify}
## Limits

Those of the model it started from, and those of its data: few pieces describe a style poorly.
"""
