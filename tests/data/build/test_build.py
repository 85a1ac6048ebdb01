import json
from collections import Counter

import pytest

from imagemusic.data.build import blocks
from imagemusic.data.build.build import build
from imagemusic.data.build.built_set import open_built_set
from imagemusic.data.build.manifest import MANIFEST, Manifest
from imagemusic.errors import DataError
from tests import tiny
from tests.gathered import Gathering, gather, picture


def rows_of(folder):
    return {row["key"]: row for row in Manifest.open(folder).rows()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four albums, and what goes wrong in real folders."""
    made = gather(tmp_path_factory.mktemp("built") / "set", albums=4)
    made.midi("Artist 0/broken.mid", b"MThd and no more")
    made.line("Artist 0/broken.mid", artist="Artist 0", status="corrupt")
    made.line("gone.mid", status="unmatched")
    made.midi("silent.mid", tiny.Score([]))
    made.line("silent.mid", status="unmatched")
    made.midi("Artist 9/doubt.mid", tiny.tune(90))
    made.line("Artist 9/doubt.mid", artist="Artist 9", status="doubtful", cover=made.cover(picture(90)))
    made.midi("web.mid", tiny.tune(91))
    made.line("web.mid", cover=made.cover(b"<html>not here</html>", "jpg"))
    build(made.folder, workers=1)
    return made


def test_every_file_has_a_row_in_the_order_of_the_journal(made):
    manifest = Manifest.open(made.folder)
    keys = [json.loads(line)["key"] for line in (made.folder / "journal.jsonl").read_text().splitlines()]
    assert [row["key"] for row in manifest.rows()] == keys
    assert manifest.count == len(keys) == 13


def test_files_that_cannot_be_used_are_named_and_the_others_go_on(made):
    rows = rows_of(made.folder)
    assert Counter(row["status"] for row in rows.values()) == {
        "matched": 9, "doubtful": 1, "corrupt": 1, "missing": 1, "empty": 1
    }  # fmt: skip
    assert "damaged MIDI file" in rows["Artist 0/broken.mid"]["why"]
    assert "cannot be read (No such file" in rows["gone.mid"]["why"]
    assert rows["silent.mid"]["why"] == "no notes"
    assert all(row["notes"] > 0 for row in rows.values() if row["status"] in ("matched", "doubtful"))


def test_only_a_cover_that_was_matched_and_is_a_picture_makes_an_exact_pair(made):
    rows = rows_of(made.folder)
    assert rows["Artist 1/Tune 1-0.mid"]["paired"] == "exact"
    assert (rows["Artist 9/doubt.mid"]["paired"], rows["Artist 9/doubt.mid"]["cover"]) == ("dials", None)
    assert (rows["web.mid"]["paired"], rows["web.mid"]["cover"]) == ("dials", None)
    assert "not a picture" in rows["web.mid"]["why"]


def test_a_row_has_hashes_licence_source_and_release(made):
    row = rows_of(made.folder)["Artist 1/Tune 1-0.mid"]
    assert len(row["midi_sha256"]) == len(row["cover_sha256"]) == 64
    assert row["cover"].startswith(f"covers/{row['cover_sha256'][:2]}/{row['cover_sha256']}")
    assert (row["artist"], row["album"], row["release_id"]) == ("Artist 1", "Album 1", "Artist 1/Album 1")
    assert (row["licence"], row["source"], row["terms"], row["match_score"]) == ("own", "folder", "own", 1.0)
    assert row["programs"] == [0, 73, 128]


def test_an_artist_stands_in_one_group_with_a_split(made):
    groups = {row["artist"]: (row["group"], row["split"]) for row in rows_of(made.folder).values() if row["artist"]}
    assert groups["Artist 2"][0] == "artist/artist2"
    assert len(set(groups.values())) == len(groups)


def test_building_again_makes_nothing_anew_and_the_same_rows(made, monkeypatch):
    before = rows_of(made.folder)
    monkeypatch.setattr(blocks, "_prepare_file", None)
    build(made.folder, workers=1)
    assert rows_of(made.folder) == before


def test_a_build_that_was_killed_goes_on_with_the_blocks_that_are_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks.plan_blocks, "__defaults__", (2,))
    made = gather(tmp_path / "set", albums=3)
    prepare, prepared = blocks._prepare_file, []

    def once_only(block, entry):
        prepared.append(entry.key)
        if len(prepared) == 4:
            raise KeyboardInterrupt
        return prepare(block, entry)

    monkeypatch.setattr(blocks, "_prepare_file", once_only)
    with pytest.raises(KeyboardInterrupt):
        build(made.folder, workers=1)
    assert not (made.folder / MANIFEST).exists()
    build(made.folder, workers=1)
    assert len(prepared) == 6 + 2  # the block in which it was killed, twice
    again = gather(tmp_path / "undisturbed", albums=3)
    build(again.folder, workers=1)
    assert rows_of(made.folder) == rows_of(again.folder)


def test_two_processes_build_the_same_set(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks.plan_blocks, "__defaults__", (3,))
    one, two = gather(tmp_path / "one", albums=3), gather(tmp_path / "two", albums=3)
    build(one.folder, workers=1)
    build(two.folder, workers=2)
    assert rows_of(one.folder) == rows_of(two.folder)


def test_splits_stay_when_the_set_grows_and_a_joined_group_goes_where_the_earlier_was(tmp_path):
    made = gather(tmp_path / "set", albums=5)
    build(made.folder, workers=1)
    before = rows_of(made.folder)
    # An album of an artist who has one, under the cover of another artist.
    cover = before["Artist 3/Tune 3-0.mid"]["cover"]
    made.midi("Artist 1/guest.mid", tiny.tune(777))
    made.line("Artist 1/guest.mid", artist="Artist 1", album="Guests", cover=cover)
    build(made.folder, workers=1)
    after = rows_of(made.folder)
    assert {row["group"] for key, row in after.items() if key.startswith(("Artist 1/", "Artist 3/"))} == {
        "artist/artist1"
    }
    for key, row in before.items():
        if not key.startswith("Artist 3/"):
            assert (after[key]["group"], after[key]["split"]) == (row["group"], row["split"])


def test_near_duplicates_of_music_and_covers_stand_in_one_split(tmp_path):
    from dataclasses import replace

    made = Gathering(tmp_path / "set")
    score = tiny.tune(5, bars=24)
    higher = replace(score, tracks=[replace(t, notes=t.notes + [0, 3 * (not t.is_drum), 0, 0]) for t in score.tracks])
    for name, music, look in (
        ("a", score, picture(1)), ("b", higher, picture(2)), ("c", tiny.tune(6, bars=24), picture(3)),
        ("d", tiny.tune(7, bars=24), picture(3, kind="JPEG", quality=70)),
    ):  # fmt: skip
        made.midi(f"{name}/x.mid", music)
        made.line(f"{name}/x.mid", artist=name, cover=made.cover(look))
    build(made.folder, workers=1)
    rows = rows_of(made.folder)
    assert rows["a/x.mid"]["piece_group"] == rows["b/x.mid"]["piece_group"] == rows["a/x.mid"]["midi_sha256"][:16]
    assert rows["c/x.mid"]["cover_group"] == rows["d/x.mid"]["cover_group"] == rows["c/x.mid"]["cover_sha256"][:16]
    assert rows["c/x.mid"]["piece_group"] is rows["a/x.mid"]["cover_group"] is None
    assert [rows[f"{name}/x.mid"]["group"] for name in "abcd"] == ["artist/a", "artist/a", "artist/c", "artist/c"]


def test_labels_that_a_person_gives_pair_what_has_no_cover(tmp_path):
    made = gather(tmp_path / "set", albums=2)
    made.midi("Somebody/x.mid", tiny.tune(50))
    made.line("Somebody/x.mid", artist="Somebody", status="unmatched")
    (made.folder / "labels.csv").write_text("artist,label\nsomebody,jazz\nArtist 0,jazz\n")
    build(made.folder, workers=1)
    rows = rows_of(made.folder)
    assert (rows["Somebody/x.mid"]["paired"], rows["Somebody/x.mid"]["label"]) == ("label", "jazz")
    assert (rows["Artist 0/Tune 0-0.mid"]["paired"], rows["Artist 1/Tune 1-0.mid"]["label"]) == ("exact", None)
    (made.folder / "labels.csv").write_text("genre\njazz\n")
    with pytest.raises(DataError, match=r"labels\.csv: needs the columns 'label' and 'key' or 'artist'"):
        build(made.folder, workers=1)


def test_the_card_counts_what_is_there(made):
    card = (made.folder / "README.md").read_text()
    assert "13 MIDI files were\nlooked at, 10 can be used" in card
    assert "- `Artist 0/broken.mid`: damaged MIDI file" in card
    assert "Your own folder" in card


def test_blocks_that_are_no_longer_needed_go(tmp_path):
    made = gather(tmp_path / "set", albums=1)
    build(made.folder, workers=1)
    made.album(7)
    build(made.folder, workers=1)
    assert len(list((made.folder / "notes").iterdir())) == 3


def test_a_set_without_a_usable_file_is_refused(tmp_path):
    made = Gathering(tmp_path / "set")
    made.midi("a.mid", b"junk")
    made.line("a.mid", status="corrupt")
    with pytest.raises(DataError, match="not one of its 1 MIDI files can be used"):
        build(made.folder, workers=1)


def test_midi_files_that_were_moved_away_are_missed(tmp_path):
    made = gather(tmp_path / "set", albums=1)
    made.midi_dir.rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="set-midi: the MIDI files that were gathered are not there"):
        build(made.folder, workers=1)


CUT = ("manifest.parquet", "notes/*[0-9a-f].arrow", "notes/*.segments.arrow", "notes/*.parquet")


@pytest.mark.parametrize("pattern", CUT)
@pytest.mark.parametrize("keep", [0, 100])
def test_a_file_that_was_cut_is_built_again(tmp_path, pattern, keep):
    made = gather(tmp_path / "set", albums=1)
    build(made.folder, workers=1)
    before = rows_of(made.folder)
    (path,) = [found for found in made.folder.glob(pattern) if pattern.count(".") == found.name.count(".")]
    path.write_bytes(path.read_bytes()[:keep])
    build(made.folder, workers=1)
    assert rows_of(made.folder) == before
    open_built_set(made.folder)
