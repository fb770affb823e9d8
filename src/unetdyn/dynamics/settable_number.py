"""A number within the compiled step that is set from outside."""

import keras

from unetdyn.dynamics.probe import AddVariable, Tensor


class SettableNumber:
    """What a control's step computes with, and what may be set between two steps without compiling anything anew.

    Args:
        value: At first.

    Example:
        >>> bound = SettableNumber(2.0)
        >>> bound.build(lambda initial: keras.Variable(initial, trainable=False))  # as an attached control does
        >>> bound.value = 0.5
        >>> bound.value, float(bound.in_step)
        (0.5, 0.5)
    """

    def __init__(self, value: float) -> None:
        self._value = float(value)
        self._variable: keras.Variable | None = None

    @property
    def value(self) -> float:
        """As the host knows it."""
        return self._value

    @value.setter
    def value(self, value: float) -> None:
        self._value = float(value)
        if self._variable is not None:
            self._variable.assign(self._value)

    def build(self, add_variable: AddVariable) -> None:
        """Make the variable that the step reads; for a control's `build`."""
        self._variable = add_variable(initial=self._value)

    @property
    def in_step(self) -> Tensor:
        """The variable's value; for a control's `transform`."""
        assert self._variable is not None, "it was built"
        return self._variable.value
