"""What of a training in stages can be compared: a loss, as long as it is the same one."""

from collections.abc import Mapping, Sequence
from typing import Any

from unetdyn.analysis.curves import Curves

LOSSES = ("loss", "val_loss")


def loss_since(recorded: Sequence[Any], curves: Curves) -> int:
    """The first epoch of the loss that the training ended with; 0 where it never had another.

    Args:
        recorded: The stages, as `unetdyn.runs.Run.stages` has them.
        curves: What was logged.

    Example:
        >>> losses = {0: "dice", 2: "focal"}
        >>> stages = [{"epoch": epoch, "setup": {"loss": {"name": name}}} for epoch, name in losses.items()]
        >>> loss_since(stages, Curves({"loss": ([0, 1, 2], [0.9, 0.8, 0.1])}))
        2
    """
    known = [each for each in recorded if isinstance(each, Mapping)] if isinstance(recorded, list | tuple) else []
    since, before = 0, None
    for stage in known:
        epoch, setup = stage.get("epoch"), stage.get("setup")
        loss = setup.get("loss") if isinstance(setup, Mapping) else None
        if type(epoch) is not int or loss is None:
            continue
        logged = [name for name in LOSSES if name in curves]
        begun = all((curves[name].epochs >= epoch).any() for name in logged)
        if before is not None and loss != before and begun:
            since = epoch
        before = loss
    return since


def comparable(curves: Curves, since: int) -> Curves:
    """The same curves, the losses only from that epoch on: what another loss was before says nothing of this one.

    >>> comparable(Curves({"loss": ([0, 1, 2], [0.9, 0.8, 0.1])}), since=1)["loss"].values.tolist()
    [0.8, 0.1]
    """
    if not since:
        return curves
    kept = {name: curve.epochs >= (since if name in LOSSES else 0) for name, curve in curves.items()}
    shortened = {name: (curve.epochs[kept[name]], curve.values[kept[name]]) for name, curve in curves.items()}
    return Curves(shortened, curves.source, curves.log_keys, curves.stages)
