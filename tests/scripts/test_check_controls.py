"""The script that measures whether controls are kept notices when they are not."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.music.midi import midi_bytes
from imagemusic.music.score import Meter, Note, Score, Tempo, Track

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_controls.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("check_controls", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
def test_what_is_kept_and_what_is_broken_is_told_apart(script, data, name, kept, broken):
    assert script.measure(data, {name: kept}) == {name: True}
    assert script.measure(data, {name: broken}) == {name: False}


def test_scales_are_counted_in_steps(script):
    assert script.pitch_classes("Bb minor pentatonic") == {10, 1, 3, 5, 8}
    assert all(sum(map(int, steps)) == 12 for steps in script.STEPS.values())


def test_every_request_can_be_met(script):
    requests = [script.draw_request(np.random.default_rng(seed)) for seed in range(150)]
    assert set().union(*requests) == set(script.CONTROLS)
    for request in requests:
        ComposeOptions(**request)  # refuses what cannot be met together
