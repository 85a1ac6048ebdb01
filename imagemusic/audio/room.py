"""A small room around a dry sound: reverberation made of decaying noise.

Late reverberation has no pitch and no direction, so that coloured noise of the right length stands in for a hall that
was measured; see Moorer 1979, "About This Reverberation Business".
"""

import numpy as np
from numpy.typing import NDArray

DECAY_SECONDS = 1.1  # until it is 60 dB softer
FIRST_ECHO_SECONDS = 0.018  # lets the attacks through
WET_DB = -15.0  # energy beside the dry sound
BASS_CUT_HZ, TREBLE_CUT_HZ = 250.0, 3500.0  # else bass notes grow muddy and cymbals hiss
FFT_FRAMES = 1 << 17


def room_response(sample_rate: int) -> NDArray[np.float32]:
    """Answer of the room to a click: (2, L), different in both ears, the same in every call."""
    times = np.arange(round(DECAY_SECONDS * sample_rate)) / sample_rate
    noise = np.random.default_rng(0).standard_normal((2, len(times))) * 10 ** (-3 * times / DECAY_SECONDS)
    frequencies = np.fft.rfftfreq(2 * len(times), 1 / sample_rate)
    colour = frequencies / np.hypot(frequencies, BASS_CUT_HZ) / np.hypot(1, frequencies / TREBLE_CUT_HZ)
    coloured = np.fft.irfft(np.fft.rfft(noise, 2 * len(times)) * colour)[:, : len(times)]
    coloured *= 10 ** (WET_DB / 20) / np.sqrt((coloured**2).sum(axis=1, keepdims=True))
    return np.pad(coloured, ((0, 0), (round(FIRST_ECHO_SECONDS * sample_rate), 0))).astype(np.float32)


def add_room(frames: NDArray[np.float32], sample_rate: int) -> None:
    """Add the room to frames (N, 2) in place; what rings on after the last frame is lost."""
    response = room_response(sample_rate)
    block = FFT_FRAMES - response.shape[1] + 1
    spectrum = np.fft.rfft(response, FFT_FRAMES)
    for start in reversed(range(0, len(frames), block)):  # backwards: an echo only falls on what was already heard
        dry = frames[start : start + block].mean(axis=1)
        wet = np.fft.irfft(np.fft.rfft(dry, FFT_FRAMES) * spectrum, FFT_FRAMES)
        heard = frames[start : start + FFT_FRAMES]
        heard += wet[:, : len(heard)].T
