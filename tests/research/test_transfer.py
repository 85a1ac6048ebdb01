import importlib.util
import json
import sys
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
    READERS,
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
from tests.evaluation.steering.conftest import write_pairs

ROOT = Path(__file__).parents[2]
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
    """Features of covers whose embeddings say whether the music is high."""
    last = encoder_of(base).to_embedding
    high = np.where(np.arange(24) % 2, 1, -1)[:, None]
    told = high + np.random.default_rng(0).normal(0, 0.1, (24, last.out_features))
    with torch.no_grad():
        return (torch.from_numpy(told.astype(np.float32)) - last.bias) @ torch.linalg.pinv(last.weight).T


def fresh(base):
    return load_decoder(base), CoverConditions(base, encoder_of(base))


def pair_of(artist, picture):
    return Pair(name="row 2", image=Path(), reading=reading(picture), artist=artist)


def test_artists_who_share_a_picture_or_a_name_but_for_what_is_not_seen_are_one_group():
    pairs = [pair_of("Abba", "a"), pair_of("\u200eABBA", "b"), pair_of("Cher", "c"), pair_of("Duo", "b")]
    groups = album_groups(pairs)
    assert groups[0] == groups[1] == groups[3] != groups[2]


def test_no_group_stands_in_two_parts_and_every_pair_is_tested_once():
    groups = [f"artist {i // 2}" for i in range(40)]
    tested = []
    for fold in range(5):
        split = split_of_fold(groups, fold, 5, seed=3)
        names = [{groups[i] for i in part} for part in split]
        assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])
        assert len(np.concatenate(split)) == 40
        assert len(split.watch) >= 4
        tested += split.test.tolist()
    assert sorted(tested) == list(range(40))


def test_shuffled_covers_are_of_another_group_and_none_is_of_a_pair_held_out():
    groups = ["a", "a", "b", "c", "c", "c", "d", "e"]
    among = np.arange(7)
    covers = shuffled_covers(groups, among, np.random.default_rng(0))
    assert covers[7] == 7
    assert all(groups[covers[i]] != groups[i] and covers[i] in among for i in among)
    assert len({groups[covers[i]] for i in among}) == 4


def test_what_a_cover_tells_is_what_composing_tells_with_the_dials_as_guesses(base):
    conditions, encoder = CoverConditions(base, encoder_of(base)), encoder_of(base)
    prior = Prior(base.weights["prior.dials"], base.weights["prior.ensembles"], base.layout)
    features = torch.rand(5, encoder.to_embedding.in_features)
    with torch.no_grad():
        found, embedding = conditions(features).numpy(), encoder.embed(features)
        mean, sd = (part.numpy() for part in encoder.affect(embedding))
    for row, one in enumerate(embedding.numpy()):
        expected = image_condition(base, prior, ImageFeatures("", one, mean[row], sd[row]), exact=False)
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_what_is_not_told_is_null(base):
    conditions = CoverConditions(base, encoder_of(base))
    told = conditions(torch.rand(3, conditions.to_embedding.in_features), torch.tensor([[0.0, 0], [1, 0], [0, 1]]))
    size = base.layout.embedding_size + 1
    assert not told[0].any()
    assert told[1, :size].all() and not told[1, size:].any()
    assert told[2, size:].any() and not told[2, :size].any()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_changes_its_own_layers_alone(base, music, features, name):
    decoder, conditions = fresh(base)
    modules = {"decoder": decoder, "encoder": conditions}
    before = {kind: {key: value.clone() for key, value in m.state_dict().items()} for kind, m in modules.items()}
    split = split_of_fold(music.groups, 0, 4, seed=0)
    options = replace(OPTIONS, steps=2, check_every=1)
    assert tune(decoder, conditions, music, features, split, VARIANTS[name], options, seed=0) > 0
    moved = {
        kind: {key.partition(".")[0] for key, value in m.state_dict().items() if not value.equal(before[kind][key])}
        for kind, m in modules.items()
    }
    assert moved["decoder"] >= set(READERS)
    assert ("lstm" in moved["decoder"]) == VARIANTS[name].whole_decoder
    assert ("to_embedding" in moved["encoder"]) == VARIANTS[name].encoder


def test_training_goes_back_to_where_the_watched_albums_cost_least(base, music, features):
    decoder, conditions = fresh(base)
    before = {key: value.clone() for key, value in decoder.state_dict().items()}
    split = split_of_fold(music.groups, 0, 4, seed=0)
    far_too_fast = replace(OPTIONS, steps=3, check_every=1, readers_rate=30.0, decoder_rate=30.0)
    assert tune(decoder, conditions, music, features, split, VARIANTS["decoder"], far_too_fast, seed=0) == 0
    assert all(value.equal(before[key]) for key, value in decoder.state_dict().items())


def test_a_gap_on_unseen_albums_has_the_sign_of_what_covers_told_in_training(base, music, features):
    split = split_of_fold(music.groups, 0, 3, seed=1)
    beside = {"open_nats": np.ones(1), "open_notes": np.ones(1), "kept_step": np.zeros(1)}
    found = {}
    opposite = features.roll(1, 0)
    for name, seen in (("decoder", features), ("decoder_shuffled", opposite)):
        decoder, conditions = fresh(base)
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


def script():
    spec = importlib.util.spec_from_file_location("study_transfer", ROOT / "scripts" / "study_transfer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["scripts/study_transfer.py", *map(str, words)])
    return script().main()


def test_the_study_writes_a_table_and_goes_on_where_it_was(folders, tmp_path, monkeypatch):
    pairs = write_pairs(tmp_path / "pairs", 14, **{f"row_{i + 2}": {"artist": f"artist {i}"} for i in range(14)})
    words = (
        "--pairs", pairs, "--checkpoint", folders[0], "--prepared", folders[1], "--work", tmp_path / "work",
        "--out", tmp_path / "out.json", "--folds", 2, "--steps", 1, "--notes", 4,
    )  # fmt: skip
    # The tiny prepared set has no piece of the test split.
    monkeypatch.setattr("imagemusic.data.prepared.PreparedSet.select", lambda self, split: self.pieces)
    assert call(monkeypatch, *words, "--only", "none", "condition") == 0
    first = json.loads((tmp_path / "out.json").read_text())
    assert first["pairs"] == first["groups"] == first["covers"] == 14
    assert set(first["variants"]) == {"none", "condition"}
    monkeypatch.setattr("imagemusic.research.transfer.tune", None)  # nothing is trained again
    assert call(monkeypatch, *words, "--only", "none", "condition") == 0
    assert json.loads((tmp_path / "out.json").read_text())["variants"] == first["variants"]


def test_pairs_that_are_not_there_are_one_line(folders, tmp_path, monkeypatch, capsys):
    words = ("--pairs", tmp_path / "no.csv", "--checkpoint", folders[0], "--work", tmp_path)
    assert call(monkeypatch, *words) == 1
    assert "no.csv: cannot be read" in capsys.readouterr().err
