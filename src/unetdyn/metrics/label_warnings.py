"""What labels hold that no loss and no index can take, and what to do about it: words that fit what was seen."""

from collections.abc import Iterator
from dataclasses import dataclass

_VOID = (254, 255, 65534, 65535)
_DIVISORS = (255, 65535, 255**2)


@dataclass(frozen=True)
class Labels:
    """What was seen of labels that count.

    Attributes:
        lowest: The smallest label, or 0 where none is negative.
        smallest: The smallest label above 0; 0 where there is none.
        largest: The largest label, or 0 where none is above it.
        background: Whether any label is at most ½.
        nonfinite: Whether any is NaN or infinite.
        empty_row: Whether a pixel of one-hot labels belongs to no class, where classes exclude each other.
        channels: Channels of the predictions.
        sparse: Whether labels are class numbers for several channels.
    """

    lowest: float = 0.0
    smallest: float = 0.0
    largest: float = 0.0
    background: bool = True
    nonfinite: bool = False
    empty_row: bool = False
    channels: int = 1
    sparse: bool = False


def label_warnings(labels: Labels, scored: bool = True) -> Iterator[tuple[str, str]]:
    """Codes of warnings and their texts; none for labels that are as they should be.

    Args:
        labels: What was seen.
        scored: Whether a metric says it, which goes on counting; False for a loss, which can't.

    Example:
        >>> [code for code, text in label_warnings(Labels(smallest=255, largest=255))]
        ['labels.scale']
        >>> list(label_warnings(Labels(smallest=1, largest=1)))
        []
    """
    found = _of_class_numbers(labels) if labels.sparse else _of_masks(labels, scored)
    if found is not None:
        yield found
    if labels.nonfinite:
        yield (
            "labels.nonfinite",
            "`y_true` holds NaN or infinite values, which no loss can take. Look for masks with such values, or for a "
            "division by 0 that made them.",
        )
    if labels.empty_row:
        yield (
            "labels.unknown_class",
            "`y_true` has pixels whose one-hot row is all 0, as void has where it was dropped. They belong to no "
            "class, so that no prediction of them is right. Give them a `sample_weight` of 0, or a class.",
        )


def divided_twice(labels: Labels) -> bool:
    """Whether the foreground is what 1 becomes where 8 or 16 bits are divided once more.

    >>> divided_twice(Labels(smallest=1 / 255, largest=1 / 255)), divided_twice(Labels(smallest=0.3, largest=0.3))
    (True, False)
    """
    alike = labels.smallest == labels.largest
    return alike and any(abs(labels.largest * divisor - 1) < 1e-3 for divisor in _DIVISORS)


def _of_masks(labels: Labels, scored: bool) -> tuple[str, str] | None:
    low, small, large = labels.lowest, labels.smallest, labels.largest
    if low < 0:
        return "labels.scale", (
            f"`y_true` holds values down to {low:g}, as masks of -1 and 1 do, or of {low:g} for pixels without a "
            f"label. {_counted('They were counted as background', scored)} Use `mask > 0` where {low:g} is the "
            f"background, or pass `ignore_label={low:g}`."
        )
    if large > 1:
        return "labels.scale", _above_one(labels, _counted("Everything above 0.5 was counted as foreground", scored))
    if 0 < large <= 0.5:
        why = "as soft masks or wrongly scaled ones do"
        if divided_twice(labels):
            why = "as masks of 0 and 1 do that were divided by 255, or those of 0 and 255 that were divided twice"
        return "labels.scale", (
            f"`y_true` reaches only {large:g}, {why}. {'All of it was counted as background. ' if scored else ''}"
            "Divide masks by their largest value, once."
        )
    if 0 < small < 1:
        why = "as masks do that were resized with interpolation"
        if large < 1:
            why = "and none reaches 1, as labels do that were smoothed, or divided by too much"
        return "labels.fractional", (
            f"`y_true` holds values between 0 and 1, from {small:g} to {large:g}, {why}. Values above 0.5 were counted "
            "as foreground. Unless they are soft on purpose, resize masks with nearest-neighbour interpolation."
        )
    return None


def _counted(how: str, scored: bool) -> str:
    return f"{how}; the loss, though, needs 0 and 1." if scored else "The loss needs 0 and 1, or it has no least value."


def _above_one(labels: Labels, counted: str) -> str:
    small, large = labels.smallest, labels.largest
    if small == large:
        return (
            f"`y_true` holds the values 0 and {large:g} instead of 0 and 1, as 8-bit masks of 0 and 255 do. {counted} "
            f"Divide the masks by {large:g}, or use `mask > 0`."
        )
    if not labels.background:
        return (
            f"`y_true` holds no 0: its values begin at {small:g} and reach {large:g}. {counted} If {small:g} is the "
            f"background, use `mask > {small:g}`."
        )
    if small == 1 and large in _VOID:
        return (
            f"`y_true` holds 0, 1 and values to {large:g}, which often marks pixels without a label. {counted} Pass "
            f"`ignore_label={large:g}`, or give such pixels a `sample_weight` of 0."
        )
    if small >= 1:
        return (
            f"`y_true` holds 0 and values from {small:g} to {large:g}, as class numbers, the numbers of single objects "
            f"or 8-bit greys are. {counted} Use `mask > 0` of objects, `mask > {large / 2:g}` of greys, or a channel "
            "for each class."
        )
    return (
        f"`y_true` holds values above 1, from {small:g} to {large:g}, as greys do that are no mask yet. {counted} "
        f"Use `mask > {large / 2:g}`."
    )


def _of_class_numbers(labels: Labels) -> tuple[str, str] | None:
    low, small, large, channels = labels.lowest, labels.smallest, labels.largest, labels.channels
    none = f"none of the model's {channels} channels, which are 0 to {channels - 1}"
    counted = "Such pixels were counted as belonging to no class."
    if low < 0 or large in _VOID:
        void = low if low < 0 else large
        return "labels.unknown_class", (
            f"`y_true` holds the class number {void:g}, {none}, as for unlabelled pixels. {counted} Pass "
            f"`ignore_label={void:g}`, or give such pixels a `sample_weight` of 0."
        )
    if 0 < small < 1:
        return "labels.fractional", (
            f"`y_true` holds class numbers that are not whole, such as {small:g}, as masks do that were divided by 255 "
            f"or resized with interpolation. {counted} Use the class numbers themselves."
        )
    if large == channels and not labels.background:
        return "labels.unknown_class", (
            f"`y_true` holds class numbers from {small:g} to {large:g}, and {large:g} is {none}. {counted} They seem "
            "to begin at 1: subtract 1."
        )
    if large > channels - 1:
        return "labels.unknown_class", (
            f"`y_true` holds class numbers to {large:g}, which is {none}. {counted} Give the model a channel for each "
            f"class, or, where {large:g} marks pixels without a label, pass `ignore_label={large:g}`."
        )
    return None
