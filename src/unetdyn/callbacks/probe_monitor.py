"""What the monitors share that look at a few fixed images between epochs."""

import abc
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras.src.utils import io_utils  # the public keras.utils does not export it
from numpy.typing import NDArray

from unetdyn._checks import check_count, check_fraction, plain
from unetdyn.analysis.diagnosis.messages import probe as messages
from unetdyn.callbacks.monitor import Monitor
from unetdyn.callbacks.probe_set import BATCH_SIZE, IMAGES, NoProbeError, Probe, check_probe, validation_probe
from unetdyn.dynamics.backend import backend

BUDGET = 0.02


@dataclass(frozen=True)
class ProbeCost:
    """What looking at the probe set cost.

    Attributes:
        seconds: All in all, the compilation in the first epoch of each `fit` with it.
        training_seconds: Of all epochs, without this.
        measured: In how many epochs it looked.
        epochs: How many there were.
    """

    seconds: float = 0.0
    training_seconds: float = 0.0
    measured: int = 0
    epochs: int = 0

    def __str__(self) -> str:
        share = f", {self.seconds / self.training_seconds:.1%} of the training's" if self.training_seconds else ""
        return f"{self.seconds:.3g} s{share}, in {self.measured} of {self.epochs} epochs"


class ProbeMonitor(Monitor):
    """Looks at a probe set after each epoch, as long as its time stays within a budget.

    A subclass gives `_measure`, what it records of an epoch, and `_modes`, whether it calls the model for inference,
    for training or both.

    The first epoch of each `fit`, in which the training's step and the look are compiled, is always measured and counts
    on neither side of the budget; the last one is measured too, where `fit` tells which that is.

    Args:
        probe: (images, masks), or None for images of the validation data.
        images: At most so many.
        batch_size: How many of them go through the model at once.
        budget: Share of the training's time; None for every epoch, whatever it takes.
        name: As in `Monitor`.
        verbose: 1 also prints at the end what it cost.
    """

    _modes: tuple[bool, ...] = (False,)
    _probe: Probe | None
    _without: bool  # whether there is no probe, and there will be none
    _waiting: bool  # whether it was said that there is none yet

    def __init__(
        self,
        probe: Any = None,
        images: int = IMAGES,
        batch_size: int = BATCH_SIZE,
        budget: float | None = BUDGET,
        name: str | None = None,
        verbose: int = 0,
    ) -> None:
        check_probe(probe)
        check_count("images", images, least=1, unit="images")
        check_count("batch_size", batch_size, least=1, unit="images")
        if budget is not None:
            check_fraction("budget", budget, one=True, otherwise="or None for every epoch")
        self.probe = probe
        self.images, self.batch_size, self.budget = map(plain, (images, batch_size, budget))
        self._looks: dict[bool, Callable[..., Any]] = {}
        self._compiles = True  # as long as this `fit` has looked at nothing
        self._began = time.perf_counter()
        super().__init__(name, verbose)

    @property
    def record(self) -> dict[str, Any]:
        """What was seen, as arrays with one element an epoch."""
        arrays: dict[str, Any] = {"epoch": np.array(self._epochs, dtype=np.int64)}
        for key in self._columns():
            arrays[key] = np.array([row.get(key, np.nan) for row in self._rows], dtype=np.float64)
        return arrays | {"seconds": np.array(self._seconds, dtype=np.float64)}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """What was compiled belongs to another `fit`, and maybe to another model."""
        self._looks, self._compiles = {}, True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        super().on_epoch_begin(epoch, logs)
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Measure if the budget allows, and write into `logs`."""
        start = time.perf_counter()
        probe = self._settled_probe()
        row = self._attempt(probe) if probe is not None and self._due(logs or {}) else {}
        if self._probe is not None:
            self._epochs.append(self._epoch)
            self._rows.append(row)
            self._seconds.append(time.perf_counter() - start if row else 0.0)
            self._put_into_logs(logs, self._logged(row))
        self._count(start - self._began, time.perf_counter() - start, looked=bool(row) or self._without)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Let go of the model, and say what it cost."""
        self._looks = {}
        cost = self.results.get("cost")
        if self.verbose and cost is not None:
            io_utils.print_msg(f"{type(self).__name__} took {cost}.")

    @abc.abstractmethod
    def _columns(self) -> tuple[str, ...]:
        """The arrays of the record with one number an epoch."""

    @abc.abstractmethod
    def _measure(self, probe: Probe) -> dict[str, Any]:
        """What is recorded of this epoch; NaN where it can't be told."""

    @abc.abstractmethod
    def _logged(self, row: dict[str, Any]) -> dict[str, float]:
        """What goes into `logs`; the row is empty where the epoch was skipped."""

    def _forward(self, probe: Probe) -> list[dict[bool, dict[str, Any]]]:
        """Of each batch and mode, what `_one_mode` gives, on the host."""
        if not self._looks:  # one for each mode: what is assigned in one must not be seen in the other
            looks = {mode: partial(self._one_mode, training=mode) for mode in self._modes}
            self._looks = {mode: backend.without_effects(self.model, look) for mode, look in looks.items()}
        return [
            self._on_host(*keras.tree.map_structure(keras.ops.convert_to_tensor, batch)) for batch in probe.batches()
        ]

    def _on_host(self, x: Any, y: Any) -> dict[bool, dict[str, Any]]:
        found = {mode: look(x, y) for mode, look in self._looks.items()}
        return {mode: keras.tree.map_structure(keras.ops.convert_to_numpy, each) for mode, each in found.items()}

    def _one_mode(self, x: Any, y: Any, training: bool) -> dict[str, Any]:
        """Tensors of one call of the model; a subclass adds its own. No variable keeps what is assigned here."""
        del y
        return {"outputs": in_float32(self.model(x, training=training))}

    def _attempt(self, probe: Probe) -> dict[str, Any]:
        """Images that the monitor took by itself never stop a training."""
        try:
            return self._measure(probe)
        except Exception as error:
            if self.probe is not None:
                raise
            self._probe, self._without = None, True
            reason = f"the model could not be called with the validation images ({type(error).__name__}: {error})"
            self.report(messages.no_probe(type(self).__name__, reason))
            return {}

    def _settled_probe(self) -> Probe | None:
        """The probe; None where there is none, which is said once."""
        if self._probe is None and not self._without:
            try:
                self._probe = self._new_probe()
            except NoProbeError as reason:
                self._without = True
                self.report(messages.no_probe(type(self).__name__, str(reason)))
        if self._probe is None and not self._without and not self._waiting:
            self._waiting = True
            waits = "this epoch had no validation, and it begins with the first one"
            self.report(messages.no_probe(type(self).__name__, waits))
        return self._probe

    def _new_probe(self) -> Probe | None:
        if self.probe is None:
            return validation_probe(self.model, self.images, self.batch_size)
        x, y = self.probe
        return Probe.of(x, y, self.images, self.batch_size)

    def _due(self, logs: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Whether to look in this epoch."""
        return self._within_budget() or self._is_last() or self._compiles

    def _within_budget(self) -> bool:
        return self.budget is None or self._spent <= self.budget * self._trained

    def _is_last(self) -> bool:
        return self._epoch + 1 == self._epoch_count.planned(self.params) or bool(self.model.stop_training)

    def _count(self, training: float, own: float, looked: bool) -> None:
        """The first epoch that a `fit` measured is left out of the budget's both sides, and not of the cost."""
        if not self._compiles:
            self._spent += own
            self._trained += training
        self._compiles = self._compiles and not looked
        before = self.results.get("cost", ProbeCost())
        measured = sum(map(bool, self._rows))
        self.results["cost"] = ProbeCost(
            before.seconds + own, before.training_seconds + training, measured, before.epochs + 1
        )

    def _say_once(self, what: str, reason: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self.report(messages.not_measured(type(self).__name__, what, reason))

    def _restart(self) -> None:
        super()._restart()
        self._probe = None
        self._without = self._waiting = False
        self._spent = self._trained = 0.0
        self._epochs: list[int] = []
        self._rows: list[dict[str, Any]] = []
        self._seconds: list[float] = []
        self._said: set[str] = set()

    def get_state(self) -> dict[str, Any]:
        """With what was seen; not the images, which are there again, nor what is compiled, which is not."""
        return super().get_state() | {
            "without": self._without,
            "waiting": self._waiting,
            "spent": self._spent,
            "trained": self._trained,
            "epochs": list(self._epochs),
            "rows": list(self._rows),
            "seconds": list(self._seconds),
            "said": sorted(self._said),
            "cost": asdict(self.results["cost"]) if "cost" in self.results else None,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._without, self._waiting = state["without"], state["waiting"]
        self._spent, self._trained = state["spent"], state["trained"]
        self._epochs, self._rows, self._seconds = (list(state[name]) for name in ("epochs", "rows", "seconds"))
        self._said = set(state["said"])
        self.results = {} if state["cost"] is None else {"cost": ProbeCost(**state["cost"])}


def in_float32(outputs: Any) -> Any:
    """Of whatever structure and precision."""
    return keras.tree.map_structure(lambda each: keras.ops.cast(each, "float32"), outputs)


@dataclass(frozen=True, eq=False)
class Maps:
    """What a model with one map of probabilities said of the probe images.

    Attributes:
        target: `(images, height, width)`.
        probabilities: The same shape, in [0, 1].
        above: Where the prediction is above the threshold.
    """

    target: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    above: NDArray[np.bool_]


def maps_of(outputs: Any, y: Any, from_logits: bool) -> Maps:
    """Read a model's outputs as one map of probabilities; of a list of them the first, as under deep supervision.

    Args:
        outputs: `(images, ..., 1)`, or without the last axis; or a list of such.
        y: Targets; above one half is object. Of several outputs one for each.
        from_logits: Whether they are logits, whose threshold is 0.

    Raises:
        ValueError: If they are no probabilities of one class; the text says why, as the rest of a sentence.
    """
    outputs, y = (each[0] if isinstance(each, list | tuple) else each for each in (outputs, y))
    if not hasattr(outputs, "shape") or not hasattr(y, "shape"):
        raise ValueError("the model has several outputs, by name, and none of them is the first")
    p = np.asarray(outputs)
    one_channel = p.ndim >= 2 and p.shape[-1] == 1
    p = p[..., 0] if one_channel else p
    if y.shape == (*p.shape, 1):
        y = y[..., 0]
    if y.shape != p.shape or not (one_channel or p.ndim == 3):
        raise ValueError(f"outputs of shape {outputs.shape[1:]} and masks of shape {y.shape[1:]} are not of one class")
    if not np.isfinite(p).all():
        raise ValueError("outputs are not finite")
    if not from_logits and (p.min() < 0 or p.max() > 1):
        raise ValueError(f"outputs from {p.min():.3g} to {p.max():.3g} are no probabilities")
    above = p > 0 if from_logits else p > np.float32(0.5)
    if from_logits:
        p = 1 / (1 + np.exp(-np.clip(p, -80, 80)))
    while p.ndim < 3:
        p, y, above = p[:, None], y[:, None], above[:, None]
    return Maps(y > 0.5, p.astype(np.float32), above)
