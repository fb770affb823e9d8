"""Which epoch of a training it is, where each `fit` of a loop counts from 0."""

import weakref
from collections.abc import Mapping
from typing import Any, Literal

import keras

from unetdyn.callbacks.weights_seen import weights_seen
from unetdyn.dynamics.optimizers import inner

Begin = Literal["anew", "on", "within"]

_Fits = dict[str, tuple[int, Any, Any]]
"""By kind of callback: how many began with a new one, the last one's parameters, and the weights at the first."""
_new_ones: "weakref.WeakKeyDictionary[keras.Model, _Fits]" = weakref.WeakKeyDictionary()


class EpochCount:
    """Counts the epochs of a training that may be several calls of `fit`.

    A `fit` that begins at epoch 0 goes on with the one before it where that is evident: it trains the same model with
    the same optimizer, or with one that has taken steps, and from other weights than those that the training began
    with. Otherwise it is another training. A `fit` with `initial_epoch` > 0 says itself at which epoch it goes on.

    Attributes:
        reason: Why the last `fit` that began at epoch 0 did not go on, as the end of a sentence; empty where it did.
        epoch: Of the training, from 0.
        shift: How far that is ahead of what Keras counts.
        epochs: How many epochs have begun.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> count, x = EpochCount(), np.ones((4, 1))
        >>> for _ in range(2):
        ...     print(count.begin(0, model), count.epoch)
        ...     _ = model.fit(x, x, verbose=0)
        anew 0
        on 1
    """

    def __init__(self) -> None:
        self.epoch = self.shift = self.epochs = 0
        self.reason = ""
        self._params: Mapping[str, Any] | None = None
        self._model: weakref.ref[keras.Model] | None = None
        self._optimizer: weakref.ref[Any] | None = None
        self._began: list[bytes] | None = None
        self._resumed = False

    def begin(self, epoch: int, model: keras.Model | None, params: Mapping[str, Any] | None = None) -> Begin:
        """Count an epoch that begins.

        Args:
            epoch: As Keras counts it, from 0.
            model: What is trained; None where nobody told.
            params: Of the `fit`, a dictionary of its own for each.

        Returns:
            `"anew"` for the first epoch of a training, `"on"` for one with which a `fit` goes on after another,
            `"within"` for any other.
        """
        resumed, self._resumed = self._resumed, False
        if resumed and (self._params is None or params is self._params):
            return self._carry_on(epoch, model, params)
        found: Begin = "within"
        if epoch == 0:
            self.reason = self._why_not_on(model)
            found = "anew" if self.reason else "on"
            self.shift = self.epoch + 1 if found == "on" else 0
            self.epochs = self.epochs if found == "on" else 0
            if found == "anew":
                self._began = weights_seen(model)
            self._trains(model)
        elif params is not self._params:
            self.shift = 0
            if model is not None:
                self._began = self._began if self._model is not None and self._model() is model else None
                self._trains(model)
        self._params = params
        self.epoch = epoch + self.shift
        self.epochs += 1
        return found

    def planned(self, params: Mapping[str, Any] | None) -> int | None:
        """How many epochs there will be after this `fit`, if it says so."""
        epochs = (params or {}).get("epochs")
        return None if epochs is None else epochs + self.shift

    def get_state(self) -> dict[str, Any]:
        """What another process needs to count on; see `set_state`."""
        names = ("epoch", "shift", "epochs", "reason")
        return {**{name: getattr(self, name) for name in names}, "began": self._began}

    def set_state(
        self, state: Mapping[str, Any], model: keras.Model | None = None, params: Mapping[str, Any] | None = None
    ) -> None:
        """Count on where another process was: the `fit` that is resumed is the one that it was in.

        Args:
            state: From `get_state`, at the end of an epoch or within one, which then begins once more.
            model: What is trained.
            params: Of the `fit` that is resumed: another one that begins at epoch 0 goes on after it. None for that
                whose epoch begins next.
        """
        self.epoch, self.shift, self.epochs = state["epoch"], state["shift"], state["epochs"]
        self.reason, self._began = state["reason"], state["began"]
        self._params, self._resumed = params, self.epochs > 0
        self._trains(model)

    def _carry_on(self, epoch: int, model: keras.Model | None, params: Mapping[str, Any] | None) -> Begin:
        self.epochs += self.epoch != epoch + self.shift  # an epoch that was left unfinished is counted already
        self.epoch = epoch + self.shift
        self._params = params
        self._trains(model)
        return "within"

    def _trains(self, model: keras.Model | None) -> None:
        self._model = None if model is None else weakref.ref(model)
        self._optimizer = _optimizer_of(model)

    def _why_not_on(self, model: keras.Model | None) -> str:
        if not self.epochs:
            return "nothing was trained before"
        if model is None or self._model is None or self._model() is not model:
            return "this is another model"
        optimizer = getattr(model, "optimizer", None)
        before = self._optimizer() if self._optimizer is not None else None
        if optimizer is not before and not _steps(optimizer):
            return "the model was compiled anew"
        if self._began is not None and weights_seen(model) == self._began:
            return "the model has the weights with which that training began"
        return ""

    def __getstate__(self) -> dict[str, Any]:
        """A copy belongs to no training."""
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        EpochCount.__init__(self)


def is_new_in_each_fit(kind: str, model: keras.Model | None, params: Mapping[str, Any] | None) -> bool:
    """Whether a third `fit` of a model begins with a new callback of a kind, after steps with the others: said once.

    Args:
        kind: What kind of callback begins with its first `fit`.
        model: What is trained.
        params: Of the `fit`, in which there may be several of that kind.
    """
    if model is None:
        return False
    fits = _new_ones.setdefault(model, {})
    count, before, began = fits.get(kind, (0, None, None))
    if params is not None and params is before:
        return False
    weights = weights_seen(model)
    if weights is None or weights == began:  # another training, such as the next fold of a cross-validation
        count = 0
    fits[kind] = (count + 1, params, began if count else weights)
    return count == 2 and _steps(getattr(model, "optimizer", None)) > 0


def _optimizer_of(model: keras.Model | None) -> "weakref.ref[Any] | None":
    optimizer = getattr(model, "optimizer", None)
    return None if optimizer is None else weakref.ref(optimizer)


def _steps(optimizer: Any) -> int:
    iterations = None if optimizer is None else getattr(inner(optimizer), "iterations", None)
    return 0 if iterations is None else int(keras.ops.convert_to_numpy(iterations))
