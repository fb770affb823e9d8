"""What is measured by one set of taps, kept with its variables for the next training with an equal set."""

import contextlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from unetdyn.dynamics.measured_step import MeasuredStep
from unetdyn.dynamics.probe import AddVariable, Probe

KEPT = 2  # sets of taps; each keeps a ring and its probes' variables, which may be as large as the weights


@dataclass(eq=False)
class Slot:
    """A tap's place: what it measures, and the variables of that."""

    probe: Probe | None
    variables: list[keras.Variable] = field(default_factory=list)

    @property
    def key(self) -> Hashable:
        """What is traced of it."""
        return None if self.probe is None else self.probe.key()


@dataclass(eq=False)
class Program:
    """A measured step, and who reads it.

    Attributes:
        slots: In the order of the taps' attachment.
        capacity: Rows of its ring.
        measured: None until the optimizer is built.
        ran: Whether any step has gone through it; else nothing was traced, and it is not worth keeping.
    """

    slots: list[Slot]
    capacity: int
    measured: MeasuredStep | None = None
    ran: bool = False

    @property
    def variables(self) -> list[keras.Variable]:
        """All that the compiled step must carry, always in the same order."""
        of_slots = [variable for slot in self.slots for variable in slot.variables]
        return of_slots if self.measured is None else [*of_slots, self.measured.ring.table, self.measured.ring.count]

    def fits(self, slots: Sequence[Slot], capacity: int, optimizer: keras.Optimizer) -> bool:
        """Whether it measures for these, in their own variables."""
        if self.measured is None or self.measured.optimizer is not optimizer or self.capacity != capacity:
            return False
        return len(slots) == len(self.slots) and all(
            new.key == old.key and list(map(id, new.variables)) == list(map(id, old.variables))
            for new, old in zip(slots, self.slots, strict=True)
        )

    def begin(self, slots: list[Slot], count: int) -> None:
        """Measure for these, equal to those before."""
        self.slots = slots
        assert self.measured is not None, "it fits"
        self.measured.probes = probes_of(slots)
        self.measured.ring.begin(count)


def prefix(place: int) -> str:
    """Of the columns of the probe in a slot."""
    return f"probe{place}_"


def probes_of(slots: Sequence[Slot]) -> dict[str, Probe]:
    """By the prefix of their columns."""
    return {prefix(place): slot.probe for place, slot in enumerate(slots) if slot.probe is not None}


def with_state(slots: Sequence[Slot]) -> set[str]:
    """The prefixes of those that made variables."""
    return {prefix(place) for place, slot in enumerate(slots) if slot.variables}


def again(programs: Sequence[Program], slot: Slot, in_use: Sequence[Slot]) -> list[keras.Variable]:
    """The variables that a probe with an equal key had before, of the latest program; none that are in use."""
    used = {id(variable) for each in in_use for variable in each.variables}
    for program in reversed(programs):
        for old in program.slots:
            if old.variables and old.key == slot.key and not used & set(map(id, old.variables)):
                return list(old.variables)
    return []


def taking(before: list[keras.Variable], make: Callable[..., keras.Variable], owned: list[Any]) -> AddVariable:
    """Hands out the variables there were before, in their order and with their initial values, and then new ones."""

    def add_variable(
        shape: Sequence[int] = (), dtype: str = "float32", initial: float = 0.0, like: keras.Variable | None = None
    ) -> keras.Variable:
        shape = tuple(like.shape if like is not None else shape)
        dtype = keras.backend.standardize_dtype(dtype)
        old = before.pop(0) if before else None
        if old is None or tuple(old.shape) != shape or old.dtype != dtype:
            before.clear()
            variable = make(shape, dtype, initial, like)
        else:
            variable = old
            variable.assign(keras.ops.full(shape, initial, dtype))
        owned.append(variable)
        return variable

    return add_variable


def variable_of_state(
    shared: Any, shape: tuple[int, ...], dtype: str, initial: float, layout: Any, name: str
) -> keras.Variable:
    """One that belongs to no layer: not trained, in its own precision, the same for all replicas."""
    with shared.scope() if shared is not None else contextlib.nullcontext():
        return keras.Variable(
            keras.initializers.Constant(initial),
            shape=shape,
            dtype=dtype,
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            layout=layout,
            name=name,
        )


def columns_for(name: str, columns: Mapping[str, Any], readers: Sequence[str]) -> dict[str, Any]:
    """What a tap is given of a row's columns: those of all taps, and of its own probe, under the tap's name.

    Args:
        name: The tap's.
        columns: By name; those of a probe begin with the prefix of its slot.
        readers: The names of the taps, by slot.

    Example:
        >>> columns_for("mine_", {"norm": 1, "probe0_dot": 2, "probe1_dot": 3}, ["theirs_", "mine_"])
        {'norm': 1, 'mine_dot': 3}
    """
    own = prefix(readers.index(name)) if name in readers else None
    of_probes = tuple(map(prefix, range(len(readers))))
    found = {column: values for column, values in columns.items() if not column.startswith(of_probes)}
    if own is not None:
        found |= {name + c.removeprefix(own): values for c, values in columns.items() if c.startswith(own)}
    return found
