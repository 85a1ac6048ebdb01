import pytest

from imagemusic.data.corpora.piece import Piece
from imagemusic.data.corpora.styles import BY_CORPUS, BY_TAG, BY_TITLE, style_of
from imagemusic.music.styles import STYLES
from tests import tiny


def piece(corpus="mutopia", title="", tags=()):
    return Piece(
        id=f"{corpus}/x", corpus=corpus, group=f"{corpus}/x", title=title, score=tiny.tune(), licence="",
        velocity_known=True, metrical=True, off_grid=0.0, tags=tags,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "style"),
    [
        (piece(title="Grande Valse brillante"), "waltz"),
        (piece(title="Zwölf Ländler"), "waltz"),
        (piece(title="Marche funèbre"), "march"),
        (piece(title="The Marcher"), ""),
        (piece(title="Maple Leaf Rag"), "ragtime"),
        (piece(title="Ragged Robin"), ""),
        (piece(title="Tango", tags=("Classical",)), "latin"),  # the title comes first
        (piece(tags=("Classical",)), "classical"),
        (piece(tags=("Romantic",)), "romantic"),
        (piece(tags=("piano", "Jazz")), "ragtime"),
        (piece(tags=("Hymn", "folk")), "hymn"),  # the first tag comes first
        (piece(tags=("piano", "organ")), ""),
        (piece("groove-midi", tags=("jazz-swing", "rock")), "swing"),
        (piece("groove-midi", tags=("hiphop", "rock")), "funk"),
        (piece("groove-midi"), ""),
        (piece("openscore-lieder", title="Der Walzer"), "lied"),  # a song about a waltz is none
        (piece("openscore-quartets", title="Marcia"), "quartet"),
        (piece("pop909", title="Blues"), "pop"),
        (piece("freedoom", title="E1M1"), "rock"),
        (piece("freedoom", title="Swing low"), "swing"),
        (piece("blasphemer"), "ambient"),
        (piece("hauptstimme"), "orchestral"),
        (piece("unheard-of"), ""),
    ],
    ids=lambda value: f"{value.corpus}-{value.title}-{'-'.join(value.tags)}" if isinstance(value, Piece) else value,
)
def test_a_style_is_that_of_the_title_then_of_a_tag_then_of_the_corpus(found, style):
    assert style_of(found) == style


def test_every_style_is_one_that_can_be_asked_for():
    assert {*BY_TITLE, *BY_TAG, *BY_CORPUS.values(), "swing"} <= set(STYLES)
    assert len(set(STYLES)) == len(STYLES) == 20
