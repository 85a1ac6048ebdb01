import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from imagemusic.errors import ConfigError
from imagemusic.model.conditioning import ConditionLayout

LAYOUT = ConditionLayout(embedding_size=2, dials=("valence", "tempo"), ensembles=("piano", "band"))


def test_a_condition_is_laid_out_by_hand():
    found = LAYOUT.vector(np.array([0.5, -2]), {"tempo": 0.25}, "band", {"tempo": 0.5, "valence": 0.1})
    #                           embedding / 4, seen   dials x 2   given   unsure x 2   ensemble x 3, named
    assert found.tolist() == [0.125, -0.5, 1,         0, 0.5,     0, 1,   0, 1,        0, 3, 1]  # fmt: skip
    assert found.dtype == np.float32
    assert LAYOUT.size == len(found)


def test_nothing_given_is_the_null_condition():
    assert not LAYOUT.vector(None, {}, None).any()
    assert not LAYOUT.vector(None, {"tempo": None}, None).any()


def test_a_dial_at_zero_differs_from_no_dial():
    assert LAYOUT.vector(None, {"tempo": 0.0}, None).any()


def test_dials_that_move_are_laid_out_as_if_they_had_been_there_before():
    embedding = np.array([0.5, -2])
    before = LAYOUT.vector(embedding, {"tempo": 0.25, "valence": -1}, "band", {"tempo": 0.5, "valence": 0.1})
    after = LAYOUT.vector(embedding, {"tempo": 0.7, "valence": -1}, "band", {"valence": 0.1})
    np.testing.assert_array_equal(LAYOUT.moved(before, {"tempo": 0.7}), after)
    assert before[4] == 0.5  # is left as it was


def test_many_conditions_equal_one_at_a_time():
    embedding = np.array([[1.0, 2.0], [np.nan, np.nan]])
    dials = np.array([[0.1, np.nan], [np.nan, -0.5]])
    packed = LAYOUT.pack(embedding, dials, np.array([0, -1]))
    np.testing.assert_array_equal(packed[0], LAYOUT.vector(embedding[0], {"valence": 0.1}, "piano"))
    np.testing.assert_array_equal(packed[1], LAYOUT.vector(None, {"tempo": -0.5}, None))


def test_a_layout_comes_back_from_json_and_an_older_one_has_the_same_scales():
    assert ConditionLayout.from_json(json.loads(json.dumps(asdict(LAYOUT)))) == LAYOUT
    older = {"embedding_size": 2, "dials": ["valence", "tempo"], "ensembles": ["piano", "band"]}
    assert ConditionLayout.from_json(older) == LAYOUT


def test_a_layout_with_other_scales_uses_them():
    loud = replace(LAYOUT, embedding_scale=1.0, ensemble_scale=5.0)
    found = loud.vector(np.array([0.5, -2]), {}, "piano")
    assert found.tolist() == [0.5, -2, 1, 0, 0, 0, 0, 0, 0, 5, 0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment": 32}, "condition: segments of 32 events, this imagemusic needs 16"),
        ({"dial_scale": 0.0}, "condition: dial_scale must be above 0 and finite, got 0.0"),
        ({"embedding_scale": float("nan")}, "condition: embedding_scale must be above 0 and finite, got nan"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(LAYOUT, **change)


@pytest.mark.parametrize(
    ("dials", "ensemble", "message"),
    [
        ({"tmpo": 1.0}, None, "unknown dial 'tmpo'; choose from valence, tempo"),
        ({}, "choir", "unknown ensemble 'choir'; choose from piano, band"),
    ],
)
def test_what_the_model_does_not_know_is_refused(dials, ensemble, message):
    with pytest.raises(ConfigError, match=message):
        LAYOUT.vector(None, dials, ensemble)


STYLED = replace(LAYOUT, styles=("hymn", "waltz", "rock"))


def test_a_style_comes_last_and_none_is_zeros():
    found = STYLED.vector(np.array([0.5, -2]), {"tempo": 0.25}, "band", style="waltz")
    plain = LAYOUT.vector(np.array([0.5, -2]), {"tempo": 0.25}, "band")
    #                                          style x 2, given
    assert found.tolist() == [*plain.tolist(), 0, 2, 0, 1]
    assert STYLED.size == LAYOUT.size + 4 == len(found)
    without = STYLED.vector(np.array([0.5, -2]), {"tempo": 0.25}, "band")
    assert without.tolist() == [*plain.tolist(), 0, 0, 0, 0]
    assert not STYLED.vector(None, {}, None).any()


def test_a_condition_can_lose_its_style():
    found = STYLED.vector(np.array([0.5, -2]), {"tempo": 0.25}, "band", style="rock")
    plain = LAYOUT.vector(np.array([0.5, -2]), {"tempo": 0.25}, "band")
    np.testing.assert_array_equal(STYLED.without_style(found), plain)
    np.testing.assert_array_equal(LAYOUT.without_style(plain), plain)


def test_dials_that_move_leave_the_style():
    before = STYLED.vector(None, {"tempo": 0.25}, "band", style="hymn")
    after = STYLED.vector(None, {"tempo": -0.5}, "band", style="hymn")
    np.testing.assert_array_equal(STYLED.moved(before, {"tempo": -0.5}), after)


def test_many_styles_equal_one_at_a_time_and_come_back_from_json():
    packed = STYLED.pack(None, np.full((2, 2), np.nan), np.array([0, -1]), style=np.array([2, -1]))
    np.testing.assert_array_equal(packed[0], STYLED.vector(None, {}, "piano", style="rock"))
    assert not packed[1].any()
    assert not STYLED.pack(None, np.full((1, 2), np.nan), np.array([-1])).any()
    louder = replace(STYLED, style_scale=5.0)
    assert louder.vector(None, {}, None, style="hymn").tolist()[-4:] == [5, 0, 0, 1]
    assert ConditionLayout.from_json(json.loads(json.dumps(asdict(louder)))) == louder


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (STYLED, "unknown style 'polka'; choose from hymn, waltz, rock"),
        (LAYOUT, "unknown style 'polka'; choose from none: it knows no styles"),
    ],
)
def test_a_style_that_is_not_known_is_refused(layout, message):
    with pytest.raises(ConfigError) as caught:
        layout.vector(None, {}, None, style="polka")
    assert str(caught.value) == message
