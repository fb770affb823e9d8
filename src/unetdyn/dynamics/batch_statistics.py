"""What goes through a model in training and in validation: counted in the compiled steps, with no extra pass.

Keras calls `model.compute_metrics(x, y, y_pred)` inside the compiled train and test steps of every backend, and carries
the variables of the model's metrics through them. So a hidden metric that logs nothing holds the sums, and the method
is shadowed on the instance.
"""

import contextlib
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.batch_sums import MAX_CLASSES, BatchSums
from unetdyn.dynamics.hooks import Overrides
from unetdyn.dynamics.optimizers import strategy
from unetdyn.dynamics.sessions import runs
from unetdyn.dynamics.train_functions import TrainFunctions

Tensor = Any

_ATTRIBUTE = "_unetdyn_batch_statistics"
_ARGUMENTS = ("x", "y", "y_pred", "sample_weight")
_PHASES = {True: "training", False: "evaluation"}


class BatchStatistics:
    """A reader of what goes through a model from now on, in training and in evaluation.

    Readers of one model share its sums. Everything is reduced on the device, in the step; the host reads a few hundred
    bytes when somebody asks, or when Keras resets the metrics. Meanwhile the train and the test function are other
    ones, which are traced once and kept. Keep the object: a reader that nobody holds is dropped when somebody else
    attaches.

    A model of several inputs has no input statistics, one of several targets or outputs none of these: they are NaN.
    A `train_step` that never calls `compute_metrics` is not seen. Sample weights do not count. Under
    `tf.distribute`, `batch_size` is the largest share of a replica times their number.

    Args:
        model: A compiled Keras model.
        threshold: Of the outputs; None (default) counts only images, steps and the batch size, which costs nothing.
        session: An object that is the same for all readers of one `fit` and another for the next; `callback.params` is.
            An exception in `fit` skips `on_train_end`. A reader left by one is detached when the next `fit` begins, or
            when a reader of a new session is attached; not while its own training runs, in whose callbacks others may
            train. A reader without a session stays.

    Attributes:
        weighted: Whether samples had weights, or classes; under True of the train steps, under False of the test steps.

    Raises:
        ValueError: If the model has not been compiled.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
        >>> model.compile("sgd", "binary_crossentropy")
        >>> statistics = BatchStatistics(model, threshold=0.5)
        >>> masks = np.zeros((6, 4, 4, 1))
        >>> masks[:, 0] = 1
        >>> _ = model.fit(masks, masks, batch_size=4, verbose=0)
        >>> found = statistics.take()
        >>> statistics.detach()
        >>> found["images"], found["steps"], found["batch_size"], found["foreground"]
        (6.0, 2.0, 4.0, 0.25)
    """

    def __init__(self, model: keras.Model, threshold: float | None = None, *, session: object = None) -> None:
        if not getattr(model, "compiled", False):
            raise ValueError(
                "`model` must have been compiled before its batches can be watched: call `compile` first. "
                f"Received: model={model!r}"
            )
        self.threshold = None if threshold is None else float(threshold)
        self.session = session
        self.weighted = {True: False, False: False}
        self.sums = BatchSums([] if self.threshold is None else [self.threshold], _classes(model, threshold))
        self._unread: dict[bool, list[NDArray[np.float32]]] = {True: [], False: []}
        self._shared: _Shared | None = _Shared.on(model)
        self._shared.attach(self)

    @property
    def attached(self) -> bool:
        """Whether batches are still being watched for this reader."""
        return self._shared is not None

    def take(self, training: bool = True) -> dict[str, float]:
        """Everything since it was last taken, or since this reader was attached. Waits for the device.

        Args:
            training: True (default) for what the train steps saw, False for the test steps.

        Returns:
            By name: `images`, `steps`, `batch_size` (most images in one step; 0 without a step). With a threshold also
            `input_`, `target_` and `output_` with `min`, `max`, `mean`, `std` (over the finite values) and `nonfinite`
            (share); `target_fractional`, `target_other` (neither 0 nor 1), `foreground` (above 0.5), `empty` (images
            without any), `output_spread` (mean over images of the std within an image), `above` and `near` (shares of
            outputs above the threshold, and within 0.05 of it), and `class_0` … (shares of the pixels) where the
            output has several channels; `target_share`, the number of target values over that of outputs. NaN where
            unknown.
        """
        if self._shared is not None:
            self._shared.drain()
        states, self._unread[training] = self._unread[training], []
        found = self.sums.read(states)
        return {name.removesuffix(f"_{self.threshold!r}"): value for name, value in found.items()}

    def get_state(self) -> dict[str, Any]:
        """What the host has and nobody has taken. What is on the device is among the metrics' variables."""
        return {
            name: {"unread": list(self._unread[training]), "weighted": self.weighted[training]}
            for training, name in _PHASES.items()
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there, before or after the variables have their values again.

        Args:
            state: From `get_state` of a reader with the same threshold, on an equal model.
        """
        for training, name in _PHASES.items():
            self._unread[training], self.weighted[training] = list(state[name]["unread"]), state[name]["weighted"]

    def receive(self, training: bool, made_by: BatchSums, state: NDArray[np.float32]) -> None:
        """Called with what has been taken from the device."""
        self._unread[training].append(self.sums.chosen_from(made_by, state))

    def detached(self) -> None:
        """Called when this reader has been detached, after the last sums came."""
        self._shared = None

    def detach(self) -> None:
        """Keep what is left for `take` and leave the model; after the last one it is as it was. Idempotent."""
        if self._shared is not None:
            self._shared.detach([self])


class _HiddenMetric(keras.metrics.Metric):
    """Carries the states through the steps, and logs nothing.

    Args:
        sums: What is summed.

    Attributes:
        before_reset: Called when Keras resets it, before the values are gone.
    """

    logged = False

    def __init__(self, sums: BatchSums) -> None:
        super().__init__(name="unetdyn_batch_statistics", dtype="float32")
        self.sums = sums
        self.before_reset: Callable[[], None] = lambda: None
        self.states = {
            training: self.add_variable(sums.start.shape, "zeros", name=name) for training, name in _PHASES.items()
        }
        self.weighted = {training: self.add_variable((), "zeros", name="weighted") for training in self.states}
        for training in self.states:
            self.clear(training)

    def count(self, training: bool, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Count one step."""
        if sample_weight is not None:
            self.weighted[training].assign(ops.ones(()))
        state = self.states[training]
        state.assign(self.sums.add(ops.convert_to_tensor(state.value), x, y, y_pred))

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: a `train_step` of the user's own may update all of `model.metrics`, as Keras' guide does."""

    def result(self) -> dict[str, Tensor]:
        """No key in the logs."""
        return {}

    def reset_state(self) -> None:
        """Keras begins an epoch or an evaluation."""
        self.before_reset()

    def clear(self, training: bool) -> None:
        """Begin anew."""
        self.states[training].assign(self.sums.start)
        self.weighted[training].assign(ops.zeros(()))


class _Shared:
    """Found on the model it watches, from the first reader's attachment to the last one's detachment."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._readers: list[weakref.ref[BatchStatistics]] = []
        self._metric: _HiddenMetric | None = None
        self._functions = TrainFunctions.of(model)
        self._phase = self._functions.phase
        self._begun: dict[int, Any] = {}  # by reader, the latest `fit` when it was attached
        self._overrides = Overrides()
        self._overrides.set(model, _ATTRIBUTE, self)
        self._overrides.set(model, "compute_metrics", self._counting(model.compute_metrics))
        self._overrides.set(model, "test_step", self._as_test(model.test_step))

    @classmethod
    def on(cls, model: keras.Model) -> "_Shared":
        """That of the model, new where there is none."""
        return vars(model).get(_ATTRIBUTE) or cls(model)

    @property
    def _alive(self) -> list[BatchStatistics]:
        return [reader for each in self._readers if (reader := each()) is not None]

    def attach(self, reader: BatchStatistics) -> None:
        """Count for one more reader, after dropping what an earlier, broken-off session left."""
        self.drain()
        self._forget(
            [each for each in self._over() if reader.session is not None and each.session is not reader.session]
        )
        self._readers.append(weakref.ref(reader))
        self._begun[id(reader)] = self._latest_fit()
        self._rebuild()

    def detach(self, readers: Sequence[BatchStatistics]) -> None:
        """Count for these no more; with the last of them everything is put back."""
        self.drain()
        self._forget(readers)
        if self._alive:
            self._rebuild()
        else:
            self._close()

    def drain(self) -> None:
        """Take the sums to the host, give them to all readers and begin anew."""
        if self._metric is None:
            return
        backend.give_values_back(self._model)
        for training, variable in self._metric.states.items():
            replicas = _of_replicas(variable, self._model)
            states = [state for state in replicas if state[0] > 0]
            if not states:
                continue
            wholes = [self._metric.sums.of_replica(state, len(replicas)) for state in states]
            weighted = any(float(each) for each in _of_replicas(self._metric.weighted[training], self._model))
            for reader in self._alive:
                reader.weighted[training] |= weighted
                for whole in wholes:
                    reader.receive(training, self._metric.sums, whole)
            self._metric.clear(training)

    def _before_reset(self) -> None:
        """`fit` resets the metrics when it begins: what an exception left of an earlier one goes now."""
        left = [reader for reader in self._over() if self._begun.get(id(reader)) is not self._latest_fit()]
        if left or not self._alive:
            self.detach(left)
        else:
            self.drain()

    def _over(self) -> list[BatchStatistics]:
        """Readers whose training does not run, as far as one can see; a loop of the user's own may go on."""
        return [reader for reader in self._alive if reader.session is not None and not runs(reader.session)]

    def _latest_fit(self) -> Any:
        """Keras gives each `fit` a history, before it begins."""
        return getattr(self._model, "history", None)

    def _forget(self, readers: Sequence[BatchStatistics]) -> None:
        gone = {id(reader) for reader in readers}
        self._readers = [each for each in self._readers if (reader := each()) is not None and id(reader) not in gone]
        for reader in readers:
            reader.detached()

    def _rebuild(self) -> None:
        """Sums of all that those now attached ask for, and functions that are traced with them."""
        wanted = BatchSums(
            sorted({threshold for reader in self._alive for threshold in reader.sums.thresholds}),
            max(reader.sums.classes for reader in self._alive),
        )
        if self._metric is not None and self._metric.sums.sums == wanted.sums:
            return
        self._put(wanted)
        self._use()

    def _put(self, wanted: BatchSums | None) -> None:
        """The hidden metric among the model's; None takes it away."""
        backend.give_values_back(self._model)
        metrics = self._model._metrics  # a list of no other's concern; `setattr` would track what hangs on the metric
        metrics[:] = [metric for metric in metrics if metric is not self._metric]
        self._metric = None
        if wanted is not None:
            shared = strategy(self._model.optimizer)
            kept, key = self._functions.metrics, tuple(wanted.sums)
            if key not in kept:
                with shared.scope() if shared is not None else contextlib.nullcontext():
                    kept[key] = _HiddenMetric(wanted)
            self._metric = kept[key]
            self._metric.before_reset = self._before_reset
            for training in self._metric.states:
                self._metric.clear(training)
            metrics.append(self._metric)

    def _use(self) -> None:
        """The functions that count what is counted now."""
        self._functions = TrainFunctions.of(self._model) if self._metric is not None else self._functions
        self._functions.metric = self._metric
        self._functions.use(self._model)

    def _close(self) -> None:
        self._put(None)
        self._overrides.restore()
        self._use()

    def _counting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compute_metrics(*args: Any, **kwargs: Any) -> Any:
            given = dict(zip(_ARGUMENTS, args, strict=False)) | kwargs
            if self._metric is not None:
                self._metric.count(not self._phase.testing, *(given.get(name) for name in _ARGUMENTS))
            return original(*args, **kwargs)

        return compute_metrics

    def _as_test(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def test_step(*args: Any, **kwargs: Any) -> Any:
            self._phase.testing += 1  # a number, since replicas are traced in turns
            try:
                return original(*args, **kwargs)
            finally:
                self._phase.testing -= 1

        return test_step


def _of_replicas(variable: keras.Variable, model: keras.Model) -> list[NDArray[np.float32]]:
    """The state of each replica; the sum of them would not do for maxima."""
    shared = strategy(model.optimizer)
    if shared is None:
        return [np.array(ops.convert_to_numpy(variable.value))]
    return [np.array(value) for value in shared.experimental_local_results(variable._value)]


def _classes(model: keras.Model, threshold: float | None) -> int:
    """Channels of the model's one output, where there are several and not too many."""
    if threshold is None:
        return 0
    try:
        channels = model.output_shape[-1]
    except (AttributeError, KeyError, TypeError, IndexError):  # a subclassed model may have none
        return 0
    return channels if isinstance(channels, int) and 2 <= channels <= MAX_CLASSES else 0
