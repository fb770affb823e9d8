"""A training that was cut off carries on as if it had not been."""

import contextlib
import copy
import shutil
import signal
import threading
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import unetdyn.runs
from unetdyn.callbacks import AutoClip, GradientMonitor, RunRecorder, StabilityMonitor, endings
from unetdyn.callbacks.resumable_run import ResumableRun, WalltimeReached
from unetdyn.data import Augmentation, TileDataset
from unetdyn.dynamics.training_state import copied
from unetdyn.runs.state_store import StateStore

pytestmark = pytest.mark.usefixtures("untraced")

BACKEND = keras.config.backend()
X = np.random.default_rng(0).random((10, 4, 4, 1)).astype("float32")
Y = (X > 0.5).astype("float32")


def tiles(**changed):
    arguments = {"batch_size": 2, "seed": 3, "augmentation": Augmentation(noise=0.1)} | changed
    return {"x": TileDataset(X, Y, **arguments), "shuffle": False}


def small_model(rate=0.01, units=2, use_ema=True, loss="binary_crossentropy"):
    keras.utils.set_random_seed(5)
    layers = [
        keras.layers.Conv2D(units, 3, padding="same", name="first"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Dropout(0.3),
        keras.layers.Conv2D(1, 1, activation="sigmoid", name="last"),
    ]
    model = keras.Sequential([keras.Input((4, 4, 1)), *layers])
    optimizer = keras.optimizers.Adam(rate, use_ema=use_ema, gradient_accumulation_steps=2)
    model.compile(optimizer, loss, metrics=["mae"])
    return model


class Cut(keras.callbacks.Callback):
    """Sends a signal before a step of an epoch, keeps copies of a run's folder as epochs begin, and the variables."""

    def __init__(self, at=(), run=None, copies=None, number=signal.SIGINT):
        super().__init__()
        self.at, self.run, self.copies, self.number = at, run, copies, number

    def get_state(self):
        return {}

    def set_state(self, state):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if self.copies is not None and epoch > 0:
            self.run._background.wait()  # a copy taken while a state is being written has half of it
            shutil.copytree(self.run.path, self.copies / str(epoch))

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == tuple(self.at):
            signal.raise_signal(self.number)

    def on_test_batch_begin(self, batch, logs=None):
        if (self.epoch, "validation", batch) == tuple(self.at):
            signal.raise_signal(self.number)

    def on_epoch_end(self, epoch, logs=None):
        self.variables = copied(self.model)


def train(folder, model=None, data=None, epochs=3, cut=(), copies=None, more=(), **arguments):
    """What a script does each time it is started."""
    run = ResumableRun(folder, verbose=0, **arguments)
    last = Cut(cut, run, copies)
    model = model or small_model()
    np.random.seed(7)  # noqa: NPY002
    history = model.fit(
        **(data or tiles()),
        validation_data=(X[:4], Y[:4]),
        validation_batch_size=2,
        epochs=epochs,
        verbose=0,
        callbacks=[run, *more, last],
    )
    return run, history.history, getattr(last, "variables", None)


def cut_off(folder, at, **arguments):
    with pytest.raises(KeyboardInterrupt):
        train(folder, cut=at, **arguments)


def assert_equal(first, second):
    (_, history, variables), (_, other_history, others) = first, second
    assert history == other_history
    assert variables.keys() == others.keys()
    for place, value in variables.items():
        np.testing.assert_array_equal(value, others[place], err_msg=place)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted training, and its folder as it was when each epoch began."""
    folder, copies = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("copies")
    return train(folder, copies=copies), copies, folder


@pytest.mark.parametrize("at", [(0, 1), (1, 3)], ids=str)
def test_resumed_run_is_the_run_that_a_signal_ended(tmp_path, whole, at):
    cut_off(tmp_path, at)
    resumed = train(tmp_path)
    assert resumed[0].resumed_from == (at[0], at[1] + 1)
    assert_equal(resumed, whole[0])


def test_resumed_run_is_the_run_that_a_signal_ended_in_its_first_validation(tmp_path, whole):
    """How long that will take nobody knows."""
    cut_off(tmp_path, (0, "validation", 0))
    resumed = train(tmp_path)
    assert resumed[0].resumed_from == (0, 5)
    assert_equal(resumed, whole[0])


def test_resumed_run_is_the_run_that_signals_ended_twice_in_one_long_validation(tmp_path, whole, monkeypatch):
    monkeypatch.setattr("unetdyn.callbacks.before_validation.LONG", 0.0)
    cut_off(tmp_path, (1, "validation", 0))
    cut_off(tmp_path, (1, "validation", 1))
    resumed = train(tmp_path)
    assert resumed[0].resumed_from == (1, 5)
    assert_equal(resumed, whole[0])


def test_signal_in_a_short_validation_waits_for_its_end(tmp_path, whole):
    cut_off(tmp_path, (1, "validation", 0))
    resumed = train(tmp_path)
    assert resumed[0].resumed_from == (2, 0)
    assert_equal(resumed, whole[0])


def test_resumed_validation_is_of_the_weights_that_a_callback_puts_in_place_for_it(tmp_path):
    """And those that were trained are the ones that go on."""

    def swapping(folder, cut=()):
        return train(folder, cut=cut, more=[keras.callbacks.SwapEMAWeights()])

    with pytest.raises(KeyboardInterrupt):
        swapping(tmp_path / "cut", (0, "validation", 0))
    resumed = swapping(tmp_path / "cut")
    assert resumed[0].resumed_from == (0, 5)
    assert_equal(resumed, swapping(tmp_path / "whole"))


class Weighing(keras.Model):
    """Says something of each step that no metric keeps."""

    def train_step(self, *arguments):
        found = super().train_step(*arguments)
        logs, *rest = found if isinstance(found, tuple) else (found,)
        logs = {**logs, "last": 2 * logs["loss"]}
        return (logs, *rest) if rest else logs


def test_logs_of_the_last_step_are_those_of_the_epoch_that_is_resumed_at_its_validation(tmp_path):
    def weighed(folder, cut=()):
        plain = small_model()
        model = Weighing(plain.inputs, plain.outputs)
        model.compile("adam", "mse")
        return train(folder, model, cut=cut)

    with pytest.raises(KeyboardInterrupt):
        weighed(tmp_path / "cut", (0, "validation", 0))
    resumed, whole = weighed(tmp_path / "cut"), weighed(tmp_path / "whole")
    assert "last" in whole[1]
    assert_equal(resumed, whole)


def test_resumed_run_is_the_same_whether_batches_are_made_ahead_or_not(tmp_path, whole):
    cut_off(tmp_path, (1, 2), data=tiles(ahead=3))
    resumed = train(tmp_path, data=tiles(ahead=0))
    assert resumed[0].resumed_from == (1, 3)
    assert_equal(resumed, whole[0])


def test_resumed_run_begins_no_epoch_twice_that_a_signal_ended_before_its_first_step(tmp_path):
    """What acts when an epoch begins has acted."""

    class AtItsBegin(Cut):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch
            if epoch == 1:
                signal.raise_signal(signal.SIGTERM)

    def lowered(folder, *more):
        falling = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
        return train(folder, more=[falling, *more])

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            lowered(tmp_path / "cut", AtItsBegin())
    finally:
        signal.signal(signal.SIGTERM, before)
    resumed = lowered(tmp_path / "cut")
    assert resumed[0].resumed_from == (1, 0)
    assert_equal(resumed, lowered(tmp_path / "whole"))


def test_resumed_run_is_the_run_that_was_killed(whole, tmp_path):
    copy = next(iter(sorted(whole[1].iterdir(), reverse=True)))  # none where the thread was slow is no error
    shutil.copytree(copy, tmp_path / "run")
    resumed = train(tmp_path / "run")
    assert resumed[0].resumed_from is not None
    assert_equal(resumed, whole[0])


def recorded(folder, at=()):
    """A training with a recorder and what it records, as a script has it."""
    monitors = [GradientMonitor(verbose=0), StabilityMonitor(window=2), AutoClip(50)]
    recorder = RunRecorder(folder, save_best="val_loss", monitors=monitors)
    train(folder, cut=at, epochs=4, more=[*monitors, recorder])
    return unetdyn.runs.open(folder)


@pytest.mark.parametrize(("at", "where"), [((1, 2), (1, 3)), ((0, "validation", 0), (0, 5))], ids=str)
def test_record_has_no_seam(tmp_path, at, where):
    with pytest.raises(KeyboardInterrupt):
        recorded(tmp_path / "cut", at=at)
    assert unetdyn.runs.open(tmp_path / "cut").status == "interrupted"
    run, whole = recorded(tmp_path / "cut"), recorded(tmp_path / "whole")
    assert without("time", run.events) == without("time", whole.events)
    assert without("seconds", run.epochs) == without("seconds", whole.epochs)
    assert without("seconds", [run.summary]) == without("seconds", [whole.summary])
    for name in whole.array_names:
        np.testing.assert_equal(run.arrays(name), whole.arrays(name))
    assert [(each["epoch"], each["step"], each["ended"]) for each in run.header["resumed"]] == [(*where, "SIGINT")]
    assert run.status == whole.status == "finished"


def without(key, rows):
    return [{name: value for name, value in row.items() if name != key} for row in rows]


def test_arrays_that_keras_shuffles_come_in_the_same_order(tmp_path):
    data = {"x": X, "y": Y, "batch_size": 2}
    cut_off(tmp_path / "cut", (1, 2), data=data)
    assert_equal(train(tmp_path / "cut", data=data), train(tmp_path / "whole", data=data))


def test_finished_run_has_nothing_left_to_do(whole):
    (_, history, variables), _, folder = whole
    model = small_model()
    run, again, others = train(folder, model)
    assert run.resumed_from == (3, 0)
    assert others is None, "no epoch began"
    assert again == history
    ended = {name: variables[name] for name in variables if name.startswith("optimizer")}
    for name, value in copied(model, metrics=False).items():
        if name in ended:
            np.testing.assert_array_equal(value, ended[name])


def test_more_epochs_carry_on_behind_the_planned_end(tmp_path, whole):
    train(tmp_path, epochs=2)
    longer = train(tmp_path)
    assert longer[0].resumed_from == (2, 0)
    assert_equal(longer, whole[0])


class StopEarly(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 0


def test_same_objects_carry_on_after_an_interruption(tmp_path, whole):
    """As in a notebook, where a cell is run once more."""
    model, run, last = small_model(), ResumableRun(tmp_path, verbose=0), Cut((1, 2))
    validation = {"validation_data": (X[:4], Y[:4]), "validation_batch_size": 2}
    arguments = {**validation, "epochs": 3, "verbose": 0, "callbacks": [run, last]}
    with pytest.raises(KeyboardInterrupt):
        model.fit(**tiles(), **arguments)
    last.at = ()
    history = model.fit(**tiles(), **arguments)
    assert_equal((run, history.history, last.variables), whole[0])


def test_copy_keeps_no_state_and_brings_none_back(whole):
    run = copy.deepcopy(ResumableRun(whole[2], verbose=0))
    with pytest.warns(UserWarning, match="is a copy of the one of .*, and keeps no state"):
        history = small_model().fit(**DATA, verbose=0, callbacks=[run])
    assert run.resumed_from is None
    assert len(history.epoch) == 1


def test_run_that_a_callback_ended_stays_ended(tmp_path):
    assert len(train(tmp_path, more=[StopEarly()])[1]["loss"]) == 1
    assert len(train(tmp_path, more=[StopEarly()])[1]["loss"]) == 1


def loop(folder, cut=()):
    """A script with a `fit` for each epoch."""
    # On JAX, Keras itself can't fit again with averages: they share a buffer with the weights.
    model, run, last = small_model(use_ema=BACKEND != "jax"), ResumableRun(folder, verbose=0), Cut()
    losses = []
    for epoch in range(3):
        last.at = (0, cut[1]) if cut and epoch == cut[0] else ()
        history = model.fit(**DATA, verbose=0, callbacks=[run, last])
        losses += history.history.get("loss", [])
    return losses, copied(model, metrics=False)


DATA = {"x": X, "y": Y, "batch_size": 2, "shuffle": False}


def test_loop_of_fits_passes_over_those_that_had_ended(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        loop(tmp_path / "cut", cut=(1, 2))
    losses, variables = loop(tmp_path / "cut")
    expected_losses, expected = loop(tmp_path / "whole")
    assert losses == expected_losses[1:]
    for place, value in expected.items():
        np.testing.assert_array_equal(variables[place], value, err_msg=place)


class Broken(Cut):
    """Raises before a step."""

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == tuple(self.at):
            raise OSError("no data")


def steps_of(model):
    return int(keras.ops.convert_to_numpy(model.optimizer.variables[0]))


def test_later_fit_that_an_exception_ended_before_its_first_state_is_not_taken_for_the_one_before(tmp_path):
    model, run, last = small_model(use_ema=BACKEND != "jax"), ResumableRun(tmp_path, verbose=0), Broken()
    arguments = {**DATA, "epochs": 2, "verbose": 0, "callbacks": [run, last]}
    model.fit(**arguments)
    last.at = (0, 1)
    with pytest.raises(OSError, match="no data"):
        model.fit(**arguments)
    steps = steps_of(model)
    last.at = ()
    model.fit(**arguments)
    assert steps_of(model) == steps + 10


def test_state_that_is_still_being_written_when_an_exception_comes_is_awaited(tmp_path):
    model, run, last = small_model(), ResumableRun(tmp_path, verbose=0), Broken((1, 1))
    write = run._store.write

    def slowly(tree):
        time.sleep(1)
        return write(tree)

    run._store.write = slowly
    arguments = {**DATA, "epochs": 2, "verbose": 0, "callbacks": [run, last]}
    with pytest.raises(OSError, match="no data"):
        model.fit(**arguments)
    last.at = ()
    model.fit(**arguments)
    assert run.resumed_from == (1, 0)


def test_optimizers_of_the_models_own_are_told(whole):
    model = small_model()
    model.critic_optimizer = keras.optimizers.Adam()
    with pytest.warns(UserWarning, match="The model has optimizers of its own, in critic_optimizer"):
        train(whole[2], model)


def test_passed_over_fits_are_told(tmp_path, capsys):
    model, run = small_model(use_ema=BACKEND != "jax"), ResumableRun(tmp_path, verbose=0)
    for _ in range(2):
        model.fit(**DATA, verbose=0, callbacks=[run])
    small_model(use_ema=BACKEND != "jax").fit(**DATA, verbose=0, callbacks=[ResumableRun(tmp_path)])
    assert "Passing over `fit` number 1, which had ended" in capsys.readouterr().out


def test_list_of_callbacks_that_knows_no_epochs_lets_an_ended_training_stay_ended(tmp_path):
    for _ in range(2):
        model = small_model()
        callbacks = [ResumableRun(tmp_path, verbose=0), StopEarly()]
        callbacks = keras.callbacks.CallbackList(callbacks, add_history=True, model=model)
        model.fit(**DATA, epochs=3, verbose=0, callbacks=callbacks)
        assert steps_of(model) == 5


def test_model_without_weights_is_refused_where_keras_makes_them_in_the_first_step(tmp_path):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    arguments = {"x": np.ones((4, 1)), "y": np.ones((4, 1)), "verbose": 0, "callbacks": [ResumableRun(tmp_path)]}
    if keras.backend.backend() == "tensorflow":
        with pytest.raises(ValueError, match=r"`model` must be built before `fit`.* Begin it with keras\.Input"):
            model.fit(**arguments)
        model(np.ones((1, 1)))
    model.fit(**arguments)


def test_other_monitors_are_refused_before_anything_is_changed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        recorded(tmp_path, at=(1, 2))
    before = (tmp_path / "run.json").read_bytes(), (tmp_path / "events.jsonl").read_bytes()
    with pytest.raises(ValueError, match="among the callbacks, or the number of replicas, are others, one for taps/"):
        train(tmp_path, more=[RunRecorder(tmp_path)])
    assert ((tmp_path / "run.json").read_bytes(), (tmp_path / "events.jsonl").read_bytes()) == before


def test_callback_that_cannot_take_back_its_state_is_named(tmp_path):
    class Counter(keras.callbacks.Callback):
        kept = "count"

        def get_state(self):
            return {"count": 1}

        def set_state(self, state):
            self.count = state[self.kept]

    train(tmp_path, epochs=1, more=[Counter()])
    Counter.kept = "steps"  # as a later version has it
    with pytest.raises(ValueError, match=r"Counter can't take back what it kept.*Received: KeyError: 'steps'"):
        train(tmp_path, more=[Counter()])
    Counter.kept = "count"  # the state is as it was
    assert train(tmp_path, epochs=2, more=[Counter()])[0].resumed_from == (1, 0)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model": lambda: small_model(units=3)}, r"model\.layers\.\d+\.filters was 2 and is 3"),
        ({"model": lambda: small_model(rate=0.02)}, r"optimizer\.learning_rate was 0\.0\d+ and is 0\.0\d+"),
        ({"model": lambda: small_model(loss="mse")}, r"loss\.name was binary_crossentropy and is mean_squared_error"),
        ({"data": lambda: tiles(seed=4)}, r"data\.seed was 3 and is 4"),
        ({"data": lambda: tiles(batch_size=5)}, r"data\.batch_size was 2 and is 5"),
        ({"data": lambda: tiles(augmentation=None)}, r"data\.augmentation was .* and is None"),
        ({"data": lambda: {"x": X, "y": Y}}, r"data\.kind was TileDataset and is ArrayDataAdapter"),
    ],
    ids=["model", "optimizer", "loss", "order", "batch size", "augmentation", "data"],
)
def test_state_of_another_training_is_refused_by_what_differs(whole, changed, told):
    arguments = {name: make() for name, make in changed.items()}
    with pytest.raises(ValueError, match=f"`path` must hold the state of this training. Received: .*: {told}"):
        train(whole[2], **arguments)


def test_data_with_another_pixel_is_other_data(whole):
    other = X.copy()
    other[3, 0, 0] += 1
    with pytest.raises(ValueError, match=r"data\.images\.checksum was"):
        train(
            whole[2],
            data={"x": TileDataset(other, Y, 2, seed=3, augmentation=Augmentation(noise=0.1)), "shuffle": False},
        )


def test_damaged_generation_gives_way_to_the_one_before(tmp_path, whole):
    shutil.copytree(whole[2], tmp_path / "run")
    newest = max((tmp_path / "run" / "state").glob("*.npz"))
    newest.write_bytes(newest.read_bytes()[:-7])
    with pytest.warns(UserWarning, match="The newest state can't be used, and the one before is"):
        resumed = train(tmp_path / "run")
    assert_equal(resumed, whole[0])


def test_walltime_ends_the_process_in_time_and_the_run_carries_on(tmp_path, whole):
    with pytest.raises(WalltimeReached) as ended:
        train(tmp_path, walltime=10_000_000, margin=86400, more=[Hurry()])
    assert ended.value.code == 75
    resumed = train(tmp_path)
    assert resumed[0].resumed_from == (1, 2)
    assert_equal(resumed, whole[0])


class Hurry(Cut):
    """Lets the deadline of the run beside it come before step 2 of epoch 1."""

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == (1, 1):
            from unetdyn.callbacks.fit_call import callback_list

            run = next(each for each in callback_list().callbacks if isinstance(each, ResumableRun))
            run._deadline._end = 0.0


def test_second_signal_ends_the_process_at_once(tmp_path):
    class Impatient(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, more=[Impatient()])
    assert not StateStore(tmp_path / "state").exists()


@pytest.mark.parametrize("apart", [0.0, 3.0])
def test_sigterm_that_was_passed_on_is_the_one_that_came(tmp_path, monkeypatch, apart):
    """A scheduler sends it to all processes of a job, and who has started this one passes it on."""
    clock = [100.0]
    monkeypatch.setattr("unetdyn.callbacks.resumable_run.time", SimpleNamespace(monotonic=lambda: clock[0]))

    class Twice(Cut):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 1:  # there is a step to be saved
                signal.raise_signal(signal.SIGTERM)
                clock[0] += apart
                signal.raise_signal(signal.SIGTERM)

    came = []

    def end(number, frame):
        came.append(number)
        raise KeyboardInterrupt

    for left in list(endings._attending):  # trainings of other tests, which an exception ended
        endings.leave(left)
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, more=[Twice()])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came == [signal.SIGTERM]
    assert StateStore(tmp_path / "state").exists() == (apart < 2)


class LastMoment(Cut):
    def on_train_end(self, logs=None):
        signal.raise_signal(self.number)


def test_signal_at_the_very_end_does_what_it_did_before(tmp_path):
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        train(tmp_path, epochs=1, more=[LastMoment(number=signal.SIGTERM)])
        assert came == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_signal_of_a_training_that_an_exception_ended_is_no_first_one(tmp_path, whole):
    class Broken(Cut):
        def on_train_batch_end(self, batch, logs=None):
            signal.raise_signal(signal.SIGINT)
            raise OSError("no data")

    with pytest.raises(OSError, match="no data"):
        train(tmp_path / "broken", more=[Broken()])
    cut_off(tmp_path / "cut", (1, 1))
    assert_equal(train(tmp_path / "cut"), whole[0])


def test_training_that_was_left_while_it_skipped_batches_trains_on(tmp_path, whole):
    cut_off(tmp_path, (1, 3))
    model = small_model()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, model, cut=(1, 1))  # it is not there yet: it ends at once
    resumed = train(tmp_path, model)
    assert_equal(resumed, whole[0])


class Draws(Cut):
    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch)
        np.random.random(3)  # noqa: NPY002


class Permuted(keras.utils.PyDataset):
    """Draws its order as an epoch begins."""

    order = np.arange(10)

    def __len__(self):
        return 5

    def __getitem__(self, place):
        chosen = self.order[2 * place : 2 * place + 2]
        return X[chosen], Y[chosen]

    def on_epoch_begin(self):
        self.order = np.random.permutation(10)  # noqa: NPY002


@pytest.mark.skipif(BACKEND == "tensorflow", reason="Keras refuses it there: it has no metrics before a step")
@pytest.mark.filterwarnings("ignore:The order of this data", "ignore:Your input ran out of data")
def test_data_that_ends_before_the_step_of_the_state_is_refused(tmp_path):
    """A generator does not say how long it is, and the epoch would have passed for trained."""

    def batches(count):
        return {"x": ((X[:2], Y[:2]) for _ in range(count)), "shuffle": False}

    cut_off(tmp_path, (0, 3), data=batches(9))
    for _ in range(2):  # the state is as it was
        with pytest.raises(ValueError, match=r"step 5 of epoch 1, before which this data ended\. Give `fit` as much"):
            train(tmp_path, data=batches(2), epochs=1)


@pytest.mark.filterwarnings("ignore:The order of this data")
def test_what_callbacks_draw_as_an_epoch_begins_moves_nothing(tmp_path):
    def start(folder, at=()):
        return train(folder, data={"x": Permuted(), "shuffle": False}, cut=at, more=[Draws()])

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "cut", (1, 2))
    assert_equal(start(tmp_path / "cut"), start(tmp_path / "whole"))


@pytest.mark.parametrize("at", [(), (0, 0)], ids=["its end", "a signal"])
def test_handlers_are_what_they_were_after_the_training(tmp_path, at):
    for each in tuple(endings._attending):  # of trainings that exceptions have ended in other tests
        endings.leave(each)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with contextlib.suppress(KeyboardInterrupt):
        train(tmp_path, epochs=1, cut=at)
    assert {number: signal.getsignal(number) for number in before} == before
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("unetdyn")]
    for thread in threads:
        if (
            thread.name == "unetdyn: ahead"
        ):  # batches of an epoch that does not come; each ends when it has made its own
            thread.join(timeout=60)
    assert not [thread for thread in threads if thread.is_alive()]


def test_state_that_cannot_be_written_ends_no_training(tmp_path):
    (tmp_path / "state").write_text("in the way")
    with pytest.warns(UserWarning, match="The state could not be written, and training goes on"):
        train(tmp_path, epochs=1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"walltime": "soon"}, "`walltime` must be more than nothing, as H:MM:SS"),
        ({"walltime": 60}, "`walltime` must be longer than `margin`, or nothing is ever trained. Received: 60 and 60"),
        ({"margin": -1}, "`margin` must"),
    ],
)
def test_arguments_that_cannot_be_are_refused(tmp_path, arguments, told):
    with pytest.raises(ValueError, match=told):
        ResumableRun(tmp_path, **arguments)
    assert not list(tmp_path.iterdir())


def test_no_checkpoint_is_saved_of_batches_that_are_passed_over(tmp_path):
    """It would have the weights of a later step under the name of an earlier one."""
    saved = {}
    for name, cut in (("whole", ()), ("cut", (1, 3))):
        file = tmp_path / f"{name}.{{epoch}}.{{batch}}.weights.h5"

        def checkpoint(file=file):
            return [keras.callbacks.ModelCheckpoint(file, save_freq=3, save_weights_only=True)]

        if cut:
            cut_off(tmp_path / name, cut, more=checkpoint())
        train(tmp_path / name, more=checkpoint())
        model = small_model()
        model.optimizer.build(model.trainable_variables)
        for file in sorted(tmp_path.glob(f"{name}.*.h5")):
            model.load_weights(file)
            saved[name, file.name.removeprefix(name)] = model.get_weights()
    files = {file for _, file in saved}
    assert len(files) == 5, "of 15 steps each third"
    for file in files:
        for one, other in zip(saved["whole", file], saved["cut", file], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=file)
