"""Which epochs are kept where there is no room for all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetdyn.callbacks.kept_predictions import KeptPredictions, least_missed

SIZES = st.lists(st.integers(1, 10), min_size=1, max_size=60)


def kept(sizes, room, best=()):
    found = KeptPredictions(room)
    for epoch, size in enumerate(sizes):
        found.add(
            epoch, {"probability": np.zeros(size, np.uint8)}, best=max((b for b in best if b <= epoch), default=None)
        )
    return found


@given(SIZES, st.integers(30, 200), st.sets(st.integers(0, 59)))
def test_room_is_never_exceeded_and_the_first_the_last_and_the_best_stay(sizes, room, best):
    found = kept(sizes, room, best)
    assert found.bytes <= room
    needed = {0, len(sizes) - 1, *sorted(b for b in best if b < len(sizes))[-1:]}
    assert needed <= set(found.epochs)
    assert len(found) == len(sizes) or found.bytes + max(sizes) + 10 > room  # nothing is given up where there is room


@pytest.mark.parametrize("room", [4, 7, 16, 40])
def test_what_is_kept_is_spread_over_the_training(room):
    """No gap is more than three times what the best spread could have."""
    for epochs in (room, 100, 333, 1000):
        found = kept([1] * epochs, room).epochs
        assert len(found) == min(room, epochs)
        assert max(np.diff(found), default=1) <= 3 * np.ceil((epochs - 1) / (room - 1))


def test_one_that_has_the_closest_neighbours_is_given_up():
    epochs = [0, 7, 9, 20, 22, 31]
    spans = {epochs[i]: epochs[i + 1] - epochs[i - 1] for i in range(1, 5)}
    assert least_missed(epochs, ()) == min(spans, key=spans.get) == 7
    assert least_missed([0, 5], ()) is None


def test_pictures_have_the_names_of_a_record():
    found = KeptPredictions(100)
    found.add(4, {"probability": np.zeros(2, np.uint8), "gate2": np.ones(3, np.uint8)}, None)
    found.add(11, {"probability": np.ones(2, np.uint8)}, None)
    assert list(found.named("probability")) == ["4", "11"]
    assert list(found.others("probability")) == ["4/gate2"]
    again = KeptPredictions(1)
    again.set_state(found.get_state())
    assert (again.epochs, again.bytes, again.room) == ([4, 11], 7, 100)
