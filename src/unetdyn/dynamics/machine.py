"""The one instrument on an optimizer and the taps that share it: who is there, what is read when, what is put back."""

import contextlib
import itertools
import math
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras

from unetdyn.dynamics.hooks import Overrides, Threaded, hook_apply, hook_build
from unetdyn.dynamics.instrument import Instrument
from unetdyn.dynamics.probe import Probe
from unetdyn.dynamics.rows import Chunk

_ATTRIBUTE = "_unetdyn_tap"


class Reader(Protocol):
    """What the machine knows of a tap."""

    probe: Probe | None
    session: object
    capacity: int

    def deliver(self, chunk: Chunk) -> None:
        """Take rows."""

    def leave(self) -> None:
        """Hear that after the rows to come, if any, there will be no more."""


@dataclass
class _Member:
    reader: "weakref.ref[Reader]"  # a tap whose owner is gone is dropped at the next occasion, and gathers no rows
    probe: Probe | None
    session: object
    capacity: int
    variables: list[keras.Variable] = field(default_factory=list)
    built: bool = False


class Machine:
    """Found on the optimizer it measures, from the first tap's coming to the last one's going."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._optimizer = model.optimizer
        self._members: dict[str, _Member] = {}
        self._names = (f"tap{number}_" for number in itertools.count())
        self._variable_names = (f"unetdyn_tap_{number}" for number in itertools.count())
        self._instrument: Instrument | None = None
        self._unread = 0
        self._rows_a_step: int | None = None  # more than 1 where a `train_step` of the user's applies several times
        self._build_if_possible()
        self._overrides = Overrides()
        self._overrides.set(self._optimizer, _ATTRIBUTE, self)
        self._threaded = Threaded(self._optimizer, self._overrides)
        hook_apply(self._optimizer, lambda: self._instrument, self._overrides)
        self._hook_start_of_training()
        if not self._optimizer.built:
            hook_build(self._optimizer, self._make_instrument, self._overrides)

    @classmethod
    def found_on(cls, optimizer: keras.Optimizer | None) -> "Machine | None":
        """The machine on this optimizer, if there is one."""
        return vars(optimizer).get(_ATTRIBUTE) if optimizer is not None else None

    @classmethod
    def on(cls, model: keras.Model) -> "Machine":
        """The machine on the model's optimizer, new where there is none."""
        return cls.found_on(model.optimizer) or cls(model)

    @property
    def variables(self) -> list[keras.Variable]:
        """What is measured, in the order of the columns; empty until the optimizer is built."""
        return self._instrument.variables if self._instrument is not None else []

    def admit(self, reader: Reader) -> str:
        """Serve one more tap, after dropping what an earlier, broken-off session left; returns its name."""
        self._remove(self._left_behind(reader.session))
        name = next(self._names)
        self._members[name] = _Member(weakref.ref(reader), reader.probe, reader.session, reader.capacity)
        self._rebuild()
        return name

    def dismiss(self, names: Iterable[str]) -> None:
        """Serve these taps no more; with the last of them everything is put back."""
        self._remove(names)
        if self._members:
            self._rebuild()
        else:
            self._close()

    def dismiss_all(self) -> None:
        """Serve nobody."""
        self.dismiss(list(self._members))

    def drain(self, optimizer_values: Sequence[Any] | None = None) -> None:
        """Take the ring's rows to the host and give them to all taps.

        Args:
            optimizer_values: On JAX in the midst of an epoch, the values of `optimizer.variables`.
        """
        if self._instrument is None:
            return
        ring = self._instrument.ring
        if optimizer_values is None:
            self._attach_jax_state()
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
            columns = self._instrument.columns.unpack(rows)
            for member in self._members.values():
                reader = member.reader()
                if reader is not None:
                    reader.deliver((numbers, columns))

    def _left_behind(self, session: object) -> list[str]:
        """The taps that nobody holds, and those of another session than this one; those without one stay."""
        return [
            name
            for name, member in self._members.items()
            if member.reader() is None or (None not in (member.session, session) and member.session is not session)
        ]

    def _remove(self, names: Iterable[str]) -> None:
        names = list(names)
        for name in names:
            reader = self._members[name].reader() if name in self._members else None
            if reader is not None:
                reader.leave()
        self.drain()
        for name in names:
            member = self._members.pop(name, None)
            if member is not None:
                self._threaded.remove(member.variables)

    def _attach_jax_state(self) -> None:
        """In the midst of an epoch JAX' values are in the trainer's hands and not in the variables."""
        if hasattr(self._model, "jax_state_sync"):
            self._model.jax_state_sync()

    def _build_if_possible(self) -> None:
        """On JAX and under `tf.distribute`, where Keras too builds it beforehand, with all of the model's variables.
        Elsewhere the first step may give it only some of them, from a `train_step` of the user's own.
        """
        beforehand = keras.backend.backend() == "jax" or getattr(self._model, "_distribute_strategy", None)
        if beforehand and not self._optimizer.built and self._model.built:
            self._optimizer.build(self._model.trainable_variables)

    def _hook_start_of_training(self) -> None:
        """`fit` and `train_on_batch` ask for the train function before any callback hears of them: what an exception
        left behind goes then, or its controls would act on a training that they are not part of.
        """
        original = self._model.make_train_function

        def make_train_function(force: bool = False) -> None:
            if not force:  # with `force` it is asked for by us, or in the midst of a training
                left_behind = self._left_behind(object())
                if left_behind:
                    self.dismiss(left_behind)
            original(force=force)

        self._overrides.set(self._model, "make_train_function", make_train_function)

    def _rebuild(self) -> None:
        """A ring with the columns that today's members ask for, and a train function traced with it."""
        self._attach_jax_state()
        if self._optimizer.built:
            self._make_instrument()
        self._make_train_function()

    def _make_instrument(self) -> None:
        count = int(keras.ops.convert_to_numpy(self._counter().value))
        if self._instrument is not None:
            self._threaded.remove([self._instrument.ring.table, self._instrument.ring.count])
        trainable = list(getattr(self._optimizer, "inner_optimizer", self._optimizer)._trainable_variables)
        for member in self._members.values():
            if member.probe is not None and not member.built:
                member.probe.build(self._variable_maker(member.variables), trainable)
                member.built = True
        probes = {name: member.probe for name, member in self._members.items() if member.probe is not None}
        capacity = max(self._model.steps_per_execution, *(member.capacity for member in self._members.values()))
        self._instrument = Instrument(self._optimizer, probes, capacity, count, self._variable_maker([]))

    def _counter(self) -> keras.Variable:
        if self._instrument is not None:
            return self._instrument.ring.count
        return getattr(self._optimizer, "inner_optimizer", self._optimizer)._iterations

    def _variable_maker(self, owned: list[keras.Variable]) -> Callable[..., keras.Variable]:
        def add_variable(
            shape: Sequence[int] = (),
            dtype: str = "float32",
            initial: float = 0.0,
            like: keras.Variable | None = None,
        ) -> keras.Variable:
            strategy = getattr(self._optimizer, "_distribution_strategy", None)
            with strategy.scope() if strategy is not None else contextlib.nullcontext():
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
            self._threaded.add(variable)
            owned.append(variable)
            return variable

        return add_variable

    def _make_train_function(self) -> None:
        """A train function that knows of the instrument, and empties the ring before it would overflow.

        Not a batch hook of a callback: those make every callback of a JAX `fit` wait for the device.
        """
        own_step = Overrides()
        # jax.jit finds a cached trace by the function's equality, and bound methods of one model are all equal: after a
        # change of probes with the same shapes it would run the old ones. So each train function traces one of its own.
        original_step = self._model.train_step
        own_step.set(self._model, "train_step", lambda *args: original_step(*args))
        self._model.make_train_function(force=True)
        own_step.restore()
        run = self._model.train_function

        def train_function(*args: Any) -> Any:
            steps = self._model.steps_per_execution
            if self._must_drain_before(steps):
                self.drain(args[0][2] if keras.backend.backend() == "jax" else None)
            self._unread += steps
            return run(*args)

        self._model.train_function = train_function

    def _must_drain_before(self, steps: int) -> bool:
        """Whether these steps could overflow the ring; after the first one it is read to see how many rows it wrote."""
        if self._instrument is None or not self._unread:
            return False
        known = self._rows_a_step
        return known is None or (self._unread + steps) * known > self._instrument.ring.capacity

    def _close(self) -> None:
        self._attach_jax_state()
        self._threaded.remove(self._threaded.variables)
        self._instrument = None
        self._overrides.restore()
        if self._model.optimizer is self._optimizer:
            self._model.make_train_function(force=True)
