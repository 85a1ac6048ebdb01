"""Reverberation of a small room by convolution with decaying noise.

Late reverberation is diffuse, so exponentially decaying coloured noise approximates a measured room; see Moorer 1979,
"About This Reverberation Business".
"""

import numpy as np
from numpy.typing import NDArray

DECAY_SECONDS = 1.1  # RT60
FIRST_ECHO_SECONDS = 0.018  # predelay, which keeps attacks clear
WET_DB = -15.0  # energy of the response relative to the dry sound
BASS_CUT_HZ, TREBLE_CUT_HZ = 250.0, 3500.0  # of the response
FFT_FRAMES = 1 << 17


def room_response(sample_rate: int) -> NDArray[np.float32]:
    """Return the impulse response (2, L), independent noise for left and right, the same in every call."""
    times = np.arange(round(DECAY_SECONDS * sample_rate)) / sample_rate
    noise = np.random.default_rng(0).standard_normal((2, len(times))) * 10 ** (-3 * times / DECAY_SECONDS)
    frequencies = np.fft.rfftfreq(2 * len(times), 1 / sample_rate)
    colour = frequencies / np.hypot(frequencies, BASS_CUT_HZ) / np.hypot(1, frequencies / TREBLE_CUT_HZ)
    coloured = np.fft.irfft(np.fft.rfft(noise, 2 * len(times)) * colour)[:, : len(times)]
    coloured *= 10 ** (WET_DB / 20) / np.sqrt((coloured**2).sum(axis=1, keepdims=True))
    return np.pad(coloured, ((0, 0), (round(FIRST_ECHO_SECONDS * sample_rate), 0))).astype(np.float32)


def add_room(frames: NDArray[np.float32], sample_rate: int) -> None:
    """Add reverberation to frames (N, 2) in place; what lasts beyond the last frame is cut."""
    response = room_response(sample_rate)
    block = FFT_FRAMES - response.shape[1] + 1
    spectrum = np.fft.rfft(response, FFT_FRAMES)
    for start in reversed(range(0, len(frames), block)):  # backwards: echoes fall on blocks that are done
        dry = frames[start : start + block].mean(axis=1)
        wet = np.fft.irfft(np.fft.rfft(dry, FFT_FRAMES) * spectrum, FFT_FRAMES)
        echoed = frames[start : start + FFT_FRAMES]
        echoed += wet[:, : len(echoed)].T
