import numpy as np
import pytest

from imagemusic.data.build.fingerprint import fingerprint
from imagemusic.data.build.near_duplicates import (
    EMPTY,
    OWNED,
    Spill,
    nearly_same,
    same_value,
    share_passages,
    similar_hashes,
    sketch,
)
from tests import tiny


def hashes(rng, count):
    return np.unique(rng.integers(0, 2**64, count, dtype=np.uint64))


def paired(pairs):
    return {tuple(pair) for pair in pairs.tolist()}


def owned(fingerprints):
    for owner, one in enumerate(fingerprints):
        records = np.empty(len(one), OWNED)
        records["hash"], records["owner"] = one, owner
        yield records


def test_a_sketch_holds_the_least_hash_of_each_bin_by_hand():
    made = sketch(np.array([3 << 27, 5 << 27, (31 << 59) | (7 << 27)], np.uint64))
    assert (made[0], made[31]) == (3, 7)
    assert (made[1:31] == EMPTY).all()


def test_pieces_that_share_most_hashes_are_found_among_many_others():
    rng = np.random.default_rng(0)
    pieces = [hashes(rng, 200) for _ in range(200)]
    pieces.append(np.unique(np.concatenate([pieces[7][20:], hashes(rng, 20)])))
    assert paired(nearly_same(np.stack([sketch(one) for one in pieces]))) == {(7, 200)}


def test_many_copies_are_paired_with_the_first_alone():
    copies = np.stack([sketch(hashes(np.random.default_rng(1), 100))] * 500)
    assert paired(nearly_same(copies)) == {(0, copy) for copy in range(1, 500)}


def test_pieces_without_a_fingerprint_are_like_none():
    assert not len(nearly_same(np.stack([sketch(np.zeros(0, np.uint64))] * 3)))


def test_transposed_music_is_nearly_the_same():
    from dataclasses import replace

    score = tiny.tune(3, bars=24)
    moved = [replace(t, notes=t.notes + [0, 5 * (not t.is_drum), 0, 0]) for t in score.tracks]
    sketches = [sketch(fingerprint(one)) for one in (score, tiny.tune(4, bars=24), replace(score, tracks=moved))]
    assert paired(nearly_same(np.stack(sketches))) == {(0, 2)}


def test_equal_values_are_paired_with_the_first_and_zero_with_none():
    assert paired(same_value(np.array([5, 0, 7, 5, 0, 5], np.uint64))) == {(0, 3), (0, 5)}
    assert not len(same_value(np.zeros(0, np.uint64)))


def test_covers_of_few_other_bits_are_all_found():
    rng = np.random.default_rng(2)
    values = rng.integers(1, 2**64, 300, dtype=np.uint64)
    for place, bits in enumerate((1, 4, 6, 7)):
        flipped = values[place]
        for bit in rng.choice(64, bits, replace=False):
            flipped ^= np.uint64(1) << np.uint64(bit)
        values[200 + place] = flipped
    assert paired(similar_hashes(values)) == {(0, 200), (1, 201), (2, 202)}


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_covers_have_no_pairs(count):
    assert not len(similar_hashes(np.arange(count, dtype=np.uint64)))


def test_a_shared_passage_is_found_and_a_common_figure_is_not(tmp_path):
    rng = np.random.default_rng(3)
    figure = hashes(rng, 60)
    pieces = [np.unique(np.concatenate([hashes(rng, 300), figure])) for _ in range(12)]
    pieces[9] = np.unique(np.concatenate([pieces[9], pieces[2][:50]]))
    sizes = np.array([len(one) for one in pieces])
    found = share_passages(owned(pieces), sizes, np.arange(12), tmp_path / "spilled")
    assert paired(found) == {(2, 9)}
    assert not list((tmp_path / "spilled").iterdir())
    assert not len(share_passages(owned(pieces), sizes, np.zeros(12, np.int64), tmp_path / "spilled"))


def test_parts_on_disk_hold_what_was_put_into_them(tmp_path):
    spill = Spill(tmp_path, "x", np.dtype("i8"), 3)
    spill.add(np.array([10, 11, 12, 13]), np.array([2, 0, 2, 0]))
    spill.add(np.array([14]), np.array([2]))
    assert [part.tolist() for part in spill.parts()] == [[11, 13], [], [10, 12, 14]]
