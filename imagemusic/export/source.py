"""What an exporter makes a file from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from imagemusic.audio.synthesis import render
from imagemusic.audio.waveform import Waveform
from imagemusic.music.controls import ControlArray
from imagemusic.music.score import Score


@dataclass(kw_only=True)
class ExportSource:
    """A score with all that an exporter may need; the sound is synthesized once, for all formats that need it."""

    score: Score
    controls: ControlArray | None = None  # (M, 4) of a MIDI file, see music/controls.py
    record: Mapping[str, Any] | None = None  # of a composition, as plain JSON values
    synth: str = "auto"
    soundfont: Path | None = None  # None: the synthesizer's own

    @cached_property
    def waveform(self) -> Waveform:
        """The sound of the score.

        Raises:
            SynthesisError: the score cannot be played.
            DependencyError: no synthesizer is installed.
        """
        return render(self.score, controls=self.controls, engine=self.synth, soundfont=self.soundfont)


Exporter: TypeAlias = Callable[[ExportSource], bytes]
