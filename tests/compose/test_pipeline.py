import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from imagemusic.compose.composition import load_record
from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.errors import ConfigError, ImageError
from imagemusic.generation.backends import BACKENDS
from imagemusic.music.midi import midi_bytes
from imagemusic.music.score import Key, Meter

SHORT = ComposeOptions(seconds=8, seed=5)


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return ImageMusic.from_pretrained(tiny_checkpoint)


def picture(red, green, blue):
    return Image.new("RGB", (40, 30), (red, green, blue))


SUNSET, FOREST = picture(230, 120, 40), picture(20, 90, 30)


@pytest.fixture(scope="module")
def piece(model):
    return model.compose(SUNSET, SHORT)


def test_same_seed_same_bytes(model, piece):
    assert midi_bytes(model.compose(SUNSET, SHORT).score) == midi_bytes(piece.score)


@pytest.mark.parametrize(
    "options",
    [ComposeOptions(seconds=8, seed=6), ComposeOptions(seconds=8, seed=5, variation=2)],
    ids=["another seed", "another variation"],
)
def test_chance_gives_other_music(model, piece, options):
    assert midi_bytes(model.compose(SUNSET, options).score) != midi_bytes(piece.score)


def test_a_piece_composed_among_others_replays_alone_to_the_same_bytes(model, tmp_path):
    pictures = [FOREST, SUNSET, picture(10, 10, 200)]
    requests = [
        (model.encode(pictures[number % 3]), ComposeOptions(
            seconds=4 + number, seed=number // 3, guidance_scale=(1.0, 2.0)[number % 2], temperature=0.8 + number / 20,
        )) for number in range(18)
    ]  # fmt: skip
    together = model.compose_batch(requests)
    assert [piece.options for piece in together] == [options for _, options in requests]
    for piece in together[::5]:
        piece.save(tmp_path / "x.json")
        assert model.replay(load_record(tmp_path / "x.json")).identical


def test_no_wishes_no_pieces(model):
    assert model.compose_batch([]) == []


def test_another_picture_gives_other_music(model, piece):
    assert midi_bytes(model.compose(FOREST, SHORT).score) != midi_bytes(piece.score)


def test_the_name_of_a_file_does_not_matter(model, piece, tmp_path):
    SUNSET.save(tmp_path / "other.png")
    assert midi_bytes(model.compose(tmp_path / "other.png", SHORT).score) == midi_bytes(piece.score)


def test_pictures_may_come_in_a_list(model, piece):
    found = model.compose([FOREST, SUNSET], SHORT)
    assert [one.picture_hash == piece.picture_hash for one in found] == [False, True]
    assert midi_bytes(found[1].score) == midi_bytes(piece.score)


def test_variations_are_numbered_from_one(model, piece):
    first, second = model.compose_variations(SUNSET, SHORT, 2)
    assert midi_bytes(first.score) == midi_bytes(piece.score)
    assert second.options.variation == 2


@pytest.mark.parametrize("seconds", [4, 11.3, 30])
@pytest.mark.parametrize("tempo_bpm", [None, 53, 171.5])
@pytest.mark.parametrize("seed", range(3))
def test_the_last_note_ends_when_it_was_asked_to(model, seconds, tempo_bpm, seed):
    score = model.compose(FOREST, ComposeOptions(seconds=seconds, tempo_bpm=tempo_bpm, seed=seed)).score
    assert abs(score.seconds - seconds) < 1
    assert score.end % score.ticks_per_beat == 0
    if tempo_bpm is not None:
        assert score.tempos[0].bpm == tempo_bpm
    assert [tempo.bpm for tempo in score.tempos] == sorted((tempo.bpm for tempo in score.tempos), reverse=True)


def test_a_piece_says_where_its_dials_come_from(model, piece):
    sources = {name: dial.source for name, dial in piece.dials.items()}
    assert (sources["valence"], sources["arousal"], sources["tempo"]) == ("picture", "picture", "picture")
    set_by_hand = model.compose(SUNSET, ComposeOptions(seconds=8, tempo_bpm=100)).dials["tempo"]
    assert set_by_hand.source == "you"


def test_a_record_replays_to_the_same_bytes(model, piece, tmp_path):
    piece.save(tmp_path / "x.json")
    report = model.replay(load_record(tmp_path / "x.json"))
    assert report.identical
    assert report.differences == ()
    assert midi_bytes(report.composition.score) == midi_bytes(piece.score)


def test_a_replay_that_differs_says_why(model, piece):
    from dataclasses import replace

    other = replace(
        piece, options=replace(piece.options, seed=9), checkpoint_id="other", versions={**piece.versions, "numpy": "1"}
    )
    report = model.replay(other)
    assert not report.identical
    text = "\n".join(report.differences)
    assert f"checkpoint was other, is {model.checkpoint.id} here" in text
    assert "numpy was 1, is" in text
    assert f"{piece.score.note_count} notes were recorded" in text


def test_torch_writes_the_same_piece_as_onnx_runtime(tiny_checkpoint):
    one, other = (ImageMusic.from_pretrained(tiny_checkpoint, backend=name).compose(SUNSET, SHORT)
                  for name in ("onnx", "torch"))  # fmt: skip
    assert midi_bytes(one.score) == midi_bytes(other.score)
    assert (one.backend.split()[0], other.backend.split()[0]) == ("onnxruntime", "torch")


def test_an_unknown_engine_is_refused(tiny_checkpoint):
    with pytest.raises(ConfigError, match="unknown engine 'abacus'; choose from int8, onnx, torch"):
        ImageMusic.from_pretrained(tiny_checkpoint, backend="abacus")


def test_what_is_not_a_picture_is_refused(model, tmp_path):
    (tmp_path / "x.jpg").write_text("no picture")
    with pytest.raises(ImageError, match=r"x\.jpg"):
        model.compose(tmp_path / "x.jpg", SHORT)


def test_the_size_of_the_picture_is_an_option(model):
    read = model.encode(SUNSET, 48)
    assert read.hash == model.encode(SUNSET).hash


def test_progress_goes_from_nothing_to_all(model):
    heard = []
    model.compose(SUNSET, ComposeOptions(seconds=60), progress=lambda done, _: heard.append(done))
    assert heard == sorted(heard)
    assert heard[-1] == 1
    assert len(heard) > 1


def test_a_model_describes_itself(model, tiny_checkpoint):
    described = model.describe()
    assert described["id"] == model.checkpoint.id
    assert described["format version"] == 2
    assert "sizes" not in described["decoder"]


@pytest.mark.parametrize("engine", BACKENDS)
def test_what_is_asked_for_exactly_is_kept_and_replayed(tiny_checkpoint, tmp_path, engine):
    model = ImageMusic.from_pretrained(tiny_checkpoint, backend=engine)
    asked = {"key": "F# minor", "meter": "7/8", "tempo_bpm": 120, "bars": 5, "pitch_range": "C3-C6", "polyphony": 2}
    piece = model.compose(FOREST, ComposeOptions(**asked, instruments="cello,piano,drums", seed=4))
    score = piece.score
    assert piece.ensemble == "band"
    assert (score.keys, score.meters) == ((Key(0, 3, minor=True),), (Meter(0, 7, 8),))
    assert (score.end, score.tempos[0].bpm) == (5 * 7 * 12, 120)
    assert sorted((track.is_drum, track.program) for track in score.tracks) == [(False, 0), (False, 42), (True, 0)]
    pitches = {pitch for track in score.tracks if not track.is_drum for pitch in track.notes[:, 1].tolist()}
    assert {pitch % 12 for pitch in pitches} <= {6, 8, 9, 11, 1, 2, 4}
    assert 48 <= min(pitches) <= max(pitches) <= 84
    piece.save(tmp_path / "x.json")
    found = load_record(tmp_path / "x.json")
    assert found.options == piece.options
    assert model.replay(found).identical


def test_drums_can_play_alone(model):
    (drums,) = model.compose(SUNSET, ComposeOptions(seconds=8, instruments="drums", key="C", polyphony=1)).score.tracks
    assert drums.is_drum


COMPOSE_WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "lightning", "onnx"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Refuse())
from imagemusic import ComposeOptions, ImageMusic
piece = ImageMusic.from_pretrained(sys.argv[1]).compose(sys.argv[2], ComposeOptions(seconds=8, seed=5))
piece.save(sys.argv[3])
"""


def test_composing_needs_no_torch(tiny_checkpoint, piece, tmp_path):
    SUNSET.save(tmp_path / "x.png")
    made = tmp_path / "x.mid"
    command = [sys.executable, "-c", COMPOSE_WITHOUT_TORCH, tiny_checkpoint, tmp_path / "x.png", made]
    subprocess.run(command, check=True)
    assert made.read_bytes() == midi_bytes(piece.score)


def test_the_bundled_model_composes():
    piece = ImageMusic.from_pretrained().compose(SUNSET, ComposeOptions(seconds=12))
    assert abs(piece.score.seconds - 12) < 1
    assert piece.score.note_count > 8
    assert np.isfinite(piece.features.embedding).all()
