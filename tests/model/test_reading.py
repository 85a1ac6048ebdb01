import numpy as np
import pytest

from imagemusic.model.conditioning import ConditionLayout
from imagemusic.model.reading import Prior
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES

LAYOUT = ConditionLayout(embedding_size=2, dials=DIALS, ensembles=ENSEMBLES)
AROUSAL, TEMPO, LOUDNESS = (DIALS.index(name) for name in ("arousal", "tempo", "loudness"))
PIECES = 60


def make_prior(*, ensemble="piano", **columns):
    dials = np.random.default_rng(0).uniform(-1, 1, (PIECES, len(DIALS)))
    for name, values in columns.items():
        dials[:, DIALS.index(name)] = values
    return Prior(dials, np.full(PIECES, ENSEMBLES.index(ensemble)), LAYOUT)


def pictured(prior, row):
    return dict(zip(DIALS[:3], prior.dials[row, :3].tolist(), strict=True))


def test_what_a_picture_leaves_open_is_that_of_a_piece_like_it():
    prior = make_prior()
    drawn = [prior.draw(pictured(prior, 7), np.random.default_rng(seed)) for seed in range(40)]
    assert all(piece["ensemble"] == "piano" for piece in drawn)
    near = [abs(piece["arousal"] - prior.dials[7, AROUSAL]) for piece in drawn]
    assert np.median(near) < 0.2 and len({piece["density"] for piece in drawn}) > 1


def test_giving_a_dial_what_it_had_anyway_changes_nothing():
    prior = make_prior(loudness=np.where(np.arange(PIECES) % 2, np.nan, np.linspace(-1, 1, PIECES)))
    for seed in range(20):
        first = prior.draw(pictured(prior, seed), np.random.default_rng(seed))
        for name in ("density", "loudness"):
            assert prior.draw(pictured(prior, seed), np.random.default_rng(seed), given={name: first[name]}) == first


def test_loudness_that_a_piece_does_not_know_is_that_of_the_one_nearest_in_arousal():
    arousal = np.linspace(-1, 1, PIECES)
    known = np.arange(PIECES) % 10 == 5
    prior = make_prior(arousal=arousal, loudness=np.where(known, arousal, np.nan))
    np.testing.assert_allclose(prior.dials[known, LOUDNESS], arousal[known])
    assert np.abs(prior.dials[:, LOUDNESS] - arousal).max() <= 5.01 * (arousal[1] - arousal[0])


def test_loudness_stays_unknown_where_no_piece_knows_it():
    prior = make_prior(loudness=np.nan)
    assert "loudness" not in prior.draw(pictured(prior, 0), np.random.default_rng(0))


def test_drums_alone_are_drawn_only_for_who_asks():
    prior = make_prior()
    prior = Prior(prior.dials, np.where(np.arange(PIECES) < 30, ENSEMBLES.index("drums"), 0), LAYOUT)
    drawn = {prior.draw(pictured(prior, 3), np.random.default_rng(seed))["ensemble"] for seed in range(30)}
    assert drawn == {ENSEMBLES[0]}
    assert prior.draw(pictured(prior, 3), np.random.default_rng(0), ensemble="drums")["ensemble"] == "drums"


def test_a_tempo_follows_only_what_a_person_moved():
    prior = make_prior(tempo=np.linspace(-1, 1, PIECES), arousal=np.linspace(-1, 1, PIECES), valence=0.0)
    seen = {"valence": 0.0, "arousal": 0.0, "tempo": 0.25}
    assert prior.tempo_that_follows(seen, {}) == prior.tempo_that_follows(seen, {"arousal": 0.0}) == pytest.approx(0.25)
    assert prior.tempo_that_follows(seen, {"arousal": 0.5}) == pytest.approx(0.75)
