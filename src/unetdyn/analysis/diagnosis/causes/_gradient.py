"""What the rules on gradients share: a `GradientMonitor`'s record, and how often trouble is more than an accident."""

from unetdyn.analysis.diagnosis.evidence import Evidence, Record

NAME = "gradients"
OFTEN = 0.1  # share of the epochs, or steps, from which trouble that comes back is more than an accident: rule of thumb


def record(evidence: Evidence) -> Record:
    """What happened at each step; empty where that was not recorded."""
    return evidence.record("nonfinite", "applied", "epoch", "grad_norm", "explode")
