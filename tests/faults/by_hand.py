"""A training without training: what `fit` tells callbacks, around a step that costs nothing.

So a file can be damaged, or an epoch come to its end, thousands of times.
"""

import time
import warnings
from pathlib import Path

import keras
import numpy as np

from unetdyn import runs
from unetdyn.callbacks import ResumableRun, RunRecorder, StabilityMonitor
from unetdyn.dynamics.training_state import copied

EPOCHS, STEPS = 4, 2


def make_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="dense")], name="model")
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5, name="sgd"), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def step(model, count):
    """Something that depends on all that was before, and on where the random numbers stand."""
    kernel = model.layers[0].kernel
    kernel.assign(keras.ops.convert_to_numpy(kernel) * np.float32(0.5) + np.float32(np.random.random()))  # noqa: NPY002
    model.optimizer.iterations.assign(count + 1)


def tell_all(model, callbacks, epochs, tell=lambda text: None, steps=STEPS):
    """Drive callbacks as `fit` does."""
    told = keras.callbacks.CallbackList(callbacks, add_history=True, model=model, epochs=epochs, steps=steps, verbose=0)
    model.stop_training, model._initial_epoch = False, 0
    told.on_train_begin()
    for epoch in range(model._initial_epoch or 0, epochs):
        told.on_epoch_begin(epoch)
        tell(f"epoch {epoch}")
        for batch in range(steps):
            told.on_train_batch_begin(batch)
            step(model, epoch * steps + batch)
            told.on_train_batch_end(batch, {"loss": 1.0 / (epoch + 1)})
        value = float(keras.ops.convert_to_numpy(model.layers[0].kernel)[0, 0])
        told.on_epoch_end(epoch, {"loss": value, "val_loss": value % 0.3})
    told.on_train_end()
    return next(each for each in told.callbacks if isinstance(each, keras.callbacks.History)).history


def drive(folder, epochs=EPOCHS, tell=lambda text: None, save_best="val_loss", hold=0.0, each_state=False):
    """One start of a script, with a recorder and a resumable run of one path.

    Args:
        folder: The run directory.
        epochs: How many.
        tell: Is given a line when an epoch begins.
        save_best: As of the recorder.
        hold: Seconds that the first epoch of this start takes.
        each_state: Whether each epoch waits for the state of the one before, so that none is left out.

    Returns:
        What there is in the end, to be compared; and where it was resumed from.
    """
    model, monitor = make_model(), StabilityMonitor(["val_loss", "loss"], window=2)
    recorder = RunRecorder(folder, save_best=save_best, monitors=[monitor], extend=True)
    run = ResumableRun(folder, verbose=0)
    callbacks = [monitor, recorder, run, *([At(run)] if each_state else [])]
    history = tell_all(model, callbacks, epochs, holding(tell, hold))
    found = {"history": history, "variables": copied(model, metrics=False), "random": float(np.random.random())}  # noqa: NPY002
    return found | recorded(folder), run.resumed_from


def drive_alone(folder, epochs=EPOCHS, tell=lambda text: None, hold=0.0):
    """The same without a recorder: nothing but a resumable run."""
    model, run = make_model(), ResumableRun(folder, verbose=0)
    history = tell_all(model, [run], epochs, holding(tell, hold))
    return {"history": history, "variables": copied(model, metrics=False)}, run.resumed_from


class At(keras.callbacks.Callback):
    """Does something when an epoch begins, and the state of the one before is on the disk."""

    def __init__(self, run, **actions):
        super().__init__()
        self.run = run
        self.actions = {int(name.removeprefix("epoch")): action for name, action in actions.items()}

    def get_state(self):
        return {}

    def set_state(self, state):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        self.run._background.wait()
        self.actions.get(epoch, lambda: None)()


def disturbed(folder, **actions):
    """A training to which something happens when its epochs begin, and what it warned of."""
    model, monitor = make_model(), StabilityMonitor(["val_loss", "loss"], window=2)
    recorder = RunRecorder(folder, save_best="val_loss", monitors=[monitor], extend=True)
    run = ResumableRun(folder, verbose=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tell_all(model, [monitor, recorder, run, At(run, **actions)], EPOCHS)
    return [str(each.message) for each in caught if "__array__" not in str(each.message)]


def holding(tell, seconds):
    """Tells, and sleeps after the first line."""
    left = [seconds]

    def told(text):
        tell(text)
        if left:
            time.sleep(left.pop())

    return told


def recorded(folder):
    """All that a run directory holds."""
    run = runs.open(folder)
    assert not run.notes, run.notes
    found = {"run": run.header, "epochs": list(run.epochs), "events": list(run.events)}
    found["stability"] = dict(run.arrays("stability"))
    if run.model_path is not None:
        try:
            found["model"] = keras.models.load_model(run.model_path).get_weights()
        except Exception as error:  # a damaged archive raises anything
            found["model"] = str(error)
    return found


def leftovers(folder):
    """Files that no training leaves."""
    hidden = [file for file in Path(folder).rglob(".*") if file.is_file()]
    return [str(file.relative_to(folder)) for file in hidden]
