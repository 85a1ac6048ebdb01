import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemusic.errors import ConfigError
from imagemusic.plan.analysis import NEW, NOWHERE, SAME, VARIED
from imagemusic.plan.chords import CHORDS
from imagemusic.plan.lead_sheet import chord_at, parse_lead_sheet
from imagemusic.plan.plan import ENDINGS, Plan, Request


@st.composite
def plans(draw):
    bars = draw(st.integers(1, 20))
    kinds = [NEW, *(draw(st.integers(NEW, SAME)) for _ in range(bars - 1))]
    answers = [NOWHERE if kind == NEW else draw(st.integers(0, bar - 1)) for bar, kind in enumerate(kinds)]
    chord = st.builds(chord_at, st.integers(0, CHORDS - 1))
    chords = [tuple(draw(st.lists(chord, min_size=1, max_size=4))) for _ in range(bars)]
    return Plan(draw(st.integers(0, 11)), draw(st.booleans()), (draw(st.integers(1, 24)), 4),
                draw(st.sampled_from(ENDINGS)), tuple(kinds), tuple(answers), tuple(chords))  # fmt: skip


def small_plan():
    kinds = (NEW,) * 4 + (SAME,) * 4 + (NEW,) * 4 + (SAME, SAME, SAME, VARIED)
    answers = (NOWHERE,) * 4 + (0, 1, 2, 3) + (NOWHERE,) * 4 + (0, 1, 2, 3)
    first, second = parse_lead_sheet("Am F | C G/B | Dm | E7"), parse_lead_sheet("C | G | F | E7")
    return Plan(9, True, (4, 4), "cadence", kinds, answers, first + first + second + first)


@given(plans())
def test_json_comes_back(plan):
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert len(plan.text().splitlines()) == 1 + len(plan.letters)
    assert plan.half_bars.shape == (len(plan), 2)


def test_text():
    assert small_plan().letters == ("A", "A", "B", "A'")
    assert small_plan().text().splitlines() == [
        "A minor, 4/4, 16 bars, ending: cadence",
        "   1  A  | Am F | C G/B | Dm | E7 |",
        "   5  A  | Am F =1 | C G/B =2 | Dm =3 | E7 =4 |",
        "   9  B  | C | G | F | E7 |",
        "  13  A' | Am F =1 | C G/B =2 | Dm =3 | E7 ~4 |",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "plan: version 2"),
        ({"tonic": 12}, "plan: tonic"),
        ({"tonic": True}, "plan: tonic and answers"),
        ({"minor": 1}, "plan: minor"),
        ({"meter": [3]}, "plan: tonic and answers"),
        ({"meter": [3, 5]}, "plan: no such meter"),
        ({"ending": "bang"}, "plan: tonic must"),
        ({"ending": None}, "plan: minor"),
        ({"kinds": ["new"]}, "plan: 1 kinds, 16 answers"),
        ({"kinds": "new"}, "plan: kinds must be a list"),
        ({"kinds": ["old"] * 16}, "plan: unknown kind of bar 'old'"),
        ({"answers": [0] * 16}, "plan: bar 1: a varied or same bar"),
        ({"answers": [None] * 16}, "plan: tonic and answers"),
        ({"chords": [[]] * 16}, "plan: bar 1: must have 1 to 4 chords"),
        ({"chords": [["Hm"]] * 16}, "plan: bar 1: unknown chord 'Hm'"),
        ({"chords": ["C"] * 16}, "plan: bar 1: chords must be a list"),
        ({"more": 1}, "plan: must be an object with"),
    ],
)
def test_a_damaged_plan_is_refused(change, message):
    with pytest.raises(ConfigError) as error:
        Plan.from_json(small_plan().to_json() | change)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("table", [None, [], {}, "plan"])
def test_what_is_no_object_is_refused(table):
    with pytest.raises(ConfigError, match="plan: must be an object"):
        Plan.from_json(table)


def test_a_form_is_asked_for():
    request = Request.of(18, letters=("A", "A'", "B", "A"), free_from=17)
    assert [request.kinds.get(bar) for bar in range(18)] == [
        *(NEW, None, None, None), *[VARIED] * 4, *(NEW, None, None, None), *[SAME] * 4, SAME, None,
    ]  # fmt: skip
    assert [request.answers.get(bar) for bar in range(18)] == [
        *[None] * 4, 0, 1, 2, 3, *[None] * 4, 0, 1, 2, 3, 0, None,
    ]  # fmt: skip
    assert [request.earliest.get(bar) for bar in (1, 9, 11)] == [0, 8, 8]


def test_chords_repeat_to_the_end():
    request = Request.of(5, chords=parse_lead_sheet("Am F | C G"))
    assert ["".join(chord.symbol for chord in request.chords[bar]) for bar in range(5)] == ["AmF", "CG"] * 2 + ["AmF"]
    assert not request.kinds


def test_a_form_too_long_for_the_piece_is_refused():
    with pytest.raises(ConfigError, match="form: 5 letters need 20 bars, the piece has 16"):
        Request.of(16, letters="ABABA")
