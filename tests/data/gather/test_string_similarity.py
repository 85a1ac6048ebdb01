import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.data.gather.string_similarity import similarity


@given(st.text(max_size=30), st.text(max_size=30))
def test_similarity_is_symmetric_and_a_share(one, other):
    assert 0 <= similarity(one, other) <= 1
    assert similarity(one, other) == pytest.approx(similarity(other, one))
    assert similarity(one, one) == 1


def test_a_typo_costs_little_and_another_word_or_number_much():
    assert similarity("Stairway to Heaven", "Stairway to Haeven") > 0.9
    assert similarity("Come with Me", "Come to Me") < 0.7
    assert similarity("Part 1", "Part 2") < 0.5
    assert similarity("One", "One More Time") < 0.5
    assert similarity("Lovesong", "Love Song") > 0.95
    assert similarity("Five Finger Death Punch", "Fve Finger Death Punch") > 0.9
    assert similarity("Motörhead", "Motoerhead") > 0.9


def test_names_in_scripts_without_a_rule_are_compared_as_they_are():
    assert similarity("光線", "光線") == 1
    assert similarity("光線", "留学生") < 0.5
