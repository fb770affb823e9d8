"""What is told of clipping: codes and numbers; it is no trouble."""

import numpy as np

from unetdyn.analysis.diagnosis.messages.clipping import gradients_clipped, gradients_clipped_to_average, units_clipped


def test_gradients_clipped():
    found = gradients_clipped(np.array([0.5, 1.5, 2.5]), np.array([0.5, 1.0, 0.25]), 10.0, 3)
    assert (found.code, found.level) == ("auto_clip.clipped", "unknown")
    assert "2 of 3 steps clipped, to norms from 0.5 to 2.5 (percentile 10 of the latest 3)" in found.seen
    assert found.seen.endswith("by a factor of 0.25.")


def test_gradients_clipped_to_average():
    found = gradients_clipped_to_average(np.array([np.inf, 1.5, 2.5]), np.array([1.0, 1.0, 0.25]), 2.0)
    assert (found.code, found.level) == ("running_average_clip.clipped", "unknown")
    assert "1 of 3 steps clipped, to norms from 2.5 to 2.5 (2 × the running average)" in found.seen


def test_units_clipped():
    found = units_clipped(np.array([0.0, 0.5]), {"enc1": np.array([0.0, 0.2]), "head": np.array([0.0, 0.8])})
    assert (found.code, found.level) == ("agc.clipped", "unknown")
    assert found.seen.endswith("25.0% of the units clipped, in 1 of 2 steps; most in block head, 40.0%.")
