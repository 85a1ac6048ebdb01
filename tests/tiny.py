"""Small but real things to test with: tunes, a decoder and its steppers, a prepared set, pictures, an encoder."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from imagemusic.data.corpora.held_out import read_heldout
from imagemusic.events.grammar import GrammarState, Plan
from imagemusic.events.vocabulary import VOCABULARY
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Meter, Note, Score, Tempo, Track

EMBEDDING_SIZE = 4
SIZES = {name: size for name, size in VOCABULARY.items() if name != "remaining"}
CORPUS = "mutopia"


def tune(seed=0, bars=6):
    """A melody over held chords with drums, in 3/4 or 4/4, loud and soft."""
    rng = np.random.default_rng(seed)
    beats = int(rng.integers(3, 5))
    bar = beats * 24
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12]) + 60 + int(rng.integers(-5, 6))
    onsets = np.flatnonzero(rng.random(bars * beats * 2) < 0.7) * 12
    melody = [Note(int(t), int(rng.choice(scale)) + 12, 12, int(rng.integers(40, 110))) for t in onsets]
    roots = rng.choice(scale[:5], bars)
    chords = [Note(i * bar, int(root) + step - 12, bar, 60) for i, root in enumerate(roots) for step in (0, 4, 7)]
    drums = [Note(beat * 24, 36 if beat % beats == 0 else 42, 6, 90) for beat in range(bars * beats)]
    tracks = [Track(melody, 73), Track(chords, 0), Track(drums, is_drum=True)]
    return Score(tracks, [Tempo(0, float(rng.integers(70, 160)))], [Meter(0, beats, 4)])


def written(events, end, memory=None, **plan):
    """Yield a grammar that has taken in none, one, two ... of the events, and the row that comes next."""
    grammar = GrammarState(Plan(end=end, tempo=1, **plan), memory=memory)
    for row in events.tolist():
        yield grammar, row
        for value in row:
            grammar.append(value)


def layout():
    from imagemusic.model.conditioning import ConditionLayout

    return ConditionLayout(embedding_size=EMBEDDING_SIZE, dials=DIALS, ensembles=ENSEMBLES)


WINNER = {"residual": True, "condition_scales": True}  # what new models are trained with; see docs/decoders.md


def decoder(seed=0, **changes):
    """An untrained decoder whose weights are float16 numbers, as those of a checkpoint are."""
    import torch

    from imagemusic.model.decoder import DecoderConfig, NoteDecoder

    torch.manual_seed(seed)
    config = DecoderConfig(
        **{
            "sizes": VOCABULARY, "condition_size": layout().size,
            "hidden_size": 16, "layers": 2, "head_size": 8, "condition_hidden": 8, "dropout": 0.0,
        } | changes
    )  # fmt: skip
    made = NoteDecoder(config)
    with torch.no_grad():
        for name, value in made.named_parameters():
            if "gains" in name or "norms" in name:  # which begin as ones and zeros, and would hide a mistake
                value.add_(0.3 * torch.randn(value.shape))
            if name.startswith(("memory", "plan_")):  # which begin without effect
                value.copy_(0.4 * torch.randn(value.shape))
    return made.half().float().eval()


def weights_of(module):
    return {name: value.numpy() for name, value in module.state_dict().items()}


def write_step(module, folder: Path) -> Path:
    """Write the graphs of the decoder's step, and the weights that they point to, into a folder."""
    from safetensors.numpy import save_file

    from imagemusic.generation.step_graph import write_step_graphs
    from imagemusic.generation.step_shape import StepShape

    half = {f"decoder.{name}": value.astype(np.float16) for name, value in weights_of(module).items()}
    save_file(half, folder / "model.safetensors")
    write_step_graphs(folder, StepShape.of(asdict(module.config)))
    return folder


def stepper(module, engine, folder: Path):
    """A stepper of the decoder on an engine, its files in `folder`."""
    from imagemusic.generation.stepper import Stepper

    write_step(module, folder)
    return Stepper(engine, folder, weights_of(module), asdict(module.config))


def write_corpus(folder: Path, count=5) -> Path:
    """Write tunes as MIDI files of a corpus, the last of them under the id of a held-out piece."""
    held_out = [name for ids in read_heldout()["splits"]["validation"].values() for name in ids]
    kept_apart = next(name for name in held_out if name.startswith(f"{CORPUS}/")).partition("/")[2]
    (folder / CORPUS).mkdir(parents=True)
    names = [f"Nobody__O{number}__tune" for number in range(count - 1)] + [kept_apart]
    for number, name in enumerate(names):
        save_midi(tune(number), folder / CORPUS / f"{name}.mid")
    return folder


def write_prepared(folder: Path):
    """Prepare the tunes into a folder."""
    from imagemusic.data.prepared import prepare

    return prepare(write_corpus(folder / "corpora"), folder / "prepared", [CORPUS], workers=1)


def write_pictures(path: Path, count=12) -> Path:
    """Write embedded pictures, a third of them labelled for tempo, the others for valence and arousal."""
    rng = np.random.default_rng(0)
    by_tempo = np.arange(count) % 3 == 0
    labels = {name: np.where(by_tempo, np.nan, rng.uniform(-1, 1, count)) for name in ("valence", "arousal")}
    np.savez(
        path, id=np.array([f"picture {i}" for i in range(count)]),
        split=np.array(["validation" if i % 4 == 3 else "train" for i in range(count)]),
        embedding=rng.normal(size=(count, 2, EMBEDDING_SIZE)).astype(np.float16),
        tempo=np.where(by_tempo, rng.uniform(-1, 1, count), np.nan),
        dial_mean=rng.uniform(-0.5, 0.5, (count, 3)).astype(np.float32), **labels,
    )  # fmt: skip
    return path


def write_encoder(folder: Path, size=64) -> Path:
    """Write an untrained SqueezeNet as scripts/train_encoder.py writes a trained one."""
    from dataclasses import asdict

    from imagemusic.training.encoder.export import export_onnx
    from imagemusic.training.encoder.net import EncoderConfig, ImageEncoder
    from imagemusic.training.encoder.weights import save_encoder

    folder.mkdir()
    encoder = ImageEncoder(EncoderConfig(name="squeezenet1_1", size=size, embedding_size=EMBEDDING_SIZE)).eval()
    save_encoder(encoder, folder / "encoder.safetensors")
    (folder / "encoder.json").write_text(json.dumps({"encoder": asdict(encoder.config)}))
    export_onnx(encoder, folder / "encoder.onnx")
    return folder


def write_config(path: Path, *, prepared: Path, pictures: Path, run: Path, training="", more="") -> Path:
    """Write a training file for a decoder that fits in a thimble."""
    path.write_text(
        f"""
[training]
prepared = "{prepared}"
pictures = "{pictures}"
run = "{run}"
warmup_steps = 2
accelerator = "cpu"
validation_pieces = 2
{training}

[decoder]
hidden_size = 16
head_size = 8
condition_hidden = 8

[batches]
batch_size = 3
window = 24
{more}
"""
    )
    return path
