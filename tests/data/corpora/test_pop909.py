import zipfile

import numpy as np
import pytest

from imagemusic.data.corpora.pop909 import align, read_beats
from imagemusic.errors import DataError
from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from tests.miniature import C, only, put, quarters


def test_beats_bend_time_and_downbeats_make_bars():
    # Beats at 0.5, 1.0, 2.0, 2.5 ... seconds: the second beat is twice as long.  Downbeats every 4, once 2.
    times = np.array([0.5, 1.0, 2.0, *(2.5 + 0.5 * np.arange(12))])
    beats = np.stack([times, np.zeros(15), np.isin(np.arange(15), [1, 5, 7, 11])], axis=1)
    score = Score([Track([Note(0, C, 1), Note(2, C, 1), Note(3, C, 2)])], [Tempo(0, 60)], ticks_per_beat=2)
    aligned = align(score, beats)  # notes at 0, 1 and 1.5 seconds are beats -1, 1 and 1.5
    # The first downbeat is beat 1; the first note is in the bar before, which begins at beat -3.
    assert (aligned.tracks[0].notes[:, 0] / 960).tolist() == [2, 4, 4.5]
    assert (aligned.tracks[0].notes[:, 2] / 960).tolist() == [1, 0.5, 1.5]
    assert [(meter.tick / 960, meter.numerator) for meter in aligned.meters] == [(0, 4), (8, 2), (10, 4)]
    assert aligned.tempos == (Tempo(0, 120),)


def test_six_beats_between_downbeats_are_a_bar_of_four_and_one_of_two():
    beats = np.stack([np.arange(20) / 2, np.zeros(20), np.isin(np.arange(20), [0, 4, 10, 14, 18])], axis=1)
    aligned = align(Score([quarters(4, step=24)]), beats)
    assert [(meter.tick / 960, meter.numerator) for meter in aligned.meters] == [(0, 4), (8, 2), (10, 4)]


def test_bars_of_three_are_found_by_the_lesser_stress():
    rows = np.arange(24)
    beats = np.stack([rows / 2, rows % 3 == 0, rows % 6 == 0], axis=1)
    assert align(Score([quarters(4, step=24)]), beats).meters == (Meter(0, 3, 4),)


def test_a_pop_song_is_grouped_by_artist(tmp_path):
    root = tmp_path / "pop909/POP909"
    put(root, "007/007.mid", Score([quarters(name="MELODY")], [Tempo(0, 120)], [Meter(0, 1, 4)], ticks_per_beat=120))
    (root / "007/beat_midi.txt").write_text("".join(f"{beat / 2} 0.0 {float(beat % 4 == 0)}\n" for beat in range(12)))
    cells = ["007", "歌", "某人", "1"]
    row = "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells)
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    with zipfile.ZipFile(root / "index.xlsx", "w") as book:
        book.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData><row/><row>{row}</row></sheetData></worksheet>"
        )
    piece = only(tmp_path, "pop909")
    assert (piece.id, piece.group, piece.title) == ("pop909/POP909/007/007", "pop909/某人", "歌")
    assert (piece.score.meters, piece.off_grid) == ((Meter(0, 4, 4),), 0)
    assert [note.onset for note in piece.score.tracks[0]] == [24 * beat for beat in range(8)]


@pytest.mark.parametrize("content", ["", "0.5 1.0\n1.0 0.0\n", "0.5 1 1\n0.4 1 1\n", "a b c\nd e f\n", "0.5 1 1\n"])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_damaged_table_of_beats_is_named(tmp_path, content):
    path = tmp_path / "beat_midi.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=r"beat_midi\.txt: "):
        read_beats(path)
