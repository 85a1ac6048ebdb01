import pytest

from imagemusic.data.corpora.catalogue import CORPORA, TRAINABLE, list_pieces, read_corpus, read_piece
from imagemusic.data.corpora.piece import velocity_varies
from imagemusic.errors import DataError, ScoreError
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Note, Score, Track
from tests.miniature import put


def test_keys_are_listed_in_order_and_other_files_left_alone(tmp_path):
    for name in ("b.mid", "A.MID", "sub/c.mid", "notes.txt"):
        path = tmp_path / "nottingham" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_midi(Score([Track([Note(0, 60, 24)])]), path)
    assert list_pieces(tmp_path, "nottingham") == ["A.MID", "b.mid", "sub/c.mid"]
    assert [piece.id for piece in read_corpus(tmp_path, "nottingham")][1:] == ["nottingham/b", "nottingham/sub/c"]


def test_an_unknown_corpus_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="unknown corpus 'lakh'; choose from openscore-lieder"):
        list_pieces(tmp_path, "lakh")
    with pytest.raises(DataError, match="mutopia: no MIDI files"):
        list_pieces(tmp_path, "mutopia")


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "nottingham").mkdir()
    (tmp_path / "nottingham/a.mid").write_bytes(b"MThd")
    with pytest.raises(ScoreError, match=r"nottingham.a\.mid: damaged MIDI file"):
        list(read_corpus(tmp_path, "nottingham"))


def test_what_may_not_ship_does_not_train():
    assert {name for name in CORPORA if name not in TRAINABLE} == {"emopia", "vgmidi", "nottingham"}


@pytest.mark.parametrize(
    ("velocities", "varies"),
    [
        ([80] * 9, False),
        ([80] * 40 + [1], False),
        ([80] * 9 + [60] * 9, True),
        ([80] * 99 + [60, 61], True),
        ([], False),
    ],
)
def test_loudness_is_known_when_it_varies(velocities, varies):
    notes = [Note(tick, 60, 1, velocity) for tick, velocity in enumerate(velocities)]
    assert velocity_varies(Score([Track(notes)])) is varies


def test_a_file_without_notes_yields_no_piece(tmp_path):
    put(tmp_path, "nottingham/MIDI/silence.mid", Score([]))
    assert read_piece(tmp_path, "nottingham", "MIDI/silence.mid") == []
