import csv

import numpy as np
import pytest

from imagemusic.errors import DataError
from imagemusic.evaluation.steering.affect_regressor import (
    FEATURES,
    AffectRegressor,
    Clip,
    cross_validate,
    describe,
    read_clips,
)
from imagemusic.music.midi import save_midi
from imagemusic.music.score import Note, Score, Tempo, Track


def clip(seed, major, fast):
    """A melody in major or minor, fast or slow."""
    rng = np.random.default_rng(seed)
    steps = np.array([0, 2, 4, 5, 7, 9, 11, 12] if major else [0, 2, 3, 5, 7, 8, 10, 12]) + 60
    length = 12 if fast else 48
    pitches = rng.choice(steps, 40, p=np.array([4, 1, 3, 1, 3, 1, 1, 4]) / 18)
    loud = 90 if fast else 50
    return Score([Track([Note(i * length, int(p), length, loud) for i, p in enumerate(pitches)])], [Tempo(0, 120.0)])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """EMOPIA and VGMIDI in small, their labels true."""
    root = tmp_path_factory.mktemp("ratings")
    (root / "emopia" / "midis").mkdir(parents=True)
    (root / "vgmidi").mkdir()
    with (root / "emopia" / "label.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ID", "4Q", "annotator"])
        for number in range(32):
            quadrant = number % 4 + 1
            name = f"Q{quadrant}_song{number}_0"
            save_midi(clip(number, quadrant in (1, 4), quadrant in (1, 2)), root / "emopia" / "midis" / f"{name}.mid")
            table.writerow([name, quadrant, "x"])
        table.writerow(["Q1_missing_0", 1, "x"])
    with (root / "vgmidi" / "vgmidi_labelled.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["midi", "game", "valence", "arousal"])
        for number in range(8):
            save_midi(clip(100 + number, number % 2 == 0, number < 4), root / "vgmidi" / f"{number}.mid")
            table.writerow([f"{number}.mid", f"game {number}", 1 if number % 2 == 0 else -1, 1 if number < 4 else -1])
    return root


def test_the_regressor_tells_major_from_minor_and_fast_from_slow(folders):
    regressor = AffectRegressor.fit(read_clips([folders / "emopia"]))
    figures = np.array([describe(clip(500 + i, i % 2 == 0, i < 2)) for i in range(4)])
    valence, arousal = regressor.rate(figures).T
    assert (np.sign(valence) == [1, -1, 1, -1]).all()
    assert (np.sign(arousal) == [1, 1, -1, -1]).all()


def test_both_corpora_are_known_by_their_tables_and_missing_clips_are_passed_over(folders):
    clips = read_clips([folders / "vgmidi", folders / "emopia"])
    assert len(clips) == 40
    assert {c.song for c in clips if c.corpus == "emopia"} == {f"song{i}" for i in range(32)}
    assert cross_validate(clips)["emopia"]["arousal_right"]["value"] > 0.9


def test_labels_by_chance_are_predicted_by_chance(folders):
    clips = read_clips([folders / "emopia"])
    rng = np.random.default_rng(0)
    shuffled = [type(c)(c.corpus, c.song, c.figures, (*rng.choice([-1.0, 1.0], 2),)) for c in clips]
    assert cross_validate(shuffled)["emopia"]["valence_right"]["value"] < 0.8


def test_beside_the_share_of_right_answers_stand_its_interval_and_the_share_of_the_commonest(folders):
    clips = read_clips([folders / "emopia"])
    # Two clips a song, one song in four is felt as positive.
    one_sided = [
        Clip(clip.corpus, f"song {place // 2}", clip.figures, (1.0 if place // 2 % 4 == 0 else -1.0, clip.labels[1]))
        for place, clip in enumerate(clips)
    ]
    found = cross_validate(one_sided)["emopia"]
    assert (found["clips"], found["valence_commonest"], found["arousal_commonest"]) == (32, 0.75, 0.5)
    valence = found["valence_right"]
    assert valence["low"] < valence["value"] < valence["high"]
    assert (valence["rows"], valence["groups"]) == (32, 16)


def test_a_key_does_not_change_what_is_felt_but_height(folders):
    tune = clip(7, True, True)
    (track,) = tune.tracks
    higher = Score([Track(track.notes + np.array([0, 5, 0, 0]))], tune.tempos)
    assert describe(higher)[:12] == pytest.approx(describe(tune)[:12])


def test_too_few_notes_are_not_judged():
    found = describe(Score([Track([Note(0, 60, 24)])]))
    assert len(found) == FEATURES
    assert np.isnan(found).all()


def test_a_folder_of_neither_corpus_is_refused(tmp_path):
    with pytest.raises(DataError, match="neither label.csv"):
        read_clips([tmp_path])
    (tmp_path / "label.csv").write_text("ID\nQ1_a_0\n")
    with pytest.raises(DataError, match="no column '4Q'"):
        read_clips([tmp_path])
