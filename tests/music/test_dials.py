import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.music.dials import CUES, DIALS, DialNormalizer, as_row, key_correlations, measure, measure_spans
from imagemusic.music.ensembles import ENSEMBLES, ensemble_of
from imagemusic.music.score import Note, Score, Tempo, Track
from tests.tiny import tune

C_MAJOR, A_MINOR = [0, 2, 4, 5, 7, 9, 11, 12], [9, 11, 12, 14, 16, 17, 20, 21]


def scale_of(steps, duration=24):
    return Track([Note(24 * i, 60 + step, duration, 80 + i) for i, step in enumerate(steps)])


@pytest.fixture(scope="module")
def scale():
    return DialNormalizer.fit([measure(tune(seed)) for seed in range(6)])


def test_cues_are_measured_by_hand():
    notes = [Note(0, 60, 24, 60), Note(24, 64, 12, 100), Note(24, 67, 24, 80)]
    cues = measure(Score([Track(notes)], [Tempo(0, 60)]))
    assert cues["tempo"] == pytest.approx(60)
    assert cues["density"] == 1.5  # three notes in two beats
    assert cues["onset_rate"] == 1
    assert cues["register"] == pytest.approx((60 + 64 + 67) / 3)
    assert cues["loudness"] == 80
    assert cues["articulation"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert cues["polyphony"] == 60 / 48


def test_silence_before_the_first_note_does_not_count():
    played = measure(Score([Track([Note(240, 60, 24), Note(264, 64, 24)])]))
    assert played == measure(Score([Track([Note(0, 60, 24), Note(24, 64, 24)])]))


def test_what_is_not_known_is_none():
    cues = measure(tune(), tempo_known=False, velocity_known=False)
    assert cues["tempo"] is cues["onset_rate"] is cues["loudness"] is None
    assert cues["register"] is not None


def test_drums_have_a_tempo_but_no_register():
    cues = measure(Score([Track([Note(0, 36, 6), Note(24, 38, 6)], is_drum=True)]))
    assert cues["tempo"] == pytest.approx(120)
    assert cues["register"] is cues["mode"] is None


def test_an_empty_score_has_no_cues():
    assert set(measure(Score([Track([])])).values()) == {None}


def profile(steps):
    return np.bincount(np.array(steps) % 12, minlength=12)[None].astype(float)


def test_major_and_minor_are_told_apart():
    assert measure(Score([scale_of([*C_MAJOR, 0, 4, 7])]))["mode"] > 0
    assert measure(Score([scale_of([*A_MINOR, 9, 12, 16])]))["mode"] < 0


def test_the_best_key_of_a_scale_is_its_own():
    assert key_correlations(profile([*C_MAJOR, 0, 7, 0]))[0, 0].argmax() == 0


def test_correlations_are_pearsons():
    steps = [*A_MINOR, 9, 4, 0]
    minor_on_a = np.roll([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17], 9)
    assert key_correlations(profile(steps))[0, 1, 9] == pytest.approx(np.corrcoef(profile(steps)[0], minor_on_a)[0, 1])


def test_all_pitch_classes_alike_have_no_key():
    assert not key_correlations(profile(range(12))).any()


def test_spans_are_measured_one_by_one():
    low, high = [Note(24 * i, 40, 12, 50) for i in range(4)], [Note(96 + 12 * i, 80, 12, 90) for i in range(8)]
    first, second = measure_spans(Score([Track(low + high)], [Tempo(0, 60)]), np.array([0, 96, 192]))
    assert dict(zip(CUES, first, strict=True)) == pytest.approx(
        {"tempo": 60, "density": 1, "onset_rate": 1, "register": 40, "loudness": 50, "articulation": 0.5,
         "mode": first[CUES.index("mode")], "polyphony": 1}
    )  # fmt: skip
    assert second[CUES.index("density")] == 2
    assert second[CUES.index("register")] == 80


def test_a_mode_may_be_measured_over_more_spans_than_one():
    score = Score([scale_of([*C_MAJOR, 0, 4, 7, 0, *A_MINOR, 9, 12, 16, 9])])
    ticks = np.array([0, 12 * 24, 24 * 24])
    wide = measure_spans(score, ticks, spans_of_mode=2)[:, CUES.index("mode")]
    narrow = measure_spans(score, ticks)[:, CUES.index("mode")]
    assert wide[0] == pytest.approx(measure(score)["mode"])
    assert wide[0] != pytest.approx(narrow[0])
    assert wide[1] == pytest.approx(narrow[1])


def test_a_note_sounds_on_in_the_next_span_and_a_silent_span_has_no_cues():
    score = Score([Track([Note(0, 60, 48), Note(24, 64, 6), Note(30, 67, 6), Note(200, 60, 6)])])
    spans = measure_spans(score, np.array([0, 24, 100, 150, 206]))
    assert spans[1, CUES.index("polyphony")] == (24 + 12) / 24
    assert np.isnan(spans[2]).all()


@pytest.mark.parametrize(
    ("tracks", "ensemble"),
    [
        ([(0, False)], "piano"),
        ([(40, False), (42, False)], "strings"),
        ([(0, False), (53, False)], "voice"),
        ([(0, False), (0, True)], "band"),
        ([(24, False)], "other"),
        ([(27, False)], "band"),
        ([(40, False), (73, False)], "orchestra"),
        ([(0, True)], "drums"),
        ([(12, False)], "other"),
    ],
)
def test_an_ensemble_is_named_by_its_programs(tracks, ensemble):
    made = [Track([Note(0, 60, 6)], program, is_drum) for program, is_drum in tracks]
    assert ensemble_of(Score(made)) == ensemble
    assert ensemble in ENSEMBLES


def test_dials_span_the_music_they_were_fitted_on(scale):
    found = [scale.dials(measure(tune(seed))) for seed in range(6)]
    for dial in DIALS:
        values = [dials[dial] for dials in found]
        assert max(values) > 0.5
        assert min(values) < -0.5
        assert all(-1 <= value <= 1 for value in values)


def test_a_cue_beyond_all_others_is_at_the_end(scale):
    assert scale.to_percentile("tempo", 1e6) == 1
    assert scale.to_percentile("tempo", 1) == -1
    assert scale.to_percentile("tempo", None) is None


def test_pieces_that_tie_stand_in_the_middle_of_their_run():
    table = DialNormalizer({}, {}, {"tempo": [60.0, 120.0, 120.0, 120.0, 120.0]})
    assert table.to_percentile("tempo", 120.0) == pytest.approx(0.25)


@given(st.lists(st.integers(0, 8), min_size=2, max_size=12), st.floats(-1, 9) | st.integers(0, 8))
def test_a_value_has_the_same_place_alone_and_in_a_table(quantiles, raw):
    table = DialNormalizer({}, {}, {"tempo": sorted(map(float, quantiles))})
    assert table.to_percentile("tempo", raw) == pytest.approx(float(table._ranks("tempo", np.array(raw))), abs=1e-9)


@given(st.floats(-1, 1))
def test_a_dial_turned_back_gives_its_raw_value(to_percentile):
    table = DialNormalizer({}, {}, {"tempo": np.linspace(50, 200, 101).tolist()})
    assert table.to_percentile("tempo", table.from_percentile("tempo", to_percentile)) == pytest.approx(
        to_percentile, abs=1e-9
    )


def test_valence_needs_tempo_and_register(scale):
    assert scale.dials(measure(tune(), tempo_known=False))["valence"] is None


def test_valence_does_without_what_is_optional(scale):
    cues = measure(tune()) | {"mode": None}
    assert scale.dials(cues)["valence"] is not None


def test_faster_music_is_more_aroused(scale):
    cues = measure(tune())
    slow, fast = scale.raw(np.array([as_row(cues | {"onset_rate": rate}) for rate in (1.0, 8.0)]))
    assert fast[DIALS.index("arousal")] > slow[DIALS.index("arousal")]


def test_a_scale_comes_back_from_json(scale):
    assert DialNormalizer.from_json(scale.to_json()).dials(measure(tune(3))) == scale.dials(measure(tune(3)))


def test_a_cue_that_no_piece_knows_leaves_the_other_dials():
    cues = [measure(tune(seed), velocity_known=False) for seed in range(4)]
    dials = DialNormalizer.fit(cues).dials(cues[0])
    assert dials["loudness"] is None
    assert dials["arousal"] is not None
