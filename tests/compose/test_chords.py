"""Chords that are asked for are kept: checked on the written notes, by a reading of chords that is the test's own."""

import itertools

import numpy as np
import pytest

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.compose.rules.chords import scale_of
from imagemusic.errors import ConfigError
from imagemusic.plan.lead_sheet import parse_lead_sheet

NOTES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHAPES = {"": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "dim": (0, 3, 6), "sus4": (0, 5, 7)}
SCALES = [
    {(tonic + step) % 12 for step in steps}
    for tonic, steps in itertools.product(range(12), ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)))
]
REQUESTS = [
    {"chords": "Am F | C/E G7", "bars": 12, "meter": "4/4"},
    {"chords": "Dm | Bb C | F A7 | Dm", "bars": 9, "meter": "3/4", "ensemble": "band"},
    {"chords": "C | N.C. | Fmaj7 G", "bars": 10, "meter": "6/8", "ensemble": "strings"},
    {"chords": "E | F#m B7 | % | Asus4 A", "bars": 8, "meter": "4/4", "form": "AB", "instruments": "piano,cello,flute"},
    {"chords": "Gm Ebmaj7 | Cm D", "seconds": 30, "polyphony": 3, "ending": "open"},
    {"chords": "C G | Am F", "key": "C major", "bars": 16, "meter": "4/4", "form": "AABA"},
    {"chords": "Bdim | C", "bars": 8, "meter": "2/4", "pitch_range": "C3-C6", "ensemble": "piano"},
]


@pytest.fixture(scope="module", params=["tiny_checkpoint", "tiny_memory_checkpoint"])
def model(request):
    return ImageMusic.from_pretrained(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def features(model):
    return model.encode("data/examples/meadow.jpg")


def pitch_class(name):
    return (NOTES[name[0]] + name.count("#") - name[1:].count("b")) % 12


def read_chord(symbol):
    """Pitch classes and bass of a symbol; None for no chord."""
    if symbol == "N.C.":
        return None
    upper, _, bass = symbol.partition("/")
    root = upper[:2] if upper[1:2] in ("#", "b") else upper[:1]
    classes = {(pitch_class(root) + step) % 12 for step in SHAPES[upper[len(root) :]]}
    return (classes | {pitch_class(bass)} if bass else classes), pitch_class(bass or root)


def spans(text, bar, end):
    """(start, end, chord) of every chord of a piece, in ticks."""
    bars = []
    for cell in text.split("|"):
        bars.append(bars[-1] if cell.split() == ["%"] else [read_chord(symbol) for symbol in cell.split()])
    for number in range(-(-end // bar)):
        chords = bars[number % len(bars)]
        for place, chord in enumerate(chords):
            start = number * bar + bar * place // len(chords)
            yield start, number * bar + bar * (place + 1) // len(chords), chord


def broken(score, text, scales, until):
    """What breaks the chords before a tick, for the scale that explains most."""
    meter = score.meters[0]
    bar = meter.numerator * 4 * score.ticks_per_beat // meter.denominator
    notes = [note for track in score.tracks if not track.is_drum for note in track.notes.tolist()]
    faults = []
    for scale in scales:
        found = []
        for start, stop, chord in spans(text, bar, score.end):
            if chord is None or start >= until:
                continue
            classes = chord[0]
            for onset, pitch, duration, _ in notes:
                if onset == start and pitch % 12 not in classes:
                    found.append((onset, pitch, "starts with the chord"))
                elif onset < stop and onset + duration > start and pitch % 12 not in classes | scale:
                    found.append((onset, pitch, "sounds in it"))
        faults.append(found)
    return min(faults, key=len)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: one["chords"])
def test_chords_are_kept(model, features, request_, seed):
    piece = model.compose_features(features, ComposeOptions(**request_, takes=1, seed=seed))
    score, ending = piece.score, request_.get("ending", "cadence")
    last = max(track.notes[:, 0].max() for track in score.tracks if not track.is_drum and len(track))
    scales = SCALES if "key" not in request_ else [{0, 2, 4, 5, 7, 9, 11}]
    assert not broken(score, request_["chords"], scales, last if ending == "cadence" else score.end)


def test_a_slash_bass_lies_at_the_bottom(model, features):
    seen = 0
    for seed in range(6):
        options = ComposeOptions(
            chords="C/E F/A C/E F/A", bars=12, meter="4/4", takes=1, instruments="piano", seed=seed, ending="open"
        )
        notes = model.compose_features(features, options).score.tracks[0].notes
        starts = [note for note in notes.tolist() if note[0] % 24 == 0]
        first = {onset: min(pitch for tick, pitch, *_ in starts if tick == onset) % 12 for onset, *_ in starts}
        assert all(bottom == (4, 9)[onset // 24 % 2] for onset, bottom in first.items())
        seen += len(first)
    assert seen


def test_the_plan_of_a_piece_can_be_kept_and_edited(tiny_memory_checkpoint, tmp_path):
    model = ImageMusic.from_pretrained(tiny_memory_checkpoint)
    piece = model.compose("data/examples/fire.jpg", ComposeOptions(bars=12, meter="4/4", takes=1))
    plan = piece.plan.to_json()
    again = model.compose("data/examples/meadow.jpg", ComposeOptions(plan=plan, takes=1, seed=5))
    assert again.plan == piece.plan and again.options.bars == 12
    plan["chords"][2] = ["Db", "Gb7"]
    edited = model.compose("data/examples/meadow.jpg", ComposeOptions(plan=plan, takes=1))
    assert [chord.symbol for chord in edited.plan.chords[2]] == ["Db", "Gb7"]
    notes = [note for track in edited.score.tracks if not track.is_drum for note in track.notes.tolist()]
    assert {pitch % 12 for onset, pitch, *_ in notes if onset == 192} <= {1, 5, 8}
    piece.save(tmp_path / "piece.json")
    assert model.replay(piece).identical


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chords": "Am | Hx"}, "chords: bar 2: unknown chord 'Hx'; write a root A-G"),
        ({"chords": ""}, "chords: no chord; write bars like 'Am F | C G'"),
        ({"chords": "Am E", "key": "A minor"}, "chords: bar 1: E has G#, which A minor has not; leave out the key"),
        ({"chords": "C", "pitch_range": "A4-B4"}, "chords: bar 1: range A4-B4 has no note of C"),
        ({"chords": 3}, "chords must be a text like 'Am F | C G', got 3"),
    ],
)  # fmt: skip
def test_chords_that_cannot_be_kept_are_refused(options, message):
    with pytest.raises(ConfigError) as refused:
        ComposeOptions(**options)
    assert str(refused.value).startswith(message) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bars": 3}, "plan: it has 2 bars, 3 were asked for"),
        ({"meter": "3/4"}, "plan: it is in 4/4, 3/4 was asked for"),
        ({"chords": "C"}, "plan: it has chords of its own; leave out chords 'C', or the plan"),
        ({"form": "AB"}, "plan: it has form of its own"),
        ({"seconds": 20}, "plan: its 2 bars say how long; leave out 20 seconds"),
    ],
)
def test_a_plan_that_contradicts_other_options_is_refused(options, message):
    plan = {
        "version": 1, "tonic": 0, "minor": False, "meter": [4, 4], "ending": "cadence", "kinds": ["new", "same"],
        "answers": [-1, 0], "chords": [["C"], ["C"]],
    }  # fmt: skip
    with pytest.raises(ConfigError) as refused:
        ComposeOptions(plan=plan, **options)
    assert str(refused.value).startswith(message)
    assert np.isfinite(ComposeOptions(plan=plan).seconds)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Am F | C G", "A minor"),
        ("C G | Am F", "C major"),
        ("Dm7 | G7 | Cmaj7", "C major"),
        ("Em | Am | B7 | Em", "E minor"),
        ("D | A | Bm | G", "D major"),
        ("F#m", "F# minor"),
        ("Cm Ab | Eb Bb", "C minor"),
        ("F G | Em Am", "A minor"),
        ("E A | B E", "E major"),
    ],
)
def test_the_scale_of_chords(text, key):
    assert str(scale_of(parse_lead_sheet(text))) == key
