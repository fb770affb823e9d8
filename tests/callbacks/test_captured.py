"""What is taken of a training beside its variables, and put back."""

import keras
import numpy as np
import pytest

from unetdyn.callbacks.captured import Moment, captured, put_into_place
from unetdyn.runs.state_tree import decode, encode


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="modules of PyTorch train with PyTorch alone")
def test_moving_statistics_of_a_wrapped_module_come_back():
    import torch

    def made():
        norm = keras.layers.TorchModuleWrapper(torch.nn.BatchNorm1d(2))
        model = keras.Sequential([keras.Input((2,)), norm, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model, norm.module

    model, module = made()
    model.fit(np.full((4, 2), 5.0), np.ones((4, 1)), epochs=2, verbose=0)
    assert module.running_mean.tolist() == pytest.approx([0.95, 0.95])  # 5 (1 - 0.9²)
    state = decode(*encode(captured(Moment(2, 0, within=False), model, [], None)))
    resumed, other = made()
    resumed(np.ones((2, 2)))  # as `fit` builds it
    resumed.optimizer.build(resumed.trainable_variables)
    put_into_place(state, resumed, [], None, metrics=False)
    assert torch.equal(other.running_mean, module.running_mean)
    assert other.num_batches_tracked == 2
