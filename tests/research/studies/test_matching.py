"""Measuring how far matches can be trusted."""

import random

import pytest

pytest.importorskip("rapidfuzz")

from imagemusic.research.studies import distortions, near_misses
from imagemusic.research.studies import matching as measure


def outcome(score, hit, there=True):
    right = object() if there else None
    return measure.Outcome(measure.Case("a.mid", None, (), right, (), "right"), score, hit, None)


def test_precision_and_recall_are_counted_by_hand():
    outcomes = [
        outcome(0.9, True),
        outcome(0.8, True),
        outcome(0.9, False),
        outcome(0.9, False, there=False),
        outcome(0.1, False, there=False),
    ]
    found = measure.summary(outcomes, 0.85)
    assert (found["precision"], found["recall"]) == (round(1 / 3, 4), round(1 / 3, 4))
    assert measure.summary(outcomes, 0.75)["precision"] == 0.5
    assert measure.summary(outcomes, 0.99)["recall"] == 0


def test_the_interval_is_wilsons():
    assert measure.interval(9, 10) == pytest.approx([0.5958, 0.9821], abs=1e-3)
    assert measure.interval(0, 0) == [0, 1]


def test_the_threshold_is_the_lowest_that_is_surely_precise_enough():
    outcomes = [outcome(0.9, True)] * 1000 + [outcome(0.7, False, there=False)] * 1000
    assert measure.choose(outcomes) == 0.71


def test_every_misnaming_changes_some_name():
    names = [
        ("The Ärzte", "Über Part 2 (feat. Somebody & Friend) - 2011 Remaster"),
        ("Ice and Fire", "Seven 7"),
        ("Ice", "Seven (The Long One)"),
        ("Ärzte & Co", "Hello World, Hello - Radio Edit"),
    ]
    for rules in (distortions.CHOOSING, distortions.JUDGING):
        for name in rules:
            made = [distortions.distort(random.Random(0), *pair, rules, name) for pair in names]
            assert any(used[:1] == (name,) for _, used in made), name


def test_what_searches_return_wrongly_is_never_the_right_one():
    songs = [("Queen", "Killer Whale Song"), ("Queen", "Bohemian Rhapsody"), ("Queens", "Some Other Long Name")]
    songs += [("Abba", "Killer Whale Song"), ("Queen", "Flash - Some DJ Remix"), ("Queen", "Flash")]
    tracks = [near_misses.Track(artist, title, "Album", None, "") for artist, title in songs]
    catalogue = near_misses.Catalogue(tracks)
    for name, miss in near_misses.JUDGING.items():
        made = [(track, miss(random.Random(0), catalogue, track)) for track in tracks]
        assert any(found for _, found in made), name
        assert all(found != track for track, found in made if found), name


def test_a_catalogue_without_its_files_is_refused(run, tmp_path):
    status, _, err = run("matching", "--set", f"catalogue={tmp_path}")
    assert status == 1 and "spotify_songs.csv: cannot be read" in err
