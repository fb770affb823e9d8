"""The model of a run opens as it was saved, and only if it runs nothing of its own."""

import keras
import numpy as np
import pytest

from unetdyn.experiment import load_model
from unetdyn.models import UNet
from unetdyn.runs import RunError, RunWriter


@pytest.fixture
def run(tmp_path):
    return RunWriter(tmp_path / "run").path


class Mine(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs


def test_model_is_the_one_that_was_saved(run):
    model = UNet((16, 16, 1), filters=2, depth=1)
    model.save(run / "model.keras")
    for ours, saved in zip(load_model(run).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, saved)


def test_run_without_a_model_says_so(run):
    with pytest.raises(FileNotFoundError, match=r"`run` must have saved a model. Received: .*run, which has no model"):
        load_model(run)


def test_own_class_is_named_and_may_be_passed(run):
    keras.Sequential([keras.Input((2,)), Mine()]).save(run / "model.keras")
    with pytest.raises(RunError, match=r"it holds Mine, .* pass custom_objects=\{'Mine': \.\.\.\}"):
        load_model(run)
    assert float(load_model(run, {"Mine": Mine})(np.ones((1, 2)))[0, 0]) == 2


def test_lambda_stays_refused(run):
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)]).save(run / "model.keras")
    with pytest.raises(RunError, match="it holds a Lambda, which would run code"):
        load_model(run)


def test_damaged_weights_are_told_in_a_sentence(run):
    UNet((16, 16, 1), filters=2, depth=1).save(run / "model.keras")
    content = (run / "model.keras").read_bytes()
    at = content.index(b"\x89HDF")
    (run / "model.keras").write_bytes(content[:at] + bytes(64) + content[at + 64 :])
    with pytest.raises(RunError, match=r"model.keras is damaged, or another version of Keras made it: "):
        load_model(run)
