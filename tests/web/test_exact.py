from imagemusic.web.exact import exact_options

EMPTY = {"key": "", "meter": "", "tempo_bpm": None, "bars": None, "instruments": "", "polyphony": None}


def test_empty_fields_ask_for_nothing():
    assert exact_options(seconds=30, **EMPTY) == {"seconds": 30}


def test_what_is_written_is_asked_for():
    assert exact_options(seconds=30, **EMPTY | {"key": "D dorian", "polyphony": 0}) == {
        "seconds": 30, "key": "D dorian", "polyphony": 0,
    }  # fmt: skip


def test_bars_take_the_place_of_seconds():
    assert exact_options(seconds=30, **EMPTY | {"bars": 8}) == {"bars": 8}
