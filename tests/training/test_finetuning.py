import dataclasses
import json

import numpy as np
import onnx
import pytest

from imagemusic.checkpoint import open_checkpoint
from imagemusic.commands.train import DATA_FLAGS, DATA_OPTIONS
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.data.build.build import build
from imagemusic.data.build.built_set import open_built_set
from imagemusic.data.pairing import NO_PICTURE
from imagemusic.errors import ConfigError, DataError
from imagemusic.training.cover_embeddings import PICTURES, embed_covers, own_pictures
from imagemusic.training.finetuning import FinetuneOptions, check_terms, finetune
from imagemusic.training.loading import load_encoder_graph
from imagemusic.vision.encoder import ImageEncoder
from imagemusic.vision.image import load_pixels
from imagemusic.vision.null_edits import COVER_VIEWS
from tests import tiny
from tests.gathered import gather, picture

# lightning asks torch for a class that torch has begun to replace.
pytestmark = pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Six albums and a tune without a cover, whose label one of them has."""
    made = gather(tmp_path_factory.mktemp("own") / "set", albums=6)
    made.midi("Alone/x.mid", tiny.tune(50))
    made.line("Alone/x.mid", artist="Alone", status="unmatched")
    (made.folder / "labels.csv").write_text("artist,label\nAlone,jazz\nArtist 1,jazz\n")
    build(made.folder, workers=1)
    return made.folder


@pytest.fixture(scope="module")
def trained(dataset, tiny_checkpoint, tmp_path_factory):
    run = tmp_path_factory.mktemp("run") / "mine"
    options = FinetuneOptions(run=run, init_from=str(tiny_checkpoint), steps=2, batch_size=2)
    return finetune(dataset, options)


def test_covers_are_embedded_in_three_views(dataset, trained, tiny_checkpoint):
    with np.load(dataset / PICTURES) as table:
        assert table["embedding"].shape == (6, len(COVER_VIEWS), 3)
        assert len(set(table["id"].tolist())) == 6
        encoder = ImageEncoder(tiny_checkpoint, 32)
        first = encoder.encode(load_pixels(dataset / str(table["id"][0]), 32))
        np.testing.assert_allclose(table["embedding"][0, 0], first[0], atol=1e-3)
        np.testing.assert_allclose(table["dial_mean"][0], first[1], atol=1e-6)
        assert np.isnan(table["tempo"]).all()
        assert (np.abs(table["valence"]) <= 1).all()


def test_a_cover_is_embedded_once(dataset, trained, tiny_checkpoint, monkeypatch):
    own, base = open_built_set(dataset), open_checkpoint(tiny_checkpoint)
    monkeypatch.setattr("imagemusic.training.cover_embeddings.load_image", None)
    assert embed_covers(own, base) == dataset / PICTURES


def test_a_piece_meets_its_own_cover_or_one_of_its_label(dataset, trained):
    own = open_built_set(dataset)
    pictures = own_pictures(own, dataset / PICTURES)
    train = [(piece.id, row) for piece, row in zip(own.prepared, own.rows, strict=True) if piece.split == "train"]
    for name, row in train:
        if row.cover:
            assert pictures.ids[pictures.own[name]] == row.cover
    (chosen,) = pictures.preferred(["own/Alone/x"], np.random.default_rng(0))
    label = next(row.cover for _, row in train if row.artist == "Artist 1")
    assert chosen != NO_PICTURE
    assert pictures.ids[chosen] == label


def test_the_new_checkpoint_composes_and_differs_in_its_decoder_alone(trained, tiny_checkpoint):
    old, new = open_checkpoint(tiny_checkpoint), open_checkpoint(trained)
    assert old.part("decoder").keys() == new.part("decoder").keys()
    assert any((old.part("decoder")[name] != value).any() for name, value in new.part("decoder").items())
    assert new.config["dials"] == old.config["dials"]
    assert new.config["pictures"] == old.config["pictures"]
    model, before = ImageMusic.from_pretrained(trained), ImageMusic.from_pretrained(tiny_checkpoint)
    cover = picture(1)
    assert model.encode(cover).embedding.tolist() == before.encode(cover).embedding.tolist()
    assert abs(model.compose(cover, ComposeOptions(seconds=6)).score.seconds - 6) < 1


def test_the_prior_holds_the_pieces_beside_those_of_the_checkpoint(trained, tiny_checkpoint, dataset):
    counts = [len(open_checkpoint(folder).weights["prior.dials"]) for folder in (tiny_checkpoint, trained)]
    assert counts[1] - counts[0] == len(open_built_set(dataset).prepared.select("train"))


def test_card_and_record_name_the_data(trained, tiny_checkpoint):
    training = json.loads((trained / "training.json").read_text())
    assert training["step"] == 2
    assert training["started_from"] == open_checkpoint(tiny_checkpoint).id
    assert training["data"]["terms"] == {"own": training["data"]["pieces"]}
    card = (trained / "README.md").read_text()
    assert "2 steps" in card
    assert "| exact |" in card
    assert "Spotify" not in card


def test_training_resumes_where_it_stopped(trained, dataset, tiny_checkpoint):
    run = trained.parent
    options = FinetuneOptions(run=run, init_from=str(tiny_checkpoint), steps=3, batch_size=2)
    again = open_checkpoint(finetune(dataset, options))
    assert json.loads((again.folder / "training.json").read_text())["step"] == 3


def test_a_model_can_begin_from_scratch_with_dials_of_its_own(dataset, tiny_checkpoint, tmp_path):
    options = FinetuneOptions(
        run=tmp_path / "run", init_from=str(tiny_checkpoint), steps=1, batch_size=1, from_scratch=True
    )
    made = open_checkpoint(finetune(dataset, options))
    assert made.config["dials"] != open_checkpoint(tiny_checkpoint).config["dials"]
    assert json.loads((made.folder / "training.json").read_text())["started_from"] == "random weights"


@pytest.fixture
def spotified(tmp_path):
    made = gather(tmp_path / "set", albums=2)
    journal = made.folder / "journal.jsonl"
    lines = journal.read_text().splitlines()
    lines[0] = lines[0].replace('"terms": "own"', '"terms": "spotify"')
    journal.write_text("\n".join(lines) + "\n")
    build(made.folder, workers=1)
    return made.folder


def test_rows_of_spotify_are_refused_until_its_terms_are_accepted(spotified, tiny_checkpoint, tmp_path):
    options = FinetuneOptions(run=tmp_path / "run", init_from=str(tiny_checkpoint), steps=1, batch_size=1)
    with pytest.raises(DataError, match="1 of its pieces come from Spotify, whose terms forbid training"):
        finetune(spotified, options)
    assert not (tmp_path / "run").exists()
    made = finetune(spotified, dataclasses.replace(options, accept_spotify_terms=True))
    card = (made / "README.md").read_text()
    assert "1 of the pieces were paired by way of Spotify" in card
    assert "--accept-spotify-terms" in card


def test_terms_are_counted(spotified):
    assert check_terms(open_built_set(spotified), accepted=True) == 1


def test_a_set_without_a_cover_is_refused(tmp_path, tiny_checkpoint):
    made = gather(tmp_path / "set", albums=0)
    made.midi("x.mid", tiny.tune(1))
    made.line("x.mid", status="unmatched", artist="X")
    build(made.folder, workers=1)
    with pytest.raises(DataError, match="no piece has a cover of its own; match some first"):
        finetune(made.folder, FinetuneOptions(run=tmp_path / "run", init_from=str(tiny_checkpoint)))


def test_an_encoder_s_weights_come_back_into_its_graph(trained):
    graph = load_encoder_graph(trained)
    onnx.checker.check_model(graph)
    assert not [node for node in graph.graph.node if node.name.endswith(".cast")]


@pytest.mark.parametrize("changes", [{"steps": 0}, {"batch_size": 0}, {"learning_rate": 0.0}])
def test_options_that_cannot_train_are_refused(tmp_path, changes):
    with pytest.raises(ConfigError, match="must be above 0"):
        FinetuneOptions(run=tmp_path, **changes)


def test_every_option_of_the_command_is_one_of_training():
    names = {field.name for field in dataclasses.fields(FinetuneOptions)}
    assert set(DATA_FLAGS) - {"run_dir", "checkpoint"} <= names


def test_the_defaults_in_the_help_are_those_of_the_options():
    defaults = {field.name: field.default for field in dataclasses.fields(FinetuneOptions)}
    for _, field, kind, meaning in DATA_OPTIONS:
        default = meaning.rpartition("(default ")[2].removesuffix(")") if "(default " in meaning else "0"
        assert kind(default) == defaults[field]
