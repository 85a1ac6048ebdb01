import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagemusic.data.gather.text_normalization import normalized_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Rolling Stones", "rolling stones"),
        ("Beatles, The", "The Beatles"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
        ("Guns N' Roses", "Guns 'n' Roses"),
        ("P!nk", "Pink"),
        ("A$AP Rocky", "ASAP Rocky"),
        ("Beyoncé", "BEYONCE"),
        ("Y.M.C.A.", "YMCA"),
        ("Part II", "Pt. 2"),
        ("Twenty One Pilots", "21 Pilots"),
        ("Livin' on a Prayer", "Living on a Prayer"),
        ("Сарума", "Saruma"),
        ("Κωνσταντίνος", "Konstantinos"),
        ("キャンディ", "kyandi"),
        ("숙녀", "sugnyeo"),
        ("Ｗｉｄｅ", "wide"),
    ],
)
def test_spellings_of_one_name_become_equal(one, other):
    assert normalized_key(one) == normalized_key(other)


def test_names_of_punctuation_alone_stay_different():
    assert normalized_key("!!!") == "!!!"
    assert normalized_key("???") != normalized_key("!!!")
    assert normalized_key("") == ""


def test_names_without_latin_letters_stay_as_they_are():
    assert normalized_key("光線") == "光線"


@given(st.text(max_size=40))
@example("U:Y:0A")
def test_normalizing_twice_changes_nothing(text):
    once = normalized_key(text)
    assert normalized_key(once) == once
