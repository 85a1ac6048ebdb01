from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from imagemusic.checkpoint import open_checkpoint
from imagemusic.compose.prior import Prior
from imagemusic.compose.targets import image_condition
from imagemusic.data.corpora.user_midi import user_piece
from imagemusic.errors import ConfigError
from imagemusic.evaluation.steering.conditional import Music
from imagemusic.evaluation.steering.pairs import Pair, prepare_pairs
from imagemusic.music.score import Note, Score, Track
from imagemusic.research.cover_conditions import CoverConditions, encoder_of
from imagemusic.research.transfer import (
    CONDITION_LAYERS,
    VARIANTS,
    TransferOptions,
    album_groups,
    shuffled_covers,
    split_of_fold,
    tune,
)
from imagemusic.research.transfer_table import joined, measure_fold, table_of
from imagemusic.training.export import Sources, export_checkpoint
from imagemusic.training.loading import load_decoder
from imagemusic.vision.features import ImageFeatures
from tests import tiny

OPTIONS = TransferOptions(
    steps=60, batch_size=8, window=16, notes=8, check_every=20, transpose=0, readers_rate=0.02, decoder_rate=0.02,
    encoder_rate=1e-4,
)  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A checkpoint with a real, untrained encoder, and the prepared set that it names."""
    folder = tmp_path_factory.mktemp("transfer")
    encoder, pictures = tiny.write_encoder(folder / "encoder"), tiny.write_pictures(folder / "pictures.npz")
    prepared = tiny.write_prepared(folder)
    sources = Sources(encoder=encoder, pictures=pictures)
    made = export_checkpoint(folder / "model", tiny.decoder(), tiny.layout(), prepared, sources, training={}, card="")
    return made, folder / "prepared"


@pytest.fixture(scope="module")
def base(folders):
    return open_checkpoint(folders[0])


def reading(name):
    return ImageFeatures(name, np.zeros(4, np.float32), np.zeros(3, np.float32), np.ones(3, np.float32))


@pytest.fixture(scope="module")
def music(base):
    """Two dozen albums: one note over and over, high where the number is odd."""
    pairs = []
    for number in range(24):
        pitch = (40, 80)[number % 2] + number % 3
        score = Score([Track([Note(24 * i, pitch, 24, 60) for i in range(12)])])
        piece = user_piece(score, key=f"{number}", title="", licence="")
        pairs.append(Pair(name=f"{number}", image=Path(), reading=reading(f"{number}"), piece=piece))
    prepared, _ = prepare_pairs(pairs, base.scale)
    return Music(prepared, tuple(pairs), tuple(f"{i}" for i in range(24)), ("piano",) * 24)


@pytest.fixture(scope="module")
def features(base):
    """Features of covers whose embeddings encode whether the music is high."""
    last = encoder_of(base).to_embedding
    high = np.where(np.arange(24) % 2, 1, -1)[:, None]
    embeddings = high + np.random.default_rng(0).normal(0, 0.1, (24, last.out_features))
    with torch.no_grad():
        return (torch.from_numpy(embeddings.astype(np.float32)) - last.bias) @ torch.linalg.pinv(last.weight).T


def untuned(base):
    return load_decoder(base), CoverConditions(base, encoder_of(base))


def pair_of(artist, picture):
    return Pair(name="row 2", image=Path(), reading=reading(picture), artist=artist)


def test_artists_who_share_a_picture_or_a_name_but_for_invisible_characters_are_one_group():
    pairs = [pair_of("Abba", "a"), pair_of("\u200eABBA", "b"), pair_of("Cher", "c"), pair_of("Duo", "b")]
    groups = album_groups(pairs)
    assert groups[0] == groups[1] == groups[3] != groups[2]


def test_no_group_is_in_two_parts_and_every_pair_is_tested_once():
    groups = [f"artist {i // 2}" for i in range(40)]
    tested = []
    for fold in range(5):
        split = split_of_fold(groups, fold, 5, seed=3)
        names = [{groups[i] for i in part} for part in split]
        assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])
        assert len(np.concatenate(split)) == 40
        assert len(split.validation) >= 4
        tested += split.test.tolist()
    assert sorted(tested) == list(range(40))


def test_shuffled_covers_are_of_another_group_and_none_is_of_a_pair_held_out():
    groups = ["a", "a", "b", "c", "c", "c", "d", "e"]
    among = np.arange(7)
    covers = shuffled_covers(groups, among, np.random.default_rng(0))
    assert covers[7] == 7
    assert all(groups[covers[i]] != groups[i] and covers[i] in among for i in among)
    assert len({groups[covers[i]] for i in among}) == 4


def test_a_cover_has_the_condition_of_composing_with_predicted_dials(base):
    conditions, encoder = CoverConditions(base, encoder_of(base)), encoder_of(base)
    prior = Prior(base.weights["prior.dials"], base.weights["prior.ensembles"], base.layout)
    features = torch.rand(5, encoder.to_embedding.in_features)
    with torch.no_grad():
        found, embedding = conditions(features).numpy(), encoder.embed(features)
        mean, sd = (part.numpy() for part in encoder.affect(embedding))
    for row, one in enumerate(embedding.numpy()):
        expected = image_condition(base, prior, ImageFeatures("", one, mean[row], sd[row]), exact=False)
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_dropped_parts_are_null(base):
    conditions = CoverConditions(base, encoder_of(base))
    found = conditions(torch.rand(3, conditions.to_embedding.in_features), torch.tensor([[0.0, 0], [1, 0], [0, 1]]))
    size = base.layout.embedding_size + 1
    assert not found[0].any()
    assert found[1, :size].all() and not found[1, size:].any()
    assert found[2, size:].any() and not found[2, :size].any()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_changes_its_own_layers_alone(base, music, features, name):
    decoder, conditions = untuned(base)
    modules = {"decoder": decoder, "encoder": conditions}
    before = {kind: {key: value.clone() for key, value in m.state_dict().items()} for kind, m in modules.items()}
    split = split_of_fold(music.groups, 0, 4, seed=0)
    options = replace(OPTIONS, steps=2, check_every=1)
    assert tune(decoder, conditions, music, features, split, VARIANTS[name], options, seed=0) > 0
    moved = {
        kind: {key.partition(".")[0] for key, value in m.state_dict().items() if not value.equal(before[kind][key])}
        for kind, m in modules.items()
    }
    assert moved["decoder"] >= set(CONDITION_LAYERS)
    assert ("lstm" in moved["decoder"]) == VARIANTS[name].whole_decoder
    assert ("to_embedding" in moved["encoder"]) == VARIANTS[name].encoder


def test_training_restores_the_best_validation(base, music, features):
    decoder, conditions = untuned(base)
    before = {key: value.clone() for key, value in decoder.state_dict().items()}
    split = split_of_fold(music.groups, 0, 4, seed=0)
    far_too_fast = replace(OPTIONS, steps=3, check_every=1, readers_rate=30.0, decoder_rate=30.0)
    assert tune(decoder, conditions, music, features, split, VARIANTS["decoder"], far_too_fast, seed=0) == 0
    assert all(value.equal(before[key]) for key, value in decoder.state_dict().items())


def test_a_gap_on_unseen_albums_has_the_sign_of_the_training_pairs(base, music, features):
    split = split_of_fold(music.groups, 0, 3, seed=1)
    beside = {"open_nats": np.ones(1), "open_notes": np.ones(1), "kept_step": np.zeros(1)}
    found = {}
    opposite = features.roll(1, 0)
    for name, seen in (("decoder", features), ("decoder_shuffled", opposite)):
        decoder, conditions = untuned(base)
        tune(decoder, conditions, music, seen, split, VARIANTS["decoder"], OPTIONS, seed=0)
        scores = measure_fold(decoder, conditions, music, features, split, notes=OPTIONS.notes, seed=0)
        found[name] = joined([scores | beside])
    table = table_of(found, music.groups, lambda name: name + "_shuffled")
    gap = {name: row["gap_swapped"]["overall"]["value"] for name, row in table.items()}
    assert gap["decoder"] > 1
    assert gap["decoder_shuffled"] < -1
    more = table["decoder"]["gap_more_than_shuffled"]["overall"]["value"]
    assert more == pytest.approx(gap["decoder"] - gap["decoder_shuffled"], abs=1e-4)


def test_options_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="above 0"):
        TransferOptions(steps=0)
