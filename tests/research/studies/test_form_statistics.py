import json
from dataclasses import replace

import numpy as np
import pytest

from imagemusic import resources
from imagemusic.data.corpora.piece import make_piece
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from imagemusic.research.studies import form_statistics
from imagemusic.research.studies.form_statistics import common_meter, describe, final_speed, measure, summarise
from tests.tiny import CORPUS, tune, write_corpus

TABLE = json.loads(resources.FORM_STATISTICS.read_text(encoding="utf-8"))


def piece_of(score):
    (piece,) = make_piece(score, corpus=CORPUS, path="a.mid", group="g", title="t", licence="CC0-1.0")
    return piece


def rounds(bars):
    """Spell bars of eighths by numbers, with a drum bar that changes every fourth bar, and a bass on every kick."""
    notes = [Note(96 * bar + 12 * i, 60 + (kind * 5 + i * i) % 12, 12) for bar, kind in enumerate(bars)
             for i in range(8)]  # fmt: skip
    drums = [
        Note(96 * bar + 12 * i, 38 if bar % 4 == 3 else 36 if i % 4 == 0 else 42, 6)
        for bar in range(len(bars))
        for i in range(8)
    ]
    bass = [Note(96 * bar + 48 * half, 36, 24) for bar in range(len(bars)) for half in range(2)]
    return Score([Track(notes, 27), Track(bass, 33), Track(drums, is_drum=True)], [Tempo(0, 120)], [Meter(0)])


def test_a_piece_is_described_by_its_form_kit_and_ending():
    row = describe(piece_of(rounds([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11])))
    assert row["ensemble"] == "band"
    assert row["meter"] == "4/4"
    assert row["phrases"][4]["forms"][4] == ["A B A C"]
    assert row["drums"]["kit"] == [36, 38, 42]
    assert row["drums"]["changes"] == [1, 0, 0, 1]  # into the fill, and out of it
    assert row["drums"]["kick_with_bass"] == 1
    assert row["drums"]["bass_with_kick"] == pytest.approx(24 / 32)
    assert row["ending"]["last_chord_beats"] == 0.5
    assert row["slowing"] == pytest.approx(1)


def test_a_part_of_a_movement_has_no_ending():
    row = describe(piece_of(rounds(range(16))), ends=False)
    assert "ending" not in row
    assert np.isnan(row["structure"]["end_on_downbeat"])
    assert row["structure"]["bars_repeated_nearly"] >= 0


def test_what_is_played_freely_is_left_out():
    rng = np.random.default_rng(0)
    score = Score(
        [Track([Note(int(tick), 60, 10) for tick in np.sort(rng.integers(0, 9600, 200))])], ticks_per_beat=480
    )
    piece = replace(piece_of(tune()), score=score)
    assert describe(piece) is None


def test_the_common_meter_is_the_one_that_holds_longest():
    score = Score([Track([Note(0, 60, 24 * 30)])], meters=[Meter(0, 3, 4), Meter(24 * 6, 4, 4)])
    assert common_meter(score) == "4/4"


def test_a_piece_that_slows_is_known_by_its_last_beats():
    notes = [Note(24 * beat, 60, 24) for beat in range(64)]
    score = Score([Track(notes)], [Tempo(0, 120), Tempo(24 * 56, 60)])
    assert final_speed(score) == pytest.approx(0.5)
    assert final_speed(Score([Track(notes[:8])], [Tempo(0, 120)])) == 1


def test_pieces_count_alike_however_long():
    short = describe(piece_of(rounds([0, 1, 2, 3] * 4)))
    long = describe(piece_of(rounds(list(range(12)) * 16)))
    forms = summarise([short, long])["phrases"]["4"]["forms"]["4"]
    assert forms["A A A A"] == 0.5
    assert sum(forms.values()) == pytest.approx(1, abs=0.01)


def test_only_the_training_pieces_of_the_corpora_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(form_statistics, "TRAINABLE", (CORPUS,))
    table = measure(write_corpus(tmp_path, count=5))
    assert table["pieces"] == {CORPUS: 4}  # the fifth is held out
    assert table["ensembles"]["band"]["pieces"] == 4


def test_the_table_that_ships_is_small_and_has_every_ensemble():
    assert TABLE["version"] == form_statistics.VERSION
    assert TABLE["ensembles"].keys() == set(ENSEMBLES)
    assert len(json.dumps(TABLE)) < 100_000


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_shares_that_ship_are_shares(ensemble):
    table = TABLE["ensembles"][ensemble]
    assert 0.9 < sum(table["meters"].values()) <= 1.001
    for phrases in table["phrases"].values():
        for count, forms in phrases["forms"].items():
            assert sum(forms.values()) <= 1.001
            assert all(len(form.split()) == int(count) for form in forms)
            assert len(forms) <= form_statistics.MOST_FORMS
