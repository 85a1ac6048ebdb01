from imagemusic.music.score import Meter, Note, Score, Tempo, Track
from tests.miniature import only, put, quarters


def test_a_drummer_s_pads_are_general_midi_and_his_timing_is_written(tmp_path):
    notes = [Note(480 * beat + 17, pitch, 60, 60 + beat) for beat, pitch in enumerate([22, 26, 58, 36])]
    score = Score([Track(notes, 0, True, "Midi Drums")], [Tempo(0, 100)], ticks_per_beat=480)
    put(tmp_path, "groove-midi/drummer7/session1/1_rock_100_beat_3-4.mid", score)
    path = "drummer7/session1/1_rock_100_beat_3-4.mid"
    rows = f"drummer,style,bpm,beat_type,time_signature,midi_filename\ndrummer7,rock/folk,100,beat,3-4,{path}\n"
    (tmp_path / "groove-midi/info.csv").write_text(rows)
    piece = only(tmp_path, "groove-midi")
    assert [(note.onset, note.pitch) for note in piece.score.tracks[0]] == [(0, 42), (24, 46), (48, 43), (72, 36)]
    assert (piece.group, piece.title) == ("groove-midi/drummer7", "rock/folk beat at 100 bpm")
    assert piece.tags == ("rock/folk", "beat")
    assert piece.score.meters == (Meter(0, 3, 4),)
    assert piece.velocity_known


def test_a_piano_roll_has_no_beat_and_stands_on_half_seconds(tmp_path):
    score = Score([quarters(4, step=100)], [Tempo(0, 60)], ticks_per_beat=100)
    put(tmp_path, "pianolatron/midi/exp/ab12_exp.mid", score)
    (tmp_path / "pianolatron/metadata.csv").write_text(
        'id,title,composer,performer\nab12,"Ballade, op. 47","Chopin",None\n'
    )
    piece = only(tmp_path, "pianolatron")
    assert (piece.metrical, piece.tempo_known, piece.meter_known) == (False, False, False)
    assert [note.onset for note in piece.score.tracks[0]] == [0, 48, 96, 144]
    assert (piece.group, piece.tags) == ("pianolatron/chopin ballade op 47", ("Chopin",))
