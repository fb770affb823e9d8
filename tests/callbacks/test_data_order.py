"""Which data is said to come in another order after a resumption."""

import re
import types

import keras
import numpy as np
import pytest

from unetdyn.callbacks.data_order import order_not_restored
from unetdyn.data import TileDataset

X = np.zeros((4, 4, 4, 1), "float32")


class Plain(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, place):
        return X, X


class Reorders(Plain):
    """As many have it."""

    def on_epoch_end(self):
        np.random.shuffle(self.order)  # noqa: NPY002


class Remembers(Reorders):
    def get_state(self):
        return {"order": self.order}


def adapter(kind, **attributes):
    return type(kind, (types.SimpleNamespace,), {})(num_batches=2, **attributes)


def of(dataset):
    return adapter("PyDatasetAdapter", py_dataset=dataset)


@pytest.mark.parametrize(
    ("data", "steps"),
    [
        (None, None),
        (adapter("ArrayDataAdapter", _shuffle=False), None),
        (adapter("ArrayDataAdapter", _shuffle=False), 2),
        (of(Plain()), None),
        (of(Remembers()), None),
        (of(TileDataset(X, X, 2)), None),
    ],
)
def test_order_that_comes_back_is_not_talked_about(data, steps):
    assert order_not_restored(data, steps) is None


@pytest.mark.parametrize(
    ("data", "steps", "told"),
    [
        (adapter("GeneratorDataAdapter"), None, r"The order of this data \(GeneratorData\) can't be restored"),
        (adapter("ArrayDataAdapter", _shuffle=False), 1, r"\(ArrayData with steps_per_epoch=1\)"),
        (of(TileDataset(X, X, 2)), 1, r"\(PyDataset with steps_per_epoch=1\)"),
        (of(Reorders()), None, r"\(PyDataset\)"),
    ],
)
def test_order_that_nobody_can_put_back_is_told(data, steps, told):
    assert re.search(told, order_not_restored(data, steps).sentence)
