"""Random numbers that come back."""

import pytest

from unetdyn.callbacks.random_state import random_state, set_random_state


def test_numbers_of_pytorch_come_back_with_any_backend_whose_data_it_draws():
    torch = pytest.importorskip("torch")
    state = random_state()
    drawn = torch.rand(3)
    set_random_state(state)
    assert torch.equal(torch.rand(3), drawn)
