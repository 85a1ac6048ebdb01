import base64
import sys

import pytest
from PIL import Image

from imagemusic.data.gather.folder import Folder, read_artwork, read_pairs
from imagemusic.data.gather.releases import Query
from imagemusic.errors import DataError, DependencyError
from tests.songs import picture_of


def query(key, artist="Ann", title="One"):
    return Query(key=key, artist=artist, title=title)


def put(path, data=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def mp3(path, *pictures, frames=b"\xff\xfb\x90\x00" + b"\0" * 413):
    """Write an MP3 file with pictures (kind, bytes) in its tag."""
    id3 = pytest.importorskip("mutagen.id3")
    put(path, frames * 4)
    tags = id3.ID3()
    for number, (kind, data) in enumerate(pictures):
        tags.add(id3.APIC(encoding=3, mime="image/jpeg", type=kind, desc=str(number), data=data))
    tags.save(path)
    return path


@pytest.mark.parametrize(
    "cover", ["cover.jpg", "Folder.JPG", "front.png", "One.webp", "../cover.jpg"], ids=lambda cover: cover
)
def test_a_picture_beside_the_midi_or_a_folder_up_is_its_cover(tmp_path, cover):
    put(tmp_path / "Ann" / "First" / "One.mid")
    put(tmp_path / "Ann" / "First" / "scan.jpg")
    put(tmp_path / "Ann" / "First" / cover, b"picture")
    (found,) = Folder(tmp_path).find(query("Ann/First/One.mid"))
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
    mp3(tmp_path / "Ann" / "One.mp3", (4, b"back"), (3, b"front"))
    (found,) = Folder(tmp_path).find(query("Ann/One.mid"))
    assert found.id == "Ann/One.mp3"
    assert Folder(tmp_path).fetch(found, 500) == b"front"


def test_any_audio_file_in_the_folder_will_do_when_there_is_no_picture(tmp_path):
    mp3(tmp_path / "Ann" / "A.mp3")
    mp3(tmp_path / "Ann" / "B.mp3", (3, b"front"))
    assert Folder(tmp_path).find(query("Ann/One.mid"))[0].id == "Ann/B.mp3"


def flac(path):
    """Write a FLAC file of no sound with a picture in it."""
    from mutagen.flac import FLAC

    put(path, b"fLaC\x80\x00\x00\x22" + b"\x10\x00" * 2 + b"\0" * 6 + b"\x0a\xc4\x40\xf0" + b"\0" * 20)
    audio = FLAC(path)
    audio.add_picture(block())
    audio.save()


def block():
    from mutagen.flac import Picture

    picture = Picture()
    picture.type, picture.data, picture.mime = 3, b"front", "image/jpeg"
    return picture


def test_artwork_in_flac_is_found(tmp_path):
    pytest.importorskip("mutagen")
    flac(tmp_path / "a.flac")
    assert read_artwork(tmp_path / "a.flac") == b"front"


@pytest.mark.parametrize(
    "tags",
    [
        {"covr": [b"front"]},
        {"metadata_block_picture": "block"},
    ],
    ids=["MP4", "Ogg"],
)
def test_artwork_in_other_tags_is_found(tmp_path, monkeypatch, tags):
    mutagen = pytest.importorskip("mutagen")
    if "metadata_block_picture" in tags:
        tags = {"metadata_block_picture": [base64.b64encode(block().write()).decode()]}
    monkeypatch.setattr(mutagen, "File", lambda path: type("Audio", (), {"tags": tags})())
    assert read_artwork(tmp_path / "a") == b"front"


@pytest.mark.parametrize("data", [b"", b"no audio at all"])
def test_a_damaged_audio_file_has_no_artwork(tmp_path, data):
    pytest.importorskip("mutagen")
    assert read_artwork(put(tmp_path / "a.mp3", data)) is None


def test_without_mutagen_audio_says_how_to_get_it_and_pictures_still_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mutagen", None)
    put(tmp_path / "Ann" / "One.mp3")
    put(tmp_path / "Bob" / "cover.jpg")
    put(tmp_path / "Bob" / "One.mp3x")
    assert Folder(tmp_path).find(query("Bob/One.mid"))
    with pytest.raises(DependencyError, match=r"One\.mp3: .* pip install 'imagemusic\[audiotags\]'"):
        Folder(tmp_path).find(query("Ann/One.mid"))


def table(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_table_of_pairs_says_what_belongs_together(tmp_path):
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


def test_accents_may_be_spelled_in_either_way(tmp_path):
    pairs = table(tmp_path / "pairs.csv", "midi,image", "cafe\u0301.mid,x.jpg")
    assert Folder(tmp_path, pairs).find(query("caf\u00e9.mid"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["midi,cover", "a,b"], "no column 'image'; a table of pairs has midi and image"),
        ([], "no column 'midi'"),
        (["midi,image", "a.mid,"], r"pairs\.csv:2: a pair needs both midi and image"),
        (["midi,image", "a.mid"], r"pairs\.csv:2: a pair needs both midi and image"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        read_pairs(table(tmp_path / "pairs.csv", *lines))


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


def test_a_picture_of_another_format_is_kept_as_png(tmp_path):
    from imagemusic.data.gather.cover_store import store_cover

    Image.new("RGB", (64, 64), "red").save(tmp_path / "cover.bmp")
    kept = store_cover(tmp_path, (tmp_path / "cover.bmp").read_bytes(), "here")
    assert kept.endswith(".png")
    with Image.open(tmp_path / kept) as image:
        assert image.convert("RGB").getpixel((5, 5)) == (255, 0, 0)
