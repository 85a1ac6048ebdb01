import numpy as np
import pytest

from imagemusic.audio.loudness import K_RATE_HZ, TARGET_LUFS, k_weight, limit, loudness_lufs, normalise

RATE = 44_100
CEILING = 10 ** (-1 / 20)


def sine(frequency_hz, seconds=3.0, rate=RATE, channels=1):
    times = np.arange(round(seconds * rate)) / rate
    return np.tile(np.sin(2 * np.pi * frequency_hz * times)[:, None], channels).astype(np.float32)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_a_full_sine_of_997_hz_in_one_channel_has_minus_3_lufs(rate):
    # The calibration that BS.1770-4 itself gives: -3.01 LKFS.
    assert loudness_lufs(sine(997, rate=rate), rate) == pytest.approx(-3.01, abs=0.05)


def test_two_channels_are_3_db_louder_than_one():
    both, one = loudness_lufs(sine(997, channels=2), RATE), loudness_lufs(sine(997), RATE)
    assert both - one == pytest.approx(3.01, abs=0.01)


def test_weighting_cuts_the_bass_and_lifts_the_treble():
    bass, middle, treble = k_weight(np.array([20.0, 997.0, 10_000.0]))
    assert bass < 0.1 < 1 < middle < 1.2 < 2.4 < treble


def test_weighting_mirrors_above_half_of_its_own_rate():
    np.testing.assert_allclose(k_weight(np.array([30_000.0])), k_weight(np.array([K_RATE_HZ - 30_000.0])))


def test_rests_do_not_count():
    with_rest = np.concatenate([sine(997), np.zeros((10 * RATE, 1), np.float32)])
    assert loudness_lufs(with_rest, RATE) == pytest.approx(-3.01, abs=0.4)


def test_silence_has_no_loudness_and_stays_silent():
    silence = np.zeros((RATE, 2), np.float32)
    assert loudness_lufs(silence, RATE) == -np.inf
    normalise(silence, RATE)
    assert not silence.any()


@pytest.mark.parametrize("gain", [0.001, 0.1, 3.0])
def test_soft_and_loud_sounds_end_at_the_target(gain):
    frames = sine(440, channels=2) * np.float32(gain)
    normalise(frames, RATE)
    assert loudness_lufs(frames, RATE) == pytest.approx(TARGET_LUFS, abs=0.1)


def test_a_lone_click_is_limited_rather_than_clipped():
    frames = np.zeros((2 * RATE, 2), np.float32)
    frames[RATE : RATE + 20] = 0.9
    normalise(frames, RATE)
    assert np.abs(frames).max() == pytest.approx(CEILING, abs=1e-3)


def test_the_limiter_turns_down_around_a_peak_and_nowhere_else():
    frames = np.full((20_001, 1), 0.5, np.float32)
    frames[10_000] = 2.0
    limit(frames, CEILING)
    assert frames.max() <= CEILING
    assert frames[10_000, 0] == pytest.approx(CEILING, rel=1e-3)
    assert (frames[:8_500] == 0.5).all() and (frames[11_500:] == 0.5).all()
    assert np.abs(np.diff(np.delete(frames[:, 0], 10_000))).max() < 0.001  # no step is heard


def test_the_limiter_leaves_quiet_frames_as_they_are():
    frames = sine(440, seconds=0.1) / 2
    before = frames.copy()
    limit(frames, CEILING)
    np.testing.assert_array_equal(frames, before)
