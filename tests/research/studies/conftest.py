"""A small folder of data sets in which every study finds what it needs, and a checkpoint with a real encoder."""

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from imagemusic.commands import cli
from imagemusic.data.corpora.held_out import read_heldout
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.training.encoder.labels import LabelledPicture
from tests import tiny
from tests.evaluation.steering.conftest import tiny_model, write_pairs, write_picture

__all__ = ["tiny_model"]

ENDS = (" & Friends", "", " 7")  # of titles
AT_120 = (Tempo(0, 120.0),)


def affect_tune(major, fast, tempos=AT_120):
    """A scale in C major or C minor, fast and loud or slow and soft."""
    steps = [60, 64, 67, 72, 71, 67, 65, 62] if major else [60, 63, 67, 72, 70, 67, 65, 62]
    length, loud = (6, 100) if fast else (36, 40)
    notes = [Note(i * length, pitch, length, loud + i % 3) for i, pitch in enumerate(steps * 3)]
    return Score([Track(notes)], tempos)


def write_affect_corpora(folder: Path) -> Path:
    """Write emopia and vgmidi: ten songs or games, their labels true; a row without a file, a file without tempo."""
    kinds = [(major, fast) for major in (True, False) for fast in (True, False)]
    quadrants = {(True, True): "Q1", (False, True): "Q2", (False, False): "Q3", (True, False): "Q4"}
    emopia, vgmidi = folder / "emopia" / "midis", folder / "vgmidi"
    emopia.mkdir(parents=True)
    vgmidi.mkdir()
    rows = [["gone.mid", "game 0", 1, 1], ["timeless.mid", "game 0", 1, 1]]
    save_midi(affect_tune(True, True, ()), vgmidi / "timeless.mid")
    for song in range(10):
        for clip, kind in enumerate(kinds):
            save_midi(affect_tune(*kind), emopia / f"{quadrants[kind]}_song{song}_{clip}.mid")
            save_midi(affect_tune(*kind), vgmidi / f"{song} {clip}.mid")
            rows.append([f"{song} {clip}.mid", f"game {song}", *(1 if high else -1 for high in kind)])
    with (vgmidi / "vgmidi_labelled.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["midi", "game", "valence", "arousal"], *rows])
    return folder


def with_pickup(number: int) -> Score:
    """A tune whose second meter shows that it began with a pickup of `number` eighths."""
    bars, pickup = 12, number % 3 * 12
    rng = np.random.default_rng(number)
    onsets = np.arange(pickup, pickup + bars * 96, 12)[rng.random(bars * 8) < 0.8].tolist()
    melody = [Note(onset, 60 + int(rng.integers(12)), 12) for onset in [*range(0, pickup, 12), *onsets]]
    bass = [Note(pickup + bar * 96, 40, 96) for bar in range(bars)]
    meters = [Meter(0, 4, 4), Meter(pickup + bars * 96, 3, 4)]
    return Score([Track(melody), Track([*bass, Note(pickup + bars * 96, 40, 72)])], AT_120, meters)


def write_songs_with_chords(folder: Path) -> Path:
    """Write three songs of POP909 of four bars, with their beats and chords: the last label is wrong."""
    for number in range(1, 4):
        place = folder / f"{number:03}"
        place.mkdir(parents=True)
        notes = [
            Note(bar * 96, pitch, 96)
            for bar, root in enumerate((48, 53, 55, 48))
            for pitch in (root, root + 16, root + 19)
        ]
        save_midi(Score([Track(notes)], AT_120), place / f"{number:03}.mid")
        (place / "beat_midi.txt").write_text("".join(f"{beat / 2} 0.0 {float(beat % 4 == 0)}\n" for beat in range(17)))
        labels = enumerate(("C:maj", "F:maj/3", "G:maj", "A:min7"))
        (place / "chord_midi.txt").write_text("".join(f"{2 * bar} {2 * bar + 2} {label}\n" for bar, label in labels))
    return folder


def write_pictures(folder: Path) -> Path:
    """Write the three labelled sources, each with pictures of every split."""
    tables = {
        "oasis": ("affect/oasis/oasis.csv", ("file", "theme", "valence", "arousal")),
        "bass": ("affect/bass/BASS_data.csv", ("file_name", "val_mean_us", "aro_mean_us")),
        "otoge": ("covers/otoge/metadata.csv", ("file", "group", "tempo_bpm", "category")),
    }
    for source, (place, columns) in tables.items():
        path = folder / place
        (path.parent / "images").mkdir(parents=True)
        rows = []
        for number in range(24):
            name = f"images/{source}{chr(97 + number)}.png"
            write_picture(path.parent / name, (10 * number, 128, 255 - 10 * number), number)
            labels = (f"g{number}", 80 + number, "POPS") if source == "otoge" else (number / 4, 6 - number / 4)
            file = Path(name).name if source == "bass" else name
            rows.append([file, *([f"theme {number}"] if source == "oasis" else []), *labels])
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
    return folder


def write_catalogue(folder: Path) -> Path:
    """Write both tables of tracks: sixty artists with three songs each."""
    (folder / "spotify_20k").mkdir(parents=True)
    words = [a + b + c for a in ("bam", "cor", "del", "fur", "gin") for b in ("ola", "eri") for c in ("tek", "mos")]
    rows = [
        {
            "track_artist": f"The {words[number % 20].title()} {['Band', 'Trio', 'Choir'][number % 3]} {number}",
            "track_name": " ".join(words[(number * k + song) % 20].title() for k in (3, 7)) + ENDS[song],
            "track_album_name": f"Album {number}", "duration_ms": 180_000 + 1000 * number,
            "track_album_release_date": "2001-01-01",
        }
        for number in range(60) for song in range(3)
    ]  # fmt: skip
    with (folder / "spotify_songs.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    (folder / "spotify_20k" / "album_tracks.csv").write_text("artist,title,album,release_date\nA,B,C,2000\n")
    return folder


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    """All data sets in small."""
    from imagemusic.data.prepared import prepare
    from tests.research.test_pianoroll import write_set

    root = tmp_path_factory.mktemp("studies")
    tiny.write_corpus(root / "midi")
    for split in ("test", "validation"):
        ids = [name for ids in read_heldout()["splits"][split].values() for name in ids if name.startswith("mutopia/")]
        for number, name in enumerate(ids[:3]):
            save_midi(tiny.tune(10 + number, bars=16), root / "midi" / f"{name}.mid")
    prepare(root / "midi", root / "prepared", ["mutopia"], workers=1)
    write_affect_corpora(root / "midi")
    for corpus, count in (("openscore-lieder", 12), ("hauptstimme", 6)):
        (root / "midi" / corpus).mkdir()
        for number in range(count):
            save_midi(with_pickup(number), root / "midi" / corpus / f"Somebody - Opus - {number}.mid")
    write_songs_with_chords(root / "midi" / "pop909" / "POP909")
    write_pictures(root)
    tiny.write_pictures(root / "pictures.npz")
    write_catalogue(root / "catalog")
    (root / "pairs").mkdir()
    artists = {f"row_{number + 2}": {"artist": f"artist {number}"} for number in range(14)}
    write_pairs(root / "pairs" / "maeve", 14, **artists)
    (root / "benchmarks" / "poly_music").mkdir(parents=True)
    write_set(root / "benchmarks" / "poly_music")
    tiny.write_config(
        root / "config.toml", prepared=root / "prepared", pictures=root / "pictures.npz", run=root / "run"
    )
    return root


@pytest.fixture(scope="session")
def checkpoint(data_root):
    """A checkpoint with an untrained decoder and an untrained encoder that torch can load."""
    from imagemusic.data.prepared import PreparedSet
    from imagemusic.training.export import Sources, export_checkpoint

    sources = Sources(encoder=tiny.write_encoder(data_root / "encoder"), pictures=data_root / "pictures.npz")
    prepared = PreparedSet.open(data_root / "prepared")
    folder = data_root / "model"
    return export_checkpoint(folder, tiny.decoder(), tiny.layout(), prepared, sources, training={}, card="")


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run `imagemusic study run NAME` with the given words; return (status, stdout, stderr)."""

    def call(name, *words):
        work = ["--work", tmp_path / "work"] if "--work" not in words else []
        out = ["--out", tmp_path / f"{name}.json"] if "--out" not in words else []
        status = cli.main(["study", "run", name, *map(str, [*words, *work, *out])])
        return status, *capsys.readouterr()

    return call


def labelled(path, name, group):
    """A jacket with a tempo."""
    return LabelledPicture(id=f"otoge/{name}", path=path, source="otoge", group=group, tempo_bpm=120.0)
