"""The taps attached to one optimizer: who is there, what is read when, what is put back after the last of them."""

import contextlib
import itertools
import math
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.hooks import CarriedVariables, Overrides, hook_apply, hook_build, trace_anew
from unetdyn.dynamics.measured_step import MeasuredStep
from unetdyn.dynamics.optimizers import inner, strategy
from unetdyn.dynamics.probe import Probe
from unetdyn.dynamics.rows import Chunk

_ATTRIBUTE = "_unetdyn_attachments"


class Reader(Protocol):
    """What is known here of a tap."""

    probe: Probe | None
    session: object
    capacity: int

    def receive(self, chunk: Chunk) -> None:
        """Take rows."""

    def detached(self) -> None:
        """Hear that after the rows to come, if any, there will be no more."""


@dataclass
class _Attached:
    reader: "weakref.ref[Reader]"  # a tap whose owner is gone is dropped at the next occasion, and gathers no rows
    probe: Probe | None
    session: object
    capacity: int
    variables: list[keras.Variable] = field(default_factory=list)
    built: bool = False


class Attachments:
    """Found on the optimizer they measure, from the first tap's attachment to the last one's detachment."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._optimizer = model.optimizer
        self._attached: dict[str, _Attached] = {}
        self._names = (f"tap{number}_" for number in itertools.count())
        self._variable_names = (f"unetdyn_tap_{number}" for number in itertools.count())
        self._measured: MeasuredStep | None = None
        self._leaving: list[str] = []
        self._changed = False  # who is attached has changed, and the train function does not know of it yet
        self._serving = False  # a listener's attaching and detaching must wait: a step may hold the values
        self._unread = 0
        self._rows_a_step: int | None = None  # more than 1 where a `train_step` of the user's applies several times
        self._build_if_possible()
        self._overrides = Overrides()
        self._overrides.set(self._optimizer, _ATTRIBUTE, self)
        self._carried = CarriedVariables(self._optimizer, self._overrides)
        hook_apply(self._optimizer, lambda: self._measured, self._overrides)
        self._hook_start_of_training()
        if not self._optimizer.built:
            hook_build(self._optimizer, self._make_measured_step, self._overrides)

    @classmethod
    def found_on(cls, optimizer: keras.Optimizer | None) -> "Attachments | None":
        """Those of this optimizer, if there are any."""
        return vars(optimizer).get(_ATTRIBUTE) if optimizer is not None else None

    @classmethod
    def on(cls, model: keras.Model) -> "Attachments":
        """Those of the model's optimizer, new where there are none."""
        return cls.found_on(model.optimizer) or cls(model)

    @property
    def variables(self) -> list[keras.Variable]:
        """What is measured, in the order of the columns; empty until the optimizer is built."""
        return self._measured.variables if self._measured is not None else []

    def attach(self, reader: Reader) -> str:
        """Measure for one more tap, after dropping what an earlier, broken-off session left; returns its name."""
        self._take_leave(self._left_behind(reader.session))
        self._serve()
        name = next(self._names)
        self._attached[name] = _Attached(weakref.ref(reader), reader.probe, reader.session, reader.capacity)
        self._changed = True
        self._settle()
        return name

    def detach(self, names: Iterable[str]) -> None:
        """Measure for these taps no more; with the last of them everything is put back."""
        self._take_leave(names)
        self._serve()
        self._settle()

    def detach_all(self, session: object = None) -> None:
        """Measure for nobody, or for nobody of this session."""
        self.detach([name for name, each in self._attached.items() if session is None or each.session is session])

    def drain(self) -> None:
        """Take the ring's rows to the host and give them to all taps."""
        self._serve()
        self._settle()

    def _serve(self, optimizer_values: Sequence[Any] | None = None) -> None:
        """Give all taps the rows; on JAX at the beginning of a step, from the values of `optimizer.variables`."""
        if self._measured is None or self._serving:
            return
        ring = self._measured.ring
        if optimizer_values is None:
            backend.give_values_back(self._model)
            table, count = ring.table.value, ring.count.value
        else:
            values = {id(v): value for v, value in zip(self._optimizer.variables, optimizer_values, strict=True)}
            table, count = values[id(ring.table)], values[id(ring.count)]
        first = ring.next
        numbers, rows = ring.take(table, count)
        if self._unread:
            self._rows_a_step = max(1, math.ceil((ring.next - first) / self._unread))
        self._unread = 0
        if len(numbers):
            columns = self._measured.columns.unpack(rows)
            self._serving = True
            try:
                for each in list(self._attached.values()):  # a listener may attach
                    reader = each.reader()
                    if reader is not None:
                        reader.receive((numbers, columns))
            finally:
                self._serving = False

    def _left_behind(self, session: object) -> list[str]:
        """Taps whose owner is gone or that belong to another session. Taps without a session stay."""
        return [
            name
            for name, each in self._attached.items()
            if each.reader() is None or (None not in (each.session, session) and each.session is not session)
        ]

    def _take_leave(self, names: Iterable[str]) -> None:
        for name in names:
            reader = self._attached[name].reader() if name in self._attached else None
            if reader is not None:
                reader.detached()
            self._leaving.append(name)
        self._changed = True

    def _settle(self) -> None:
        """Measure for those who are attached now; with nobody left, put everything back. Not while rows are given."""
        if self._serving or not self._changed:
            return
        self._changed = False
        backend.give_values_back(self._model)
        leaving, self._leaving = self._leaving, []
        for name in leaving:
            each = self._attached.pop(name, None)
            if each is not None:
                self._carried.remove(each.variables)
        if self._attached:
            self._rebuild()
        else:
            self._close()

    def _build_if_possible(self) -> None:
        """Where Keras too builds it beforehand; elsewhere the first step says with which variables."""
        beforehand = backend.builds_optimizer_beforehand(self._model)
        if beforehand and not self._optimizer.built and self._model.built:
            self._optimizer.build(self._model.trainable_variables)

    def _hook_start_of_training(self) -> None:
        """`fit` asks for the train function before it calls any callback. Taps left by an exception are detached here;
        else their controls would act on the new training. `train_on_batch` asks for it too.
        """
        original = self._model.make_train_function

        def make_train_function(force: bool = False) -> None:
            if not force:  # with `force` it is asked for by us, or in the midst of a training
                left_behind = self._left_behind(object())
                if left_behind or self._changed:
                    self.detach(left_behind)
            original(force=force)

        self._overrides.set(self._model, "make_train_function", make_train_function)

    def _rebuild(self) -> None:
        """A ring with the columns that those now attached ask for, and a train function traced with it."""
        if self._optimizer.built:
            self._make_measured_step()
        self.make_train_function()

    def _make_measured_step(self) -> None:
        count = int(keras.ops.convert_to_numpy(self._counter().value))
        if self._measured is not None:
            self._carried.remove([self._measured.ring.table, self._measured.ring.count])
        trainable = list(inner(self._optimizer)._trainable_variables)
        for each in self._attached.values():
            if each.probe is not None and not each.built:
                each.probe.build(self._variable_maker(each.variables), trainable)
                each.built = True
        probes = {name: each.probe for name, each in self._attached.items() if each.probe is not None}
        capacity = max(self._model.steps_per_execution, *(each.capacity for each in self._attached.values()))
        self._measured = MeasuredStep(self._optimizer, probes, capacity, count, self._variable_maker([]))

    def _counter(self) -> keras.Variable:
        if self._measured is not None:
            return self._measured.ring.count
        return inner(self._optimizer)._iterations

    def _variable_maker(self, owned: list[keras.Variable]) -> Callable[..., keras.Variable]:
        def add_variable(
            shape: Sequence[int] = (),
            dtype: str = "float32",
            initial: float = 0.0,
            like: keras.Variable | None = None,
        ) -> keras.Variable:
            shared = strategy(self._optimizer)
            with shared.scope() if shared is not None else contextlib.nullcontext():
                variable = keras.Variable(
                    keras.initializers.Constant(initial),
                    shape=tuple(like.shape) if like is not None else tuple(shape),
                    dtype=dtype,
                    trainable=False,
                    autocast=False,
                    aggregation="only_first_replica",
                    layout=getattr(like, "_layout", None),
                    name=next(self._variable_names),
                )
            self._carried.add(variable)
            owned.append(variable)
            return variable

        return add_variable

    def make_train_function(self) -> None:
        """A train function that knows of the measured step, and empties the ring before it would overflow.

        Not a batch hook of a callback: those make every callback of a JAX `fit` wait for the device.
        """
        trace_anew(self._model)
        run = self._model.train_function

        def train_function(*args: Any) -> Any:
            steps = self._model.steps_per_execution
            if self._must_drain_before(steps):
                self._serve(backend.optimizer_values(args))
            if self._changed:
                args = tuple(backend.between_steps(self._model, args, self._settle))
                return self._model.train_function(*args)
            self._unread += steps
            return run(*args)

        self._model.train_function = train_function

    def _must_drain_before(self, steps: int) -> bool:
        """Whether these steps could overflow the ring; after the first one it is read to see how many rows it wrote."""
        if self._measured is None or not self._unread:
            return False
        known = self._rows_a_step
        return known is None or (self._unread + steps) * known > self._measured.ring.capacity

    def _close(self) -> None:
        self._carried.remove(self._carried.variables)
        self._measured = None
        self._overrides.restore()
        if self._model.optimizer is self._optimizer:
            self._model.make_train_function(force=True)
