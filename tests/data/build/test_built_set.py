import json
import re

import numpy as np
import pyarrow.parquet as parquet
import pytest

from imagemusic.data.build.build import build
from imagemusic.data.build.built_set import open_built_set
from imagemusic.data.build.manifest import HEADER, MANIFEST
from imagemusic.errors import DataError
from imagemusic.events.codec import decode, encode
from imagemusic.music.score import Tempo
from tests import tiny
from tests.gathered import gather


def test_a_built_set_opens_as_training_sees_it(built):
    opened = open_built_set(built.folder)
    assert [row.key for row in opened.rows] == [row["key"] for row in opened.manifest.rows() if row["notes"]]
    for piece, row in zip(opened.prepared, opened.rows, strict=True):
        number, index = map(int, re.findall(r"(\d+)-(\d+)", row.key)[0])
        again = decode(opened.prepared.events(piece))
        assert encode(again).tolist() == encode(tiny.tune(1000 * number + index)).tolist()
        assert (row.paired, row.terms) == ("exact", "own")
        assert (piece.corpus, piece.group) == ("own", f"artist/artist{number}")
        segments = opened.prepared.segments[np.arange(piece.first_segment, piece.first_segment + -(-piece.rows // 64))]
        assert np.isfinite(segments[:, 0]).all()


def test_the_scale_can_be_that_of_another_model(built):
    scale = open_built_set(built.folder).prepared.scale
    assert set(scale.segment_rms) >= {"valence", "tempo"}
    assert open_built_set(built.folder, scale).prepared.scale is scale


def test_a_set_made_for_another_codec_is_refused(built, monkeypatch):
    monkeypatch.setattr("imagemusic.data.build.built_set.CodecConfig", lambda: Tempo(0, 99.0))
    with pytest.raises(DataError, match="made for another note codec; run imagemusic data build again"):
        open_built_set(built.folder)


def test_a_set_of_the_first_version_is_still_read(tmp_path):
    made = gather(tmp_path / "set", albums=2)
    build(made.folder, workers=1)
    now = open_built_set(made.folder).prepared
    for path in (made.folder / "notes").glob("*.segments.arrow"):
        path.rename(path.with_name(path.name.replace("segments", "stretches")))
    table = parquet.read_table(made.folder / MANIFEST)
    header = json.loads(parquet.read_metadata(made.folder / MANIFEST).metadata[HEADER]) | {"version": 1}
    prepared = [text.replace("first_segment", "stretch") for text in table["prepared"].to_pylist()]
    table = table.set_column(table.schema.get_field_index("prepared"), "prepared", [prepared])
    table = table.rename_columns({"first_segment": "stretch"})
    table = table.replace_schema_metadata({HEADER: json.dumps(header).encode()})
    parquet.write_table(table, made.folder / MANIFEST)
    old = open_built_set(made.folder).prepared
    assert old.pieces == now.pieces
    piece = old.pieces[-1]
    np.testing.assert_array_equal(*(each.segments[piece.first_segment :][:2] for each in (old, now)))
