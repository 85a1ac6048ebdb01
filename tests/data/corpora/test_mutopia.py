from tests.miniature import engraved, only, put, quarters


def test_a_mutopia_file_is_grouped_by_composer_and_opus(tmp_path):
    put(tmp_path, "mutopia/ChopinFF__O28__p1__p1-1.mid", engraved(quarters(), bpm=60.0))
    rows = "midi,title,composer,style,instrument,class,license\n"
    rows += "ChopinFF__O28__p1__p1-1.mid,Prélude,ChopinFF,Romantic,Piano,BY,Creative Commons Attribution 3.0\n"
    (tmp_path / "mutopia/metadata.csv").write_text(rows, encoding="utf-8")
    piece = only(tmp_path, "mutopia")
    assert (piece.group, piece.title, piece.tags) == (
        "mutopia/ChopinFF/O28",
        "Prélude",
        ("ChopinFF", "Romantic", "Piano"),
    )
    assert piece.licence == "Creative Commons Attribution 3.0"
    assert not piece.tempo_known  # 60 is what LilyPond writes
