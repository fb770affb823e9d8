"""The points that a long curve is drawn through."""

import numpy as np

from unetdyn.report.envelope import envelope


def test_envelope_equals_the_lowest_and_highest_of_each_stretch():
    values = np.random.default_rng(0).normal(size=1000)
    kept = envelope(values, 10)
    expected = [
        place + 100 * i for i, part in enumerate(values.reshape(10, 100)) for place in (part.argmin(), part.argmax())
    ]
    assert kept.tolist() == sorted(expected)
