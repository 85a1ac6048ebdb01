import json

import pytest

from imagemusic.errors import DataError
from imagemusic.evaluation.listening.scoring import Tally, binomial_interval, score

KIT = "k" * 16
TRIALS = {f"t{number}": "left" if number % 2 else "right" for number in range(10)}


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "kit-key.json"
    rows = [{"trial": trial, "correct": side} for trial, side in TRIALS.items()]
    path.write_text(json.dumps({"format": "imagemusic listening key", "version": 1, "kit": KIT, "trials": rows}))
    return path


def choices(right, answered=10):
    """Answer the first `right` trials rightly and the others wrongly."""
    other = {"left": "right", "right": "left"}
    pairs = list(TRIALS.items())[:answered]
    return [(trial, side if number < right else other[side]) for number, (trial, side) in enumerate(pairs)]


@pytest.fixture
def answers(tmp_path):
    """Write the answers of a listener, as the page does."""

    def write(listener, given, suffix=".json", **changes):
        path = tmp_path / f"answers-{listener}{suffix}"
        if suffix == ".csv":
            lines = [f'"{KIT}","{listener}","{trial}","{side}","9.1"\r\n' for trial, side in given]
            path.write_text('"kit","listener","trial","choice","heard_seconds"\r\n' + "".join(lines), newline="")
        else:
            rows = [{"trial": trial, "choice": side} for trial, side in given]
            table = {
                "format": "imagemusic listening answers", "version": 1, "kit": KIT, "listener": listener,
                "answers": rows,
            } | changes  # fmt: skip
            path.write_text(json.dumps(table))
        return path

    return write


@pytest.mark.parametrize(
    ("right", "answered", "low", "high"),
    [(0, 10, 0, 0.3085), (5, 10, 0.1871, 0.8129), (8, 10, 0.4439, 0.9748), (24, 24, 0.8575, 1)],
)
def test_intervals_are_those_of_published_tables(right, answered, low, high):
    assert binomial_interval(right, answered) == pytest.approx((low, high), abs=5e-5)


def test_many_answers_are_no_trouble():
    low, high = binomial_interval(3000, 5000)
    assert (low, high) == pytest.approx((0.5863, 0.6136), abs=5e-4)


def test_each_listener_and_all_together_are_counted(key, answers):
    result = score(key, [answers("ann", choices(8)), answers("bob", choices(3, 6), ".csv")])
    assert result.listeners == {"ann": Tally(8, 10), "bob": Tally(3, 6)}
    assert result.overall == Tally(11, 16)
    assert result.trials == 10
    assert result.over_listeners is None


def test_with_five_listeners_there_is_an_interval_over_them(key, answers):
    given = [answers(f"l{number}", choices(right)) for number, right in enumerate((5, 6, 7, 8, 9))]
    low, high = score(key, given).over_listeners
    assert 0.55 < low < 0.7 < high < 0.85
    assert score(key, given).over_listeners == (low, high)


def test_listeners_who_agree_leave_nothing_open(key, answers):
    given = [answers(f"l{number}", choices(6)) for number in range(5)]
    assert score(key, given).over_listeners == pytest.approx((0.6, 0.6))


def test_a_listener_may_send_two_halves(key, answers):
    first = answers("ann", choices(10)[:4])
    second = answers("ann", choices(10)[4:], ".csv")
    assert score(key, [first, second]).listeners == {"ann": Tally(10, 10)}


def test_the_same_answers_do_not_count_twice(key, answers):
    path = answers("ann", choices(8))
    with pytest.raises(DataError, match="listener 'ann' answered trial t0 twice"):
        score(key, [path, path])


def test_who_wrote_no_code_is_known_by_the_file(key, answers):
    assert list(score(key, [answers("", choices(8))]).listeners) == ["answers-"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kit": "other"}, f"answers of kit other, but the key is of kit {KIT}"),
        ({"version": 2}, "version 2, this imagemusic reads 1"),
        ({"format": "a poem"}, "not the answers of a listening kit"),
        ({"answers": []}, "no answers in it"),
        ({"answers": "none"}, "damaged answers"),
        ({"answers": [{"trial": "t99", "choice": "left"}]}, "answer 1: no trial t99 in this kit"),
        ({"answers": [{"trial": "t1", "choice": "up"}]}, "answer 1: choice must be left or right, got 'up'"),
    ],
)
def test_answers_that_are_none_are_refused(key, answers, changes, message):
    with pytest.raises(DataError, match=message):
        score(key, [answers("ann", choices(8), **changes)])


def test_a_table_without_a_column_is_refused(key, tmp_path):
    (tmp_path / "a.csv").write_text("kit,trial,choice\n")
    with pytest.raises(DataError, match=r"a\.csv: not the answers of a listening kit; column listener is missing"):
        score(key, [tmp_path / "a.csv"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged JSON"),
        ("{}", "not the key of a listening kit"),
        ('{"format": "imagemusic listening key", "version": 1}', "damaged key"),
        ('{"format": "imagemusic listening key", "version": 1, "kit": "k", "trials": []}', "without a right side"),
    ],
)
def test_a_key_that_is_none_is_refused(tmp_path, text, message):
    (tmp_path / "key.json").write_text(text)
    with pytest.raises(DataError, match=rf"key\.json: .*{message}"):
        score(tmp_path / "key.json", [])


def test_a_file_that_is_missing_is_named(key, tmp_path):
    with pytest.raises(DataError, match=r"gone\.json: cannot be read \(No such file"):
        score(key, [tmp_path / "gone.json"])
