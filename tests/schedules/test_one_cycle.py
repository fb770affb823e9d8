"""OneCycle against PyTorch's OneCycleLR, which counts in double precision."""

import warnings

import numpy as np
import pytest

from rates import close, rates
from unetdyn.schedules import OneCycle
from unetdyn.schedules.one_cycle import cycled


def of_torch(total_steps, max_lr=3e-3, read=lambda group: group["lr"], **arguments):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps, **arguments)
    found = [read(optimizer.param_groups[0])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no step of the optimizer came between
        for _ in range(total_steps - 1):
            schedule.step()
            found.append(read(optimizer.param_groups[0]))
    return np.array(found)


TURNS_BETWEEN_STEPS = [(913, 0.93), (338, 0.863), (224, 0.816)]
"""Rounding the steps since the turn to float32 costs five digits in the last place there."""


@pytest.mark.parametrize("curve", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(
    ("total_steps", "pct_start"),
    [
        (100, 0.2),
        (100, 0.3),
        (1, 0.3),
        (2, 0.3),
        (7, 0.5),
        (37, 0.0),
        (37, 1 / 3),
        (41, 0.437),
        (611, 0.25),
        *TURNS_BETWEEN_STEPS,
    ],
)
def test_one_cycle_is_that_of_torch_value_by_value(total_steps, pct_start, three_phase, curve):
    arguments = {"pct_start": pct_start, "three_phase": three_phase, "anneal_strategy": curve}
    expected = of_torch(total_steps, **arguments)
    close(rates(OneCycle(3e-3, total_steps, **arguments), range(total_steps)), expected, 3e-3)


def test_one_cycle_takes_the_factors_of_torch():
    expected = of_torch(50, max_lr=0.7, div_factor=3.0, final_div_factor=7.0)
    close(rates(OneCycle(0.7, 50, div_factor=3.0, final_div_factor=7.0), range(50)), expected, 0.7)


def test_one_cycle_of_the_studies_has_their_rates():
    """100 steps, 20 % of them up to 3e-3; by hand: 3e-3 / 25 at first, 3e-3 / 25 / 1e4 at last."""
    found = rates(OneCycle(3e-3, 100, pct_start=0.2, div_factor=25, final_div_factor=1e4), [0, 19, 99])
    np.testing.assert_allclose(found, [1.2e-4, 3e-3, 1.2e-8], rtol=1e-6)


def test_one_cycle_stays_at_its_last_rate():
    close(rates(OneCycle(1.0, 10), [9, 10, 1000]), [1 / 25e4] * 3, 1.0)


def test_one_cycle_of_a_first_phase_without_steps_begins_at_the_top():
    """PyTorch divides 0 by 0 there."""
    assert rates(OneCycle(0.5, 10, pct_start=0.1), [0])[0] == 0.5


def test_one_cycle_that_only_rises_ends_at_the_top():
    close(rates(OneCycle(0.5, 10, pct_start=1.0), range(10)), of_torch(10, 0.5, pct_start=1.0), 0.5)


@pytest.mark.parametrize("curve", ["cos", "linear"])
def test_one_cycle_of_three_phases_may_end_in_the_second_as_in_torch(curve):
    arguments = {"pct_start": 0.7, "three_phase": True, "anneal_strategy": curve}
    expected = of_torch(50, **arguments)
    close(rates(OneCycle(3e-3, 50, **arguments), range(50)), expected, 3e-3)
    assert expected[-1] > expected[0]


def test_cycled_is_the_momentum_of_torch():
    def momentum(group):
        return group["momentum"]

    for three_phase in (False, True):
        corners = [0.95, 0.85, 0.95, *([0.95] if three_phase else [])]
        expected = of_torch(100, read=momentum, pct_start=0.2, three_phase=three_phase)
        close(rates(lambda step, c=corners: cycled(step, c, 100, 0.2, "cos"), range(100)), expected, 0.95)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_lr": 0}, r"`max_lr` must be a finite number above 0\. Received: max_lr=0\."),
        ({"div_factor": -1}, r"`div_factor` must be a finite number above 0\. Received: div_factor=-1\."),
        ({"final_div_factor": 0}, r"`final_div_factor` must be a finite number above 0"),
        (
            {"total_steps": 10.5},
            r"`total_steps` must be a whole number of steps, from 1 to 2147483647\. Received: .*10\.5",
        ),
        ({"total_steps": 2**31}, r"`total_steps` must be a whole number of steps, from 1 to 2147483647"),
        ({"pct_start": 20}, r"`pct_start` must lie between 0 and 1\. Received: pct_start=20\."),
        ({"anneal_strategy": "cosine"}, r"`anneal_strategy` must be one of 'cos', 'linear'.* Did you mean 'cos'\?"),
    ],
)
def test_one_cycle_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        OneCycle(**{"max_lr": 1.0, "total_steps": 10} | arguments)
