"""What `BatchMonitor` tells of inputs, targets and outputs, from the numbers of an epoch."""

from collections.abc import Iterator, Mapping
from math import hypot

from unetdyn.analysis.diagnosis.causes.values import LARGE
from unetdyn.analysis.diagnosis.finding import Finding

UNSCALED_RMS = 3.0  # a bright spot in a standardised image is no lack of scaling
OUTSIDE = 1e-3  # of [0, 1]: half precision rounds
ALIKE = 1e-6  # of the outputs' size

_RULE = "rule of thumb"
_COMMON_SCALES = (255.0, 65535.0)

Sets = Mapping[str, Mapping[str, float]]
"""`"training"`, and `"validation"` where there was one → the numbers of an epoch, as in the record."""


def of_an_epoch(
    sets: Sets, masks: bool, probabilities: bool, scales_inputs: bool, several_values: bool
) -> Iterator[Finding]:
    """All that an epoch's numbers give cause for.

    Args:
        sets: The numbers.
        masks: Whether the loss takes targets of 0 and 1.
        probabilities: Whether the loss takes outputs from 0 to 1.
        scales_inputs: Whether the model has a layer that scales its inputs.
        several_values: Whether an output has several values an image.
    """
    yield from _nonfinite(sets)
    yield from _label_scale(sets, masks)
    if masks:
        yield from _label_kinds(sets)
    if not scales_inputs:
        yield from _unscaled(sets)
    if probabilities:
        yield from _range(sets)
    yield from _constant(sets, several_values)


def _nonfinite(sets: Sets) -> Iterator[Finding]:
    advice = {
        "input": "look for images with NaN or infinity: a division by a standard deviation of 0 makes them.",
        "target": "look for masks with NaN or infinity; none belongs into a target.",
        "output": (
            "if inputs are finite, the weights or the activations are not: a lower learning rate, gradient clipping, "
            "and a loss that takes logits."
        ),
    }
    codes = {"input": "inputs.nonfinite", "target": "labels.nonfinite", "output": "outputs.nonfinite"}
    for part, code in codes.items():
        found = {name: numbers[f"{part}_nonfinite"] for name, numbers in sets.items()}
        found = {name: share for name, share in found.items() if share > 0}
        if found:
            shares = _each(found, "{:.2g} of all values")
            seen = f"{part.capitalize()}s are NaN or infinite: {shares}."
            yield Finding(code, "watch", f"{part}s", seen, threshold="any", source=_RULE, advice=advice[part])


def _label_scale(sets: Sets, masks: bool) -> Iterator[Finding]:
    largest = {name: numbers["target_max"] for name, numbers in sets.items()}
    # Other losses than those of masks may want any number; but whole numbers to just 255 are an image that was read.
    image = {
        name
        for name, numbers in sets.items()
        if numbers["target_max"] in _COMMON_SCALES and numbers["target_fractional"] == 0 and numbers["target_min"] == 0
    }
    above = {name: value for name, value in largest.items() if value > 1 and (masks or name in image)}
    if above:
        seen = f"Targets reach above 1: {_each(above, 'up to {:g}')}. The loss takes masks of 0 and 1."
        if not masks:
            seen = f"Targets are whole numbers from 0: {_each(above, 'up to {:g}')}. They look like an unscaled image."
        advice = "divide the masks by their maximum, or take `mask > 0`."
        yield Finding("labels.scale", "watch", "targets", seen, threshold="above 1", source=_RULE, advice=advice)
    below = {name: numbers["target_min"] for name, numbers in sets.items() if numbers["target_min"] < 0}
    if masks and below and not above:
        seen = f"Targets go below 0: {_each(below, 'down to {:g}')}. The loss takes masks of 0 and 1."
        advice = "take `mask > 0` if these are background, or leave them out if they have no label (`ignore_label`)."
        yield Finding("labels.scale", "watch", "targets", seen, threshold="below 0", source=_RULE, advice=advice)


def _label_kinds(sets: Sets) -> Iterator[Finding]:
    """What masks hold besides whole foreground and background, and which of the two they lack."""
    fractional = {name: numbers["target_fractional"] for name, numbers in sets.items() if not numbers["target_max"] > 1}
    fractional = {name: share for name, share in fractional.items() if share > 0}
    if fractional:
        seen = (
            f"Targets are no whole numbers: {_each(fractional, '{:.2g} of all values')}. That is as it should be only "
            "where labels are meant to be soft."
        )
        advice = "resize and rotate masks without interpolation (nearest neighbour), or binarise them afterwards."
        yield Finding("labels.fractional", "watch", "targets", seen, threshold="any", source=_RULE, advice=advice)
    empty = [name for name, numbers in sets.items() if numbers["foreground"] == 0]
    if empty:
        seen = f"No target has any foreground in {' and '.join(empty)}: no value is above 0.5."
        advice = "look whether the masks belong to the images and were read rightly; scores mean nothing without any."
        yield Finding("labels.empty", "watch", "targets", seen, threshold="no value", source=_RULE, advice=advice)
    full = [name for name, numbers in sets.items() if numbers["foreground"] >= 1 - ALIKE]
    if full:
        seen = f"No target has any background in {' and '.join(full)}: every value is above 0.5."
        advice = (
            "look whether the masks were read rightly, and whether labels begin at 1; nothing can be learned of these."
        )
        yield Finding("labels.full", "watch", "targets", seen, threshold="every value", source=_RULE, advice=advice)


def _unscaled(sets: Sets) -> Iterator[Finding]:
    largest = {name: max(numbers["input_max"], -numbers["input_min"]) for name, numbers in sets.items()}
    size = {name: hypot(numbers["input_mean"], numbers["input_std"]) for name, numbers in sets.items()}
    found = {name: value for name, value in largest.items() if value > LARGE and size[name] > UNSCALED_RMS}
    if found:
        seen = f"Inputs are not scaled: {_each(found, 'values as large as {:g}')}."
        advice = "divide images by their largest possible value, or standardise them."
        threshold = f"above {LARGE:g}, and above {UNSCALED_RMS:g} as root mean square"
        yield Finding("inputs.unscaled", "watch", "inputs", seen, threshold=threshold, source=_RULE, advice=advice)


def _range(sets: Sets) -> Iterator[Finding]:
    outside = {
        name: (numbers["output_min"], numbers["output_max"])
        for name, numbers in sets.items()
        if numbers["output_min"] < -OUTSIDE or numbers["output_max"] > 1 + OUTSIDE
    }
    if outside:
        ranges = ", ".join(f"{low:.3g} to {high:.3g} in {name}" for name, (low, high) in outside.items())
        seen = f"Outputs leave [0, 1]: {ranges}. The loss takes probabilities."
        advice = "a sigmoid (softmax) as the last activation, or the loss with `from_logits=True`."
        yield Finding("outputs.range", "watch", "outputs", seen, threshold="[0, 1]", source=_RULE, advice=advice)


def _constant(sets: Sets, several_values: bool) -> Iterator[Finding]:
    which = "output_spread" if several_values else "output_std"
    alike = {
        name: numbers["output_mean"]
        for name, numbers in sets.items()
        if numbers[which] <= ALIKE * max(1.0, abs(numbers["output_mean"]))
    }
    if alike:
        every = "All values of an image are" if several_values else "All images are"
        seen = f"{every} answered alike: {_each(alike, '{:.3g}')} on average."
        advice = (
            "a lower learning rate; look for activations that are all zero or saturated, and compare the loss with "
            "that of the best constant answer."
        )
        yield Finding("outputs.constant", "watch", "outputs", seen, threshold="no spread", source=_RULE, advice=advice)


def _each(found: Mapping[str, float], text: str) -> str:
    return ", ".join(f"{text.format(value)} in {name}" for name, value in found.items())
