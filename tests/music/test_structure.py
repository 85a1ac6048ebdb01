import math

import pytest

from imagemusic.music.score import Meter, Note, Score, Track
from imagemusic.music.structure import MEASURES, measure_structure

TRIAD = (0, 4, 7)
ROOTS = (60, 65, 67, 60)  # C F G C


def chord(bar, root, beats=4, at=0):
    return [Note(96 * bar + 24 * at, root + step, 24 * beats) for step in TRIAD]


def hymn(roots=ROOTS * 4, program=0):
    """Spell a chord on each of the first three beats of a bar, and a held one in the last."""
    notes = [note for bar, root in enumerate(roots[:-1]) for at in range(4) for note in chord(bar, root, 1, at)]
    return Score([Track([*notes, *chord(len(roots) - 1, roots[-1])], program)], meters=[Meter(0, 4, 4)])


def groove(bars, kit=(36, 42, 38)):
    """Spell a bar of drums from each list of eighths, which are indices into the kit."""
    notes = [Note(96 * bar + 12 * i, kit[k], 6) for bar, hits in enumerate(bars) for i, k in enumerate(hits)]
    return Track(notes, is_drum=True)


def test_every_measure_is_there_whatever_the_score():
    for score in (Score([]), hymn(), Score([groove([(0, 1, 2, 1)] * 8)])):
        assert measure_structure(score).keys() == MEASURES.keys()


def test_a_composed_ending_is_known():
    result = measure_structure(hymn())
    assert result["end_bass_tonic"] == result["end_tonic_triad"] == result["end_cadence_V_or_IV_I"] == 1
    assert result["end_long_last_note"] == result["end_on_downbeat"] == 1
    assert result["end_density_last_4_beats"] == 0  # the last chord is struck four beats before the end


def test_a_piece_that_stops_has_no_ending():
    score = hymn((*ROOTS * 3, 60, 65, 67, 62))
    notes = [note for note in score.tracks[0] if note.onset < 15 * 96] + chord(15, 62, 1) + chord(15, 62, 1, at=1)
    result = measure_structure(Score([Track(notes)], meters=[Meter(0, 4, 4)]))
    for name in ("end_bass_tonic", "end_tonic_triad", "end_cadence_V_or_IV_I", "end_long_last_note", "end_on_downbeat"):
        assert result[name] == 0


def test_the_ending_is_that_of_the_whole_piece_and_the_rest_that_of_the_excerpt():
    long = hymn(ROOTS * 12)  # 96 s
    assert measure_structure(long, seconds=30)["end_cadence_V_or_IV_I"] == 1
    assert measure_structure(long, seconds=1)["end_bass_tonic"] is not None
    assert math.isnan(measure_structure(long, seconds=1)["root_fifths"])


def test_harmony_of_a_hymn():
    result = measure_structure(hymn())
    assert result["root_fifths"] == pytest.approx(2 / 3)  # C F and G C, not F G
    assert result["chord_change_on_bar"] == 1
    assert result["chord_grams_repeated"] > 0.3
    assert result["key_holds"] == 1


def test_the_top_of_the_opening_is_compared_with_what_follows():
    low, high = hymn(), hymn()
    notes = [Note(note.onset, note.pitch + (24 if note.onset < 96 else 0), note.duration) for note in high.tracks[0]]
    result = measure_structure(Score([Track(notes)], meters=high.meters))["open_top_over_p95"]
    assert measure_structure(low)["open_top_over_p95"] == 67 - 74
    assert result == 67 + 24 - 74


def test_drums_that_keep_a_groove():
    same = [(0, 1, 2, 1, 0, 1, 2, 1)] * 12
    result = measure_structure(Score([groove(same)]))
    assert result["drum_as_bar_before_nearly"] == 1
    assert result["drum_sounds"] == 3
    assert result["drum_gone_at_end"] == 0


def test_drums_without_a_groove():
    changing = [(0, 1, 2, 1, 0, 1, 2, 1), (2, 0, 1, 2, 2, 0, 0, 2)] * 6
    assert measure_structure(Score([groove(changing)]))["drum_as_bar_before_nearly"] == 0


def test_drums_that_stop():
    score = hymn()
    drums = groove([(0, 1, 2, 1, 0, 1, 2, 1)] * 6)
    assert measure_structure(Score([*score.tracks, drums], meters=score.meters))["drum_gone_at_end"] == 1


def test_notes_that_a_violin_does_not_have_are_counted():
    score = hymn(program=40)
    low = Track([Note(note.onset, note.pitch - 12, note.duration) for note in score.tracks[0]], 40)
    assert measure_structure(score)["out_of_range"] == 0
    below = sum(note.pitch < 55 for note in low) / len(low)
    assert measure_structure(Score([low], meters=score.meters))["out_of_range"] == pytest.approx(below)


def test_a_flute_that_plays_chords_is_found_and_a_piano_may():
    # Three notes a chord: two of three follow a note that still sounds.
    assert measure_structure(hymn(program=73))["winds_in_chords"] == pytest.approx(2 * 61 / (3 * 61 - 1))
    assert math.isnan(measure_structure(hymn())["winds_in_chords"])


def test_what_one_hand_cannot_reach_is_counted_where_hands_have_parts():
    near = Track([Note(48 * i, pitch, 24) for i in range(20) for pitch in (48, 64)])  # a tenth
    far = Track([Note(48 * i, pitch, 24) for i in range(20) for pitch in (60, 77)])
    assert measure_structure(Score([near, far]))["hand_over_tenth"] == 0.5
    assert math.isnan(measure_structure(Score([far]))["hand_over_tenth"])


def test_a_figure_that_stays_counts_whatever_its_chord():
    alberti = [Note(96 * bar + 12 * i, root + (0, 7, 4, 7)[i % 4], 12) for bar, root in enumerate(ROOTS * 3)
               for i in range(8)]  # fmt: skip
    assert measure_structure(Score([Track(alberti)]))["part_figure_as_before"] == 1


def test_free_playing_has_no_bars_but_has_ranges():
    notes = [Note(137 * i + (i * i * 31) % 97, 60 + i % 12, 60) for i in range(80)]
    result = measure_structure(Score([Track(notes)], ticks_per_beat=480))
    assert result["out_of_range"] == 0
    assert math.isnan(result["bars_repeated_nearly"])
    assert math.isnan(result["end_on_downbeat"])
