import numpy as np
import pytest

from imagemusic.model.conditioning import ConditionLayout
from imagemusic.model.reading import Prior
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES

LAYOUT = ConditionLayout(embedding_size=2, dials=DIALS, ensembles=ENSEMBLES)
AROUSAL = DIALS.index("arousal")
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
        for name in first.keys() & {"density", "loudness"}:
            assert prior.draw(pictured(prior, seed), np.random.default_rng(seed), given={name: first[name]}) == first


def test_the_loudness_at_an_arousal_is_that_of_the_nearest_piece_that_tells():
    arousal = np.linspace(-1, 1, PIECES)
    prior = make_prior(arousal=arousal, loudness=np.where(np.arange(PIECES) % 10 == 5, arousal, np.nan))
    assert prior.loudness_at(arousal[17]) == arousal[15] and prior.loudness_at(1.0) == arousal[55]
    assert make_prior(loudness=np.nan).loudness_at(0.0) is None


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
