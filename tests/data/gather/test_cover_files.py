import unicodedata

import pytest

from imagemusic.data.gather.cover_files import MOST_TRACKS, FolderListing, cover_rank
from tests.datasets import put


@pytest.mark.parametrize(
    "name",
    [
        "albumart.jpg", "AlbumArt_{01234567-89AB-CDEF-0123-456789ABCDEF}_Large.jpg", "AlbumArtSmall.jpg", "album.jpg",
        "artwork.png", "Front Cover.jpg", "First.jpg", "FRONT.PNG", "cover.jpg.jpg", "cover1.jpg",
        "Ann - First (front).jpg",
    ],
)  # fmt: skip
def test_a_name_that_covers_have_is_found(tmp_path, name):
    path = put(tmp_path / "First" / name)
    put(tmp_path / "First" / "back cover.jpg")
    assert FolderListing(tmp_path / "First").covers == [path]


@pytest.mark.parametrize("name", ["back.jpg", "Back Cover.jpg", "inlay front.jpg", "IMG_0001.jpg", "discovery.jpg"])
def test_other_names_are_no_covers(name):
    assert cover_rank(name, "First") is None


def test_the_better_name_comes_first():
    names = ["albumartsmall.jpg", "x front.jpg", "First.jpg", "album.jpg", "folder.jpg", "cover.jpg"]
    assert sorted(names, key=lambda name: cover_rank(name, "First")) == names[::-1]


def test_a_folder_of_scans_and_its_lone_picture_hold_covers(tmp_path):
    front = put(tmp_path / "Scans" / "front.jpg")
    put(tmp_path / "Scans" / "back.jpg")
    lone = put(tmp_path / "artwork" / "0001.jpg")
    assert FolderListing(tmp_path).covers == [front, lone]
    assert FolderListing(tmp_path / "nothing").covers == []


def test_a_lone_picture_counts_in_the_folder_of_one_album_alone(tmp_path):
    picture = put(tmp_path / "IMG_0001.jpg")
    put(tmp_path / "._IMG_0001.jpg")
    for number in range(MOST_TRACKS):
        put(tmp_path / f"{number}.mid")
    assert FolderListing(tmp_path).lone == [picture]
    put(tmp_path / "one more.mid")
    assert FolderListing(tmp_path).lone == []


def test_a_lone_picture_that_is_named_as_a_midi_file_is_of_that_file_alone(tmp_path):
    put(tmp_path / "One.mid")
    put(tmp_path / "Two.mid")
    picture = put(tmp_path / "One.jpg")
    listing = FolderListing(tmp_path)
    assert (listing.named(tmp_path / "One.mid"), listing.lone) == ([picture], [])
    put(tmp_path / "x.jpg")
    assert FolderListing(tmp_path).lone == []


def test_accents_and_case_do_not_matter(tmp_path):
    picture = put(tmp_path / unicodedata.normalize("NFD", "Déjà.JPG"))
    assert FolderListing(tmp_path).named(tmp_path / "DÉJÀ.mid") == [picture]


def test_among_many_songs_only_sure_names_are_covers(tmp_path):
    put(tmp_path / "Cover Me.jpg")
    assert [path.name for path in FolderListing(tmp_path).covers] == ["Cover Me.jpg"]
    for number in range(MOST_TRACKS + 1):
        put(tmp_path / f"{number}.mid")
    assert FolderListing(tmp_path).covers == []
    cover = put(tmp_path / "Front Cover.jpg")
    assert FolderListing(tmp_path).covers == [cover]
