import sys

import numpy as np
import pytest

from imagemusic.audio import synthesis
from imagemusic.audio.loudness import loudness_lufs
from imagemusic.audio.performance import Voice, actions, key_presses, voices
from imagemusic.audio.soundfont import default_soundfont
from imagemusic.audio.synthesis import SYNTHESIZERS, choose_preset, engine_name, play, render
from imagemusic.errors import ConfigError, DependencyError, SynthesisError
from imagemusic.music.controls import DETUNING, EXPRESSION, PAN, VOLUME
from imagemusic.music.score import Note, Score, Tempo, Track

RATE = 44_100
FLUTE, ORGAN = 73, 19

ENGINES = [
    pytest.param(name, marks=pytest.mark.skipif(not kind.is_installed(), reason="not installed"))
    for name, kind in SYNTHESIZERS.items()
]


def raw(engine, score, players):
    """Sound (N,) as the synthesizer gives it: dry, mixed to mono and not levelled."""
    synthesizer = SYNTHESIZERS[engine](players, default_soundfont(), RATE)
    frames = play(key_presses(score, RATE), synthesizer, RATE // 10)
    synthesizer.close()
    return frames.mean(axis=1)


def pitch_hz(samples):
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * RATE / len(samples)


def power(samples):
    return float((samples**2).mean())


@pytest.mark.parametrize("engine", ENGINES)
def test_notes_sound_at_their_pitch_and_time(engine):
    score = Score([Track([Note(0, 69, 24), Note(48, 81, 24)], program=FLUTE)])
    sound = raw(engine, score, [Voice(FLUTE, False, 0.0)])
    first, rest, second = sound[: RATE // 2], sound[int(0.8 * RATE) : RATE], sound[RATE : int(1.5 * RATE)]
    assert pitch_hz(first) == pytest.approx(440, rel=0.02)
    assert pitch_hz(second) == pytest.approx(880, rel=0.02)
    assert power(rest) < power(first) / 100


@pytest.mark.parametrize("engine", ENGINES)
def test_a_note_begins_within_two_milliseconds(engine):
    onset = 1.2345
    score = Score([Track([Note(12_345, 76, 500, 127)], program=115)], [Tempo(0, 60)], ticks_per_beat=10_000)
    sound = np.abs(raw(engine, score, [Voice(115, False, 0.0)]))
    assert (sound > sound.max() / 20).argmax() / RATE == pytest.approx(onset, abs=0.002)


@pytest.mark.parametrize("engine", ENGINES)
def test_louder_keys_sound_louder(engine):
    score = Score([Track([Note(0, 60, 20, 30), Note(24, 60, 20, 110)])])
    soft, loud = np.split(raw(engine, score, [Voice(0, False, 0.0)])[:RATE], 2)
    assert power(loud) > 4 * power(soft)


@pytest.mark.parametrize("engine", ENGINES)
def test_unisons_of_two_tracks_both_sound(engine):
    line = Track([Note(0, 69, 24)], program=FLUTE)
    voice = Voice(FLUTE, False, 0.0)
    one, two = power(raw(engine, Score([line]), [voice])), power(raw(engine, Score([line] * 2), [voice] * 2))
    assert two > 1.5 * one


@pytest.mark.parametrize("engine", ENGINES)
def test_twenty_tracks_keep_their_own_programs(engine):
    tracks = [Track([Note(12 * i, 69, 10)], program=FLUTE if i % 2 else 117) for i in range(20)]
    sound = raw(engine, Score(tracks), [Voice(track.program, False, 0.0) for track in tracks])
    flutes = [sound[int(i * RATE / 4) :][: RATE // 5] for i in range(1, 20, 2)]
    assert [pitch_hz(flute) for flute in flutes] == pytest.approx([440] * 10, rel=0.03)


@pytest.mark.parametrize("engine", ENGINES)
def test_drums_have_no_pitch(engine):
    hit = Score([Track([Note(0, 49, 6, 100)], is_drum=True)])
    crash = raw(engine, hit, [Voice(0, True, 0.0)])[: RATE // 10]
    spectrum = np.abs(np.fft.rfft(crash)) ** 2
    assert power(crash) > 0
    assert spectrum.max() < spectrum.sum() / 10  # noise, not a tone


def controlled(engine, *rows, program=ORGAN, tracks=1):
    """Sound (2, N) of a tone of 2 s on each track under controls (tick, track, kind, value); 48 ticks a second."""
    score = Score([Track([Note(0, 69, 96)], program=program)] * tracks)
    controls = np.array(rows, np.int64)
    synthesizer = SYNTHESIZERS[engine](voices(score, controls), default_soundfont(), RATE)
    frames = play(actions(score, controls, RATE), synthesizer, RATE // 10)
    synthesizer.close()
    return frames.T


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", [VOLUME, EXPRESSION])
def test_volume_and_expression_change_the_level_of_notes_that_sound(engine, kind):
    sound = controlled(engine, (0, 0, kind, 127), (48, 0, kind, 32), (72, 0, kind, 0)).mean(axis=0)
    loud, soft, silent = (power(sound[int(at * RATE) :][: RATE // 3]) for at in (0.5, 1.1, 1.6))
    assert loud > 20 * soft > 1000 * silent


@pytest.mark.parametrize("engine", ENGINES)
def test_a_track_without_volume_is_as_loud_as_one_at_100(engine):
    alone = power(controlled(engine, (0, 0, VOLUME, 100), (0, 0, PAN, 64)))
    beside_silence = power(controlled(engine, (0, 0, VOLUME, 0), (0, 0, PAN, 64), tracks=2))
    assert beside_silence == pytest.approx(alone, rel=0.01)


@pytest.mark.parametrize("engine", ENGINES)
def test_pan_goes_from_left_to_right(engine):
    left, right = controlled(engine, (0, 0, PAN, 0), (48, 0, PAN, 127))
    first, second = slice(RATE // 4, RATE // 2), slice(RATE * 5 // 4, RATE * 3 // 2)
    assert power(left[first]) > 10 * power(right[first])
    assert power(right[second]) > 10 * power(left[second])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("cents", "hz"), [(200, 493.88), (-100, 415.30), (1200, 880), (4800, 7040)])
def test_detuning_bends_notes_that_sound(engine, cents, hz):
    sound = controlled(engine, (48, 0, DETUNING, cents), program=FLUTE).mean(axis=0)
    assert pitch_hz(sound[RATE // 4 : RATE]) == pytest.approx(440, rel=0.01)
    assert pitch_hz(sound[RATE * 9 // 8 : RATE * 2]) == pytest.approx(hz, rel=0.01)


def test_any_number_of_tracks_is_played():
    sound = render(Score([Track([Note(0, 60 + i % 12, 24)], program=i % 3) for i in range(300)]), sample_rate=RATE)
    assert 0.5 <= sound.seconds <= 2.5


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_of_four_players_is_heard_from_the_left(engine):
    line = Track([Note(0, 69, 24)], program=FLUTE)
    rest = Track([Note(0, 1, 1, 1)], program=FLUTE)
    left, right = render(Score([line, rest, rest, rest]), engine=engine, sample_rate=RATE).samples
    assert 1.2 < power(left) / power(right) < 10


def test_a_piece_is_levelled_and_never_clips():
    chords = [Note(24 * beat, pitch, 24, 127) for beat in range(6) for pitch in range(40, 90, 4)]
    sound = render(Score([Track(chords), Track(chords, program=61)]), sample_rate=RATE)
    assert loudness_lufs(sound.samples.T, RATE) == pytest.approx(-16, abs=1)
    assert np.abs(sound.samples).max() <= 10 ** (-1 / 20)


@pytest.mark.parametrize(("program", "ending"), [(0, 2.0), (115, 1.5)])
def test_the_sound_ends_softly_at_most_two_seconds_after_the_last_note(program, ending):
    score = Score([Track([Note(0, 60, 24, 100)], program=program)])
    sound = render(score, sample_rate=RATE)
    assert score.seconds <= sound.seconds <= score.seconds + ending
    assert np.abs(sound.samples[:, -20:]).max() < 0.01


def test_the_same_score_gives_the_same_sound():
    score = Score([Track([Note(0, 60, 24)]), Track([Note(0, 64, 24)], program=40)])
    first, second = (render(score, sample_rate=RATE).samples for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_auto_takes_the_best_that_is_installed(monkeypatch):
    monkeypatch.setattr(synthesis.FluidSynth, "is_installed", lambda: True)
    assert engine_name() == "fluidsynth"
    monkeypatch.setattr(synthesis.FluidSynth, "is_installed", lambda: False)
    assert engine_name() == "tinysoundfont"


@pytest.mark.parametrize(
    ("voice", "preset"),
    [
        (Voice(40, False, 0.0), (0, 40)),
        (Voice(41, False, 0.0), (0, 0)),  # no viola: a piano
        (Voice(8, True, 0.0), (128, 0)),  # no such kit: the standard one
    ],
)
def test_what_a_small_soundfont_lacks_is_replaced(voice, preset):
    names = {(0, 0): "Piano", (0, 40): "Violin", (128, 0): "Standard"}
    assert choose_preset(voice, lambda *key: names.get(key)) == preset


def test_a_soundfont_without_a_piano_is_refused():
    with pytest.raises(SynthesisError, match="neither the program asked for nor program 0"):
        choose_preset(Voice(0, False, 0.0), lambda bank, program: None)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (Score([]), "no notes to play"),
        (Score([Track([])]), "no notes to play"),
        (Score([Track([Note(0, 60, 24 * 10_000)])]), "lasts 5000 seconds; at most 3600"),
    ],
    ids=["no tracks", "no notes", "too long"],
)
def test_a_score_that_cannot_be_played_is_refused(score, message):
    with pytest.raises(SynthesisError, match=message):
        render(score)


NOTE = Score([Track([Note(0, 60, 24)])])


def test_a_soundfont_that_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(SynthesisError, match=r"none\.sf2: cannot read the SoundFont"):
        render(NOTE, soundfont=tmp_path / "none.sf2")


def test_a_missing_synthesizer_is_one_line_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinysoundfont", None)
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(DependencyError, match="run: pip install --no-deps tinysoundfont$"):
        render(NOTE)


def test_a_missing_fluidsynth_is_said_when_it_was_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(DependencyError, match="FluidSynth is not installed"):
        render(NOTE, engine="fluidsynth")


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match="unknown synthesizer 'moog'; choose from auto, fluidsynth, tinysoundfont"):
        render(NOTE, engine="moog")


def test_a_sample_rate_that_no_one_plays_is_refused():
    with pytest.raises(ConfigError, match=r"sample_rate must be 8000\.\.96000 Hz, got 100"):
        render(NOTE, sample_rate=100)


def test_what_is_too_long_is_refused_before_it_is_played(monkeypatch):
    monkeypatch.setattr(synthesis, "play", lambda *_: pytest.fail("it is played"))
    with pytest.raises(SynthesisError, match="lasts 3601 seconds; at most 3600 can be played"):
        render(Score([Track([Note(0, 60, 24 * 3601)])], [Tempo(0, 60)]))
