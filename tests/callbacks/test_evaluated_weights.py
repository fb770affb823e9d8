"""The weights that are saved are those that were validated, whoever exchanged them. Hooks are called by hand."""

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.callbacks import RunRecorder
from unetdyn.callbacks.averages import averages_in

EPOCHS = 3


def make(optimizer):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(1, name="b")])
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    return model


def sgd():
    return keras.optimizers.SGD(0.1, use_ema=True)


def scaled():
    return keras.optimizers.LossScaleOptimizer(sgd())


def of_variable(variable):
    return sgd() if "a/" in variable.path else keras.optimizers.SGD()


def several():
    """Averages of one layer's weights only."""
    return keras.optimizers.MultiOptimizer(of_variable)


def drive(model, callbacks, better_in=1, finished=True):
    """Epochs with weights and averages that are known; gives what each validation saw, and what there was before it."""
    listed = keras.callbacks.CallbackList(callbacks, model=model, epochs=EPOCHS, steps=1)
    listed.on_train_begin()
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    seen, trained = [], []
    for epoch in range(EPOCHS):
        listed.on_epoch_begin(epoch)
        model.set_weights([np.full_like(weights, epoch + 0.5) for weights in model.get_weights()])
        for each in getattr(optimizer, "optimizers", [optimizer]):
            for average in getattr(each, "_model_variables_moving_average", []):
                average.assign(np.full(average.shape, 16.0 * (epoch + 1)))
        trained.append(model.get_weights())
        listed.on_test_begin()
        seen.append(model.get_weights())
        listed.on_test_end()
        listed.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 0.5 if epoch == better_in else 1.0 + epoch})
    if finished:
        listed.on_train_end()
    return seen, trained


def saved(path):
    return keras.saving.load_model(runs.open(path).model_path, compile=False).get_weights()


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("on_epoch", [False, True])
@pytest.mark.parametrize("optimizer", [sgd, scaled, several])
def test_averages_that_were_validated_are_saved(tmp_path, optimizer, on_epoch, place):
    model = make(optimizer())
    recorder, swap = RunRecorder(tmp_path, save_best="val_loss"), keras.callbacks.SwapEMAWeights(on_epoch)
    seen, _ = drive(model, [recorder, swap] if place == "before" else [swap, recorder])
    assert recorder.best == (1, 0.5)
    assert seen[1][0].flat[0] == 32
    for one, other in zip(saved(tmp_path), seen[1], strict=True):
        np.testing.assert_allclose(one, other)


def test_saving_averages_leaves_the_weights_to_the_last_bit(tmp_path):
    """Keras' own exchange adds and subtracts, and rounds."""
    model = make(sgd())
    recorder, swap = RunRecorder(tmp_path, save_best="val_loss"), keras.callbacks.SwapEMAWeights()
    recorder.set_model(model)
    recorder.on_train_begin()
    recorder._saved.weights._swap = swap
    before = [np.random.default_rng(0).random(weights.shape).astype("float32") for weights in model.get_weights()]
    model.set_weights(before)
    recorder.on_epoch_begin(0)
    recorder.on_epoch_end(0, {"val_loss": 0.5})
    recorder.background.wait()
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [weights.flat[0] for weights in saved(tmp_path)] != [weights.flat[0] for weights in before]
    recorder.on_train_end()


def test_average_that_cannot_be_shown_leaves_the_weights_as_they_were(monkeypatch):
    """A device without memory, say: what ends here must not train on with some of the averages."""
    model = make(sgd())
    before = model.get_weights()

    def refuse(value):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setitem(vars(model.trainable_variables[-1]), "assign", refuse)
        with pytest.raises(MemoryError), averages_in(model):
            pass
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_weights_that_nobody_exchanged_are_saved(tmp_path):
    """An optimizer that keeps averages which no validation has seen."""
    model = make(sgd())
    _, trained = drive(model, [RunRecorder(tmp_path, save_best="val_loss")])
    for one, other in zip(saved(tmp_path), trained[1], strict=True):
        np.testing.assert_array_equal(one, other)


class Exchange(keras.callbacks.Callback):
    """Exchanges the weights as a callback of the user's own does."""

    def __init__(self, at_epochs_end):
        super().__init__()
        self.at_epochs_end = at_epochs_end

    def on_test_begin(self, logs=None):
        self.kept = self.model.get_weights()
        self.model.set_weights([weights + 1 for weights in self.kept])

    def on_test_end(self, logs=None):
        self.model.set_weights(self.kept)

    def on_epoch_end(self, epoch, logs=None):
        if self.at_epochs_end:
            self.on_test_begin()


def test_weights_that_a_stranger_exchanged_are_told(tmp_path):
    with pytest.warns(UserWarning, match="val_loss is that of other weights than those that model.keras keeps") as told:
        drive(make(sgd()), [Exchange(False), RunRecorder(tmp_path / "told", save_best="val_loss")])
    assert [warning.category for warning in told].count(UserWarning) == 1
    codes = [event.get("code") for event in runs.open(tmp_path / "told").events if event["kind"] == "warning"]
    assert codes == ["recorder.other_weights"]
    drive(make(sgd()), [Exchange(True), RunRecorder(tmp_path / "right", save_best="val_loss")])
    drive(make(sgd()), [Exchange(False), RunRecorder(tmp_path / "loss", save_best="loss", mode="min")])
