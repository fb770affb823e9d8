"""Hidden layers without an activation: the network is linear, however deep."""

from collections.abc import Iterator

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit, Need

MISSING = Limit(
    "activation.missing",
    "the hidden layers",
    watch="have no activation",
    source="algebra: convolutions of convolutions are a convolution",
    advice='`activation="relu"` in the hidden layers.',
    expected="the training loss falls below what a linear filter reaches.",
    explains=("metric.", "loss.", "training.short"),
    alone=True,
)
SATURATING = Limit(
    "activation.saturating",
    "the hidden layers",
    watch="have a sigmoid or tanh, and the training is not well",
    source="Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010)",
    advice='`activation="relu"` in the hidden layers.',
    expected="gradients reach the first blocks, and the training loss falls from the first epoch on.",
    explains=("metric.", "loss.", "training.short"),
)
LIMITS = (MISSING, SATURATING)
NEEDS = (Need(setup="hidden_activations"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """What the set-up says of them."""
    hidden = evidence.told_names("hidden_activations")
    if hidden is None:
        return
    if not set(hidden) - {"linear"}:
        text = "no hidden layer has an activation other than linear"
        yield MISSING.finding("ill", "activations", text, "its hidden layers have no activation", confidence="high")
    elif set(hidden) - {"linear"} <= {"sigmoid", "tanh", "hard_sigmoid"} and hidden:
        kinds = ", ".join(sorted(set(hidden) - {"linear"}))
        why = f"its hidden layers saturate ({kinds})"
        yield SATURATING.finding("ill", "activations", f"hidden activations: {kinds}", why, confidence="medium")
