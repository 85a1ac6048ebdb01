import numpy as np
import pytest

from imagemusic.compose.prior import Prior
from imagemusic.model.conditioning import ConditionLayout
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
    sampled = [prior.sample_completion(pictured(prior, 7), np.random.default_rng(seed)) for seed in range(40)]
    assert all(one.ensemble == "piano" for one in sampled)
    near = [abs(piece["arousal"] - prior.dials[7, AROUSAL]) for piece, *_ in sampled]
    assert np.median(near) < 0.2 and len({piece["density"] for piece, *_ in sampled}) > 1


def test_giving_a_dial_what_it_had_anyway_changes_nothing():
    prior = make_prior(loudness=np.where(np.arange(PIECES) % 2, np.nan, np.linspace(-1, 1, PIECES)))
    for seed in range(20):
        first = prior.sample_completion(pictured(prior, seed), np.random.default_rng(seed))
        for name in first.dials.keys() & {"density", "loudness"}:
            overrides, rng = {name: first.dials[name]}, np.random.default_rng(seed)
            assert prior.sample_completion(pictured(prior, seed), rng, overrides=overrides) == first


def test_the_loudness_at_an_arousal_is_that_of_the_nearest_piece_that_tells():
    arousal = np.linspace(-1, 1, PIECES)
    prior = make_prior(arousal=arousal, loudness=np.where(np.arange(PIECES) % 10 == 5, arousal, np.nan))
    assert prior.loudness_at(arousal[17]) == arousal[15] and prior.loudness_at(1.0) == arousal[55]
    assert make_prior(loudness=np.nan).loudness_at(0.0) is None


def test_drums_alone_are_drawn_only_for_who_asks():
    prior = make_prior()
    prior = Prior(prior.dials, np.where(np.arange(PIECES) < 30, ENSEMBLES.index("drums"), 0), LAYOUT)
    wanted = pictured(prior, 3)
    assert {prior.sample_completion(wanted, np.random.default_rng(seed))[1] for seed in range(30)} == {ENSEMBLES[0]}
    assert prior.sample_completion(wanted, np.random.default_rng(0), ensemble="drums")[1] == "drums"


RANKS = {name: np.linspace(-1, 1, 101).tolist() for name in DIALS[:3]}
UNKNOWN = 3**-0.5


@pytest.fixture
def feeling_prior():
    """Tempo goes with arousal, by 0.6, and with nothing else."""
    rng = np.random.default_rng(1)
    arousal = rng.uniform(-1, 1, PIECES)
    return make_prior(arousal=arousal, tempo=0.6 * arousal, valence=0.0)


def tempo_target(prior, mean, sd):
    return prior.image_targets(np.array(mean), np.array(sd), RANKS)["tempo"]


def test_where_the_eye_knows_no_tempo_the_feeling_gives_it(feeling_prior):
    tempos = [tempo_target(feeling_prior, (0.0, arousal, 0.9), (0.4, 0.4, UNKNOWN)) for arousal in (-0.8, 0.0, 0.8)]
    assert tempos[1] == pytest.approx(0) and tempos[2] == -tempos[0] > 0.5


def test_where_the_eye_knows_no_feeling_its_tempo_counts_alone(feeling_prior):
    sure, unsure = (tempo_target(feeling_prior, (0.3, 0.9, -0.5), (UNKNOWN, UNKNOWN, sd)) for sd in (0.1, 0.5))
    assert sure == pytest.approx(unsure) and sure == pytest.approx(-0.61, abs=0.02)  # a normal rank of -0.5
    assert tempo_target(feeling_prior, (0.3, 0.9, -0.5), (UNKNOWN,) * 3) == pytest.approx(-0.5)
    moved = feeling_prior.image_targets(np.array([0.3, 0.4, -0.5]), np.ones(3), RANKS, {"arousal": 0.9})
    assert moved["tempo"] == pytest.approx(-0.5 + 0.6 * 0.5)
    blind_to_arousal = (np.zeros(3), np.array([0.5, 0.6, 0.55]), RANKS)
    assert feeling_prior.image_targets(*blind_to_arousal, {"arousal": 0.5})["tempo"] == pytest.approx(0.3)


def test_a_tempo_follows_only_what_a_person_moved(feeling_prior):
    read = (np.array([0.1, -0.6, 0.4]), np.array([0.4, 0.45, 0.55]), RANKS)
    seen = feeling_prior.image_targets(*read)
    for given in ({}, {"arousal": seen["arousal"]}, {"mode": 0.9, "tempo": -1.0}):
        assert feeling_prior.image_targets(*read, given) == seen
    excited = feeling_prior.image_targets(*read, {"arousal": 0.6})
    assert excited["tempo"] > seen["tempo"] + 0.5
    # As if the picture had been that exciting itself.
    assert excited == feeling_prior.image_targets(np.array([0.1, 0.6, 0.4]), *read[1:])


def test_feelings_are_told_as_they_were_read(feeling_prior):
    told = feeling_prior.image_targets(np.array([0.3, -0.7, 0.2]), np.full(3, 0.4), RANKS)
    assert told["valence"] == pytest.approx(0.3) and told["arousal"] == pytest.approx(-0.7)


def test_tempo_targets_span_the_range_when_the_dials_of_pictures_go_together_as_in_music():
    rng = np.random.default_rng(2)
    prior = make_prior()
    rows = prior.dials[rng.integers(PIECES, size=2000), :3]
    tempos = [tempo_target(prior, row, (0.45, 0.5, 0.55)) for row in rows]
    assert np.std(tempos) == pytest.approx(UNKNOWN, abs=0.06) and abs(np.mean(tempos)) < 0.2
