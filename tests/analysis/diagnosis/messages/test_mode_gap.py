"""What is said of moving statistics that lag: the numbers, and what helps at which momentum."""

import pytest

from unetdyn.analysis.diagnosis.messages import mode_gap as messages


@pytest.mark.parametrize(("momentum", "advice"), [(0.99, messages.ADVICE), (0.9, messages.ADVICE_FAST)])
def test_lag_is_told_with_its_layer_momentum_and_steps(momentum, advice):
    found = messages.statistics_lag((0.1, 0.5), (0.8, 0.0), "enc3_norm1", 3.2, momentum, 17)
    assert (found.code, found.level, found.advice) == ("statistics.lag", "watch", advice)
    for part in ("0.5 in inference", "0.1 in training", "enc3_norm1", "3.2", f"{momentum:g} at 17 steps an epoch"):
        assert part in found.seen
    assert "steps" not in messages.statistics_lag((0.1, 0.5), (0.8, 0.0), "norm", 3.2, momentum, None).seen
