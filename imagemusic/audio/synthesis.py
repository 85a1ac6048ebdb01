"""Render a score as sound with a synthesizer.

    Score, controls -> actions -> Synthesizer, in frames (N, 2) -> room, fade, level -> Waveform (2, N)

Actions are exact to the frame with tinysoundfont, and to 64 frames (1.5 ms) with FluidSynth.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imagemusic.audio.loudness import normalise
from imagemusic.audio.performance import CONTROL, PRESS, RELEASE, Voice, actions, merge_tracks, voices
from imagemusic.audio.room import add_room
from imagemusic.audio.soundfont import check_soundfont, default_soundfont
from imagemusic.audio.waveform import Waveform
from imagemusic.errors import ConfigError, DependencyError, SynthesisError
from imagemusic.music.controls import DETUNING, EXPRESSION, PAN, VOLUME, ControlArray, no_controls
from imagemusic.music.score import Score

TAIL_SECONDS = 2.0  # at most, after the end of the last note
FADE_SECONDS = 1.5  # at the end of the tail
AUDIBLE = 1e-3  # -60 dBFS, the threshold of silence at the end
LONGEST_SECONDS = 3600  # an hour of frames is 1.3 GB
SAMPLE_RATES_HZ = range(8_000, 96_001)  # supported by both synthesizers
MOST_TRACKS = 256  # channels of FluidSynth

DRUM_BANK = 128
CONTROLLERS = {VOLUME: 7, PAN: 10, EXPRESSION: 11}
BEND_CENTRE = 8192  # of 0..16383
DATA_ENTRY, FINE_PARAMETER, PARAMETER = 6, 100, 101


class Synthesizer(Protocol):
    """Plays keys on channels; a channel is an index into the voices that it was made with."""

    def press(self, channel: int, pitch: int, velocity: int) -> None:
        """Press a key."""

    def release(self, channel: int, pitch: int) -> None:
        """Release a key."""

    def control(self, channel: int, kind: int, value: int) -> None:
        """Change volume, expression, pan or tuning, see music/controls.py."""

    def fill(self, frames: NDArray[np.float32]) -> None:
        """Write the next N frames of sound into `frames` (N, 2)."""

    def close(self) -> None:
        """Free the library's memory."""


class TinySoundFont:
    """TinySoundFont, which needs no system library."""

    is_dry = True  # without reverberation
    prefers_system_soundfont = False  # pretty_midi's is small, loads in 60 ms and is the same everywhere

    def __init__(self, players: list[Voice], soundfont: Path, sample_rate: int) -> None:
        try:
            import tinysoundfont
        except ImportError as error:
            raise DependencyError(
                "tinysoundfont is not installed, so there is no sound; run: pip install --no-deps tinysoundfont"
            ) from error
        self.players = players
        self.synth = tinysoundfont.Synth(samplerate=sample_rate)
        try:
            font = self.synth.sfload(str(soundfont))
        except RuntimeError as error:
            raise SynthesisError(f"{soundfont}: damaged SoundFont; name a whole .sf2 file") from error
        for channel, voice in enumerate(players):  # the library makes channels on demand, also more than 16
            preset = choose_preset(voice, lambda bank, program: self.synth.sfpreset_name(font, bank, program))
            self.synth.program_select(channel, font, *preset)
            self.synth.control_change(channel, CONTROLLERS[PAN], _pan_value(voice))
            if voice.bend_range:
                self.synth.pitchbend_range(channel, voice.bend_range)

    @staticmethod
    def is_installed() -> bool:
        return importlib.util.find_spec("tinysoundfont") is not None

    def press(self, channel: int, pitch: int, velocity: int) -> None:
        self.synth.noteon(channel, pitch, velocity)

    def release(self, channel: int, pitch: int) -> None:
        self.synth.noteoff(channel, pitch)

    def control(self, channel: int, kind: int, value: int) -> None:
        if kind == DETUNING:
            self.synth.pitchbend(channel, _bend(value, self.players[channel]))
        else:
            self.synth.control_change(channel, CONTROLLERS[kind], value)

    def fill(self, frames: NDArray[np.float32]) -> None:
        self.synth.generate_simple(len(frames), frames.data.cast("B"))

    def close(self) -> None:
        self.synth.soundfonts.clear()


class FluidSynth:
    """FluidSynth through pyfluidsynth, which follows the modulators of a SoundFont; tinysoundfont does not."""

    is_dry = False  # it has its own reverberation
    prefers_system_soundfont = True  # distributions install a larger one with FluidSynth

    def __init__(self, players: list[Voice], soundfont: Path, sample_rate: int) -> None:
        try:
            import fluidsynth
        except (ImportError, OSError, AttributeError) as error:  # the last two: an incompatible library
            raise DependencyError(
                "FluidSynth is not installed; run: apt install fluidsynth && pip install pyfluidsynth"
            ) from error
        self.players = players
        self.synth = fluidsynth.Synth(gain=0.4, samplerate=float(sample_rate), channels=MOST_TRACKS)
        font = self.synth.sfload(str(soundfont))
        if font < 0:
            self.close()
            raise SynthesisError(f"{soundfont}: damaged SoundFont; name a whole .sf2 file")
        for channel, voice in enumerate(players):
            preset = choose_preset(voice, lambda bank, program: self.synth.sfpreset_name(font, bank, program))
            self.synth.program_select(channel, font, *preset)
            self.synth.cc(channel, CONTROLLERS[PAN], _pan_value(voice))
            if voice.bend_range:
                for controller, value in ((PARAMETER, 0), (FINE_PARAMETER, 0), (DATA_ENTRY, voice.bend_range)):
                    self.synth.cc(channel, controller, value)

    @staticmethod
    def is_installed() -> bool:
        try:
            import fluidsynth  # noqa: F401  (the import loads the system's library)
        except (ImportError, OSError, AttributeError):
            return False
        return True

    def press(self, channel: int, pitch: int, velocity: int) -> None:
        self.synth.noteon(channel, pitch, velocity)

    def release(self, channel: int, pitch: int) -> None:
        self.synth.noteoff(channel, pitch)

    def control(self, channel: int, kind: int, value: int) -> None:
        if kind == DETUNING:
            self.synth.pitch_bend(channel, _bend(value, self.players[channel]) - BEND_CENTRE)
        else:
            self.synth.cc(channel, CONTROLLERS[kind], value)

    def fill(self, frames: NDArray[np.float32]) -> None:
        frames[:] = self.synth.get_samples(len(frames)).reshape(-1, 2) / np.float32(2**15)

    def close(self) -> None:
        self.synth.delete()


SYNTHESIZERS: dict[str, type[FluidSynth] | type[TinySoundFont]] = {  # best first
    "fluidsynth": FluidSynth,
    "tinysoundfont": TinySoundFont,
}


def engine_name(engine: str = "auto") -> str:
    """Name the synthesizer that `render` would use.

    Raises:
        ConfigError: an unknown engine.
    """
    if engine != "auto" and engine not in SYNTHESIZERS:
        raise ConfigError(f"engine: unknown synthesizer {engine!r}; choose from auto, {', '.join(SYNTHESIZERS)}")
    if engine != "auto":
        return engine
    return next((name for name, kind in SYNTHESIZERS.items() if kind.is_installed()), "tinysoundfont")


def has_sound() -> bool:
    """Return whether a synthesizer is installed."""
    return SYNTHESIZERS[engine_name()].is_installed()


def render(
    score: Score,
    *,
    controls: ControlArray | None = None,
    soundfont: Path | None = None,
    engine: str = "auto",
    sample_rate: int = 44_100,
) -> Waveform:
    """Render a score in stereo at -16 LUFS, with no peak above -1 dBFS, up to two seconds after the last note.

    Args:
        controls: (M, 4) changes of volume, expression, pan and tuning, see music/controls.py.

    Raises:
        SynthesisError: the score is empty or too long, or the SoundFont cannot be used.
        DependencyError: no synthesizer or no SoundFont is installed.
        ConfigError: an unknown engine or sample rate.
    """
    if sample_rate not in SAMPLE_RATES_HZ:
        raise ConfigError(f"sample_rate must be {SAMPLE_RATES_HZ[0]}..{SAMPLE_RATES_HZ[-1]} Hz, got {sample_rate}")
    check_playable(score)
    controls = no_controls() if controls is None else controls
    if len(score.tracks) > MOST_TRACKS:
        score, controls = merge_tracks(score, controls)
    kind = SYNTHESIZERS[engine_name(engine)]
    font = default_soundfont(prefer_system=kind.prefers_system_soundfont) if soundfont is None else Path(soundfont)
    check_soundfont(font)
    synthesizer = kind(voices(score, controls), font, sample_rate)
    try:
        frames = play(actions(score, controls, sample_rate), synthesizer, round(TAIL_SECONDS * sample_rate))
    finally:
        synthesizer.close()
    if kind.is_dry:
        add_room(frames, sample_rate)
    fade = frames[-round(FADE_SECONDS * sample_rate) :]
    fade *= (np.cos(np.linspace(0, np.pi, len(fade), dtype=np.float32)) / 2 + 0.5)[:, None]
    normalise(frames, sample_rate)
    return Waveform(_without_silent_end(frames, len(frames) - round(TAIL_SECONDS * sample_rate)).T, sample_rate)


def check_playable(score: Score) -> None:
    """Refuse a score that `render` would refuse.

    Raises:
        SynthesisError: it is empty or too long.
    """
    if score.note_count == 0:
        raise SynthesisError("score: no notes to play")
    if score.seconds > LONGEST_SECONDS:
        raise SynthesisError(f"score: lasts {score.seconds:.0f} seconds; at most {LONGEST_SECONDS} can be played")


def play(events: NDArray[np.int64], synthesizer: Synthesizer, tail_frames: int) -> NDArray[np.float32]:
    """Play actions (M, 5) and return frames (N, 2) that end `tail_frames` after the last release."""
    end = int(events[events[:, 1] == RELEASE, 0].max())  # controls may go on after the last note
    frames = np.zeros((end + tail_frames, 2), np.float32)
    now = 0
    for frame, action, channel, pitch, velocity in events[events[:, 0] <= end].tolist():
        if frame > now:
            synthesizer.fill(frames[now:frame])
            now = frame
        if action == CONTROL:
            synthesizer.control(channel, pitch, velocity)
        elif action == PRESS:
            synthesizer.press(channel, pitch, velocity)
        else:
            synthesizer.release(channel, pitch)
    synthesizer.fill(frames[now:])
    return frames


def choose_preset(voice: Voice, name_of: Callable[[int, int], str | None]) -> tuple[int, int]:
    """Return the bank and program of a voice; where a SoundFont lacks them, program 0 of the bank, else a piano.

    Args:
        name_of: the name of the preset of a bank and program, None where there is none.

    Raises:
        SynthesisError: the SoundFont has none of them.
    """
    bank = DRUM_BANK if voice.is_drum else 0
    for preset in ((bank, voice.program), (bank, 0), (0, 0)):
        if name_of(*preset) is not None:
            return preset
    raise SynthesisError("SoundFont: neither the program asked for nor program 0 is in it; name a General MIDI one")


def _bend(cents: int, voice: Voice) -> int:
    """Return the position of the pitch wheel, 0..16383, for a detuning."""
    return min(max(BEND_CENTRE + round(BEND_CENTRE * cents / (100 * voice.bend_range)), 0), 2 * BEND_CENTRE - 1)


def _pan_value(voice: Voice) -> int:
    """Return the value of the pan controller, 1..127; 64 is the centre."""
    return round(64 + 63 * voice.pan)


def _without_silent_end(frames: NDArray[np.float32], shortest: int) -> NDArray[np.float32]:
    """Return frames (N, 2) cut after the last audible one, but no shorter than `shortest`."""
    tail = np.abs(frames[shortest:]).max(axis=1) > AUDIBLE
    return frames[: shortest + len(tail) - int(tail[::-1].argmax())] if tail.any() else frames[:shortest]
