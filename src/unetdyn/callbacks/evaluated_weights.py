"""Which weights a validation saw, where something exchanges them for it, so that those can be saved."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import keras

from unetdyn.callbacks.averages import averages_in
from unetdyn.callbacks.neighbours import callbacks_of_fit
from unetdyn.callbacks.weights_seen import weights_seen


class EvaluatedWeights:
    """Knows `keras.callbacks.SwapEMAWeights` in the same `fit`, and notices others that do as it does."""

    def __init__(self) -> None:
        self._model: keras.Model | None = None
        self._swap: keras.callbacks.SwapEMAWeights | None = None
        self._before: list[bytes] | None = None
        self._after: list[bytes] | None = None
        self._told = False

    def get_state(self) -> dict[str, bool]:
        """What was said already."""
        return {"told": self._told}

    def set_state(self, state: Mapping[str, bool]) -> None:
        """Say it no more than another process would."""
        self._told = state["told"]

    def begin_fit(self, model: keras.Model) -> None:
        """Look who is there; called in `on_train_begin`."""
        self._model = model
        found = [each for each in callbacks_of_fit() if isinstance(each, keras.callbacks.SwapEMAWeights)]
        self._swap = found[0] if found else None
        self._before = self._after = None

    def begin_test(self) -> None:
        """A validation begins, with other weights maybe."""
        self._before = weights_seen(self._model)

    def end_test(self) -> None:
        """It has ended, and the weights may be back."""
        self._after = weights_seen(self._model)

    def are_others(self) -> bool:
        """Whether the validation saw other weights than the model has now, and none that are known; said once."""
        seen = (self._before, self._after, now := weights_seen(self._model))
        if self._told or self._swap is not None or None in seen or self._before == self._after:
            return False
        self._told = now != self._before
        return self._told

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """A block in which the model has the averages, if they were validated and are not in it anyway."""
        if self._model is None or self._swap is None or self._swap._ema_weights_in_model:
            yield
            return
        with averages_in(self._model):
            yield
