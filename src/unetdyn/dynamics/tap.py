"""The optimizer tap: norms of every variable's gradient, weight and update at every step, without an extra pass.

Keras callbacks cannot see gradients, but every backend hands them to `optimizer.apply`. The tap shadows that method on
the instance, computes its sums inside the compiled step and writes them to one row of a ring of rows on the device. The
host reads the ring when it is full or when somebody asks; no step waits for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from unetdyn._checks import check_count
from unetdyn.dynamics.attachments import Attachments
from unetdyn.dynamics.probe import Measurement, Probe, as_probe
from unetdyn.dynamics.rows import Chunk, Rows, rows_from

DEFAULT_CAPACITY = 1024  # rows; 260 columns (64 variables) make 1 MB


class OptimizerTap:
    """A reader of everything that happens at a model's optimizer from now on.

    Taps on the same optimizer share its measured step, and each gets every row once. Attach it before training starts,
    in a callback's `on_train_begin` or by hand. The train function is another one meanwhile, which is traced at the
    first step; the next set of equal taps (see `Probe.key`) runs it again, and after the last tap Keras' own is back.
    Keep the object: a tap that nobody holds is dropped when the next training begins.

    Weights come out bit-equal to training without taps on PyTorch and TensorFlow; where XLA sees the whole step (JAX,
    `jit_compile`) they are equal up to float rounding.

    Args:
        model: A compiled Keras model.
        probe: Further columns: a function from a `Step` to values by name, or a `Probe` where they need state of their
            own; or a `Control` of the gradients.
        capacity: Rows that the ring on the device holds, by default 1024: a megabyte for 64 variables. It is read each
            time it is full, so its size only decides how often the host waits for the device: `fit` and
            `train_on_batch` lose no row. The largest asked for by any tap counts.
        session: An object that is the same for all taps of one `fit` and another for the next; `callback.params` is.
            An exception in `fit` skips `on_train_end`. A tap left by one is detached when the next `fit` or
            `train_on_batch` begins, or when a tap of a new session is attached. One whose `fit` still runs stays: what
            callbacks train meanwhile is measured too. So does one of a loop of the user's own, until a `fit` begins
            that isn't called by the loop's callbacks. A tap without a session stays.
        on_rows: Called with rows as they come from the device, before `read` gives them: a full ring may bring them in
            the midst of an epoch. It may attach and detach taps, also this one: the next step already knows of it.
        on_detach: Called when the tap is detached, whoever does it, before the last rows come.

    Raises:
        ValueError: If the model has not been compiled with an optimizer, or `capacity` is no positive number.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> tap = OptimizerTap(model)
        >>> _ = model.fit(np.ones((8, 4)), np.ones((8, 1)), batch_size=2, epochs=2, verbose=0)
        >>> rows = tap.read()
        >>> tap.detach()
        >>> [int(step) for step in rows.step], rows.grad_norm_sq.shape
        ([0, 1, 2, 3, 4, 5, 6, 7], (8, 2))
    """

    def __init__(
        self,
        model: keras.Model,
        probe: Probe | Measurement | None = None,
        *,
        capacity: int | None = None,
        session: object = None,
        on_rows: Callable[[Rows], None] | None = None,
        on_detach: Callable[[], None] | None = None,
    ) -> None:
        optimizer = getattr(model, "optimizer", None)
        if optimizer is None:
            raise ValueError(
                "`model` must have been compiled with an optimizer before a tap is attached: call `compile` first. "
                f"Received: model={model!r}"
            )
        if capacity is not None:
            check_count("capacity", capacity, 1, "rows")
        self.probe = as_probe(probe)
        self.session = session
        self.capacity = capacity or DEFAULT_CAPACITY
        self._on_rows, self._on_detach = on_rows, on_detach
        self._unread: list[Chunk] = []
        self._variables: list[keras.Variable] = []
        self._attachments: Attachments | None = Attachments.on(model)
        self._name = self._attachments.attach(self)

    def receive(self, chunk: Chunk) -> None:
        """Called with the rows that have been taken from the device."""
        self._unread.append(chunk)
        if self._on_rows is not None:
            self._on_rows(rows_from([chunk], self._name, len(self.variables)))

    def detached(self) -> None:
        """Called when this tap has been detached, before the last rows come."""
        if self._attachments is not None:
            self._variables, self._attachments = self._attachments.variables, None
            if self._on_detach is not None:
                self._on_detach()

    @property
    def attached(self) -> bool:
        """Whether steps are still being measured for this tap."""
        return self._attachments is not None

    @property
    def variables(self) -> list[keras.Variable]:
        """The optimizer's trainable variables, in the order of the rows' columns.

        Empty where the optimizer has not been built; complete after the first step.
        """
        if self._attachments is not None:
            self._variables = self._attachments.variables
        return list(self._variables)

    def read(self) -> Rows:
        """Every step since this tap was attached or last read, once and in order. Waits for the device."""
        if self._attachments is not None:
            self._attachments.drain()
        chunks, self._unread = self._unread, []
        return rows_from(chunks, self._name, len(self.variables))

    def get_state(self) -> dict[str, Any]:
        """What another process needs to give every row once: those that wait to be read, and where the ring stands.

        The rows that are still on the device are among the training's variables; see `training_state`. Nothing is read
        from there.
        """
        attachments = self._attachments
        return {
            "unread": [(numbers, *self._apart(columns)) for numbers, columns in self._unread],
            "ring": None if attachments is None else attachments.get_state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there, before or after the variables have their values again.

        Args:
            state: From `get_state` of a tap with an equal probe, on an equal model with as many taps.
        """
        self._unread = [
            (numbers, {**of_all, **{self._name + name: values for name, values in own.items()}})
            for numbers, of_all, own in state["unread"]
        ]
        if self._attachments is not None and state["ring"] is not None:
            self._attachments.set_state(state["ring"])

    def _apart(self, columns: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The columns of all taps, and those of its own probe without its name, which is another in each process."""
        own = {name for name in columns if name.startswith(self._name)}
        return (
            {name: values for name, values in columns.items() if name not in own},
            {name.removeprefix(self._name): columns[name] for name in columns if name in own},
        )

    def detach(self) -> None:
        """Read what is left into this tap and leave the optimizer; after the last one it is as it was. Idempotent."""
        if self._attachments is not None:
            self._attachments.detach([self._name])


def detach_all(model: keras.Model, session: object = None) -> None:
    """Take every tap off the model's optimizer, whoever attached it: what an exception left behind, for instance.

    Args:
        model: The one that was given to the taps.
        session: Where it is given, only the taps of this session; see `OptimizerTap`.
    """
    attachments = Attachments.found_on(getattr(model, "optimizer", None))
    if attachments is not None:
        attachments.detach_all(session)
