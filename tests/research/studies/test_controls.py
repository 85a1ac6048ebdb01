"""The study of controls notices when one is not kept."""

from pathlib import Path

import numpy as np
import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.music.midi import midi_bytes
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.research.studies import controls, requested_chords


@pytest.fixture(scope="module")
def data():
    """Two bars of 3/4 at 90 bpm, 4 s: D F on the piano, D on the cello as the piano lets go, a low drum."""
    piano = Track([Note(0, 62, 72), Note(36, 65, 36)], 0)
    cello = Track([Note(72, 50, 72)], 42)
    drums = Track([Note(0, 25, 6), Note(72, 25, 6)], is_drum=True)
    return midi_bytes(Score([piano, cello, drums], [Tempo(0, 90)], [Meter(0, 3, 4)]))


@pytest.mark.parametrize(
    ("name", "kept", "broken"),
    [
        ("key", "D dorian", "C# major"),
        ("meter", "3/4", "6/8"),
        ("tempo_bpm", 90, 90.1),
        ("seconds", 4.9, 5.1),
        ("bars", 2, 3),
        ("instruments", ("cello", "piano", "drums"), ("cello", "piano")),
        ("instruments", ("cello", "piano", "drums"), ("cello", "piano", "piano", "drums")),
        ("pitch_range", "D3-F4", "D#3-F4"),
        ("polyphony", 2, 1),
    ],
)
def test_a_broken_control_is_noticed(data, name, kept, broken):
    assert controls.measure(data, {name: kept}) == {name: True}
    assert controls.measure(data, {name: broken}) == {name: False}


def test_scales_are_counted_in_steps():
    assert controls.pitch_classes("Bb minor pentatonic") == {10, 1, 3, 5, 8}
    assert all(sum(map(int, steps)) == 12 for steps in controls.STEPS.values())


def test_every_request_can_be_met():
    requests = [controls.draw_request(np.random.default_rng(seed)) for seed in range(150)]
    assert set().union(*requests) == set(controls.CONTROLS)
    for request in requests:
        ComposeOptions(**request)  # refuses what cannot be met together


def test_only_the_file_is_read_to_check_a_control():
    """The check shares no code with the generation: of this package it imports what composes, and nothing else."""
    modules = (controls, requested_chords)
    lines = [line for module in modules for line in Path(module.__file__).read_text(encoding="utf-8").splitlines()]
    imported = {line.split()[1] for line in lines if line.startswith("from imagemusic.")}
    assert imported == {
        "imagemusic.compose.options", "imagemusic.compose.pipeline", "imagemusic.research.study",
        "imagemusic.research.studies.requested_chords",
    }  # fmt: skip


def test_a_control_that_was_not_kept_is_a_failure_of_the_study(run, checkpoint, monkeypatch, tmp_path):
    monkeypatch.setattr(controls, "measure", lambda data, request: dict.fromkeys(request, False))
    status, _, err = run("controls", "--count", 2, "--checkpoint", checkpoint)
    assert status == 1 and err.count("not kept: ") == 2
