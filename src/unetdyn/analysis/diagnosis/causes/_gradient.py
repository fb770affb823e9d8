"""What the rules on gradients share: a `GradientMonitor`'s record, and how often trouble is more than an accident."""

from unetdyn.analysis.diagnosis.evidence import Evidence, Record

NAME = "gradients"
OFTEN = 0.1  # share of the epochs, or steps, from which trouble that comes back is more than an accident: rule of thumb

_LOGGED = ("grad_nonfinite", "grad_exploding", "grad_vanishing_blocks")


def record(evidence: Evidence) -> Record:
    """What happened at each step; empty where that was not recorded."""
    return evidence.record("nonfinite", "applied", "epoch", "grad_norm", "explode")


def watched_epochs(evidence: Evidence) -> int:
    """In how many epochs gradients were watched, by the logs."""
    return max((len(evidence.curves[key].values) for key in _LOGGED if key in evidence.curves), default=0)
