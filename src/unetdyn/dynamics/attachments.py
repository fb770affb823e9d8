"""The taps attached to one optimizer: who is there, what is read when, what is put back after the last of them."""

import itertools
import math
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.hooks import CarriedVariables, Overrides, hook_apply, hook_build
from unetdyn.dynamics.measured_step import MeasuredStep
from unetdyn.dynamics.optimizers import inner, strategy, trained_variables
from unetdyn.dynamics.probe import Probe
from unetdyn.dynamics.programs import (
    KEPT,
    Program,
    Slot,
    again,
    columns_for,
    probes_of,
    taking,
    variable_of_state,
    with_state,
)
from unetdyn.dynamics.rows import Chunk
from unetdyn.dynamics.sessions import called_by_fit, is_of_a_fit, runs
from unetdyn.dynamics.train_functions import TrainFunctions

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
    slot: Slot
    session: object
    capacity: int
    in_fit: bool  # else the training is a loop of the user's own
    built: bool = False


class Attachments:
    """Found on the optimizer they measure, from the first tap's attachment to the last one's detachment."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._optimizer = model.optimizer
        self._functions = TrainFunctions.of(model)
        self._attached: dict[str, _Attached] = {}
        self._names = (f"tap{number}_" for number in itertools.count())
        self._variable_names = (f"unetdyn_tap_{number}" for number in itertools.count())
        self._program: Program | None = None
        self._readers: list[str] = []  # whose slots the program has, in order
        self._leaving: list[str] = []
        self._changed = False  # who is attached has changed, and the train function does not know of it yet
        self._serving = False  # a listener's attaching and detaching must wait: a step may hold the values
        self._unread = 0
        self._rows_a_step: int | None = None  # more than 1 where a `train_step` of the user's applies several times
        self._build_if_possible()
        self._overrides = Overrides()
        self._carried = CarriedVariables(self._optimizer, self._overrides)
        self._overrides.set(self._optimizer, _ATTRIBUTE, self)
        hook_apply(self._optimizer, lambda: self._measured, self._overrides)
        self._hook_start_of_training()
        if not self._optimizer.built:
            hook_build(self._optimizer, self._fill, self._overrides)

    @classmethod
    def found_on(cls, optimizer: keras.Optimizer | None) -> "Attachments | None":
        """Those of this optimizer, if there are any."""
        return vars(optimizer).get(_ATTRIBUTE) if optimizer is not None else None

    @classmethod
    def on(cls, model: keras.Model) -> "Attachments":
        """Those of the model's optimizer, new where there are none."""
        return cls.found_on(model.optimizer) or cls(model)

    @property
    def _measured(self) -> MeasuredStep | None:
        return self._program.measured if self._program is not None else None

    @property
    def variables(self) -> list[keras.Variable]:
        """What is measured, in the order of the columns; empty until the optimizer is built."""
        return self._measured.variables if self._measured is not None else []

    @property
    def carried(self) -> list[keras.Variable]:
        """What the compiled step carries for those attached: the ring, and what their probes keep."""
        return self._carried.variables

    def get_state(self) -> dict[str, Any]:
        """Which rows of the ring have been taken, and how soon it must be read; nothing is read from the device."""
        ring = self._measured.ring if self._measured is not None else None
        return {
            "next": None if ring is None else ring.next,
            "unread": self._unread,
            "rows_a_step": self._rows_a_step,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Read on from there. The ring itself comes back with the other variables, before this or after."""
        if not self._optimizer.built and self._model.built:
            self._optimizer.build(self._model.trainable_variables)
        if self._measured is not None and state["next"] is not None:
            self._measured.ring.next = state["next"]
        self._unread, self._rows_a_step = state["unread"], state["rows_a_step"]

    def attach(self, reader: Reader) -> str:
        """Measure for one more tap, after dropping what an earlier, broken-off session left; returns its name."""
        self._take_leave(self._left_behind(reader.session))
        self._serve()
        name, session = next(self._names), reader.session
        in_fit = session is not None and is_of_a_fit(session)
        self._attached[name] = _Attached(weakref.ref(reader), Slot(reader.probe), session, reader.capacity, in_fit)
        self._changed = True
        try:
            self._settle()
        except BaseException:  # what can't be built for this one must not end another's training
            del self._attached[name]
            self._changed = True
            self._settle()
            raise
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
                for name, each in list(self._attached.items()):  # a listener may attach
                    reader = each.reader()
                    if reader is not None:
                        reader.receive((numbers, columns_for(name, columns, self._readers)))
            finally:
                self._serving = False

    def _left_behind(self, session: object = None, by_fit: bool = True) -> list[str]:
        """Taps whose owner is gone, or whose training is over although nobody said so.

        A training runs as long as it is among the calls that haven't returned; that something is called is no evidence
        against it, since callbacks may train too. A loop of the user's own is over when a `fit` begins outside of it.

        Args:
            session: Of who comes; None ends nobody else's.
            by_fit: Whether another training begins; else somebody trains on a batch.
        """
        others = [
            (name, each)
            for name, each in self._attached.items()
            if None not in (each.session, session) and each.session is not session and (by_fit or each.in_fit)
        ]
        over = {name for name, each in others if not runs(each.session)}
        return [name for name, each in self._attached.items() if name in over or each.reader() is None]

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
            self._attached.pop(name, None)
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
            if not force and not self._functions.making:
                left_behind = self._left_behind(object(), called_by_fit())
                if left_behind or self._changed:
                    self.detach(left_behind)
            compiled_anew = self._model.train_function is None
            original(force=force)
            # One that somebody else forces stands as it is, until a tap comes or goes.
            if compiled_anew and self._attached and self._follow():
                self._functions.use(self._model)

        self._overrides.set(self._model, "make_train_function", make_train_function)

    def _follow(self) -> bool:
        """Go with a model whose function is new, under the same optimizer; tells whether it is."""
        functions = TrainFunctions.of(self._model)
        if functions is self._functions or self._model.optimizer is not self._optimizer:
            return False
        functions.program, functions.watched = self._program, self._watched
        self._functions = functions
        return True

    def _rebuild(self) -> None:
        """A ring with the columns that those now attached ask for, and a train function traced with it."""
        self._follow()
        if self._optimizer.built:
            self._fill()
        else:
            self._change_to(Program([], 0))
        self._functions.use(self._model)

    def _fill(self) -> None:
        """The program that measures for those now attached: one there was, or a new one."""
        count = int(keras.ops.convert_to_numpy(self._counter().value))
        slots = [each.slot for each in self._attached.values()]
        trainable = trained_variables(self._optimizer, self._model)
        for each in self._attached.values():
            if each.slot.probe is not None and not each.built:
                before = again(self._functions.programs, each.slot, slots)
                each.slot.probe.build(taking(before, self._new_variable, each.slot.variables), trainable)
                each.built = True
        capacity = max(self._model.steps_per_execution, *(each.capacity for each in self._attached.values()))
        waiting = self._program if self._measured is None else None  # which the present function was made for
        program = next((p for p in self._functions.programs if p.fits(slots, capacity, self._optimizer)), None)
        if program is not None and waiting is None:
            program.begin(slots, count)
        else:
            program = waiting or Program([], 0)
            program.slots, program.capacity = slots, capacity
            arguments = (probes_of(slots), capacity, count, self._new_variable, with_state(slots))
            program.measured = MeasuredStep(self._optimizer, trainable, *arguments)
        self._change_to(program)

    def _change_to(self, program: Program | None) -> None:
        """Carry this program's variables, and no others; keep the last ones that have measured anything."""
        kept, old = self._functions, self._program
        if old is not None and old is not program and not old.ran:
            kept.forget(old)
        others = [each for each in kept.programs if each is not program]
        for each in others[:-KEPT]:
            kept.forget(each)
        kept.programs = others[-KEPT:] if program is None else [*others[-KEPT:], program]
        self._program, self._readers = program, list(self._attached)
        kept.program, kept.watched = program, self._watched if program is not None else None
        self._carried.carry([] if program is None else program.variables)

    def _counter(self) -> keras.Variable:
        if self._measured is not None:
            return self._measured.ring.count
        return inner(self._optimizer)._iterations

    def _new_variable(
        self,
        shape: Sequence[int] = (),
        dtype: str = "float32",
        initial: float = 0.0,
        like: keras.Variable | None = None,
    ) -> keras.Variable:
        name = next(self._variable_names)
        shape = tuple(shape if like is None else like.shape)
        return variable_of_state(strategy(self._optimizer), shape, dtype, initial, getattr(like, "_layout", None), name)

    def _watched(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """The train function, which empties the ring before it would overflow.

        Not a batch hook of a callback: those make every callback of a JAX `fit` wait for the device.
        """
        program = self._program

        def train_function(*args: Any) -> Any:
            steps = self._model.steps_per_execution
            if self._must_drain_before(steps):
                self._serve(backend.optimizer_values(args))
            if self._changed:
                args = tuple(backend.between_steps(self._model, args, self._settle))
                return self._model.train_function(*args)
            self._unread += steps
            if program is not None:
                program.ran = True
            return run(*args)

        return train_function

    def _must_drain_before(self, steps: int) -> bool:
        """Whether these steps could overflow the ring; after the first one it is read to see how many rows it wrote."""
        if self._measured is None or not self._unread:
            return False
        known = self._rows_a_step
        return known is None or (self._unread + steps) * known > self._measured.ring.capacity

    def _close(self) -> None:
        self._change_to(None)
        self._overrides.restore()
        if self._model.optimizer is self._optimizer:
            self._functions.use(self._model)
