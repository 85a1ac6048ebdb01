import numpy as np
import pytest

from imagemusic.errors import CodecError
from imagemusic.events import codec
from imagemusic.events.vocabulary import VELOCITY
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.research.decoders.tokens import RemiTokens
from tests import tiny


@pytest.fixture(scope="module")
def tokens():
    return RemiTokens()


def silent(score):
    events = codec.encode(score)
    events[:, VELOCITY] = 0
    return events


def two_pianos(**score):
    return Score([Track([Note(0, 72, 24)], 0), Track([Note(0, 48, 24), Note(24, 50, 12)], 0)], **score)


@pytest.mark.parametrize("seed", range(4))
def test_tokens_give_a_piece_back(tokens, seed):
    assert tokens.is_exact(silent(tiny.tune(seed)))


@pytest.mark.parametrize("known", [{}, {"meters": [Meter(0, 6, 8)]}, {"tempos": [Tempo(0, 96)]}])
def test_parts_of_one_program_stay_apart_and_what_is_not_known_stays_unknown(tokens, known):
    events = silent(two_pianos(**known))
    again = tokens.decode(tokens.encode(events))
    assert len(again.tracks) == 2
    assert (bool(again.meters), bool(again.tempos)) == ("meters" in known, "tempos" in known)
    assert tokens.is_exact(events)


def test_a_change_of_meter_and_of_tempo_comes_back(tokens):
    notes = [Note(24 * beat, 60 + beat, 24) for beat in range(14)]
    score = Score([Track(notes)], [Tempo(0, 90), Tempo(192, 120)], [Meter(0, 4, 4), Meter(192, 3, 4)])
    assert tokens.is_exact(silent(score))


def test_a_length_without_a_token_is_not_exact(tokens):
    assert not tokens.is_exact(silent(Score([Track([Note(0, 60, 16 * 24 + 1)])])))
    assert not tokens.is_exact(silent(Score([Track([Note(0, 60, 24)])], meters=[Meter(0, 13, 8)])))


def test_a_piece_is_tokenized_from_its_header_to_its_end(tokens):
    encoded = tokens.encode(silent(two_pianos(meters=[Meter(0, 4, 4)], tempos=[Tempo(0, 96)]))).tolist()
    assert [token >= tokens.first_own for token in encoded[:5]] == [True] * 4 + [False]
    assert encoded[-1] == tokens.end and tokens.start not in encoded
    assert max(encoded) < tokens.size


def test_moved_pitches_are_moved_tokens(tokens):
    events = silent(tiny.tune(1))
    score, moved = (tokens.decode(tokens.encode(events, shift)) for shift in (0, 3))
    for track, other in zip(score.tracks, moved.tracks, strict=True):
        assert np.array_equal(track.notes[:, 1] + 3 * (not track.is_drum), other.notes[:, 1])


def test_a_part_that_was_not_declared_is_refused(tokens):
    encoded = tokens.encode(silent(two_pianos()))
    own = np.flatnonzero(encoded >= tokens.first_own)
    with pytest.raises(CodecError, match="not declared"):
        tokens.decode(np.delete(encoded, own[-2:]))


def test_pairs_make_a_piece_shorter_and_say_the_same(tokens, tmp_path):
    pieces = [silent(tiny.tune(seed)) for seed in range(4)]
    path = tmp_path / "pairs.json"
    pairs = tokens.train_bpe(pieces, tokens.first_own + 50, path)
    assert pairs.first_own == tokens.first_own + 50
    assert len(pairs.encode(pieces[0])) < 0.9 * len(tokens.encode(pieces[0]))
    assert pairs.is_exact(pieces[0])
    assert np.array_equal(RemiTokens(path).encode(pieces[0]), pairs.encode(pieces[0]))


def test_a_file_that_is_no_tokens_is_refused(tmp_path):
    (tmp_path / "pairs.json").write_text("{")
    with pytest.raises(CodecError, match="pairs.json"):
        RemiTokens(tmp_path / "pairs.json")
