from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from scipy.io import savemat

from imagemusic.errors import ConfigError, DataError
from imagemusic.research.pianoroll import data, model, training
from imagemusic.research.pianoroll.data import FILES, gather, longest_matches, make_roll, read_rolls, sample_batch
from imagemusic.research.pianoroll.model import RollConfig, RollLSTM
from imagemusic.research.pianoroll.training import Recipe, choose_keys, fixed_sample, nats_of, per_frame, train

SMALL = RollConfig(hidden_size=8, head_size=8, window=4)
SHORT = Recipe(updates=4, rows=2, length=12, validate_every=2, validation_frames=40)


def frames_of(length, seed=0, keys=88):
    return (np.random.default_rng(seed).random((length, keys)) < 0.1).astype(np.uint8)


def chords(*rows):
    """Make frames in which the given keys sound."""
    frames = np.zeros((len(rows), 88), np.uint8)
    for frame, keys in zip(frames, rows, strict=True):
        frame[list(keys)] = 1
    return frames


def write_set(folder, name="jsb", rolls=3):
    splits = {}
    for number, key in enumerate(("traindata", "validdata", "testdata")):
        splits[key] = np.empty((1, rolls), object)
        for place in range(rolls):
            splits[key][0, place] = frames_of(20 + 3 * place, seed=10 * number + place)
    savemat(folder / FILES[name], splits)


@pytest.fixture
def rolls():
    return {split: [make_roll(frames_of(18 + n, 7 * n)) for n in range(3)] for split in ("train", "validation", "test")}


def test_the_longest_match_is_found():
    #                                  0  1  2  3  4  5  6  7
    source, matched = longest_matches(np.array([1, 2, 3, 9, 2, 3, 2, 5]))
    assert matched.tolist() == [0, 0, 0, 0, 0, 1, 2, 1]
    assert source[5:].tolist() == [2, 3, 5]  # after "2"; after "2 3"; after the latest "2"


def test_what_is_copied_followed_the_match_and_nothing_is_copied_without_one():
    roll = make_roll(chords([0], [4], [7], [0], [4]))
    assert roll.matched.tolist() == [0, 0, 0, 0, 1]
    assert roll.copied[4].nonzero()[0].tolist() == [4]
    assert not roll.copied[:4].any()


def test_pitch_classes_are_remembered_from_the_frames_before_alone():
    roll = make_roll(chords([0, 12, 13], [5], []))
    assert not roll.chroma[0].any()
    assert roll.chroma[1, :2] == pytest.approx([0.1, 0.05])
    assert roll.chroma[2, [0, 5]] == pytest.approx([0.095, 0.05])


def test_a_transposed_roll_equals_one_at_that_pitch():
    frames = np.pad(frames_of(30)[:, 20:60], ((0, 0), (20, 28)))
    roll, high = make_roll(frames), make_roll(np.roll(frames, 5, 1))
    for moved, written in zip(gather([(roll, 3, 17, 5)]), gather([(high, 3, 17, 0)]), strict=True):
        assert torch.equal(moved, written)


def test_rolls_are_moved_no_further_than_the_keyboard():
    edges = make_roll(chords(*[[0, 87]] * 6))
    batch = sample_batch(np.random.default_rng(0), [edges], 4, 5, most=6)
    assert (batch.frames.sum(1)[:, [0, 87]] == 5).all()


@pytest.mark.parametrize("head", [0, 1])
def test_the_probabilities_of_all_rolls_add_up_to_one(monkeypatch, head):
    for module in (data, model, training):
        monkeypatch.setattr(module, "KEYS", 3)
    net = RollLSTM(SMALL)
    for weight in net.parameters():
        weight.data.mul_(4)  # far from even
    every = [make_roll(np.array(bits, np.uint8).reshape(2, 3)) for bits in product((0, 1), repeat=6)]
    nats = np.array([one[head].sum() for one in nats_of(net, every)])
    assert np.exp(-nats).sum() == pytest.approx(1, abs=1e-5)
    assert nats.std() > 0.1


@pytest.mark.parametrize(("frame", "key"), [(12, 40), (5, 0), (0, 3), (15, 60)])
def test_no_key_depends_on_itself_or_on_what_comes_later(frame, key):
    frames = frames_of(20)
    frames[10:16] = frames[2:8]  # something to copy
    other = frames.copy()
    other[frame, key] ^= 1
    net, piece = RollLSTM(SMALL).eval(), torch.zeros(88, dtype=torch.long)
    with torch.no_grad():
        one, two = (net(gather([(make_roll(f), 0, 20, 0)]), piece, torch.arange(88))[0] for f in (frames, other))
    alone, given = one != two
    assert not alone[: frame + 1].any() and alone[frame + 1].any()
    assert not given[:frame].any() and not given[frame, : key + 1].any() and given[frame, key + 1 :].any()


def test_without_copies_the_net_does_not_depend_on_them():
    net = RollLSTM(replace(SMALL, copies=False)).eval()
    roll = make_roll(frames_of(9))
    blind = replace(roll, copied=1 - roll.copied, matched=roll.matched + 1)
    assert np.array_equal(nats_of(net, [roll])[0], nats_of(net, [blind])[0])


def test_neighbours_padding_and_pauses_change_no_score():
    net, several = RollLSTM(SMALL), [make_roll(frames_of(length, length)) for length in (25, 7, 13)]
    together = nats_of(net, several, rows=3, length=5)
    for roll, nats in zip(several, together, strict=True):
        assert nats.shape == (2, len(roll))
        assert nats == pytest.approx(nats_of(net, [roll], length=64)[0], rel=1e-4)
    joined = np.concatenate(together, 1)
    assert per_frame(together)["autoregressive"] == pytest.approx(joined[1].sum() / 45)


def test_keys_that_sound_are_trained_on_and_the_others_stand_for_more():
    frames = torch.zeros(200, 3, 88)
    frames[:, 1, 40] = 1
    piece, key, weight = choose_keys(frames, 0.25)
    near = (key >= 39) & (key <= 41)
    assert near.sum() == 600 and (weight[near] == 1).all()
    assert (weight[~near] == 4).all() and weight.sum().item() == pytest.approx(200 * 88, rel=0.05)


def test_validation_takes_whole_rolls_and_always_the_same(rolls):
    taken = fixed_sample(rolls["validation"], 25)
    assert len(taken) == 2 and taken == fixed_sample(rolls["validation"], 25)


def test_training_that_was_stopped_resumes_to_the_same_figures(rolls, tmp_path):
    whole = train(tmp_path / "whole", rolls, SMALL, SHORT, 0, report=lambda line: None)

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", rolls, SMALL, SHORT, 0, report=stop)
    assert train(tmp_path / "parts", rolls, SMALL, SHORT, 0, report=lambda line: None) == whole
    assert train(tmp_path / "parts", rolls, SMALL, SHORT, 0, report=stop) == whole  # done: only read


def test_a_run_of_another_recipe_is_refused(rolls, tmp_path):
    train(tmp_path / "run", rolls, SMALL, SHORT, 0, report=lambda line: None)
    with pytest.raises(ConfigError, match=r"run: a run with recipe\.transpose 6, asked for 0"):
        train(tmp_path / "run", rolls, SMALL, replace(SHORT, transpose=0), 0)


def test_training_lowers_both_heads(tmp_path):
    tune = make_roll(chords(*[[40, 44], [47], [40, 44], [52, 56]] * 10))
    sets = dict.fromkeys(("train", "validation", "test"), [tune])
    fast = replace(SHORT, learning_rate=0.03, warmup_updates=5, average=0.5)
    recipe = replace(fast, updates=100, validate_every=100, length=40, transpose=0)
    trained = train(tmp_path / "run", sets, SMALL, recipe, 0, report=lambda line: None)
    untrained = per_frame(nats_of(RollLSTM(SMALL), [tune]))
    assert all(trained[head]["test"] < untrained[head] / 3 for head in untrained), (trained, untrained)


def test_a_set_is_read_by_split(tmp_path):
    write_set(tmp_path)
    sets = read_rolls(tmp_path, "jsb")
    assert [len(roll) for roll in sets["test"]] == [20, 23, 26]
    assert np.array_equal(sets["validation"][0].frames, frames_of(20, 10))


@pytest.mark.parametrize("content", [{}, {"traindata": np.ones((1, 3)), "validdata": [], "testdata": []}])
def test_a_file_that_is_no_set_is_refused(tmp_path, content):
    savemat(tmp_path / FILES["jsb"], content)
    with pytest.raises(DataError, match="JSB_Chorales.mat: "):
        read_rolls(tmp_path, "jsb")


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / FILES["jsb"]).write_bytes(b"MATLAB 5.0" + bytes(200))
    with pytest.raises(DataError, match="not a piano-roll set"):
        read_rolls(tmp_path, "jsb")
