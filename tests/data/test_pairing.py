import numpy as np
import pytest

from imagemusic.data.pairing import EXACT_SHARE, NO_PICTURE, Pictures, pair
from imagemusic.errors import DataError
from tests import tiny

NAN = np.nan


def pictures_of(*labels):
    ids = np.array([str(i) for i in range(len(labels))])
    return Pictures(ids, np.zeros((len(labels), 1, 2), np.float16), np.array(labels, np.float64))


def drawn(dials, pictures, count=2000, **options):
    """Share of each picture among many draws for one piece."""
    chosen = pair(np.tile(dials, (count, 1)), pictures, np.random.default_rng(0), **options)
    return np.bincount(chosen, minlength=len(pictures.ids)) / count


def test_the_picture_whose_dials_agree_is_drawn():
    pictures = pictures_of([-0.9, -0.9, NAN], [0.8, 0.5, NAN])
    assert drawn([0.8, 0.5, 0.0], pictures, temperature=0.1).tolist() == [0, 1]


def test_the_nearer_of_two_is_drawn_more_often_by_hand():
    # Distances 0 and 0.5 in both dials: odds of exp(0.5^2 / (2 x 0.5^2)) to one.
    shares = drawn([0, 0, NAN], pictures_of([0, 0, NAN], [0.5, 0.5, NAN]), temperature=0.5, count=20_000)
    assert shares[0] / shares[1] == pytest.approx(np.exp(0.5), rel=0.06)


def test_half_of_the_pieces_meet_a_picture_by_its_tempo():
    shares = drawn([0.5, 0.5, 0.5], pictures_of([0.5, 0.5, NAN], [0.5, 0.4, NAN], [NAN, NAN, 0.5]))
    assert shares[2] == pytest.approx(0.5, abs=0.05)


def test_a_piece_of_which_nothing_is_known_meets_any_picture():
    shares = drawn([NAN, NAN, NAN], pictures_of([-1, -1, NAN], [1, 1, NAN]), temperature=0.01)
    assert shares == pytest.approx([0.5, 0.5], abs=0.05)


def test_mismatched_pictures_are_any_pictures():
    shares = drawn([1, 1, NAN], pictures_of([-1, -1, NAN], [1, 1, NAN]), temperature=0.1, mismatch_prob=1.0)
    assert shares == pytest.approx([0.5, 0.5], abs=0.05)


def test_pairs_are_a_function_of_the_seed():
    pictures = pictures_of(*np.random.default_rng(0).uniform(-1, 1, (20, 3)))
    dials = np.random.default_rng(1).uniform(-1, 1, (30, 3))
    first, second, other = (pair(dials, pictures, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.tolist() == second.tolist() != other.tolist()


def test_pictures_of_one_split_are_read(tmp_path):
    path = tiny.write_pictures(tmp_path / "p.npz", count=12)
    train, validation = Pictures.open(path, "train"), Pictures.open(path, "validation")
    assert (len(train.ids), len(validation.ids)) == (9, 3)
    assert train.embeddings.shape == (9, 2, tiny.EMBEDDING_SIZE)
    assert not set(train.ids) & set(validation.ids)


def test_pictures_that_are_missing_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"p\.npz: no embedded pictures here; make them with scripts/train_encoder\.py"):
        Pictures.open(tmp_path / "p.npz", "train")


@pytest.mark.parametrize("content", [b"", b"no pictures", b"PK\x03\x04 cut off"])
def test_a_damaged_file_of_pictures_is_refused(tmp_path, content):
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"p\.npz: "):
        Pictures.open(tmp_path / "p.npz", "train")


def test_a_split_without_pictures_is_refused(tmp_path):
    path = tiny.write_pictures(tmp_path / "p.npz")
    with pytest.raises(DataError, match=r"p\.npz: no picture of split 'test'"):
        Pictures.open(path, "test")


def test_a_picture_of_its_own_wins_in_most_draws_and_the_others_go_by_dials():
    pictures = pictures_of([-0.9, -0.9, NAN], [0.8, 0.5, NAN], [0.7, 0.5, NAN])
    exact = np.full(4000, 0)
    chosen = pair(np.tile([0.8, 0.5, 0.0], (4000, 1)), pictures, np.random.default_rng(0), temperature=0.1, exact=exact)
    assert (chosen == 0).mean() == pytest.approx(EXACT_SHARE, abs=0.02)
    assert (chosen == 1).mean() > 0.05


def test_a_piece_without_a_picture_of_its_own_goes_by_dials_as_ever():
    dials, pictures = np.tile([0.8, 0.5, 0.0], (50, 1)), pictures_of([-0.9, -0.9, NAN], [0.8, 0.5, NAN])
    plain = pair(dials, pictures, np.random.default_rng(0))
    assert plain.tolist() == pair(dials, pictures, np.random.default_rng(0), exact=np.full(50, NO_PICTURE)).tolist()


def test_a_mismatched_picture_wins_over_the_piece_s_own():
    pictures = pictures_of([-1, -1, NAN], [1, 1, NAN])
    assert drawn([1, 1, NAN], pictures, mismatch_prob=1.0, exact=np.zeros(2000, int)) == pytest.approx(
        [0.5, 0.5], abs=0.05
    )


def test_a_piece_prefers_its_own_picture_then_one_of_its_label_then_none():
    pictures = pictures_of(*[[0, 0, NAN]] * 4)
    known = Pictures(
        pictures.ids,
        pictures.embeddings,
        pictures.labels,
        own={"a": 3},
        by_label={"a": np.array([0]), "b": np.array([1, 2])},
    )
    draws = [known.preferred(["a", "b", "c"], np.random.default_rng(seed)).tolist() for seed in range(40)]
    assert {(a, c) for a, _, c in draws} == {(3, NO_PICTURE)}
    assert {b for _, b, _ in draws} == {1, 2}
    assert pictures.preferred(["a"], np.random.default_rng(0)).tolist() == [NO_PICTURE]
