import numpy as np
import pytest
import soundfile

from imagemusic.audio.waveform import AUDIO_FORMATS, FRAMES_PER_WRITE, Waveform
from imagemusic.errors import ConfigError, OutputError, SynthesisError

RATE = 22_050


def tone(seconds=0.5, channels=2):
    times = np.arange(round(seconds * RATE)) / RATE
    return Waveform(np.tile(np.sin(2 * np.pi * 440 * times) / 2, (channels, 1)).astype(np.float32), RATE)


def test_seconds_are_frames_over_rate():
    assert Waveform(np.zeros((2, 11_025), np.float32), RATE).seconds == 0.5


def test_a_wav_file_holds_the_samples_to_16_bits(tmp_path):
    sound = Waveform(np.array([[0.0, 0.5, -1.0], [0.25, -0.25, 1.0]], np.float32), RATE)
    sound.save(tmp_path / "a.wav")
    frames, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(frames.T, sound.samples, atol=2**-15)


@pytest.mark.parametrize("suffix", AUDIO_FORMATS)
def test_every_format_can_be_read_again_and_keeps_its_pitch(suffix, tmp_path):
    tone().save(tmp_path / f"a.{suffix}")
    frames, rate = soundfile.read(tmp_path / f"a.{suffix}")
    loudest = np.abs(np.fft.rfft(frames[:, 0])).argmax() * rate / len(frames)
    assert loudest == pytest.approx(440, abs=3)
    assert frames.shape[1] == 2


def test_a_sound_longer_than_one_write_is_whole(tmp_path):
    sound = Waveform(np.linspace(-1, 1, 2 * FRAMES_PER_WRITE + 5, dtype=np.float32)[None], RATE)
    sound.save(tmp_path / "long.wav")
    frames, _ = soundfile.read(tmp_path / "long.wav", dtype="float32")
    np.testing.assert_allclose(frames, sound.samples[0], atol=2**-14)


def test_the_ending_may_be_in_capitals(tmp_path):
    tone().save(tmp_path / "A.WAV")
    assert (tmp_path / "A.WAV").stat().st_size > 1000


def test_saving_leaves_no_other_file_behind(tmp_path):
    tone().save(tmp_path / "a.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"a\.aiff: unknown sound format '\.aiff'; choose from wav, mp3, flac, ogg"):
        tone().save(tmp_path / "a.aiff")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/a\.wav: cannot be written \(No such file or directory\)"):
        tone().save(tmp_path / "nowhere" / "a.wav")


def test_a_failed_write_keeps_the_old_file_and_leaves_no_part(tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"old")
    with pytest.raises(SynthesisError, match=r"mp3: cannot hold 2 channels at 12345 Hz \("):
        Waveform(np.zeros((2, 10), np.float32), 12_345).save(tmp_path / "a.mp3")  # MP3 knows nine rates only
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.mp3", b"old")]


def test_a_single_row_of_samples_is_refused():
    with pytest.raises(SynthesisError, match=r"samples must be \(channels, frames\), got shape \(5,\)"):
        Waveform(np.zeros(5, np.float32), RATE)
