"""Looking at a call leaves nothing with it."""

import sys
import weakref

import keras
import numpy as np
import pytest

from tap_models import dense_data, dense_model
from unetdyn.callbacks import BatchMonitor, GradientMonitor, ResumableRun
from unetdyn.dynamics.frames import local_of


class Thing:
    """Can be referred to weakly."""


def test_local_of_keeps_nothing():
    thing = Thing()
    kept = weakref.ref(thing)
    assert local_of(sys._getframe(), "thing") is thing
    del thing
    assert kept() is None
    assert local_of(sys._getframe(), "thing") is None


def test_local_of_leaves_a_module_and_a_class_as_they_are():
    names = {"local_of": local_of, "sys": sys}
    text = "found = local_of(sys._getframe(), 'sys')\nclass Body:\n    a = 3\n    b = local_of(sys._getframe(), 'a')"
    exec(text, names)
    assert names["found"] is sys
    assert (names["Body"].a, names["Body"].b) == (3, 3)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the iterators of the others wait for no thread")
def test_no_iterator_of_an_epoch_outlives_it(tmp_path):
    """One that is let go of while Python's lock is held waits for threads that wait for the lock."""
    seen = []

    class Iterators(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            fit = next(f for f in frames() if f.f_code.co_name == "fit")
            seen.append(weakref.ref(local_of(fit, "iterator")))

        def on_train_batch_end(self, batch, logs=None):
            if batch == 0 and seen:
                alive.append(seen[-1]() is not None)

        def get_state(self):
            return {}

        def set_state(self, state):
            pass

    def frames():
        frame = sys._getframe(1)
        while frame is not None:
            yield frame
            frame = frame.f_back

    alive = []
    model = dense_model()
    model.compile("sgd", "mse")
    x, y = dense_data()
    callbacks = [Iterators(), GradientMonitor(verbose=0), BatchMonitor(), ResumableRun(tmp_path, verbose=0)]
    model.fit(x, y, epochs=4, verbose=0, validation_data=(x, y), callbacks=callbacks)
    assert alive == [False] * 3
    assert np.isfinite(model.get_weights()[0]).all()
