import json
import shutil

import numpy as np
import pytest

from imagemusic.data.corpora.piece import Piece
from imagemusic.data.prepared import FORMAT_VERSION, ROW, SEGMENT, PreparedSet, prepare, prepare_piece, segment_count
from imagemusic.errors import DataError
from imagemusic.events.codec import FIELDS, decode, encode
from imagemusic.events.context import CONTEXT, context
from imagemusic.events.quantize import UNKNOWN_VELOCITY
from imagemusic.music.dials import CUES, DIALS
from imagemusic.music.score import Score, Track
from tests import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("set")


@pytest.fixture(scope="module")
def prepared(folder):
    return tiny.write_prepared(folder)


def piece_of(score, **changes):
    about = {"id": "x/y", "corpus": "x", "group": "x/y", "title": "", "licence": "", "velocity_known": True,
             "metrical": True, "off_grid": 0.0}  # fmt: skip
    return Piece(score=score, **about | changes)


def test_a_prepared_set_holds_events_and_their_context(prepared):
    assert prepared.rows.dtype.itemsize == ROW.itemsize == 17
    for piece in prepared:
        events = prepared.events(piece)
        rows = prepared.rows[piece.start : piece.start + piece.rows]
        np.testing.assert_array_equal(np.column_stack([rows[name] for name in CONTEXT]), context(events))
        np.testing.assert_array_equal(rows["tick"], np.cumsum(events[:, 0]))
        score = decode(events)
        assert (score.note_count, score.end) == (piece.notes, piece.end)


def test_pieces_follow_each_other_without_a_gap(prepared):
    assert [piece.start for piece in prepared] == np.cumsum([0, *(p.rows for p in prepared)])[:-1].tolist()
    assert len(prepared.rows) == sum(piece.rows for piece in prepared)


def test_what_is_held_out_is_not_trained_on(prepared):
    assert len(prepared.select("train")) == 4
    (held_out,) = prepared.select("validation")
    assert held_out not in prepared.select("train")


def test_the_scale_is_fitted_on_training_pieces(prepared):
    values = [prepared.scale.dials(piece.cues)["register"] for piece in prepared.select("train")]
    assert (min(values), max(values)) == (-1, 1)
    assert set(prepared.scale.quantiles) == set(DIALS)


def test_rows_stay_on_disk(prepared):
    assert isinstance(prepared.rows, np.memmap)
    assert not prepared.rows.flags.writeable


def test_a_set_opens_as_it_was_made(prepared, folder):
    again = PreparedSet.open(folder / "prepared")
    assert again.pieces == prepared.pieces
    np.testing.assert_array_equal(again.rows, prepared.rows)


def test_a_set_with_the_old_names_is_still_read(prepared, folder, tmp_path):
    shutil.copytree(folder / "prepared", tmp_path / "old")
    (tmp_path / "old" / "segments.bin").rename(tmp_path / "old" / "stretches.bin")
    lines = (tmp_path / "old" / "pieces.jsonl").read_text()
    (tmp_path / "old" / "pieces.jsonl").write_text(lines.replace('"first_segment"', '"stretch"'))
    old = PreparedSet.open(tmp_path / "old")
    assert old.pieces == prepared.pieces
    np.testing.assert_array_equal(old.segments, prepared.segments)


def test_preparing_again_replaces_the_set_and_leaves_nothing_behind(tmp_path):
    corpora = tiny.write_corpus(tmp_path / "corpora", count=2)
    first = (prepare(corpora, tmp_path / "out", [tiny.CORPUS], workers=1).rows).tobytes()
    assert prepare(corpora, tmp_path / "out", [tiny.CORPUS], workers=2).rows.tobytes() == first
    assert {path.name for path in tmp_path.iterdir()} == {"corpora", "out"}


def test_a_piece_keeps_its_events_and_what_they_lost():
    score = tiny.tune(1)
    rows, _, made = prepare_piece(piece_of(score))
    np.testing.assert_array_equal(np.column_stack([rows[name] for name in FIELDS]), encode(score))
    assert made.ensemble == "band"
    assert made.losses["velocities"] > 0
    assert json.loads(json.dumps(made.cues)) == made.cues


def test_the_cues_of_segments_join_to_those_of_the_piece():
    rows, segments, made = prepare_piece(piece_of(tiny.tune(1, bars=30)))
    assert len(segments) == segment_count(len(rows)) > 3
    spans = np.diff(np.append(rows["tick"][::SEGMENT], made.end).astype(int))
    density = segments[:, CUES.index("density")]
    assert (density * spans).sum() / spans.sum() == pytest.approx(made.cues["density"], rel=1e-3)


def test_a_default_loudness_is_not_learned():
    rows, _, made = prepare_piece(piece_of(tiny.tune(1), velocity_known=False))
    assert made.cues["loudness"] is None
    assert not rows["velocity"].any()
    assert UNKNOWN_VELOCITY == 80


def test_a_performance_without_a_grid_has_seconds_but_no_tempo_mark():
    score = Score([Track(tiny.tune(1).tracks[0].notes)])
    assert prepare_piece(piece_of(score, metrical=False))[2].cues["onset_rate"] is not None
    assert prepare_piece(piece_of(score, metrical=True))[2].cues["onset_rate"] is None


def test_a_piece_without_notes_is_left_out():
    assert prepare_piece(piece_of(Score([Track([])]))) is None


def test_an_unknown_corpus_is_refused(tmp_path):
    with pytest.raises(DataError, match="unknown corpus 'spotify'; choose from openscore-lieder"):
        prepare(tmp_path, tmp_path / "out", ["spotify"])


def test_a_corpus_that_is_not_there_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match=f"{tiny.CORPUS}: no MIDI files"):
        prepare(tmp_path, tmp_path / "out", [tiny.CORPUS])
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_things_is_not_overwritten(tmp_path):
    (tmp_path / "letters").mkdir()
    with pytest.raises(DataError, match="letters: exists and is not a prepared set; name a new folder"):
        prepare(tiny.write_corpus(tmp_path / "corpora", count=2), tmp_path / "letters", [tiny.CORPUS])


def test_corpora_with_nothing_to_train_on_are_refused(tmp_path):
    corpora = tiny.write_corpus(tmp_path / "corpora", count=1)  # the held-out piece alone
    with pytest.raises(DataError, match="no piece to train on"):
        prepare(corpora, tmp_path / "out", [tiny.CORPUS], workers=1)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_set_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no prepared set here; make one with scripts/prepare_corpora\.py"):
        PreparedSet.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("dials.json", json.dumps({"format_version": FORMAT_VERSION + 1}), r"format version 3, need 2"),
        ("dials.json", "{", "damaged"),
        ("dials.json", json.dumps({"format_version": FORMAT_VERSION, "codec": {"version": 0}}), "another note codec"),
        ("pieces.jsonl", "{}\n", "damaged"),
        ("rows.bin", "cut off", "damaged"),
    ],
)
def test_a_set_that_cannot_be_used_is_refused(tmp_path, name, content, message):
    tiny.write_corpus(tmp_path / "corpora", count=2)
    prepare(tmp_path / "corpora", tmp_path / "out", [tiny.CORPUS], workers=1)
    (tmp_path / "out" / name).write_text(content)
    with pytest.raises(DataError, match=message):
        PreparedSet.open(tmp_path / "out")
