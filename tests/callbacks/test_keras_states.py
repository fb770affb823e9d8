"""The state of Keras' callbacks, and of callbacks of the user's own; what they do in a training is in a contract."""

import keras
import numpy as np
import pytest

from unetdyn.callbacks.keras_states import KEPT, bring_back, state_of
from unetdyn.runs.state_tree import decode, encode

callbacks = keras.callbacks


class Own(callbacks.Callback):
    """Has a state, and says so."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def get_state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]


class Silent(callbacks.Callback):
    """Has a state, and says nothing."""

    def on_train_begin(self, logs=None):
        self.count = 0


class Patient(callbacks.EarlyStopping):
    """Of Keras, with an attribute of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.resets = 0


class PatientAndOwn(Patient):
    """The same, which says what it is."""

    def get_state(self):
        return {"resets": self.resets}

    def set_state(self, state):
        self.resets = state["resets"]


def there_and_back(callback, other):
    """Through what a file holds."""
    bring_back(other, decode(*encode(state_of(callback))))
    return other


def test_early_stopping_goes_on_waiting_with_its_best_weights():
    callback = callbacks.EarlyStopping(patience=5, restore_best_weights=True)
    values = {"wait": 3, "stopped_epoch": 0, "best": 0.25, "best_epoch": 4, "best_weights": [np.eye(2), np.ones(2)]}
    vars(callback).update(values)
    other = there_and_back(callback, callbacks.EarlyStopping(patience=5, restore_best_weights=True))
    np.testing.assert_equal({name: getattr(other, name) for name in values}, values)


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (lambda: callbacks.ReduceLROnPlateau(), {"wait": 2, "best": np.float32(0.5), "cooldown_counter": 1}),
        (
            lambda: callbacks.ModelCheckpoint("a.keras", save_freq=4),
            {"best": 0.5, "_batches_seen_since_last_saving": 3, "_last_batch_seen": 2, "_current_epoch": 1},
        ),
        (lambda: callbacks.SwapEMAWeights(), {"_ema_weights_in_model": True}),
        (
            lambda: callbacks.TensorBoard(profile_batch=0),
            {"_global_train_batch": 7, "_global_test_batch": 2, "_previous_epoch_iterations": np.float32(4)},
        ),
        (
            lambda: callbacks.BackupAndRestore("backup"),
            {"_batches_seen_since_last_saving": 3, "_last_batch_seen": 2, "_current_epoch": 1},
        ),
    ],
)
def test_attributes_come_back_and_no_others(make, values):
    callback, other = make(), make()
    vars(callback).update(values)
    before = vars(other).copy()
    there_and_back(callback, other)
    assert {name: value for name, value in vars(other).items() if before.get(name) is not value} == values


def test_history_is_a_copy_in_which_tensors_are_arrays():
    history = callbacks.History()
    history.on_train_begin()
    vars(history).update(
        history={"loss": [1.0, float("nan")], "of_classes": [keras.ops.convert_to_tensor([0.5, 0.25])]}, epoch=[0, 1]
    )
    state = state_of(history)
    history.history["loss"].append(0.5)
    assert len(state["history"]["loss"]) == 2
    other = callbacks.History()
    bring_back(other, decode(*encode(state)))
    other.history["loss"].append(0.75)
    np.testing.assert_equal(state["history"]["loss"], [1.0, float("nan")])
    np.testing.assert_array_equal(other.history["of_classes"][0], np.float32([0.5, 0.25]))
    assert other.epoch == [0, 1]


@pytest.fixture
def logged(tmp_path):
    """A log of two epochs, and the state after the first."""
    logger = callbacks.CSVLogger(tmp_path / "log.csv", separator=";")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75})
    state = decode(*encode(state_of(logger)))
    logger.on_epoch_end(1, {"loss": 0.25, "val_loss": 0.5})
    logger.on_train_end()
    return tmp_path / "log.csv", state


@pytest.mark.parametrize("append", [False, True])
def test_csv_log_goes_on_behind_the_rows_that_count(logged, append):
    """Where it is not appended to, Keras has emptied the file before."""
    path, state = logged
    logger = callbacks.CSVLogger(path, separator=";", append=append)
    logger.on_train_begin()
    for _ in range(2):
        bring_back(logger, state)
    logger.on_epoch_end(1, {"loss": 0.125, "val_loss": 0.5, "late": 1.0})
    logger.on_train_end()
    assert path.read_text().splitlines() == ["epoch;loss;val_loss", "0;0.5;0.75", "1;0.125;0.5"]


def test_csv_log_without_a_row_gets_its_header(tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "log.csv")
    assert state_of(logger) == {"keys": None, "file": None}
    logger.on_train_begin()
    state = state_of(logger)
    assert state == {"keys": None, "file": b""}
    bring_back(logger, state)
    logger.on_epoch_end(0, {"loss": 0.5})
    logger.on_train_end()
    assert (tmp_path / "log.csv").read_text().splitlines()[0] == "epoch,loss,val_loss"


def test_methods_of_a_callback_are_used():
    own = Own()
    own.count = 3
    assert there_and_back(own, Own()).count == 3
    both = PatientAndOwn()
    vars(both).update(wait=2, resets=1)
    other = there_and_back(both, PatientAndOwn())
    assert (other.wait, other.resets) == (2, 1)


def test_a_callback_without_methods_has_no_state():
    assert state_of(Silent()) is None
    assert state_of(Patient())["wait"] == 0


def test_every_callback_of_keras_is_known():
    """A new one in Keras is told here, and not by what is lost."""
    bases = {"Callback", "CallbackList", "MonitorCallback"}
    kinds = {name for name in dir(callbacks) if isinstance(getattr(callbacks, name), type)}
    assert kinds - bases <= KEPT.keys()


def test_state_of_a_long_history_is_a_copy_that_later_epochs_leave_alone():
    history = keras.callbacks.History()
    history.history, history.epoch = {"loss": [0.5, 0.25]}, [0, 1]
    state = state_of(history)
    history.history["loss"].append(0.125)
    assert state == {"history": {"loss": [0.5, 0.25]}, "epoch": [0, 1]}
