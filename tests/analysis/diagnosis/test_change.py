"""What counts as a change."""

import numpy as np
import pytest

from planted_runs import CALM
from unetdyn.analysis.diagnosis.change import LITTLE, NOISE_SCALES, never_left, noise


def test_noise_of_normal_values_is_their_standard_deviation():
    values = np.random.default_rng(0).normal(scale=0.3, size=20_000)
    assert noise(values) == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, 1.0]])
def test_too_few_values_have_no_noise(values):
    assert noise(np.array(values)) == 0.0


def test_both_a_tenth_and_the_noise_must_be_passed_to_stay():
    calm = 1.0 + CALM
    assert never_left(calm, calm[0] + 5 * noise(calm))
    assert not never_left(calm, calm[0] + (NOISE_SCALES + 0.1) * noise(calm))
    loud = 1.0 + 100 * CALM
    assert never_left(loud, loud[0] / (1 + 0.9 * LITTLE))
    assert not never_left(loud, loud[0] / (1 + 1.2 * LITTLE))
