import json
import math

import pytest

from imagemusic import resources
from imagemusic.compose import judge
from imagemusic.errors import DataError
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.music.score import Meter, Note, Score, Track
from imagemusic.music.structure import MEASURES
from tests.tiny import tune

PHRASES = {
    "A": [(60, 0), (65, 2), (67, 4), (60, 0)],
    "B": [(57, 5), (62, 3), (67, 1), (67, 4)],
}


def song(form, ending=True):
    """Spell phrases of four bars: a melody over broken chords; the last bar is held, or missing its end."""
    chords = [chord for letter in form for chord in PHRASES[letter]]
    melody, left = [], []
    for bar, (root, turn) in enumerate(chords[: -1 if ending else None]):
        melody += [Note(96 * bar + 24 * i, root + 12 + (0, 4, 7, 12, 7, 4)[(turn + i) % 6], 24) for i in range(4)]
        left += [Note(96 * bar + 12 * i, root - 12 + (0, 7, 4, 7)[i % 4], 12) for i in range(8)]
    if ending:
        last = 96 * (len(chords) - 1)
        melody.append(Note(last, 72, 96))
        left += [Note(last, 48 + step, 96) for step in (0, 4, 7)]
    return Score([Track(melody), Track(left)], meters=[Meter(0, 4, 4)])


def test_a_song_with_a_form_and_an_ending_beats_one_without_an_ending():
    assert judge.score(song("AABA")) > judge.score(song("AABA", ending=False))


def test_a_song_beats_notes_at_random():
    assert judge.score(song("AABA")) > judge.score(tune(bars=16))


def test_one_bar_for_ever_does_not_beat_a_song():
    loop = [Note(96 * bar + 24 * i, 60 + 4 * i, 24) for bar in range(24) for i in range(4)]
    assert judge.score(song("AABABA")) > judge.score(Score([Track(loop), Track([Note(0, 48, 96)])]))


def test_contributions_sum_up_to_the_total_and_the_reasons_are_the_largest():
    found = judge.assess(song("AABA"), nats_per_note=3.0)
    assert sum(found.contributions.values()) == pytest.approx(found.total)
    assert found.contributions.keys() == {*MEASURES, judge.NATS} - {"key_holds"}
    reasons = found.reasons(most=3)
    assert len(reasons) == 3
    others = [abs(value) for name, value in found.contributions.items() if name not in reasons]
    assert min(map(abs, reasons.values())) >= max(others) - 0.01


def test_a_likelihood_far_from_that_of_real_music_costs():
    take = song("AABA")
    usual, _ = judge.read_weights()["reference"]["piano"][judge.NATS]
    assert judge.score(take, usual) > judge.score(take, usual - 3)
    assert judge.score(take, usual) > judge.score(take, usual + 3)


def test_what_is_missing_counts_as_usual():
    found = judge.assess(song("AABA"))
    for name in ("drum_sounds", "winds_in_chords", judge.NATS):
        assert found.contributions[name] == 0
    assert judge.assess_measures({}, "piano").total == 0


@pytest.mark.parametrize("ensemble", [*ENSEMBLES, "kazoos"])
def test_every_ensemble_has_a_reference(ensemble):
    assert math.isfinite(judge.assess(song("AABA"), ensemble=ensemble).total)


def test_an_empty_take_is_assessed():
    assert judge.score(Score([])) == 0


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"version": 0}), json.dumps({"version": 1, "weights": {"a": {}},
                          "reference": {"any": {}}})])  # fmt: skip
def test_damaged_weights_are_refused(tmp_path, text):
    path = tmp_path / "judge.json"
    path.write_text(text)
    with pytest.raises(DataError, match="judge.json: cannot be read as the weights"):
        judge.read_weights(path)


def test_the_weights_that_ship_tell_real_music_from_each_other_kind():
    table = judge.read_weights(resources.JUDGE)
    assert all(auc > 0.8 for auc in table["auc"].values())
    assert all(auc > 0.8 for auc in table["auc_held_out"].values())
