"""The names under which other frameworks and trackers log a value, as Keras would call it."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

_AXES = re.compile(
    r"(epoch/|trainer/)?(_?step|global_step|steps|_runtime|_timestamp|timestamp|wall[ _]time|relative time.*)", re.I
)
_STEPS = re.compile(r"(trainer/)?(_?step|global_step)", re.I)
_EPOCHS = re.compile(r"(epoch/|trainer/|train/)?epoch", re.I)
_NO_EPOCH = re.compile(r"batch[/_].+|system[/.].+|.+__(MIN|MAX)|evaluation_.+_vs_iterations")
_VALIDATION = re.compile(
    r"(val|valid|validation|eval)[/_. -](?P<of>.+)|(?P<by>.+)[/_. -](val|valid|validation|eval)", re.I
)
_TRAINING = re.compile(
    r"(train|training|tr)[/_. -](?P<of>.+)|(?P<by>.+)[/. -](train|training)|(?P<end>loss)_train", re.I
)


@cache  # asked of each cell of a long log
def is_epoch(name: str) -> bool:
    """Whether a column numbers the epochs.

    >>> [is_epoch(name) for name in ("epoch", "Epoch", "epoch/epoch", "epoch_loss")]
    [True, True, True, False]
    """
    return _EPOCHS.fullmatch(name) is not None


@cache  # asked of each cell of a long log
def is_step(name: str) -> bool:
    """Whether a column numbers the steps.

    >>> [is_step(name) for name in ("step", "_step", "Step", "trainer/global_step", "loss_step")]
    [True, True, True, True, False]
    """
    return _STEPS.fullmatch(name) is not None


@cache  # asked of each cell of a long log
def is_axis(name: str) -> bool:
    """Whether a column says when something was logged, and is no curve itself.

    >>> [is_axis(name) for name in ("epoch", "_step", "_runtime", "Wall time", "seconds")]
    [True, True, True, True, False]
    """
    return is_epoch(name) or _AXES.fullmatch(name) is not None


def keras_names(names: Iterable[str]) -> dict[str, str]:
    """Logged name → the name that Keras gives to the same; what is no value of an epoch is left out.

    `train_loss` and `Loss/train` are `loss`, `valid_loss`, `val/loss` and `Loss/val` are `val_loss`, TensorBoard's
    `epoch_loss` and W&B's `epoch/loss` are `loss`. A name that Keras may have written itself stays: where both
    `train_iou` and `val_train_iou` were logged, the metric is called `train_iou`. So does one whose new name is taken.

    Args:
        names: All that was logged together.

    Example:
        >>> keras_names(["train/loss", "val/loss", "val_dice", "acc_step", "acc_epoch", "system/gpu"])
        {'val_dice': 'val_dice', 'train/loss': 'loss', 'val/loss': 'val_loss', 'acc_epoch': 'acc'}
    """
    known = [name for name in dict.fromkeys(names) if not is_axis(name) and not _NO_EPOCH.fullmatch(name)]
    known = [name for name in known if f"{name.removesuffix('_step')}_epoch" not in known]
    wished = {name: _keras_name(name, known) for name in known}
    found = {name: name for name in known if wished[name] == name}
    for name in known:
        wish = wished[name]
        found.setdefault(name, name if wish in found.values() else wish)
    return found


def with_keras_names(logs: Mapping[str, Any]) -> dict[str, Any]:
    """A dictionary of lists under the names of Keras; `epoch` stays.

    >>> with_keras_names({"epoch": [0, 1], "train_loss": [0.9, 0.5]})
    {'epoch': [0, 1], 'loss': [0.9, 0.5]}
    """
    names = keras_names(name for name in logs if isinstance(name, str))
    return {names.get(name, name): values for name, values in logs.items() if name in names or name == "epoch"}


def _keras_name(name: str, known: list[str]) -> str:
    if f"val_{name}" in known:
        return name
    base = re.sub(r"^epoch[/_](?=.)", "", name)
    base = base.removesuffix("_epoch")
    if f"val_{base}" in known or base.startswith("val_"):
        return base
    for pattern, prefix in ((_VALIDATION, "val_"), (_TRAINING, "")):
        if match := pattern.fullmatch(base):
            value = next(filter(None, match.groupdict().values()))
            return prefix + _usual(value)
    return _usual(base)


def _usual(value: str) -> str:
    """A loss and a learning rate under the names that analyses look for; any other as it is."""
    if value.lower() == "loss":
        return "loss"
    return "learning_rate" if re.fullmatch(r"lr(-\w+)?|LR", value) else value
