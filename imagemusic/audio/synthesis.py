"""Score to sound: the one door to the synthesizers.

    Score -> key presses -> Synthesizer, in frames (N, 2) -> room, fade, level -> Waveform (2, N)

The time of a key press is kept to the frame by tinysoundfont, and to 64 frames (1.5 ms) by FluidSynth.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imagemusic.audio.loudness import normalise
from imagemusic.audio.performance import Voice, key_presses, voices
from imagemusic.audio.room import add_room
from imagemusic.audio.soundfont import check_soundfont, default_soundfont
from imagemusic.audio.waveform import Waveform
from imagemusic.errors import ConfigError, DependencyError, SynthesisError
from imagemusic.music.score import Score

TAIL_SECONDS = 2.0  # at most, after the end of the last note
FADE_SECONDS = 1.5  # of it
AUDIBLE = 1e-3  # -60 dBFS: what is softer than this at the end is cut off
LONGEST_SECONDS = 3600  # an hour of frames is 1.3 GB
SAMPLE_RATES_HZ = range(8_000, 96_001)  # what both synthesizers play
MOST_TRACKS = 256  # channels of FluidSynth

DRUM_BANK = 128
PAN_CONTROLLER = 10


class Synthesizer(Protocol):
    """Plays keys on channels; a channel is an index into the voices it was made with."""

    def press(self, channel: int, pitch: int, velocity: int) -> None:
        """Press a key."""

    def release(self, channel: int, pitch: int) -> None:
        """Let a key go."""

    def fill(self, frames: NDArray[np.float32]) -> None:
        """Write the sound that comes next into frames (N, 2)."""

    def close(self) -> None:
        """Free what the library holds."""


class TinySoundFont:
    """TinySoundFont, which pip alone installs."""

    is_dry = True
    prefers_system_soundfont = False  # the one of pretty_midi is small, loads in 60 ms and is the same everywhere

    def __init__(self, players: list[Voice], soundfont: Path, sample_rate: int) -> None:
        try:
            import tinysoundfont
        except ImportError as error:
            raise DependencyError(
                "tinysoundfont is not installed, so there is no sound; run: pip install --no-deps tinysoundfont"
            ) from error
        self.synth = tinysoundfont.Synth(samplerate=sample_rate)
        try:
            font = self.synth.sfload(str(soundfont))
        except RuntimeError as error:
            raise SynthesisError(f"{soundfont}: damaged SoundFont; name a whole .sf2 file") from error
        for channel, voice in enumerate(players):  # the library makes channels on demand, also more than 16
            preset = choose_preset(voice, lambda bank, program: self.synth.sfpreset_name(font, bank, program))
            self.synth.program_select(channel, font, *preset)
            self.synth.control_change(channel, PAN_CONTROLLER, _pan_value(voice))

    @staticmethod
    def is_installed() -> bool:
        return importlib.util.find_spec("tinysoundfont") is not None

    def press(self, channel: int, pitch: int, velocity: int) -> None:
        self.synth.noteon(channel, pitch, velocity)

    def release(self, channel: int, pitch: int) -> None:
        self.synth.noteoff(channel, pitch)

    def fill(self, frames: NDArray[np.float32]) -> None:
        self.synth.generate_simple(len(frames), frames.data.cast("B"))

    def close(self) -> None:
        self.synth.soundfonts.clear()


class FluidSynth:
    """FluidSynth through pyfluidsynth: follows the modulators of the SoundFont, which tinysoundfont leaves out."""

    is_dry = False  # it has reverb of its own
    prefers_system_soundfont = True  # distributions bring a larger one beside FluidSynth

    def __init__(self, players: list[Voice], soundfont: Path, sample_rate: int) -> None:
        try:
            import fluidsynth
        except (ImportError, OSError, AttributeError) as error:  # the last two: a library that does not fit
            raise DependencyError(
                "FluidSynth is not installed; run: apt install fluidsynth && pip install pyfluidsynth"
            ) from error
        self.synth = fluidsynth.Synth(gain=0.4, samplerate=float(sample_rate), channels=MOST_TRACKS)
        font = self.synth.sfload(str(soundfont))
        if font < 0:
            self.close()
            raise SynthesisError(f"{soundfont}: damaged SoundFont; name a whole .sf2 file")
        for channel, voice in enumerate(players):
            preset = choose_preset(voice, lambda bank, program: self.synth.sfpreset_name(font, bank, program))
            self.synth.program_select(channel, font, *preset)
            self.synth.cc(channel, PAN_CONTROLLER, _pan_value(voice))

    @staticmethod
    def is_installed() -> bool:
        try:
            import fluidsynth  # noqa: F401  (the import looks for the system's library)
        except (ImportError, OSError, AttributeError):
            return False
        return True

    def press(self, channel: int, pitch: int, velocity: int) -> None:
        self.synth.noteon(channel, pitch, velocity)

    def release(self, channel: int, pitch: int) -> None:
        self.synth.noteoff(channel, pitch)

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


def render(score: Score, *, soundfont: Path | None = None, engine: str = "auto", sample_rate: int = 44_100) -> Waveform:
    """Play a score: stereo, at -16 LUFS, no peak above -1 dBFS, ending at most two seconds after the last note.

    Raises:
        SynthesisError: nothing to play, too much to play, or a SoundFont that cannot be used.
        DependencyError: no synthesizer or no SoundFont is installed.
        ConfigError: an unknown engine or sample rate.
    """
    if sample_rate not in SAMPLE_RATES_HZ:
        raise ConfigError(f"sample_rate must be {SAMPLE_RATES_HZ[0]}..{SAMPLE_RATES_HZ[-1]} Hz, got {sample_rate}")
    if score.note_count == 0:
        raise SynthesisError("score: no notes to play")
    if score.seconds > LONGEST_SECONDS:
        raise SynthesisError(f"score: lasts {score.seconds:.0f} seconds; at most {LONGEST_SECONDS} can be played")
    if len(score.tracks) > MOST_TRACKS:
        raise SynthesisError(f"score: {len(score.tracks)} tracks; at most {MOST_TRACKS} can be played")
    kind = SYNTHESIZERS[engine_name(engine)]
    font = default_soundfont(prefer_system=kind.prefers_system_soundfont) if soundfont is None else Path(soundfont)
    check_soundfont(font)
    synthesizer = kind(voices(score), font, sample_rate)
    try:
        frames = play(key_presses(score, sample_rate), synthesizer, round(TAIL_SECONDS * sample_rate))
    finally:
        synthesizer.close()
    if kind.is_dry:
        add_room(frames, sample_rate)
    fade = frames[-round(FADE_SECONDS * sample_rate) :]
    fade *= (np.cos(np.linspace(0, np.pi, len(fade), dtype=np.float32)) / 2 + 0.5)[:, None]
    normalise(frames, sample_rate)
    return Waveform(_without_silent_end(frames, len(frames) - round(TAIL_SECONDS * sample_rate)).T, sample_rate)


def play(events: NDArray[np.int64], synthesizer: Synthesizer, tail_frames: int) -> NDArray[np.float32]:
    """Send key presses (M, 5) in time and return frames (N, 2), `tail_frames` longer than the last event."""
    frames = np.zeros((int(events[-1, 0]) + tail_frames, 2), np.float32)
    now = 0
    for frame, is_press, channel, pitch, velocity in events.tolist():
        if frame > now:
            synthesizer.fill(frames[now:frame])
            now = frame
        if is_press:
            synthesizer.press(channel, pitch, velocity)
        else:
            synthesizer.release(channel, pitch)
    synthesizer.fill(frames[now:])
    return frames


def choose_preset(voice: Voice, name_of: Callable[[int, int], str | None]) -> tuple[int, int]:
    """Find the bank and program of a voice; where a small SoundFont lacks it, what stands nearest.

    Raises:
        SynthesisError: not even a piano in its place.
    """
    bank = DRUM_BANK if voice.is_drum else 0
    for preset in ((bank, voice.program), (bank, 0), (0, 0)):
        if name_of(*preset) is not None:
            return preset
    raise SynthesisError("SoundFont: neither the program asked for nor program 0 is in it; name a General MIDI one")


def _pan_value(voice: Voice) -> int:
    """Turn a place on the stage into the value of the pan controller; 64 is the middle."""
    return round(64 + 63 * voice.pan)


def _without_silent_end(frames: NDArray[np.float32], shortest: int) -> NDArray[np.float32]:
    """Cut frames (N, 2) after the last audible one, but not below the length `shortest`."""
    tail = np.abs(frames[shortest:]).max(axis=1) > AUDIBLE
    return frames[: shortest + len(tail) - int(tail[::-1].argmax())] if tail.any() else frames[:shortest]
