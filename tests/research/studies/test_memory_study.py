import numpy as np

from imagemusic.data.prepared import PreparedSet
from imagemusic.events.memory.pointers import NOTHING, POINTERS
from imagemusic.events.memory.proposals import Proposals
from imagemusic.research.studies.memory import SETTINGS, choose, switched_off, table_of


def test_a_pointer_that_is_off_proposes_nothing_and_the_others_stay():
    memory = Proposals(*(np.full((4, 5, len(POINTERS)), 7, np.uint8) for _ in range(2)))
    off = switched_off(memory, (1, 3))
    assert (off.values[..., [1, 3]] == NOTHING).all() and not off.levels[..., [1, 3]].any()
    assert (off.values[..., [0, 2]] == 7).all() and (memory.values == 7).all()


def test_every_pointer_is_switched_off_alone_once():
    alone = [pointers[0] for pointers, _ in SETTINGS.values() if len(pointers) == 1]
    assert sorted(alone) == list(range(len(POINTERS)))


def test_what_is_lost_is_counted_against_the_same_knowledge(data_root):
    pieces = choose(PreparedSet.open(data_root / "prepared"), "validation", 2, 0)
    notes = np.array([piece.notes for piece in pieces], float)
    bits = {"all on": notes, "all off": 3 * notes, "plan, all on": notes / 2, "plan, all off": notes}
    table = table_of(bits, pieces)
    assert "lost" not in table["all on"]
    assert table["all off"]["lost"]["value"] == 2 and table["plan, all off"]["lost"]["value"] == 0.5
