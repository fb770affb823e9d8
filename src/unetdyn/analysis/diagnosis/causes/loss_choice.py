"""A loss that does not fit the output: logits for probabilities or the reverse, or one channel; a focal γ too large."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit, Need

MOST_GAMMA = 5.0  # the largest that Lin et al. tried; 2 was best

MISMATCH = Limit(
    "loss.wrong",
    "a loss",
    ill="takes probabilities for logits (`from_logits=True` after a sigmoid), or logits for probabilities, or one "
    "channel for all the classes",
    source="the definition of the loss",
    advice="`from_logits=True` with an output without activation, or `from_logits=False` with a sigmoid; of one "
    "channel, a sigmoid and a binary loss.",
    expected="the first loss is near that of a constant answer, and the training loss falls below it.",
    refuted="the loss is one of your own that has the name of another.",
    explains=("loss.", "metric.", "stability"),
    alone=True,
)
FOCAL = Limit(
    "loss.focal",
    "a focal loss",
    watch=f"has a γ above {MOST_GAMMA:g}",
    source="Lin et al., Focal loss for dense object detection (2017), table 1b: γ from 0 to 5 were tried, 2 was best",
    advice="γ = 2, as in the paper.",
    expected="the gradient of pixels that are nearly right is no longer lost, and the metric rises faster.",
    refuted="γ = 2 brings no better metric.",
    explains=("metric.", "loss.constant", "loss.flat", "training.short"),
    alone=True,
)
LIMITS = (MISMATCH, FOCAL)
NEEDS = (Need(setup="loss"),)

_BOUNDED = ("sigmoid", "softmax", "hard_sigmoid")
_UNBOUNDED = ("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "softplus", "tanh")
_OF_PROBABILITIES = (  # Keras' own and ours, by name: a function of a user's may take logits, whatever it is called
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
    "dice",
    "tversky",
    "binary_focal_loss",
    "soft_jaccard_loss",
    *("dice_loss", "tversky_loss", "focal_tversky_loss", "lovasz_softmax_loss", "bcedice_loss", "boundary_loss"),
)
_OF_CLASSES = ("categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge")
_OF_DISTRIBUTIONS = ("kl_divergence", "kldivergence", "cosine_similarity")  # as the class and as the function is named


def find(evidence: Evidence) -> Iterator[Finding]:
    """What the loss and the last activation say of each other."""
    loss, activation = str(evidence.told("loss", "name")), evidence.told("output_activation")
    name, logits = loss.lower(), evidence.told("loss", "config", "from_logits")
    if logits is True and activation in _BOUNDED:
        text = f"{loss} takes the output for logits, and the output is a {activation}"
        yield MISMATCH.finding("ill", "loss", text, f"its loss takes a {activation} for logits", confidence="high")
    elif not logits and activation in _UNBOUNDED and name in _OF_PROBABILITIES and not _are_probabilities(evidence):
        text = f"{loss} takes the output for probabilities, and its activation is {activation}"
        why = f"its loss takes the output of {activation} for probabilities"
        yield MISMATCH.finding("ill", "loss", text, why, confidence="high")
    if text := _alone(evidence, loss, activation):
        why = "its loss or its softmax is for several classes, and there is one"
        yield MISMATCH.finding("ill", "loss", text, why, confidence="high")
    gamma = evidence.told_number("loss", "config", "gamma")
    if gamma is not None and gamma > MOST_GAMMA and "focal" in name and "tversky" not in name:
        text = f"{loss} with γ = {gamma:g}"
        yield FOCAL.finding("watch", "loss", text, f"its focal loss has γ = {gamma:g}", confidence="medium")


def _are_probabilities(evidence: Evidence) -> bool:
    """Whether the outputs were measured and lie in 0 to 1: a linear layer may only cast those of a sigmoid."""
    found = evidence.recorded("output_min", "output_max")
    if found is None:
        return False
    low, high = (array[np.isfinite(array)] for array in found)
    return bool(low.size and high.size and low.min() >= 0 and high.max() <= 1)


def _alone(evidence: Evidence, loss: str, activation: object) -> str:
    """What is wrong where one channel is taken for all the classes; empty where it is not."""
    shape, name = evidence.told("output_shape"), loss.lower()
    if not isinstance(shape, list) or shape[-1:] != [1]:
        return ""
    if activation == "softmax" or name in _OF_CLASSES:
        return f"{loss} or {activation} on one channel: its outputs always add up to 1"
    if name in _OF_DISTRIBUTIONS:
        return f"{loss} compares the channels of a pixel with each other, and there is one: background costs nothing"
    return ""
