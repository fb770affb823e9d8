"""Every rule takes whatever a training has left: it never raises, nor warns, and says what it may say."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odd_evidence import odd_evidence
from unetdyn.analysis.diagnosis.finding import CONFIDENCES, LEVELS, TROUBLE
from unetdyn.analysis.diagnosis.registry import CAUSES, RULES


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_rules_say_only_what_they_may_say(random):
    evidence = odd_evidence(random)
    for rule in RULES:
        for found in rule.find(evidence):
            assert found.code in {limit.code for limit in rule.LIMITS}
            assert found.level in LEVELS
            assert found.confidence in CONFIDENCES
            assert found.seen
            assert all(first <= last for first, last in found.epochs)
            assert set(found.curves) <= set(evidence.curves)
            if found.level in TROUBLE:
                assert any(
                    getattr(limit, found.level)
                    for limit in rule.LIMITS
                    if (limit.code, limit.threshold) == (found.code, found.threshold)
                )
                assert found.why
                assert (found.confidence != "") == (rule in CAUSES)
