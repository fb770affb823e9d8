"""Hidden layers without an activation: the network is linear, however deep."""

from collections.abc import Iterator

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit, Need

MISSING = Limit(
    "activation.missing",
    "the hidden layers",
    ill="have no activation",
    source="algebra: convolutions of convolutions are a convolution",
    advice='`activation="relu"` in the hidden layers.',
    expected="the training loss falls below what a linear filter reaches.",
    normal="where the network was meant to be linear.",
    explains=("metric.", "loss.", "training.short"),
    alone=True,
)
SATURATING = Limit(
    "activation.saturating",
    "the hidden layers",
    ill="have a sigmoid or tanh, and the training is not well",
    source="Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010)",
    advice='`activation="relu"` in the hidden layers.',
    expected="gradients reach the first blocks, and the training loss falls from the first epoch on.",
    normal="in a shallow network with a norm before each.",
    explains=("metric.", "loss.", "training.short"),
)
LIMITS = (MISSING, SATURATING)
_SATURATE = ("sigmoid", "tanh", "hard_sigmoid")
GATES = 0.25  # of the linear layers: so few sigmoids are those of gates

NEEDS = (Need(setup="hidden_activations"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """What the set-up says of them."""
    hidden = evidence.told_counts("hidden_activations")
    if not hidden:
        return
    bent = {name: count for name, count in hidden.items() if name != "linear"}
    saturating = sum(count for name, count in bent.items() if name in _SATURATE)
    others = sum(bent.values()) - saturating
    if not others and saturating <= GATES * hidden.get("linear", 0):
        text = "no hidden layer has an activation" + (", apart from gates" if saturating else "")
        yield MISSING.finding("ill", "activations", text, "its hidden layers have no activation", confidence="high")
    elif not others:
        kinds = ", ".join(bent)
        why = f"its hidden layers saturate ({kinds})"
        yield SATURATING.finding("ill", "activations", f"hidden activations: {kinds}", why, confidence="medium")
