"""What `NoiseScaleMonitor` tells of the gradient noise scale: its size, what the batch size costs, what is amiss."""

from typing import Protocol

from unetdyn.analysis.diagnosis.finding import Finding

CONTROLLED = (
    "a control changed gradients before they were accumulated. Keras' own clipping (`global_clipnorm`) acts after "
    "that, and leaves them to be compared"
)

ESTIMATE = "noise_scale.estimate"

_NAME = "noise scale"


class Estimate(Protocol):
    """What is needed of a gradient noise scale, in samples; `reason` says why it is undetermined."""

    @property
    def value(self) -> float:
        """trΣ / |G|²; NaN where undetermined."""
        ...

    @property
    def low(self) -> float:
        """Lower end of its interval."""
        ...

    @property
    def high(self) -> float:
        """Upper end of its interval."""
        ...

    @property
    def observations(self) -> int:
        """From how many observations."""
        ...

    @property
    def reason(self) -> str:
        """Why it is undetermined; empty where it is determined."""
        ...


def noise_scale_estimate(found: Estimate, batch: int, unit: str, window: int, confidence: float) -> Finding:
    """An estimate.

    Args:
        found: The estimate.
        batch: How many samples an update uses.
        unit: What was observed, in the plural.
        window: How many observations count.
        confidence: Of the interval.
    """
    source = f"{found.observations} {unit}"
    if found.reason:
        bound = f", but above {found.low:.3g} samples" if found.low > 0 else ""
        full = found.observations >= window and found.reason != CONTROLLED
        more = f" A `window` longer than {window} may tell." if full else ""
        seen = f"The gradient noise scale is undetermined{bound}, from {source}: {found.reason}.{more}"
    else:
        seen = (
            f"The gradient noise scale is {found.value:.3g} samples ({confidence:.0%} interval {found.low:.3g} to "
            f"{found.high:.3g}), from {source}. {_cost(found, batch)}"
        )
    return Finding(ESTIMATE, "unknown", _NAME, seen)


def batch_size_unknown(epoch: int) -> Finding:
    """No batch size could be told."""
    seen = (
        f"NoiseScaleMonitor: the batch size could not be told from what the loss counted in epoch {epoch + 1}, so the "
        "noise scale is undetermined. Pass `batch_size=` what you pass to `fit`."
    )
    return Finding("noise_scale.batch_size_unknown", "watch", _NAME, seen)


def batch_size_differs(epoch: int, samples: int, steps: int, counted: int, given: int) -> Finding:
    """The batch size that was given is not the one that the loss counted."""
    seen = (
        "NoiseScaleMonitor: `batch_size` must be what `fit` uses, of one micro-batch under accumulation: the noise "
        f"scale is wrong by the same factor. In epoch {epoch + 1} the loss counted {samples} samples in {steps} steps, "
        f"about {counted} in each. Received: batch_size={given}. Leave it out, unless something evaluates the model in "
        "the midst of an epoch: then the loss counts only what came after."
    )
    return Finding("noise_scale.batch_size_differs", "watch", _NAME, seen)


def side(found: Estimate, batch: int) -> int:
    """Whether the batch lies below (−1), in (0) or above (1) the interval."""
    return int(batch > found.high) - int(batch < found.low)


def _cost(found: Estimate, batch: int) -> str:
    """What the batch in use costs, by S = S_min (1 + B_crit/B) and E = E_min (1 + B/B_crit) of the paper."""
    where = {-1: "below that: a larger batch would save steps", 0: "within it", 1: "above that: a smaller one would do"}
    steps, samples = 1 + found.value / batch, 1 + batch / found.value
    return (
        f"Updates use {batch} samples, {where[side(found, batch)]}. That takes about {steps:.3g} times the fewest "
        f"possible steps and {samples:.3g} times the fewest samples; a batch of {found.value:.2g} takes twice either."
    )
