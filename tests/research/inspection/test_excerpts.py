import numpy as np
import pytest

from imagemusic.errors import DataError, ScoreError
from imagemusic.events.vocabulary import DRUMS, PITCH, SLOTS
from imagemusic.music.dials import DIALS, DialNormalizer
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.research.inspection.excerpts import (
    FAMILIES,
    TARGETS,
    choose_prepared,
    chord_roots,
    columns,
    label,
    read_files,
)
from tests import tiny
from tests.research.conftest import LENGTH, excerpt_of


def chords(*roots, minor=False):
    """Play a triad on each beat of 4/4, on a cello's program."""
    steps = (0, 3, 7) if minor else (0, 4, 7)
    notes = [Note(24 * beat, root + step, 24) for beat, root in enumerate(roots) for step in steps]
    return Score([Track(notes, 42)], [Tempo(0, 100)], [Meter(0, 4, 4)])


def named(excerpt, target):
    found = label(excerpt, LENGTH)[target]
    return [TARGETS[target][index] for index in found.tolist() if index >= 0]


def test_a_step_is_told_what_was_read_before_it():
    excerpt = excerpt_of(chords(60, 65, 67, 60, 60))
    header = int((excerpt.rows["part"] >= SLOTS).argmin())
    beats = label(excerpt, LENGTH)["beat in the bar"]
    # After the first chord's first note comes the step that has read it.
    assert beats[: header + 1].tolist() == [-1] * (header + 1)
    assert named(excerpt, "beat in the bar")[:12:3] == ["beat 1", "beat 2", "beat 3", "beat 4"]
    assert named(excerpt, "position in the phrase")[-1] == "bar 2 of 4"


def test_chords_and_keys_move_with_the_music():
    still, moved = (excerpt_of(chords(60, 65, 67, 60, 60), shift=shift) for shift in (0, 2))
    assert list(dict.fromkeys(named(still, "chord root"))) == ["C", "F", "G"]
    assert list(dict.fromkeys(named(moved, "chord root"))) == ["D", "G", "A"]
    assert set(named(still, "key")) == {"C major"}
    assert set(named(moved, "key")) == {"D major"}
    assert moved.events[-2, PITCH] == still.events[-2, PITCH] + 2


def test_a_minor_triad_has_a_root_too():
    assert set(named(excerpt_of(chords(57, 57, 57, 57, minor=True)), "chord root")) == {"A"}


def test_two_notes_are_no_chord():
    onset = np.array([0, 0, 24, 24, 24])
    roots = chord_roots(onset, onset + 24, np.array([0, 4, 7, 11, 2]), np.ones(5, bool))
    assert roots.tolist() == [-1, -1, 7, 7, 7]


def test_an_instrument_is_named_by_its_family():
    assert set(named(excerpt_of(chords(60, 60)), "instrument")) == {"strings"}
    assert FAMILIES[DRUMS // 8] == "drums"


def test_the_register_that_is_read_is_the_one_that_is_told():
    scale = DialNormalizer.fit([excerpt_of(chords(root, root)).cues for root in (40, 60, 80)])
    low, high = (excerpt_of(chords(60, 60), shift=shift).dials(scale)[DIALS.index("register")] for shift in (-5, 5))
    assert low < high


def test_what_is_read_is_padded_to_the_longest(excerpts):
    before, target, weights = columns([excerpt_of(chords(60, 60)), excerpts[0]])
    assert before["pitch"].shape == target["part"].shape == weights["gap"].shape == (2, LENGTH)
    assert weights["gap"].sum(1).tolist() == [len(excerpt_of(chords(60, 60)).rows), LENGTH]
    assert not before["remaining"].any()


def test_files_of_a_person_are_read(tmp_path):
    paths = []
    for number in range(10):
        paths.append(tmp_path / f"{number}.mid")
        save_midi(tiny.tune(number), paths[-1])
    read = read_files(paths, 20, seed=0)
    assert [len(excerpt.rows) for excerpt in read] == [20] * 10
    assert [one.shift for one in read] == [one.shift for one in read_files(paths, 20, seed=0)]
    with pytest.raises(DataError, match="9 MIDI files with notes, need 10 or more"):
        read_files(paths[1:], 20, seed=0)


def test_what_is_no_midi_file_is_refused(tmp_path):
    (tmp_path / "x.mid").write_text("no music")
    with pytest.raises(ScoreError, match=r"x\.mid"):
        read_files([tmp_path / "x.mid"], 20, seed=0)


def test_a_set_with_too_little_held_out_is_refused(tmp_path):
    tiny.write_prepared(tmp_path)
    with pytest.raises(DataError, match="held-out pieces with pitches and beats, need 10 or more"):
        choose_prepared(tmp_path / "prepared", 20, 32, seed=0)
