"""The train functions of a model, one for each set of what is measured, kept as long as Keras keeps its own.

A function that was traced is not traced again for the same set: tracing takes longer than a short epoch, and starts
TensorFlow's stateful random operations anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.hooks import Overrides

_ATTRIBUTE = "_unetdyn_train_functions"

Function = Callable[..., Any]


@dataclass
class Phase:
    """How many test steps are being traced at present."""

    testing: int = 0


@dataclass(eq=False)
class _Made:
    metric: Any
    program: Any
    function: Function


@dataclass(eq=False)
class TrainFunctions:
    """Found on Keras' own train function, and on each that stands in its place: `compile` drops them all.

    Attributes:
        metric: The hidden metric that is among the model's now, or None.
        program: What is measured at the optimizer now, or None.
        watched: Makes of a train function one that empties the ring in time; where there is a program.
        metrics: Hidden metrics that there were, by what they sum.
        programs: What was measured before, oldest first.
        phase: Shared by all that watch test steps.
        making: Whether a function is being made here, and asked of Keras.
    """

    own: Function
    metric: Any = None
    program: Any = None
    watched: Callable[[Function], Function] | None = None
    metrics: dict[Any, Any] = field(default_factory=dict)
    programs: list[Any] = field(default_factory=list)
    phase: Phase = field(default_factory=Phase)
    making: bool = False
    _made: list[_Made] = field(default_factory=list)
    _tests: dict[Any, Function | None] = field(default_factory=dict)
    _test_metric: Any = None

    @classmethod
    def of(cls, model: keras.Model) -> "TrainFunctions":
        """Those of the model, new where Keras' own function is new."""
        backend.can_read_variables()  # refuses a backend that can't train, on which models have no such function
        if model.train_function is None:
            model.make_train_function()
        found = cls.found_on(model)
        if found is None:
            found = cls(model.train_function)
            vars(model.train_function)[_ATTRIBUTE] = found
        return found

    @classmethod
    def found_on(cls, model: keras.Model) -> "TrainFunctions | None":
        """Those that the model's present function belongs to."""
        return getattr(model.train_function, "__dict__", {}).get(_ATTRIBUTE)

    def use(self, model: keras.Model) -> None:
        """Put in place what fits the present metric and program: with neither, what Keras had itself."""
        if TrainFunctions.found_on(model) is not self:
            if model.train_function is not None:  # somebody forced a new one, traced with what was there then
                model.make_train_function(force=True)
            return
        function = self._of(model)
        if self.program is not None and self.watched is not None:
            function = self.watched(function)
            vars(function)[_ATTRIBUTE] = self
        model.train_function = function
        if self._test_metric is not self.metric:
            self._tests[self._test_metric] = model.test_function
            model.test_function = self._tests.get(self.metric)  # None lets Keras make one when it evaluates
            self._test_metric = self.metric

    def forget(self, program: Any) -> None:
        """Keep nothing of a program."""
        self.programs = [each for each in self.programs if each is not program]
        self._made = [each for each in self._made if each.program is not program]

    def _of(self, model: keras.Model) -> Function:
        if self.metric is None and self.program is None:
            return self.own
        for each in self._made:
            if each.metric is self.metric and each.program is self.program:
                return each.function
        self.making = True
        try:
            _trace_anew(model)
        finally:
            self.making = False
        made = _Made(self.metric, self.program, model.train_function)
        vars(made.function)[_ATTRIBUTE] = self
        self._made.append(made)
        return made.function


def _trace_anew(model: keras.Model) -> None:
    """A train function that no trace is kept of.

    jax.jit finds a cached trace by the function's equality, and bound methods of one model are all equal: after a
    change of what is measured, with the same shapes, it would run the old one. So this one traces a step of its own.
    """
    own_step = Overrides()
    original_step = model.train_step
    own_step.set(model, "train_step", lambda *args: original_step(*args))
    model.make_train_function(force=True)
    own_step.restore()
