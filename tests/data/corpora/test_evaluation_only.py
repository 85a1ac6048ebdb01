from tests.miniature import engraved, only, put, quarters


def test_corpora_for_evaluation_mark_what_is_unknown(tmp_path):
    put(tmp_path, "emopia/midis/Q3_a_b_c_0.mid", engraved(quarters()))
    put(tmp_path, "vgmidi/labelled/phrases/Game_Piece_2.mid", engraved(quarters()))
    put(tmp_path, "nottingham/MIDI/jigs12.mid", engraved(quarters()))
    emopia, vgmidi, nottingham = (only(tmp_path, name) for name in ("emopia", "vgmidi", "nottingham"))
    assert (emopia.group, emopia.tags, emopia.metrical) == ("emopia/a_b_c", ("Q3",), False)
    assert vgmidi.group == "vgmidi/Game_Piece"
    assert (nottingham.tags, nottingham.meter_known) == (("jigs",), True)
