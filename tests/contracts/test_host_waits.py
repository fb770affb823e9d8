"""On PyTorch no loss and no metric makes the host wait for the device, from step to step.

It waits where a number is sent there (`torch.as_tensor(0.5, device="cuda")`), where one is read (`float`, `if`), and
where values decide on a shape (`nonzero`, a mask as an index). All three can be seen without a GPU.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import pytest

from serialisable_units import LOSSES, METRICS, TARGETS
from unetdyn.losses import BCEDiceLoss, DiceLoss, LovaszSoftmaxLoss
from unetdyn.losses.label_watch import LOOKS
from unetdyn.metrics import Accuracy, ThresholdedJaccard

pytestmark = pytest.mark.skipif(keras.backend.backend() != "torch", reason="elsewhere a step is compiled")

RNG = np.random.default_rng(0)
X = RNG.random((2, 4, 4, 1)).astype("float32")
Y = (RNG.random((2, 4, 4, 1)) < 0.5).astype("float32")
OF_CLASSES = RNG.dirichlet(np.ones(3), (2, 4, 4)).astype("float32")
NUMBERS = RNG.integers(0, 3, (2, 4, 4, 1)).astype("float32")
CLASSES = {
    "DiceLoss": lambda: DiceLoss(class_weights=[1, 2, 3], ignore_label=255),
    "LovaszSoftmaxLoss": lambda: LovaszSoftmaxLoss(class_weights=[1, 2, 3]),
    "BCEDiceLoss": lambda: BCEDiceLoss(class_weights=[1, 2, 3]),
    "ThresholdedJaccard": lambda: ThresholdedJaccard(None, class_ids=[0, 2], ignore_label=255),
    "Accuracy, pixels": lambda: Accuracy(None, empty="skip"),
}


@contextmanager
def waits_seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What makes the host wait within it; the divisor of a mean, of a shape, is Keras' own."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: list[str] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            name = operation.overloadpacket.__name__
            masks = [i for i in args[1] if i is not None and i.dtype == torch.bool] if name == "index" else []
            if masks or name in ("_local_scalar_dense", "nonzero", "masked_select"):
                seen.append(name)
            return operation(*args, **(kwargs or {}))

    def watched(make: Callable) -> Callable:
        def sent(value, *args, **kwargs):
            if not isinstance(value, torch.Tensor | tuple):
                seen.append(f"{make.__name__} of {value}")
            return make(value, *args, **kwargs)

        return sent

    with monkeypatch.context() as patch, Watch():
        for name in ("as_tensor", "tensor"):
            patch.setattr(torch, name, watched(getattr(torch, name)))
        yield seen


def tensors(*arrays: np.ndarray) -> list:
    return [keras.ops.convert_to_tensor(array) for array in arrays]


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        (lambda x: keras.ops.maximum(x, 0.25), "as_tensor of 0.25"),
        (lambda x: float(x[0, 0, 0, 0]), "_local_scalar_dense"),
        (lambda x: x[x > 0.5], "index"),
        (lambda x: keras.ops.where(x > 0.5), "nonzero"),
    ],
)
def test_a_wait_is_seen(monkeypatch, wait, expected):
    (x,) = tensors(X)
    with waits_seen(monkeypatch) as seen:
        wait(x)
    assert seen == [expected]


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradient_make_the_host_wait_for_nothing(monkeypatch, name, weighted):
    targets = TARGETS.get(name, lambda masks: masks)(Y)
    y, x, weight = tensors(targets, X, X[..., 0])
    _check_loss(monkeypatch, LOSSES[name](), y, x, weight if weighted else None)


@pytest.mark.parametrize("name", [name for name in CLASSES if name.endswith("Loss")])
def test_a_loss_of_classes_makes_the_host_wait_for_nothing(monkeypatch, name):
    _check_loss(monkeypatch, CLASSES[name](), *tensors(NUMBERS, OF_CLASSES), None)


def _check_loss(monkeypatch, loss, y, x, weight):
    x.requires_grad_()
    for _ in range(LOOKS):  # at the labels, which are read
        loss(y, x, sample_weight=weight)
    with waits_seen(monkeypatch) as seen:
        loss(y, x, sample_weight=weight).backward()
    assert seen == []
    assert x.grad is not None


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", METRICS)
def test_a_metric_makes_the_host_wait_for_nothing(monkeypatch, name, weighted):
    y, x, weight = tensors(Y, X, X[..., 0])
    _check_metric(monkeypatch, METRICS[name](), y, x, weight if weighted else None)


@pytest.mark.parametrize("name", [name for name in CLASSES if not name.endswith("Loss")])
def test_a_metric_of_classes_makes_the_host_wait_for_nothing(monkeypatch, name):
    _check_metric(monkeypatch, CLASSES[name](), *tensors(NUMBERS, OF_CLASSES), None)


def _check_metric(monkeypatch, metric, y, x, weight):
    metric.update_state(y, x, sample_weight=weight)
    metric.result()  # the first of an epoch reads what it warns of
    with waits_seen(monkeypatch) as seen:
        metric.update_state(y, x, sample_weight=weight)
        metric.result()
    assert seen == []
