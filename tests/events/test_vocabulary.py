import numpy as np
import pytest

from imagemusic.events import vocabulary
from imagemusic.events.vocabulary import INTERVALS, NO_INTERVAL, interval_index, interval_indices

# repeated, up a third, too wide upwards and downwards, drums, a part's first note
PITCH, LAST, PROGRAM = [60, 64, 100, 10, 36, 60], [60, 60, 60, 60, 38, 128], [0, 0, 0, 0, 128, 0]
INDICES = [25, 29, 49, 1, NO_INTERVAL, NO_INTERVAL]


def test_an_interval_is_counted_from_the_last_pitch_of_the_part():
    assert [interval_index(*row) for row in zip(PITCH, LAST, PROGRAM, strict=True)] == INDICES
    assert max(INDICES) < INTERVALS


def test_arrays_and_tensors_have_the_same_indices():
    torch = pytest.importorskip("torch")
    for make in (np.array, torch.tensor):
        found = interval_indices(*map(make, (PITCH, LAST, PROGRAM)))
        assert found.tolist() == INDICES and str(found.dtype).endswith("int64")


def test_every_field_and_context_column_has_a_size():
    names = (*vocabulary.FIELDS, *vocabulary.CONTEXT, "remaining")
    assert tuple(vocabulary.VOCABULARY) == names
    assert vocabulary.VOCABULARY["part"] == vocabulary.START + 1
    assert len(vocabulary.METERS) < vocabulary.VOCABULARY["pitch"]
