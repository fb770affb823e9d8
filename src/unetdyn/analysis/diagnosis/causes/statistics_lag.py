"""Moving statistics that lag: in training the network answers well, in inference the same images get another answer."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, Span, spans
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.diagnosis.symptoms.gap import BEHIND, KNOWN
from unetdyn.analysis.metric_names import readable

TIMES = 2.0  # inference loss over training loss of the same images
LOST = 0.1  # Jaccard that inference loses on them
OFTEN = 0.1  # share of the measured epochs, at least two
RECOVERS = 0.75  # of the training's metric that the validation reaches at its best: so it can, and the data are right
SPIKE = 3.0  # validation loss over training loss where the validation metric is gone
EPOCHS = 1.0  # epochs that the statistics look back, from which they lag
STEPS = 30.0  # steps that they must look back to lag at all: momentum 0.9 looks back ten, and Keras' 0.99 a hundred
BEGIN = 2  # epochs at the beginning that do not count, where there are more than five

LIMIT = Limit(
    "statistics.lag",
    "the same images",
    ill=f"cost {TIMES:g} times as much in inference as in training mode, and lose {LOST:g} of the Jaccard, in "
    f"{OFTEN:.0%} of the epochs, where the statistics look back {STEPS:g} steps; or, in epochs not measured, the "
    f"validation metric falls below {BEHIND:.2g} of the training's, beside a loss of {SPIKE:g} times its own, and "
    "comes back",
    source=f"{RULE_OF_THUMB}; the mean of the last 1 / (1 − momentum) steps: Ioffe and Szegedy (2015)",
    advice="momentum 0.9 in each BatchNormalization (Keras' default is 0.99), or GroupNormalization, which has no "
    "moving statistics.",
    expected="validation follows training from the first epochs on, and its loss no longer spikes.",
    refuted="the two modes agree on the same images (`TrainInferenceGapMonitor`): then the sets differ.",
    normal="in the first 1 / (1 − momentum) steps.",
    explains=("metric.falls", "metric.jumps", "metric.gap", "metric.end", "metric.nothing", "metric.low", "metric.flat",
              "loss.rose", "loss.flat", "stability", "validation.behind"),
)  # fmt: skip
LIMITS = (LIMIT,)
MODES = ("training_loss", "inference_loss", "training_jaccard", "inference_jaccard")
NEEDS = (Need(MODES, "TrainInferenceGapMonitor"),)

_NAME = "moving statistics"


def find(evidence: Evidence) -> Iterator[Finding]:
    """Measured on the same images, or else told from the curves, where what was measured does not speak against it."""
    if not can_lag(evidence):
        return
    measured = evidence.recorded(*MODES, "epoch")
    if measured is None:
        yield from _by_curves(evidence)
        return
    found = list(_measured(evidence, *measured))
    (*modes, epochs), looked = measured, np.isfinite(measured[0])
    apart = modes_apart(*modes, begin=0)
    looked[:BEGIN] = False
    yield from found or _by_curves(evidence, epochs[looked & ~apart], "high" if apart.any() else "medium")


def lag(evidence: Evidence) -> tuple[float, float, int] | None:
    """The largest momentum, the epochs that its statistics look back, and the steps an epoch; None where not known."""
    steps = evidence.steps_per_epoch
    momenta = _momenta(evidence)
    if not momenta or steps is None:
        return None
    momentum = max(momenta)
    return momentum, (1 / (1 - momentum) / steps if momentum < 1 else float("inf")), steps


def lags(evidence: Evidence) -> bool:
    """Whether statistics look back further than an epoch: the faster the weights move, the farther they are behind."""
    known = lag(evidence)
    return known is not None and known[1] > EPOCHS


def can_lag(evidence: Evidence) -> bool:
    """Whether any moving statistics that move look back far enough; yes where that is not known."""
    if evidence.setup.get("norms") is None:
        return True
    return any(momentum >= 1 or 1 / (1 - momentum) >= STEPS for momentum in _momenta(evidence))


def _momenta(evidence: Evidence) -> list[float]:
    """Of the norms whose statistics move."""
    return [float(norm["momentum"]) for norm in evidence.batch_norms if norm.get("trainable", True)]


def modes_apart(
    training: NDArray[np.float64],
    inference: NDArray[np.float64],
    trained: NDArray[np.float64],
    inferred: NDArray[np.float64],
    *,
    begin: int = BEGIN,
) -> NDArray[np.bool_]:
    """In which epochs after the first ones the same images cost far more in inference, and lose much Jaccard."""
    loses = (_finite(trained) - _finite(inferred) > LOST) | ~np.isfinite(trained)
    apart = np.isfinite(training) & ((inference > TIMES * training) | ~np.isfinite(inference)) & loses
    if len(apart) > 2 * begin + 1:
        apart[:begin] = False
    return apart


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nan)


def _measured(
    evidence: Evidence,
    training: NDArray[np.float64],
    inference: NDArray[np.float64],
    trained: NDArray[np.float64],
    inferred: NDArray[np.float64],
    epochs: NDArray[np.float64],
) -> Iterator[Finding]:
    known = np.isfinite(training)
    apart = modes_apart(training, inference, trained, inferred)
    if apart.sum() < max(2, OFTEN * known.sum()):
        return
    lost = np.nan_to_num(_finite(trained) - _finite(inferred))
    worst = int(np.argmax(np.where(apart, lost if (lost[apart] > 0).any() else np.nan_to_num(inference), -1)))
    text = (
        f"the same images in training and inference mode: loss {training[worst]:.3g} and {inference[worst]:.3g}, "
        f"Jaccard {trained[worst]:.2f} and {inferred[worst]:.2f}, in epoch {int(epochs[worst]) + 1}; so in "
        f"{apart.sum()} of {known.sum()} epochs{_layer(evidence, worst)}"
    )
    yield _finding(evidence, text, "high", spans(epochs[apart].astype(int).tolist()))


def _by_curves(
    evidence: Evidence, agreed: Sequence[float] | NDArray[np.float64] = (), confidence: str = "medium"
) -> Iterator[Finding]:
    """Told from the curves, unless the modes agreed in one of the epochs in which validation was gone."""
    if evidence.metric is None or not evidence.metric_rises:
        return
    names = (evidence.metric, f"val_{evidence.metric}", "loss", "val_loss")
    if any(name not in evidence.curves for name in names):
        return
    shared = set.intersection(*(set(evidence.curves[name].epochs.tolist()) for name in names))
    trained, validated, loss, val_loss = (
        evidence.curves[name].values[np.isin(evidence.curves[name].epochs, list(shared))] for name in names
    )
    epochs = np.array(sorted(shared))
    gone = (trained > KNOWN) & (validated < BEHIND * trained) & ~(val_loss < SPIKE * loss)
    reached, could = (float(np.max(values, initial=0.0, where=np.isfinite(values))) for values in (validated, trained))
    recovers = reached >= RECOVERS * could
    known = lag(evidence)
    if gone.sum() < max(2, OFTEN * len(gone)) or not (recovers or lags(evidence)):
        return
    if (known is not None and known[1] < EPOCHS / 2) or np.isin(epochs[gone], agreed).any():
        return
    text = (
        f"{readable(f'val_{evidence.metric}')} below {BEHIND:.2g} of the training's in {gone.sum()} of {len(gone)} "
        f"epochs, with a validation loss of more than {SPIKE:g} times the training's"
        f"{', and back at ' + format(reached, '.2f') if recovers else ''}"
    )
    yield _finding(evidence, text, confidence, spans(epochs[gone].tolist()))


def _finding(evidence: Evidence, text: str, confidence: str, epochs: tuple[Span, ...]) -> Finding:
    known = lag(evidence)
    why = "its moving statistics lag behind its weights"
    if known is not None:
        momentum, behind, steps = known
        layers = len(evidence.batch_norms)
        text += f"; momentum {momentum:g} in {layers} layers looks back {behind:.1f} epochs of {steps} steps"
        why += f" (momentum {momentum:g}, {steps} steps an epoch)"
    elif evidence.steps_per_epoch:
        text += f"; an epoch has {evidence.steps_per_epoch} steps"
        why += f" ({evidence.steps_per_epoch} steps an epoch)"
    curves = [name for name in ("val_loss", f"val_{evidence.metric}") if name in evidence.curves]
    return LIMIT.finding("ill", _NAME, text, why, confidence=confidence, epochs=epochs, curves=curves)


def _layer(evidence: Evidence, place: int) -> str:
    """The layer whose statistics were farthest off in an epoch."""
    layers = evidence.record("mean_distance").get("mean_distance", {})
    distances = {name: float(values[place]) for name, values in layers.items() if np.isfinite(values[place])}
    if not distances:
        return ""
    layer = max(distances, key=lambda name: distances[name])
    return f", most in {layer} ({distances[layer]:.1f} standard deviations)"
