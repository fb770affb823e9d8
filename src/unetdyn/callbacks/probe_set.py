"""Where the images come from that a monitor looks at between epochs."""

import contextlib
import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

IMAGES = 16
BATCH_SIZE = 8
_REFUSED = (
    "their reading might change the training: only arrays, `keras.utils.PyDataset` and a `tf.data.Dataset` without "
    "random order or operations are read"
)

# Of `tf.data`: what gives the same again to a second iterator and keeps nothing between two.
_STATELESS = {
    "_BatchDataset",
    "_ConcatenateDataset",
    "_OptionsDataset",
    "_PaddedBatchDataset",
    "_ParallelBatchDataset",
    "_PrefetchDataset",
    "_RangeDataset",
    "_RepeatDataset",
    "_SkipDataset",
    "_TakeDataset",
    "_TensorDataset",
    "_TensorSliceDataset",
    "_UnbatchDataset",
    "_ZipDataset",
}
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
_MAPPED = {"_MapDataset", "_ParallelMapDataset"}


class NoProbeError(Exception):
    """There are no probe images; the text says why, as the rest of a sentence."""


@dataclass(frozen=True, eq=False)
class Probe:
    """Images and their targets, on the host.

    Attributes:
        x: `(images, ...)`.
        y: `(images, ...)`; of several outputs one such array for each, in their structure.
        batch_size: How many go through the model at once; the images are a multiple of it.
    """

    x: NDArray[Any]
    y: Any
    batch_size: int

    @classmethod
    def of(cls, x: Any, y: Any, images: int, batch_size: int) -> "Probe":
        """A copy of at most so many of them, spread over all, in whole batches."""
        count = min(len(x), images)
        count -= count % batch_size if count > batch_size else 0
        chosen = np.linspace(0, len(x) - 1, count).round().astype(int)
        masks = keras.tree.map_structure(lambda each: _picked(each, chosen), y)
        return cls(_picked(x, chosen), masks, min(batch_size, count))

    def picked(self, chosen: Sequence[int] | slice) -> "Probe":
        """These of the images, in this order; a multiple of the batch's size."""
        x, y = keras.tree.map_structure(lambda each: each[chosen], (self.x, self.y))
        return Probe(x, y, self.batch_size)

    def batches(self) -> Iterator[tuple[NDArray[Any], Any]]:
        """Images and targets of one batch after the other, all of one shape."""
        for start in range(0, len(self.x), self.batch_size):
            batch = self.picked(slice(start, start + self.batch_size))
            yield batch.x, batch.y


def check_probe(probe: Any) -> None:
    """Refuse what is neither None nor images with as many targets."""
    if probe is None:
        return
    if not _is_pair(probe) or len(probe) != 2 or not len(probe[0]) or {len(probe[0])} != _lengths(probe[1]):
        shapes = [tuple(getattr(part, "shape", ())) for part in probe] if isinstance(probe, tuple | list) else probe
        raise ValueError(
            "`probe` must be a pair of arrays (images, masks) with as many masks as images, at least one; of several "
            f"outputs a list of such masks; or None for validation images. Received: {shapes!r}."
        )


def validation_probe(model: keras.Model, images: int, batch_size: int) -> Probe | None:
    """Images of the validation data of the `fit` that is running, without changing what `fit` will read.

    Keras keeps these data under names of its own, which this is the one place to know. Arrays are read where they lie.
    Of a `PyDataset` a few batches are asked for by their index, and whatever random generators are found in it are set
    back, as are Python's and NumPy's. A `tf.data.Dataset` gets an iterator of its own, where nothing in it is random or
    kept. Sample weights are left out.

    Args:
        model: Within `fit`, after a validation.
        images: At most so many.
        batch_size: How many will go through the model at once.

    Returns:
        The probe; None where this `fit` has not validated yet.

    Raises:
        NoProbeError: If these data can't be read in such a way.
    """
    iterator = getattr(model, "_eval_epoch_iterator", None)
    if iterator is None:
        return None
    adapter = getattr(iterator, "data_adapter", None)
    name = type(adapter).__name__
    try:
        if name == "ArrayDataAdapter":
            x, y = _pair(adapter._inputs)  # type: ignore[union-attr]
            return Probe.of(x, y, images, batch_size)
        if name == "PyDatasetAdapter":
            return _stacked(_items(adapter.py_dataset, images), images, batch_size)  # type: ignore[union-attr]
        if name == "TFDatasetAdapter" and _is_stateless(adapter._dataset):  # type: ignore[union-attr]
            return _stacked(iter(adapter._dataset), images, batch_size)  # type: ignore[union-attr]
    except NoProbeError:
        raise
    except (
        Exception
    ) as error:  # whatever a data set of the user's raises, or another version of Keras: training goes on
        raise NoProbeError(f"the validation data could not be read ({type(error).__name__}: {error})") from error
    raise NoProbeError(f"the validation data are such that {_REFUSED}")


def _picked(array: Any, chosen: NDArray[np.int_]) -> NDArray[Any]:
    """A copy of these; in single precision, which `fit` makes of float64 too."""
    picked = np.stack([keras.ops.convert_to_numpy(array[int(index)]) for index in chosen])
    return picked.astype(np.float32) if picked.dtype == np.float64 else picked


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "__getitem__") and len(value.shape) > 0


def _is_pair(batch: Any) -> bool:
    """Whether it begins with images and with targets for each output."""
    if not isinstance(batch, tuple | list) or len(batch) < 2 or not _is_array(batch[0]):
        return False
    targets = keras.tree.flatten(batch[1])
    return bool(targets) and all(map(_is_array, targets))


def _lengths(targets: Any) -> set[int]:
    return {len(each) for each in keras.tree.flatten(targets)}


def _pair(batch: Any) -> tuple[Any, Any]:
    if not _is_pair(batch):
        raise NoProbeError("the validation data are not one array of images, and one of targets for each output")
    return batch[0], batch[1]


def _stacked(batches: Iterator[Any], images: int, batch_size: int) -> Probe:
    """Of the first batches, as many as are needed."""
    pairs: list[tuple[Any, Any]] = []
    for batch in batches:
        pairs.append(keras.tree.map_structure(lambda each: np.array(keras.ops.convert_to_numpy(each)), _pair(batch)))
        if sum(len(x) for x, _ in pairs) >= images:
            break
    if not pairs:
        raise NoProbeError("the validation data are empty")
    x, y = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *pairs)
    return Probe.of(x, y, images, batch_size)


def _items(dataset: Any, images: int) -> Iterator[Any]:
    """Batches spread over the data set, as many as hold so many images."""
    count = getattr(dataset, "num_batches", None)
    if not count:
        raise NoProbeError("the validation data have no length")
    with _random_state_kept(dataset):
        first = dataset[0]
        needed = min(count, -(-images // max(1, len(_pair(first)[0]))))
        yield first
        for index in np.linspace(0, count - 1, needed).round().astype(int)[1:]:
            yield dataset[int(index)]


@contextlib.contextmanager
def _random_state_kept(dataset: Any) -> Iterator[None]:
    """Set back Python's and NumPy's random state, and all generators that the data set or its parts hold."""
    parts = [dataset, *vars(dataset).values()]
    held = {id(value): value for part in parts for value in getattr(part, "__dict__", {}).values()}.values()
    own, global_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - to leave it as it is
    before = [(each, copy.deepcopy(_state(each))) for each in held if isinstance(each, _GENERATORS)]
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(global_state)  # noqa: NPY002
        for each, state in before:
            _set_state(each, state)


def _state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)


def _is_stateless(dataset: Any) -> bool:
    """Whether a `tf.data.Dataset` is made of nothing but parts that are known to keep nothing between two iterators."""
    kind = type(dataset).__name__
    if kind in _MAPPED:
        operations = dataset._map_func.function.graph.get_operations()
        if any(operation.op_def.is_stateful for operation in operations if operation.op_def is not None):
            return False
    elif kind not in _STATELESS:
        return False
    return all(map(_is_stateless, dataset._inputs()))
