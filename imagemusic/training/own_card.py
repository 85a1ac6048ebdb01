"""The model card of a model that somebody trained on a data set of their own."""

from collections.abc import Mapping
from typing import Any

SPOTIFY = """
**Spotify's terms.**  {count} of the pieces were paired by way of Spotify.  Spotify's developer terms forbid using its
content to train machine-learning models.  Whoever trained this one said, with `--accept-spotify-terms`, that they know
this and answer for it.  Do not pass the model on.
"""


def own_card(training: Mapping[str, Any], source: str) -> str:
    """Write the card from what training.json says."""
    data, bits = training["data"], training["validation"].get("bits/total")
    pairs = "\n".join(f"| {name} | {count:,} |" for name, count in data["paired"].items())
    terms = ", ".join(f"{name or 'not told'}: {count:,}" for name, count in data["terms"].items())
    bound = training["spotify_terms_accepted_for"]
    return CARD.format(
        steps=training["step"], start=training["started_from"], source=source, pieces=data["pieces"],
        notes=data["notes"], pairs=pairs, terms=terms, spotify=SPOTIFY.format(count=bound) if bound else "",
        held_out=f"{bits:.2f} bits a note on the held-out pieces" if bits else "not measured: no piece is held out",
    )  # fmt: skip


CARD = """---
library_name: imagemusic
tags: [music-generation, image-to-music, midi, lstm]
---

# imagemusic, a model of one's own

Trained with `imagemusic train --data`: {steps} steps, starting from {start}, on {pieces:,} pieces of {notes:,} notes,
gathered from {source}.  Held out: whole groups of artists, albums, like covers and like music; {held_out}.

| how pieces met pictures | pieces |
|---|---|
{pairs}

`exact`: the cover of the piece's own release.  `label`: a cover of the same label.  `dials`: a cover whose mood agrees.

## Whose this is

Terms of the pairs: {terms}.  The covers and the music belong to whoever made them; that a model learned from them gives
nobody a right to them, and whether it may be passed on is for the one who trained it to know.
{spotify}
## Limits

Those of the model it started from, and those of its data: what few pieces say of a style is little.
"""
