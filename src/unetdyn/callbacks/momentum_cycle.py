"""Move the optimizer's momentum against a one-cycle learning rate."""

import weakref
from collections.abc import Hashable
from typing import Any

import keras
import numpy as np

from unetdyn._checks import check_fraction, plain
from unetdyn.analysis import declarations
from unetdyn.callbacks.step_callbacks import StepControl
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Control, OptimizerTap, Rows, Step, detach_all
from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.hooks import Overrides
from unetdyn.dynamics.momentum import hook_momentum, momentum_is_hooked, momentum_name
from unetdyn.dynamics.optimizers import inner
from unetdyn.dynamics.probe import Tensor
from unetdyn.schedules import OneCycle
from unetdyn.schedules.one_cycle import cycled


class MomentumCycle(StepControl):
    """A control that lowers the momentum while a one-cycle learning rate rises, and raises it while the rate falls.

    Adam's β₁ (of AdamW, Nadam, Adamax, Lamb, Lion too), or the `momentum` of SGD and RMSprop, is `max_momentum` at the
    first step, `base_momentum` where the rate is largest, and `max_momentum` again at the end, as PyTorch's
    `OneCycleLR(cycle_momentum=True)` has it, value by value. It acts inside the compiled step, also of several steps an
    execution, and never waits for the host, but on PyTorch, whose updates take numbers.

    The optimizer's own value counts outside of the update: in files that are saved meanwhile, and after the training,
    where PyTorch leaves the cycle's last one. After the cycle, which counts steps as the learning rate does, momentum
    stays at `max_momentum`. SGD in Keras multiplies the velocity, which has the rate in it, by the momentum; PyTorch's
    has not: with a rate that changes they differ, with or without a cycle.

    In `logs`: `momentum`, that of the epoch's last step.

    Args:
        base_momentum: The least, in [0, 1). Default 0.85, PyTorch's and the studies'.
        max_momentum: The largest, in [0, 1), not below `base_momentum`. Default 0.95, PyTorch's and the studies'.
        cycle: The `OneCycle` whose steps it follows. Default: the optimizer's own learning rate.
        verbose: Has nothing to say; here for likeness with other controls.
        name: The key, and the name under which `RunRecorder` keeps the record.

    Attributes:
        record: `step` and `momentum`, arrays of shape `(steps,)`: what each step was made with.

    Raises:
        TypeError: If `cycle` is not a `OneCycle`.
        ValueError: If a momentum is out of its range; or, when training begins, if the optimizer has no momentum, or
            no `OneCycle` for its learning rate and none was given, or another MomentumCycle acts on it.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.AdamW(OneCycle(3e-3, total_steps=10, pct_start=0.5)), "mse")
        >>> cycle = MomentumCycle()
        >>> _ = model.fit(np.ones((10, 1)), np.ones((10, 1)), batch_size=1, verbose=0, callbacks=[cycle])
        >>> [round(float(value), 3) for value in cycle.record["momentum"]]
        [0.95, 0.935, 0.9, 0.865, 0.85, 0.86, 0.885, 0.915, 0.94, 0.95]
        >>> model.optimizer.beta_1
        0.9

    Reference:
        Smith (2018), A disciplined approach to neural network hyper-parameters, on cyclical momentum.
    """

    declaration = declarations.MOMENTUM

    def __init__(
        self,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        cycle: OneCycle | None = None,
        verbose: int = 0,
        name: str = "momentum",
    ) -> None:
        check_fraction("base_momentum", base_momentum, zero=True)
        check_fraction("max_momentum", max_momentum, zero=True)
        if base_momentum > max_momentum:
            raise ValueError(
                "`base_momentum` must not be above `max_momentum`. "
                f"Received: base_momentum={base_momentum!r}, max_momentum={max_momentum!r}."
            )
        if cycle is not None and not isinstance(cycle, OneCycle):
            raise TypeError(f"`cycle` must be a `unetdyn.schedules.OneCycle`. Received: {type(cycle).__name__}.")
        self.base_momentum = plain(base_momentum)
        self.max_momentum = plain(max_momentum)
        self.cycle = cycle
        self._overrides = Overrides()
        super().__init__(name, verbose)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with, JSON-able; `from_config` takes them."""
        arguments = ("base_momentum", "max_momentum", "verbose", "name")
        cycle = keras.saving.serialize_keras_object(self.cycle)
        return {argument: getattr(self, argument) for argument in arguments} | {"cycle": cycle}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MomentumCycle":
        """The control that `get_config` told of, with the cycle in it."""
        return cls(**config | {"cycle": keras.saving.deserialize_keras_object(config["cycle"])})

    def check(self, optimizer: keras.Optimizer) -> OneCycle:
        """The cycle to follow with this optimizer.

        Raises:
            ValueError: If it has no momentum, or there is no cycle.
        """
        updating = inner(optimizer)
        if momentum_name(updating) is None:
            raise ValueError(
                "MomentumCycle needs an optimizer with a momentum that may change: Adam, AdamW, Adamax, Nadam, Lamb or "
                "Lion with a number for `beta_1`; SGD or RMSprop with a `momentum` above 0. "
                f"Received: {type(updating).__name__} without one."
            )
        cycle = self.cycle or getattr(updating, "_learning_rate", None)
        if not isinstance(cycle, OneCycle):
            raise ValueError(
                "MomentumCycle follows the learning rate's `OneCycle`: compile the optimizer with one, or give it as "
                f"`cycle`. Received: a learning rate of {type(cycle).__name__}."
            )
        return cycle

    def probe(self) -> "_Noted":
        """What notes the momentum of each step."""
        updating = inner(self.model.optimizer)
        return _Noted(_Cycle(self.check(updating), self.base_momentum, self.max_momentum), updating._iterations)

    def _attach(self) -> OptimizerTap:
        self._overrides.restore()
        self._overrides = Overrides()
        probe, updating = self.probe(), inner(self.model.optimizer)
        tap = OptimizerTap(self.model, probe, session=self.params, on_detach=self._overrides.restore)
        if momentum_is_hooked(updating):  # asked after the tap has come, which drops what an exception left
            detach_all(self.model, session=self.params)
            raise ValueError(
                "There must be one MomentumCycle an optimizer: leave out the others, or give each training its own. "
                f"Received: a second one, {self.name!r}, for the model's {type(updating).__name__}."
            )
        hook_momentum(updating, probe.cycle, self._overrides)
        weakref.finalize(tap, self._overrides.restore)  # where nobody keeps this callback after an exception
        return tap

    def _empty_record(self) -> StepRecord:
        return StepRecord(step=np.zeros(0, np.int64), momentum=np.zeros(0, np.float32))

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:  # noqa: ARG002
        momentum = rows.extra["momentum"].reshape(-1)
        self._series.append(step=rows.step, momentum=momentum)
        return {self.name: float(momentum[-1])}


class _Cycle:
    """The momentum of a step; a number where it is the same at all."""

    def __init__(self, cycle: OneCycle, base: float, most: float) -> None:
        self._steps = (cycle.total_steps, cycle.pct_start, cycle.anneal_strategy)
        self._corners = [most, base, most, *([most] if cycle.three_phase else [])]
        self.key = (*self._steps, *self._corners)

    def __call__(self, step: Tensor) -> Tensor | float:
        corners = self._corners
        return float(corners[0]) if corners[0] == corners[1] else cycled(step, corners, *self._steps)


class _Noted(Control):
    """Writes the momentum of each step into its row; gradients are left alone."""

    def __init__(self, cycle: _Cycle, iterations: keras.Variable) -> None:
        self.cycle = cycle
        self._iterations = iterations

    def key(self) -> Hashable:
        return type(self), self.cycle.key

    def columns(self) -> dict[str, int]:
        return {"momentum": 1}

    def transform(self, step: Step) -> tuple[None, None, dict[str, Tensor]]:  # noqa: ARG002
        return None, None, {"momentum": self.cycle(backend.snapshot([self._iterations])[0])}
