import sys

import pytest

from imagemusic.data.gather.folder import Folder
from imagemusic.data.gather.releases import Query
from imagemusic.errors import DataError, DependencyError, NotThere
from tests.datasets import put
from tests.songs import picture_of
from tests.tagged_audio import mp3

FRONT = picture_of("front", 64)


def query(key, artist="Ann", title="One"):
    return Query(key=key, artist=artist, title=title)


@pytest.mark.parametrize(
    "cover", ["cover.jpg", "Folder.JPG", "front.png", "One.webp", "../cover.jpg"], ids=lambda cover: cover
)
def test_a_picture_beside_the_midi_or_a_folder_up_is_its_cover(tmp_path, cover):
    put(tmp_path / "Ann" / "First" / "One.mid")
    put(tmp_path / "Ann" / "First" / "scan.jpg")
    put(tmp_path / "Ann" / "First" / cover, b"picture")
    found = Folder(tmp_path).find(query("Ann/First/One.mid"))[0]
    assert (tmp_path / found.id).resolve() == (tmp_path / "Ann" / "First" / cover).resolve()
    assert Folder(tmp_path).fetch(found, 500) == b"picture"
    assert (found.artist, found.title, found.terms, found.licence) == ("Ann", "One", "own", "not stated")


def test_the_nearest_picture_wins(tmp_path):
    for name in ("Ann/One.jpg", "Ann/cover.jpg", "Ann/folder.jpg", "cover.jpg"):
        put(tmp_path / name)
    assert Folder(tmp_path).find(query("Ann/One.mid"))[0].id == "Ann/One.jpg"
    assert Folder(tmp_path).find(query("Ann/Two.mid"))[0].id == "Ann/cover.jpg"


def test_a_picture_above_the_folder_is_not_looked_for(tmp_path):
    put(tmp_path / "cover.jpg")
    put(tmp_path / "midi" / "One.mid")
    assert Folder(tmp_path / "midi").find(query("One.mid")) == []


def test_tracks_with_one_cover_are_of_one_release(tmp_path):
    put(tmp_path / "Ann" / "cover.jpg")
    ids = {Folder(tmp_path).find(query(f"Ann/{title}.mid"))[0].id for title in ("One", "Two")}
    assert ids == {"Ann/cover.jpg"}


def test_artwork_in_an_audio_file_is_found_the_front_cover_before_others(tmp_path):
    put(tmp_path / "Ann" / "One.mp3", mp3((4, b"back"), (3, FRONT)))
    (found,) = Folder(tmp_path).find(query("Ann/One.mid"))
    assert found.id == "Ann/One.mp3"
    assert Folder(tmp_path).fetch(found, 500) == FRONT


def test_any_audio_file_in_the_folder_will_do_when_there_is_no_picture(tmp_path):
    put(tmp_path / "Ann" / "A.mp3", mp3())
    put(tmp_path / "Ann" / "B.mp3", mp3((3, FRONT)))
    assert Folder(tmp_path).find(query("Ann/One.mid"))[0].id == "Ann/B.mp3"


def test_without_mutagen_audio_says_how_to_get_it_and_pictures_still_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mutagen", None)
    put(tmp_path / "Ann" / "One.mp3")
    put(tmp_path / "Bob" / "cover.jpg")
    put(tmp_path / "Bob" / "One.mp3x")
    assert Folder(tmp_path).find(query("Bob/One.mid"))
    with pytest.raises(DependencyError, match=r"One\.mp3: .* pip install 'imagemusic\[audiotags\]'"):
        folder = Folder(tmp_path)
        folder.fetch(folder.find(query("Ann/One.mid"))[0], 500)


def table(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_table_of_pairs_gives_the_covers(tmp_path):
    pairs = table(
        tmp_path / "pairs.csv",
        "midi,image,artist,title,licence_urls_in_license_txt",
        "midis/a.mid,art/x.jpg,Äsa,One,by-nc/3.0",
        "midis/b.mid,art/x.jpg,,,",
    )
    put(tmp_path / "midis" / "cover.jpg")
    folder = Folder(tmp_path / "midis", pairs)
    (one,) = folder.find(query("a.mid"))
    assert (one.id, one.artist, one.title, one.licence) == ("../art/x.jpg", "Äsa", "One", "by-nc/3.0")
    (two,) = folder.find(query("b.mid", "Ann", "Two"))
    assert (two.artist, two.title, two.licence) == ("Ann", "Two", "not stated")
    assert folder.find(query("c.mid")) == []
    put(tmp_path / "art" / "x.jpg", b"picture")
    assert folder.fetch(one, 500) == b"picture"


def test_accents_may_be_composed_or_not(tmp_path):
    pairs = table(tmp_path / "pairs.csv", "midi,image", "cafe\u0301.mid,x.jpg")
    assert Folder(tmp_path, pairs).find(query("caf\u00e9.mid"))


def test_a_table_of_other_files_is_refused(tmp_path):
    pairs = table(tmp_path / "pairs.csv", "midi,image", "elsewhere/a.mid,x.jpg")
    with pytest.raises(DataError, match="names no file in .*midi; its paths count from where the table lies"):
        Folder(tmp_path / "midi", pairs)


def test_a_missing_table_and_a_missing_picture_are_named(tmp_path):
    with pytest.raises(DataError, match=r"pairs\.csv: no such file"):
        Folder(tmp_path, tmp_path / "pairs.csv")
    pairs = table(tmp_path / "pairs.csv", "midi,image", "a.mid,x.jpg")
    folder = Folder(tmp_path, pairs)
    with pytest.raises(DataError, match=r"x\.jpg: cannot be read"):
        folder.fetch(folder.find(query("a.mid"))[0], 500)


def test_a_folder_is_an_album(tmp_path):
    put(tmp_path / "Ann" / "First" / "02 Two.mid")
    put(tmp_path / "Ann" / "First" / "01 One.mid")
    put(tmp_path / "Ann" / "First" / "front.jpg", picture_of("x", 64))
    album = Folder(tmp_path).album(str(tmp_path / "Ann" / "First"))
    assert (album.release.artist, album.release.album) == ("Ann", "First")
    assert [(track.number, track.title) for track in album.tracks] == [(1, "01 One"), (2, "02 Two")]


def test_a_folder_without_a_cover_is_no_album(tmp_path):
    with pytest.raises(DataError, match="no cover there"):
        Folder(tmp_path).album(str(tmp_path))
    with pytest.raises(DataError, match="no such folder"):
        Folder(tmp_path).album("nowhere")


def test_of_several_pictures_in_a_tag_the_first_that_can_be_decoded_is_taken(tmp_path):
    put(tmp_path / "One.mp3", mp3((3, b"no picture"), (4, FRONT)))
    folder = Folder(tmp_path)
    assert folder.fetch(folder.find(query("One.mid"))[0], 500) == FRONT


def test_an_album_takes_the_nearest_cover_that_is_a_picture(tmp_path):
    put(tmp_path / "First" / "cover.jpg", b"<html>")
    put(tmp_path / "First" / "front.jpg", FRONT)
    put(tmp_path / "First" / "One.mid")
    assert Folder(tmp_path).album(str(tmp_path / "First")).release.id == "First/front.jpg"
    (tmp_path / "First" / "front.jpg").unlink()
    with pytest.raises(DataError, match=r"cover\.jpg: not a picture that can be read; .*; it is a web page"):
        Folder(tmp_path).album(str(tmp_path / "First"))


def test_pictures_without_a_name_of_a_cover_are_named(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        put(tmp_path / name, FRONT)
    with pytest.raises(NotThere, match=r"no cover found for it; of the pictures beside it \(a.jpg, b.jpg\) name one"):
        Folder(tmp_path).find(query("One.mid"))


def test_a_lone_picture_comes_after_the_cover_of_the_folder_above(tmp_path):
    put(tmp_path / "cover.jpg")
    put(tmp_path / "First" / "IMG_0001.jpg")
    assert [found.id for found in Folder(tmp_path).find(query("First/One.mid"))] == ["cover.jpg", "First/IMG_0001.jpg"]
