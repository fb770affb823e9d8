"""Change the batch size between epochs, from small to large as a rule."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from unetdyn._checks import check_count, is_count, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.messages.batch_size import batch_size_changed
from unetdyn.callbacks.epoch_control import EpochControl

if TYPE_CHECKING:
    from unetdyn.data import TileDataset


class BatchSizeSchedule(EpochControl):
    """A control that gives the epochs of one `fit` batches of other sizes: small ones first, large ones later.

    Noise of the gradient goes with learning rate over batch size; a batch k times as large does what a learning rate k
    times as small would do, in k times fewer steps (Smith et al.). Use it instead of a rate that falls, not beside one.

    It sets the `batch_size` of the `TileDataset` that `fit` draws from, for the time of the `fit`. Every tile is still
    drawn once an epoch, in the order that seed and epoch give; `drop_last` leaves out what does not fill a batch of the
    size that holds. Keras counts the batches of an epoch once a `fit`; by itself it would then, where batches become
    smaller, never draw the last tiles, and where they become larger run out of data, on TensorFlow with an update more
    than there are batches. Of such a dataset it is given a count that changes. The train step is traced once on
    TensorFlow; on JAX, and wherever XLA compiles it, once for each size, and for that of a last batch that is smaller.

    A learning-rate schedule counts steps, of which an epoch has fewer with larger batches. Norms over the batch see
    other statistics. `NoiseScaleMonitor` takes the size that holds from here, and says which one would be of use.

    In `logs`: `batch_size`, that of the epoch.

    Args:
        dataset: The `TileDataset` that is passed to `fit`, without `steps_per_epoch`.
        sizes: Epoch, from 0, → tiles in a batch from that epoch on. Before the first of them the dataset's own size
            holds. Epochs are those of the training: a `fit` that goes on, by `initial_epoch` or by itself, goes on
            here too.
        verbose: 1 prints each change; 0 is silent.
        name: The key, and the name under which `RunRecorder` keeps the record.

    Attributes:
        batch_size: The size that holds now.
        record: `epoch` and `batch_size`, arrays of shape `(epochs,)`.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, one a change, printed or not.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        TypeError: If `dataset` is no `TileDataset`, or `sizes` no mapping.
        ValueError: If an epoch or a size is no whole number of its range, or a batch larger than the dataset, or one
            that the devices of a `keras.distribution` can't share; or, when
            training begins, if `fit` draws from something else, or was given `steps_per_epoch`.

    Example:
        >>> import keras, numpy as np
        >>> from unetdyn.data import TileDataset
        >>> tiles = TileDataset(np.zeros((12, 1, 1, 1)), np.zeros((12, 1, 1, 1)), batch_size=2)
        >>> model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> schedule = BatchSizeSchedule(tiles, {1: 4, 2: 12})
        >>> history = model.fit(tiles, shuffle=False, epochs=4, verbose=0, callbacks=[schedule]).history
        >>> history["batch_size"], int(model.optimizer.iterations)  # 6 + 3 + 1 + 1 steps
        ([2, 4, 12, 12], 11)
        >>> BatchSizeSchedule.growing(tiles, every=10, factor=2, largest=12).sizes
        {0: 2, 10: 4, 20: 8, 30: 12}

    Reference:
        Smith, Kindermans, Ying, Le (2018), Don't Decay the Learning Rate, Increase the Batch Size, arXiv:1711.00489.
        The U-Net training-dynamics studies (2025), third text: "batch size scheduling (start small, increase)".
    """

    declaration = declarations.BATCH_SIZE
    types: ClassVar = {"batch_size": "int64"}

    def __init__(
        self, dataset: "TileDataset", sizes: Mapping[int, int], verbose: int = 0, name: str = "batch_size"
    ) -> None:
        self.sizes = _checked(dataset, sizes)
        self._dataset = dataset
        self._first = dataset.batch_size
        if self._changes:
            dataset.batch_size_varies = True
        super().__init__(name, verbose)

    @classmethod
    def growing(
        cls,
        dataset: "TileDataset",
        every: int,
        factor: int = 2,
        largest: int | None = None,
        verbose: int = 0,
        name: str = "batch_size",
    ) -> "BatchSizeSchedule":
        """One that multiplies the dataset's own size again and again.

        Args:
            dataset: As above; it begins with its own `batch_size`.
            every: After how many epochs, each time.
            factor: By how much, ≥ 2. Default 2; the paper has 5, where a learning rate would have been divided by 5.
            largest: Where it ends. Default: all tiles in one batch.
            verbose: As above.
            name: As above.

        Raises:
            ValueError: If an argument is out of its range.
        """
        tiles = _tiles(dataset)
        check_count("every", every, 1)
        check_count("factor", factor, 2, "")
        if largest is not None:
            check_count("largest", largest, dataset.batch_size, "tiles", most=tiles)
        end, sizes = largest or tiles, [dataset.batch_size]
        while sizes[-1] < end:
            sizes.append(min(sizes[-1] * int(factor), int(end)))
        return cls(dataset, {epoch * int(every): size for epoch, size in enumerate(sizes)}, verbose, name)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with, but the dataset."""
        return {"sizes": dict(self.sizes), "verbose": self.verbose, "name": self.name}

    @property
    def batch_size(self) -> int:
        """The size that holds now."""
        return self._dataset.batch_size

    def size_at(self, epoch: int) -> int:
        """The size of the batches of an epoch.

        Args:
            epoch: Of the training, from 0.
        """
        return next((size for first, size in reversed(self.sizes.items()) if first <= epoch), self._first)

    @property
    def _changes(self) -> bool:
        return any(size != self._first for size in self.sizes.values())

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """See that it has the dataset that is drawn from: Keras tells its own count of batches."""
        super().on_train_begin(logs)
        self._dataset.batch_size = self._first  # which a training that an exception ended has left otherwise
        steps = (self.params or {}).get("steps")
        if self._changes and steps is not self._dataset.num_batches:
            raise ValueError(
                "BatchSizeSchedule changes the batches of its own `dataset`: pass that TileDataset itself to `fit`, "
                "without `steps_per_epoch`, and make the schedule before. "
                f"Received: a `fit` with {steps} steps an epoch that draws from something else, or was told how many."
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the size of the epoch's batches, and tell the other callbacks."""
        super().on_epoch_begin(epoch, logs)
        size = self.size_at(self._epoch)
        before = self.size_at(self._epoch - 1) if self._epoch else size
        self._dataset.batch_size = size
        if self._changes and self.params is not None:
            self.params["batch_size"] = size  # one dictionary for all callbacks of a `fit`
        if size != before:
            self.report(batch_size_changed(before, size, len(self._dataset)))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Write the size into `logs`."""
        self._note(epoch=self._epoch, batch_size=self.batch_size)
        self._put_into_logs(logs, {self.name: self.batch_size})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Leave the dataset as it was."""
        self._dataset.batch_size = self._first


def _tiles(dataset: "TileDataset") -> int:
    from unetdyn.data import TileDataset  # it reads images too, which takes a while to import

    if not isinstance(dataset, TileDataset):
        raise TypeError(
            "`dataset` must be a `unetdyn.data.TileDataset`: Keras' own datasets have one batch size. "
            f"Received: {type(dataset).__name__}."
        )
    return len(dataset.images)


def _checked(dataset: "TileDataset", sizes: Mapping[int, int]) -> dict[int, int]:
    """In the order of the epochs."""
    from unetdyn.data.shares import check_shares

    tiles = _tiles(dataset)
    if not isinstance(sizes, Mapping):
        raise TypeError(f"`sizes` must map epochs to batch sizes, as {{0: 8, 20: 16}}. Received: sizes={sizes!r}.")
    for epoch, size in sizes.items():
        if not is_count(epoch) or epoch < 0:
            raise ValueError(f"`sizes` must have epochs, 0 or more, for keys. Received: {epoch!r}.")
        check_count(f"sizes[{epoch}]", size, 1, "tiles", "the number of tiles there are", most=tiles)
        check_shares(tiles, size, dataset.drop_last)
    return {int(plain(epoch)): int(plain(sizes[epoch])) for epoch in sorted(sizes)}
