"""What `fit` draws its batches from: tiles in an order that is a function of the seed and the epoch."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import keras
import numpy as np

from unetdyn._checks import check_count
from unetdyn._warnings import warn
from unetdyn.data.ahead import Ahead, Plan, usual_most
from unetdyn.data.augmentation import Augmentation
from unetdyn.data.lazy import LazyArray
from unetdyn.data.on_device import Destination
from unetdyn.data.shares import check_shares
from unetdyn.data.tile_checks import check_finite, check_indices, check_shapes, check_weights


@lru_cache(maxsize=4)
def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of `count` tiles in an epoch: a permutation drawn from `(seed, epoch)` alone.

    Args:
        count: Number of tiles.
        seed: Whole number ≥ 0.
        epoch: Number of the epoch, from 0.

    Returns:
        Read-only integer array of shape `(count,)`.

    Example:
        >>> from unetdyn.data import epoch_order
        >>> sorted(epoch_order(5, seed=1, epoch=0).tolist())
        [0, 1, 2, 3, 4]
        >>> bool((epoch_order(5, seed=1, epoch=7) == epoch_order(5, seed=1, epoch=7)).all())
        True
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    order.flags.writeable = False
    return order


class TileDataset(keras.utils.PyDataset):
    """Batches of tiles and masks whose order and augmentation are functions of `(seed, epoch)`.

    Pass it as `model.fit(dataset, shuffle=False)`. With Keras' default `shuffle=True`, `fit` shuffles the batches once
    more, by Python's global random numbers. A dataset cannot prevent that; this one notices, and warns.

    Within `fit` the epoch advances by itself. To resume at epoch `k`, set `dataset.epoch = k` (or pass
    `initial_epoch=k`) before `fit`; outside of `fit`, set `epoch` for each pass. Leave `steps_per_epoch` out: epochs
    cut short or drawn out are no permutations of the tiles. There is no `workers` argument: with `workers=2` on JAX and
    PyTorch, Keras 3.15 hands out batches left over from building the model and from the last epoch. Some tiles then
    come twice in an epoch, and others never.

    Batches are made ahead instead (`ahead`), as a function of the seed, the epoch and their number alone. To change a
    setting, set the attribute; what is changed in place, such as pixels of `images`, shows as many batches later.
    Within `fit`, `evaluate` and `predict` on a GPU, with JAX or PyTorch, a batch is on its way to the GPU when it is
    handed out; by hand, `dataset[k]` gives NumPy arrays, or what the augmentation returns.

    Args:
        images: Array of shape `(tiles, height, width, channels)`, or in 3D `(tiles, depth, height, width, channels)`,
            finite; usually normalised `float32`. Of a `LazyArray` each batch is read from disk when it is drawn, and
            checked then.
        masks: Array of the same shape with 1 channel, of class indices; 0 and 1 with `classes=1`.
        batch_size: Tiles in a batch, default 8; the last batch may be smaller. Under a `keras.distribution` on JAX
            each, the last too, must be a multiple of the number of devices. To change it from epoch to epoch within
            a `fit`, use `unetdyn.callbacks.BatchSizeSchedule`.
        classes: 1 (default) for binary masks, otherwise the number of classes with the background.
        shuffle: Whether to draw the order anew each epoch (default), or to keep the order given: for validation.
        seed: Whole number ≥ 0.
        augmentation: An `Augmentation`, or a function that is called as one is, or `None` (default).
        drop_last: Whether to leave out the tiles that do not fill a batch, other ones each epoch; default `False`.
        initial_epoch: Number of the first epoch, default 0.
        weights: Array of the masks' shape, finite and at least 0: how much each pixel counts, such as the `weights` of
            `Tiles`, 0 where there is no label. The loss takes them by itself; a metric only in
            `compile(weighted_metrics=[...])`. Augmentation moves them as it moves the masks. Default `None`.
        targets: What the masks of a batch become once they are augmented: a function of the masks and the epoch, such
            as `unetdyn.losses.boundary_targets` for a boundary loss, or `lambda masks, epoch: [masks] * 4` for a model
            of four outputs, for which weights are repeated as well. Default `None`: they stay masks. It is called in
            other threads too, ahead of time.
        ahead: The most batches that are made ahead, each in a thread, while the model trains on the one before: two at
            first, and one more whenever the model had to wait. More take memory, on a GPU of the GPU as well. Default
            `None`: as many as there are cores, 2 to 8. With 0 each is made when it is asked for; what is trained on is
            the same. What is asked for out of order, as by `fit(shuffle=True)`, is never made ahead.

    Returns:
        As item `k`: images and masks of batch `k`, both `float32`, because a metric that multiplies them with
        predictions fails on TensorFlow with integers. With `weights` these come third, as Keras' sample weights. They
        are arrays, but tensors of Keras' backend where an `Augmentation` made them; `targets` are made of arrays.

    Raises:
        ValueError: Where shapes disagree, a number is out of range, images hold NaN, masks hold other values than
            class indices, weights are negative or none is above 0; where devices can't share a batch evenly.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import TileDataset
        >>> images = np.arange(5, dtype="float32").reshape(5, 1, 1, 1)
        >>> dataset = TileDataset(images, np.zeros_like(images), batch_size=2, seed=1)
        >>> len(dataset), [len(batch_images) for batch_images, batch_masks in dataset]
        (3, [2, 2, 1])
    """

    def __init__(
        self,
        images: np.ndarray | LazyArray,
        masks: np.ndarray | LazyArray,
        batch_size: int = 8,
        classes: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        augmentation: Augmentation | Callable[[np.ndarray, np.ndarray, int, int], tuple[Any, Any]] | None = None,
        drop_last: bool = False,
        initial_epoch: int = 0,
        weights: np.ndarray | LazyArray | None = None,
        targets: Callable[[np.ndarray, int], Any] | None = None,
        ahead: int | None = None,
    ) -> None:
        super().__init__()
        check_shapes(images, masks)
        check_count("classes", classes, least=1, unit="")
        if not isinstance(images, LazyArray):
            check_finite(images, range(len(images)))
        if not isinstance(masks, LazyArray):
            check_indices(masks, classes)
        check_weights(weights, masks)
        check_count("seed", seed, least=0, unit="")
        if ahead is not None:
            check_count("ahead", ahead, least=0, unit="batches", otherwise="or None for as many as there are cores")
        self._ahead = Ahead(usual_most() if ahead is None else ahead)
        self.images, self.masks, self.weights, self.classes = images, masks, weights, classes
        self.targets = targets
        self.shuffle, self.seed = shuffle, seed
        self.augmentation, self.drop_last = augmentation, drop_last
        self.batch_size_varies = False
        self._batches = np.zeros((), np.int64)
        self.batch_size = batch_size
        self._warned = False
        self.epoch = initial_epoch

    @property
    def epoch(self) -> int:
        """Number of the epoch the next batches belong to; set it before `fit` to resume there."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        check_count("epoch", epoch, least=0, unit="")
        self._epoch = epoch
        self._opening = True
        self._begun = False
        self._requested: list[int] = []

    @property
    def batch_size(self) -> int:
        """Tiles in a batch; set it between two epochs."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, batch_size: int) -> None:
        check_count("batch_size", batch_size, least=1, unit="tiles")
        if self.drop_last and batch_size > len(self.images):
            raise ValueError(
                f"With `drop_last=True`, `batch_size` must be at most the number of tiles, {len(self.images)}, or no "
                f"batch is left. Received: batch_size={batch_size}."
            )
        check_shares(len(self.images), batch_size, self.drop_last)
        self._batch_size = batch_size
        self._batches[...] = len(self)

    @property
    def num_batches(self) -> Any:
        """How many batches an epoch has, for Keras, which asks once a `fit` and counts all of its epochs by the answer.

        With `batch_size_varies` that is an array without axes, which serves as a whole number and has another value
        after `batch_size` was set (keras/src/trainers/epoch_iterator.py, `_num_batches`).

        Raises:
            ValueError: If a distribution that has been set since the dataset was made can't share the batches.
        """
        check_shares(len(self.images), self.batch_size, self.drop_last)
        return self._batches if self.batch_size_varies else len(self)

    def get_state(self) -> dict[str, int]:
        """Where it stands in the training, for a resumed run."""
        return {"epoch": self._epoch}

    def set_state(self, state: dict[str, int]) -> None:
        """Stand there, in a `fit` that has opened already: setting `epoch` is for before it.

        Args:
            state: From `get_state`.
        """
        self.epoch = state["epoch"]
        self._opening = False

    def __len__(self) -> int:
        count = len(self.images)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must lie between 0 and {len(self) - 1}. Received: index={index}.")
        in_order = self._requested[-1:] == [index - 1] or (index == 0 and self._begun)  # else somebody has a look
        self._requested.append(index)
        # All is read once: threads make batches of it while the epoch turns, or somebody changes a setting.
        now, destination = copy.copy(self), Destination.here(in_loop=self._begun)
        places = [(now._epoch, index)], now._following(index) if in_order else ()
        return self._ahead.get(now._plan(*place, destination) for place in itertools.chain(*places))

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, for which nothing has been made yet."""
        return {**vars(self), "_ahead": Ahead(self._ahead.most)}

    def _following(self, index: int) -> Iterator[tuple[int, int]]:
        """Epoch and index of the batches that come after it in order, as far as that can be known."""
        yield from ((self._epoch, after) for after in range(index + 1, len(self)))
        if self._begun:  # else a loop of one's own goes through it, and sets the epoch
            yield from ((self._epoch + (not self._opening), after) for after in range(len(self)))

    def _plan(self, epoch: int, index: int, destination: Destination) -> Plan:
        """A batch by all that it depends on."""
        parts = self.images, self.masks, self.weights, self.augmentation, self.targets
        settings = self.batch_size, self.shuffle, self.seed, self.classes
        same = not self.shuffle and self.augmentation is None and self.targets is None  # in each epoch
        key = (None if same else epoch, index, destination, *settings, *map(id, parts))
        return key, partial(self._draw, epoch, index, destination)

    def _draw(self, epoch: int, index: int, destination: Destination) -> tuple[Any, ...]:
        order = epoch_order(len(self.images), self.seed, epoch) if self.shuffle else np.arange(len(self.images))
        images, masks = self._read(order[index * self.batch_size : (index + 1) * self.batch_size])
        with destination.scope():
            if self.augmentation is not None:
                images, masks = self.augmentation(images, masks, epoch, index)
            return destination.put(self._with_targets(images, masks, epoch))

    def _with_targets(self, images: Any, masks: Any, epoch: int) -> tuple[Any, ...]:
        """What Keras takes; masks and weights may lie on a device, and `targets` is given what lies in memory."""
        weights = None
        if self.weights is not None:
            masks, weights = masks[..., :1], masks[..., 1:]
        made = masks if self.targets is None else self.targets(keras.ops.convert_to_numpy(masks), epoch)
        if weights is None:
            return images, made
        return images, made, [weights] * len(made) if isinstance(made, list | tuple) else weights

    def _read(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and masks, with weights as a further channel of the masks until they have been moved together."""
        images, masks = self.images[chosen], self.masks[chosen]
        if isinstance(self.images, LazyArray):
            check_finite(images, chosen)
        if isinstance(self.masks, LazyArray):
            check_indices(masks, self.classes)
        masks = masks.astype(np.float32)
        if self.weights is not None:
            masks = np.concatenate([masks, self.weights[chosen].astype(np.float32)], axis=-1)
        return images.astype(np.float32), masks

    def on_epoch_begin(self) -> None:
        """Called by Keras."""
        self._begun = True
        self._requested = []

    def on_epoch_end(self) -> None:
        """Called by Keras: the epoch advances, unless this is the reset by which `fit` opens.

        `fit` resets its iterator before the first epoch, and calls this; on JAX and PyTorch after it began an epoch
        of one batch to build the model. So the first call after `epoch` was set ends no epoch, nor does a call
        without a beginning (keras/src/trainers/epoch_iterator.py, `reset`).
        """
        if self._begun and not self._opening:
            self._warn_reordered()
            self._epoch += 1
        self._opening = False
        self._begun = False
        self._requested = []

    def _warn_reordered(self) -> None:
        batches = list(range(len(self)))
        reordered = self._requested != batches and sorted(self._requested) == batches
        if reordered:
            warn(
                "inputs.reordered",
                "`fit` shuffled the batches of this TileDataset by Python's global random numbers, so their order is "
                "not a function of (seed, epoch) and a resumed run differs. Pass `shuffle=False` to `fit`.",
                stacklevel=2,
                again=self._warned,
            )
            self._warned = True
