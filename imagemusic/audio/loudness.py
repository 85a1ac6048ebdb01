"""Measure and set the loudness of frames (N, C), which are changed in place.

Loudness is that of ITU-R BS.1770-4 in LUFS: K-weighted, in gated blocks of 400 ms.  The weighting is applied to the
spectrum of 100 ms segments instead of to the samples, which needs no recursive filter.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

TARGET_LUFS = -16.0  # AES TD1008, for streamed music
PEAK_DBFS = -1.0
MOST_LIMITING_DB = 6.0  # gain reduction; a piece that needs more stays below the target

K_RATE_HZ = 48_000  # BS.1770-4 tables 1 and 2: a shelf for the head, then a high-pass
K_STAGES = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)
SEGMENT_SECONDS = 0.1
SEGMENTS_PER_BLOCK = 4
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0

LIMITER_FRAMES = 64  # the limiter decides once in 64 frames, and looks 8 decisions ahead and back: 12 ms
LIMITER_REACH = 8
FRAMES_PER_PASS = 1 << 16


def k_weight(frequencies_hz: NDArray[Any]) -> NDArray[Any]:
    """Return the power gain (F,) of the K-weighting at frequencies (F,)."""
    z = np.exp(-2j * np.pi * frequencies_hz / K_RATE_HZ)
    gain = np.ones_like(z)
    for above, below in K_STAGES:
        gain *= np.polyval(above[::-1], z) / np.polyval(below[::-1], z)
    return np.abs(gain) ** 2


def loudness_lufs(frames: NDArray[np.float32], sample_rate: int) -> float:
    """Return the loudness of frames (N, C) in LUFS; minus infinity for silence."""
    size = round(SEGMENT_SECONDS * sample_rate)
    weight = k_weight(np.fft.rfftfreq(size, 1 / sample_rate)) * 2 / size**2  # Parseval, from one side of the spectrum
    power = []
    for start in range(0, len(frames), size):
        spectrum = np.fft.rfft(frames[start : start + size], n=size, axis=0)
        power.append(float(weight @ (spectrum.real**2 + spectrum.imag**2).sum(axis=1)))
    power += [0.0] * (SEGMENTS_PER_BLOCK - len(power))
    blocks = np.convolve(power, np.full(SEGMENTS_PER_BLOCK, 1 / SEGMENTS_PER_BLOCK), mode="valid")
    blocks = blocks[_lufs(blocks) > ABSOLUTE_GATE_LUFS]
    if len(blocks) == 0:
        return -np.inf
    return float(_lufs(blocks[_lufs(blocks) > _lufs(blocks.mean()) + RELATIVE_GATE_LU].mean()))


def _lufs(power: Any) -> Any:
    """Convert K-weighted power, summed over the channels, to LUFS."""
    return -0.691 + 10 * np.log10(np.maximum(power, 1e-20))


def normalise(frames: NDArray[np.float32], sample_rate: int) -> None:
    """Scale and limit frames (N, C) in place to TARGET_LUFS, with no peak above PEAK_DBFS; silence is not changed."""
    loudness = loudness_lufs(frames, sample_rate)
    if loudness == -np.inf:
        return
    peak = max(float(frames.max()), -float(frames.min()))
    ceiling, most = (10 ** (level / 20) for level in (PEAK_DBFS, PEAK_DBFS + MOST_LIMITING_DB))
    frames *= np.float32(min(10 ** ((TARGET_LUFS - loudness) / 20), most / peak))
    limit(frames, ceiling)


def limit(frames: NDArray[np.float32], ceiling: float) -> None:
    """Reduce the gain of frames (N, C) in place around every peak above the amplitude `ceiling`.

    A look-ahead limiter: the gain is the moving average of a running minimum over the same window, so it changes
    slowly and never exceeds what the peak allows.
    """
    starts = np.arange(0, len(frames), LIMITER_FRAMES)
    peaks = np.maximum(np.maximum.reduceat(frames, starts), -np.minimum.reduceat(frames, starts)).max(axis=1)
    if len(peaks) == 0 or peaks.max() <= ceiling:
        return
    allowed = np.minimum(1.0, ceiling / np.maximum(peaks, ceiling))
    knots = np.minimum(np.append(allowed, 1.0), np.append(1.0, allowed))  # at every edge between two blocks
    for smooth in (np.min, np.mean):
        padded = np.pad(knots, LIMITER_REACH, mode="edge")
        knots = smooth(sliding_window_view(padded, 2 * LIMITER_REACH + 1), axis=1)
    for start in range(0, len(frames), FRAMES_PER_PASS):
        part = frames[start : start + FRAMES_PER_PASS]
        at = (start + np.arange(len(part))) / LIMITER_FRAMES
        part *= np.interp(at, np.arange(len(knots)), knots).astype(np.float32)[:, None]
    np.clip(frames, -ceiling, ceiling, out=frames)  # float32 rounding only
