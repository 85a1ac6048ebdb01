import json

import numpy as np
import pytest

from imagemusic.errors import DataError
from imagemusic.plan.chords import chord_name
from imagemusic.research.studies.chords import label_index, read_labels, roots, triads


@pytest.mark.parametrize(
    ("label", "name"),
    [("N", "N.C."), ("Bb:min", "Bbm"), ("C#:maj/3", "C#"), ("F:min7/b7", "Fm7"), ("D:hdim7", "Dm7b5"),
     ("G:sus4(b7)", "Gsus4"), ("A:minmaj7", "Am"), ("E:maj6", "E"), ("Cb:7", "B7")],
)  # fmt: skip
def test_labels(label, name):
    assert chord_name(label_index(label)) == name


def test_chords_are_sorted_by_root_and_triad():
    chords = np.array([label_index(label) for label in ("N", "C:maj", "D:7", "E:min7", "F:sus4", "B:dim")])
    assert roots(chords).tolist() == [-1, 0, 2, 4, 5, 11]
    assert triads(chords).tolist() == [2, 0, 0, 1, -1, -1]


@pytest.mark.parametrize("content", ["0 1\n", "0 x C:maj\n", "0 1 H:maj\n"])
def test_damaged_labels_are_named(tmp_path, content):
    path = tmp_path / "chord_midi.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=r"chord_midi\.txt: cannot read chords"):
        read_labels(path)


def test_a_wrong_label_costs_its_bar(run, data_root, tmp_path):
    status, _, err = run("chords", "--data", data_root, "--workers", "1")
    assert status == 0, err
    figures = json.loads((tmp_path / "chords.json").read_text())
    assert figures["songs"] == 3
    assert figures["all"]["half_beats"] == 3 * 32
    assert figures["all"]["root"]["value"] == figures["all"]["majmin"]["value"] == 0.75
