"""The loss of an untrained model, as the first step of a training computes it anyway."""

from typing import Any

import keras

from unetdyn.callbacks.logged_number import logged_number


class FirstLoss:
    """Keeps what the next call of a model's train function logs, and nothing of those after it.

    It is kept as it lies on the device, and made a number when somebody asks: no step waits for it. A batch hook of a
    callback would see it too, and Keras would then hand every step's logs to the host.

    Args:
        model: Compiled; its train function is made.
        name: Of the value, such as `"loss"`.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile("sgd", "mse")
        >>> model.make_train_function()
        >>> first = FirstLoss(model, "loss")
        >>> _ = model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=1, verbose=0)
        >>> first.value, FirstLoss(model, "loss").value
        (1.0, None)
    """

    def __init__(self, model: keras.Model, name: str) -> None:
        self._name = name
        self._logs: Any = None
        original = model.train_function

        def train_function(*args: Any) -> Any:
            if model.train_function is train_function:
                model.train_function = original
            returned = original(*args)
            if self._logs is None:  # else others have put theirs around this one, so that it is called again
                self._logs = returned[0] if isinstance(returned, tuple) else returned  # on JAX the state comes too
            return returned

        if original is not None:
            vars(train_function).update(getattr(original, "__dict__", {}))  # what others know it by
            model.train_function = train_function

    @property
    def value(self) -> float | None:
        """None where there was no step, or it has not logged this."""
        logged = self._logs.get(self._name) if isinstance(self._logs, dict) else None
        return None if logged is None else logged_number(keras.ops.convert_to_numpy(logged))
