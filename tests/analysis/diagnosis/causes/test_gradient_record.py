"""What the rules on gradients share."""

import numpy as np

from planted_runs import gradients, planted
from unetdyn.analysis.diagnosis.causes import _gradient


def test_record_is_found_by_what_is_in_it():
    record = gradients()
    assert _gradient.record(planted({"mine": record}))["grad_norm"] is record["grad_norm"]
    assert not _gradient.record(planted({"other": {"grad_norm": np.ones(3)}}))
    assert not _gradient.record(planted())
