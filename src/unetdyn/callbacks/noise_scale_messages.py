"""What a person is told about the gradient noise scale: its size, what the batch size costs, what is amiss."""

from unetdyn.analysis.gradient_noise import NoiseScale

CONTROLLED = (
    "a control changed gradients before they were accumulated. Keras' own clipping (`global_clipnorm`) acts after "
    "that, and leaves them to be compared"
)


def sentence(found: NoiseScale, batch: int, unit: str, window: int, confidence: float) -> str:
    """An estimate, from so many of `unit`, where updates use `batch` samples."""
    source = f"{found.observations} {unit}"
    if not found.determined:
        bound = f", but above {found.low:.3g} samples" if found.low > 0 else ""
        full = found.observations >= window and found.reason != CONTROLLED
        more = f" A `window` longer than {window} may tell." if full else ""
        return f"The gradient noise scale is undetermined{bound}, from {source}: {found.reason}.{more}"
    return (
        f"The gradient noise scale is {found.value:.3g} samples ({confidence:.0%} interval {found.low:.3g} to "
        f"{found.high:.3g}), from {source}. {_advice(found, batch)}"
    )


def unsized(epoch: int) -> str:
    """No batch size could be told."""
    return (
        f"the batch size could not be told from what the loss counted in epoch {epoch + 1}, so the noise scale is "
        "undetermined. Pass `batch_size=` what you pass to `fit`."
    )


def other_size(epoch: int, samples: int, steps: int, counted: int, given: int) -> str:
    """The batch size that was given is not the one that the loss counted."""
    return (
        "`batch_size` must be what `fit` uses, of one micro-batch under accumulation: the noise scale is wrong by the "
        f"same factor. In epoch {epoch + 1} the loss counted {samples} samples in {steps} steps, about {counted} in "
        f"each. Received: batch_size={given}. Leave it out, unless something evaluates the model in the midst of an "
        "epoch: then the loss counts only what came after."
    )


def _advice(found: NoiseScale, batch: int) -> str:
    """What the batch in use costs, by S = S_min (1 + B_crit/B) and E = E_min (1 + B/B_crit) of the paper."""
    where = {-1: "below that: a larger batch would save steps", 0: "within it", 1: "above that: a smaller one would do"}
    steps, samples = 1 + found.value / batch, 1 + batch / found.value
    return (
        f"Updates use {batch} samples, {where[side(found, batch)]}. That takes about {steps:.3g} times the fewest "
        f"possible steps and {samples:.3g} times the fewest samples; a batch of {found.value:.2g} takes twice either."
    )


def side(found: NoiseScale, batch: int) -> int:
    """Whether the batch lies below (−1), in (0) or above (1) the interval."""
    return int(batch > found.high) - int(batch < found.low)
