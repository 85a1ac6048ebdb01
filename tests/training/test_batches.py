from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.data.pairing import Pictures
from imagemusic.data.prepared import ROW
from imagemusic.errors import ConfigError, DataError
from imagemusic.events import codec, context
from imagemusic.events.vocabulary import (
    CONTEXT,
    DRUMS,
    END,
    FIELDS,
    INPUTS,
    METER,
    NO_PITCH,
    NO_VELOCITY,
    PLAN_SIZES,
    REST,
    SLOT,
    START,
    TEMPO,
)
from imagemusic.music.dials import DIALS
from imagemusic.training.batches import BEFORE, BatchSource, field_weights, window_columns
from imagemusic.training.condition_sampler import ConditionSampler, TrainingData, _add_noise
from imagemusic.training.settings import SHARES, BatchOptions
from tests import tiny


def source(prepared, pictures_file, seed=0, pieces=None, **options):
    pictures = Pictures.open(pictures_file, "train")
    options = BatchOptions(**{"batch_size": 3, "window": 16} | options)
    pieces = prepared.select("train") if pieces is None else pieces
    return BatchSource(TrainingData(prepared, pieces, pictures, tiny.layout()), options, seed)


def rows_of(prepared, piece):
    return prepared.rows[piece.start : piece.start + piece.rows]


def same(one, other):
    columns = zip((*one[:3], {"c": one.condition}), (*other[:3], {"c": other.condition}), strict=True)
    return one.pieces == other.pieces and all(
        np.array_equal(a[name], b[name]) for a, b in columns for name in a.keys() | b.keys()
    )


def test_a_batch_is_a_function_of_seed_and_step(prepared, pictures_file):
    forwards, backwards = source(prepared, pictures_file), source(prepared, pictures_file)
    steps = list(range(3 * forwards.epoch_steps))
    first = [forwards.batch(step) for step in steps]
    again = [backwards.batch(step) for step in reversed(steps)][::-1]
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    other = source(prepared, pictures_file, seed=1)
    assert not all(same(a, other.batch(step)) for step, a in enumerate(first))


def test_epochs_differ(prepared, pictures_file):
    batches = source(prepared, pictures_file)
    assert not same(batches.batch(0), batches.batch(batches.epoch_steps))


def test_an_epoch_reads_every_window(prepared, pictures_file):
    batches = source(prepared, pictures_file, batch_size=1, transpose=0)
    seen = [batches.batch(step) for step in range(batches.epoch_steps)]
    names = [batch.pieces[0] for batch in seen]
    for piece in prepared.select("train"):
        windows = [batch for batch, name in zip(seen, names, strict=True) if name == piece.id]
        assert sum(int(batch.weights["gap"].sum()) for batch in windows) == piece.rows


def test_a_stream_reads_a_piece_in_order_and_is_reset_at_the_next(prepared, pictures_file):
    batches = source(prepared, pictures_file, batch_size=1, velocity_dropout=0.0)
    previous = None
    for step in range(batches.epoch_steps):
        batch = batches.batch(step)
        begins = batch.before["part"][0, 0] == START
        assert batch.reset[0] == (begins or step == 0)
        if previous is not None and not begins:
            assert previous.pieces == batch.pieces
            for name in FIELDS:
                assert batch.before[name][0, 0] == previous.target[name][0, -1]
        previous = batch


def test_windows_join_to_the_whole_piece(prepared):
    piece = prepared.select("train")[0]
    rows = rows_of(prepared, piece)
    whole = window_columns(rows, piece.end, 0, len(rows))
    parts = [window_columns(rows, piece.end, number, 16) for number in range(-(-len(rows) // 16))]
    for kind, columns in enumerate(whole):
        for name, column in columns.items():
            joined = np.concatenate([part[kind][name] for part in parts])
            np.testing.assert_array_equal(joined[: len(rows)], column)
            assert not joined[len(rows) :].any()


def test_the_input_of_a_step_is_what_the_grammar_state_gives(prepared):
    piece = prepared.select("train")[0]
    rows = rows_of(prepared, piece)
    before, _, _ = window_columns(rows, piece.end, 0, len(rows))
    names = [name for name in INPUTS if name != "interval"]
    steps = tiny.written(prepared.events(piece), piece.end)
    for i, (grammar, _) in enumerate(steps):
        given = dict(zip(INPUTS, grammar.previous, strict=True))
        assert {name: given[name] for name in names} == {name: before[name][i] for name in names}


def test_transposition_moves_pitches_by_hand(prepared):
    piece = prepared.select("train")[0]
    rows = rows_of(prepared, piece)
    (_, plain, _), (_, moved, _) = (window_columns(rows, piece.end, 0, len(rows), shift=s) for s in (0, 3))
    pitched = plain["program"] < DRUMS
    np.testing.assert_array_equal(moved["pitch"][pitched], plain["pitch"][pitched] + 3)
    for name in set(plain) - {"pitch", "last_pitch", "chroma"}:
        np.testing.assert_array_equal(moved[name], plain[name])


def test_transposition_leaves_drums_headers_and_first_notes_alone(prepared):
    piece = prepared.select("train")[0]
    rows = rows_of(prepared, piece)
    (_, plain, _), (_, moved, _) = (window_columns(rows, piece.end, 0, len(rows), shift=s) for s in (0, -4))
    still = plain["program"] >= DRUMS
    assert (plain["program"] == DRUMS).any()
    for name in ("pitch", "last_pitch"):
        np.testing.assert_array_equal(moved[name][still], plain[name][still])
    first = plain["last_pitch"] == NO_PITCH
    np.testing.assert_array_equal(moved["last_pitch"][first], plain["last_pitch"][first])


@given(st.integers(-12, 12))
def test_a_transposed_piece_is_the_piece_transposed(shift):
    score = tiny.tune(2)
    tracks = [
        track if track.is_drum else type(track)(track.notes + np.array([0, shift, 0, 0]), track.program)
        for track in score.tracks
    ]
    events, other = (codec.encode(type(score)(t, score.tempos, score.meters)) for t in (score.tracks, tracks))
    rows, expected = (np.zeros(len(found), ROW) for found in (events, other))
    for table, found in ((rows, events), (expected, other)):
        for names, values in ((FIELDS, found), (CONTEXT, context.context(found))):
            for column, name in enumerate(names):
                table[name] = values[:, column]
    moved = window_columns(rows, score.end, 0, len(rows), shift=shift)
    wanted = window_columns(expected, score.end, 0, len(rows))
    for kind in range(2):
        for name in ("pitch", "last_pitch", "chroma"):
            if name in moved[kind]:
                np.testing.assert_array_equal(moved[kind][name], wanted[kind][name])


def test_what_remains_can_be_hidden(prepared):
    piece = prepared.select("train")[0]
    rows = rows_of(prepared, piece)
    shown, hidden = (window_columns(rows, piece.end, 0, 32, hide_remaining=hide)[0] for hide in (False, True))
    assert (shown["remaining"] > 0).all()
    assert not hidden["remaining"].any()


def test_dropped_velocities_are_still_predicted(prepared):
    piece = prepared.select("train")[0]
    rows = rows_of(prepared, piece)
    before, target, weights = window_columns(rows, piece.end, 0, len(rows), velocity_dropout=True)
    assert not before["velocity"].any()
    assert set(target["last_velocity"].tolist()) <= {0, NO_VELOCITY}
    assert target["velocity"].any()
    assert weights["velocity"].sum() == piece.notes


def test_only_fields_that_carry_information_have_weight():
    #            meter        no meter     tempo        slot        note          drum                 rest      end
    parts = [METER, METER, TEMPO, SLOT, 0, 1, REST, END]
    columns = {
        "part": np.array(parts),
        "program": np.array([129, 129, 129, 129, 0, DRUMS, 129, 129]),
        "pitch": np.array([52, 0, 3, 0, 60, 36, 0, 0]),
        "velocity": np.array([0, 0, 0, 0, 20, 0, 0, 0]),
    }
    weights = {name: weight.tolist() for name, weight in field_weights(columns).items()}
    assert weights == {
        "gap": [1] * 8,
        "part": [1] * 8,
        "pitch": [1, 0, 1, 1, 1, 1, 0, 0],
        "duration": [0, 0, 0, 1, 1, 0, 0, 0],
        "velocity": [0, 0, 0, 0, 1, 0, 0, 0],
    }


def test_everything_can_be_dropped_from_the_condition(prepared, pictures_file):
    batches = source(prepared, pictures_file, drop_condition=1.0, piece_level=0.0, noisy=0.0)
    assert not batches.batch(0).condition.any()


def test_nothing_need_be_dropped_from_the_condition(prepared, pictures_file):
    batches = source(prepared, pictures_file, drop_condition=0.0, drop_embedding=0.0, drop_ensemble=0.0)
    condition = batches.batch(0).condition
    assert (condition[..., tiny.EMBEDDING_SIZE] == 1).all()  # the picture is seen
    assert (condition[..., -1] == 1).all()  # the ensemble is named


def test_a_segment_is_conditioned_on_its_own_dials(prepared, pictures_file):
    only_exact = {"drop_condition": 0.0, "piece_level": 0.0, "noisy": 0.0, "transpose": 0}
    batches = source(prepared, pictures_file, window=32, batch_size=1, **only_exact)
    layout, start = tiny.layout(), tiny.EMBEDDING_SIZE + 1
    found = 0
    for step in range(batches.epoch_steps):
        batch = batches.batch(step)
        (piece,) = [piece for piece in batches.data.pieces if piece.id == batch.pieces[0]]
        own = prepared.scale.table(prepared.segments[piece.first_segment : piece.first_segment + 2].astype(float))
        if batch.before["part"][0, 0] == START:
            values = batch.condition[0, :, start : start + len(layout.dials)]
            given = batch.condition[0, :, start + len(layout.dials) : start + 2 * len(layout.dials)] > 0
            np.testing.assert_allclose(values[given], 2 * own[given], rtol=1e-5)
            found += given.sum()
        assert not batch.condition[0, :, start + 2 * len(layout.dials) : -len(layout.ensembles) - 1].any()
    assert found


def test_a_transposed_piece_is_conditioned_on_its_new_register(prepared, pictures_file):
    def registers(shift):
        data = TrainingData(prepared, pieces, Pictures.open(pictures_file, "train"), tiny.layout())
        sampler = ConditionSampler(data, BatchOptions(), (0,), np.full(len(pieces), shift))
        return sampler.whole[:, DIALS.index("register")]

    pieces = prepared.select("train")
    assert (registers(12) >= registers(0)).all()
    assert registers(12).sum() > registers(0).sum()


def test_the_deviation_of_a_noisy_dial_is_its_error():
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, (4000, 9))
    noisy, deviation = _add_noise(truth, rng)
    exact = deviation < np.median(deviation)
    errors = np.abs(noisy - truth)
    assert errors[exact].mean() < errors[~exact].mean()
    assert np.std(noisy) == pytest.approx(np.std(truth), rel=0.05)


def test_a_corpus_that_weighs_twice_is_read_twice(prepared, pictures_file):
    once, twice = (source(prepared, pictures_file, corpus_weights={tiny.CORPUS: weight}) for weight in (1.0, 2.0))
    assert twice.epoch_steps == pytest.approx(2 * once.epoch_steps, abs=1)


def test_columns_have_the_names_that_the_decoder_reads(prepared, pictures_file):
    batch = source(prepared, pictures_file).batch(0)
    assert set(batch.before) == {*BEFORE, *PLAN_SIZES}
    assert set(batch.weights) == set(FIELDS)
    assert {column.shape for column in batch.before.values()} == {(3, 16)}
    assert batch.condition.shape == (3, 1, tiny.layout().size)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_outside_of_0_to_1_is_refused(share, value):
    with pytest.raises(ConfigError, match=rf"{share} must be in 0\.\.1, got {value}"):
        BatchOptions(**{share: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"header_weight": -3}, "header_weight must be above 0 and finite, got -3"),
        ({"header_weight": 0}, "header_weight must be above 0"),
        ({"header_weight": float("nan")}, "header_weight must be above 0"),
        ({"pairing_temperature": float("nan")}, "pairing_temperature must be above 0"),
        ({"corpus_weights": {"x": float("nan")}}, "corpus_weights must be 0 or more"),
        (
            {"drop_condition": 0.5, "piece_level": 0.4, "noisy": 0.2},
            "drop_condition, piece_level and noisy .* at most 1",
        ),
    ],
)
def test_other_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        BatchOptions(**change)


def test_every_setting_that_is_a_share_is_checked():
    numbers = {field.name for field in fields(BatchOptions) if field.type is float}
    assert numbers - {"header_weight", "pairing_temperature"} == set(SHARES)


def test_shares_may_be_all_or_nothing():
    for share in SHARES:
        alone = dict.fromkeys(("drop_condition", "piece_level", "noisy"), 0.0)
        assert [getattr(BatchOptions(**alone | {share: end}), share) for end in (0, 1)] == [0, 1]


def test_without_pieces_there_is_nothing_to_train_on(prepared, pictures_file):
    with pytest.raises(DataError, match="no piece to train on; prepare a corpus first"):
        source(prepared, pictures_file, pieces=())
