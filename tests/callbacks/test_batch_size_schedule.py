"""BatchSizeSchedule: which tiles each step of a `fit` is given, how many steps there are, and what is told of it."""

import json
import signal

import keras
import numpy as np
import pytest

from unetdyn.callbacks import (
    BatchSizeSchedule,
    GradientNoise,
    NoiseScaleMonitor,
    ResumableRun,
    RunningAverageClipping,
    RunRecorder,
)
from unetdyn.data import TileDataset

BACKEND = keras.backend.backend()
COUNT, SEED = 12, 3


def tiles(**options):
    """Tiles of one pixel that hold their own number."""
    images = np.arange(COUNT, dtype="float32").reshape(COUNT, 1, 1, 1)
    return TileDataset(images, images % 2, **{"batch_size": 2, "seed": SEED, **options})


def tiny(**options):
    model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(1e-3), "mse", **options)
    return model


def watched_model():
    """Also a list of the tiles that each of its steps was given."""
    model, seen = tiny(run_eagerly=True), []
    original = model.compute_loss

    def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if training:  # not when Keras only looks at a batch, to build the model
            seen.append(keras.ops.convert_to_numpy(x).ravel().astype(int).tolist())
        return original(x, y, y_pred, sample_weight, training)

    model.compute_loss = compute_loss
    return model, seen


def expected(sizes, drop_last=False, first=0):
    batches = []
    for epoch, size in enumerate(sizes, first):
        order = np.random.default_rng([SEED, epoch]).permutation(COUNT).tolist()
        drawn = [order[start : start + size] for start in range(0, COUNT, size)]
        batches += [batch for batch in drawn if len(batch) == size or not drop_last]
    return batches


def run(model, dataset, schedule, epochs, others=(), **options):
    options = {"shuffle": False, "verbose": 0} | options
    return model.fit(dataset, epochs=epochs, callbacks=[schedule, *others], **options).history


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("sizes", [[2, 4, 4, 12], [4, 3, 2, 5], [5, 2, 12, 5]])
def test_each_epoch_draws_every_tile_once_in_batches_of_its_size(sizes, drop_last):
    model, seen = watched_model()
    dataset = tiles(batch_size=sizes[0], drop_last=drop_last)
    schedule = BatchSizeSchedule(dataset, dict(enumerate(sizes)))
    history = run(model, dataset, schedule, len(sizes))
    assert seen == expected(sizes, drop_last)
    assert int(model.optimizer.iterations) == len(seen)
    assert history["batch_size"] == sizes
    assert schedule.record["epoch"].tolist() == [0, 1, 2, 3]
    assert schedule.record["batch_size"].tolist() == sizes
    assert dataset.batch_size == sizes[0]
    assert dataset.epoch == 4


@pytest.mark.skipif(BACKEND == "torch", reason="Keras refuses steps_per_execution > 1 on PyTorch")
def test_several_steps_an_execution_draw_every_tile_too():
    model, dataset = tiny(steps_per_execution=2), tiles(batch_size=3)
    run(model, dataset, BatchSizeSchedule(dataset, {1: 6, 2: 3}), 3)
    assert int(model.optimizer.iterations) == 4 + 2 + 4


class Traces(keras.layers.Layer):
    """Notes the batch size with which it is traced."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def call(self, x):
        self.sizes.append(x.shape[0])
        return x


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch traces nothing")
def test_the_train_step_is_traced_once_on_tensorflow_and_once_for_each_size_on_jax():
    layer = Traces()
    model = keras.Sequential([keras.Input((1, 1, 1)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    dataset = tiles(batch_size=2)
    schedule = BatchSizeSchedule(dataset, {1: 4, 3: 5, 4: 2})
    layer.sizes.clear()
    run(model, dataset, schedule, 5)
    if BACKEND == "tensorflow":
        assert layer.sizes == [None]
    else:
        # The first is Keras' own look at a batch; 5 leaves a last batch of 2, which was compiled before.
        assert layer.sizes == [2, 2, 4, 5]


def test_a_training_that_goes_on_goes_on_with_its_sizes():
    """In another `fit` with `initial_epoch`, and with a dataset and a schedule of its own."""
    model, seen = watched_model()
    for first, last in ((0, 2), (2, 4)):
        dataset = tiles(initial_epoch=first)
        run(model, dataset, BatchSizeSchedule(dataset, {1: 4, 3: 6}), last, initial_epoch=first)
    assert seen == expected([2, 4, 4, 6])


def test_a_loop_of_fits_goes_on_with_its_sizes():
    model, seen = watched_model()
    dataset = tiles()
    schedule = BatchSizeSchedule(dataset, {1: 4, 2: 6})
    for _ in range(3):
        run(model, dataset, schedule, 1)
    assert seen == expected([2, 4, 6])
    assert schedule.record["epoch"].tolist() == [0, 1, 2]


class Cut(keras.callbacks.Callback):
    """Sends a signal before a step of an epoch."""

    def __init__(self, at=None):
        super().__init__()
        self.at = at

    def get_state(self):
        return {}

    def set_state(self, state):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("at", [(0, 5), (1, 1), (2, 0)], ids=str)
def test_a_run_that_was_cut_off_goes_on_with_its_sizes_noise_and_average(tmp_path, at):
    def script(folder, cut=None):
        keras.utils.set_random_seed(4)
        model, dataset = tiny(), tiles()
        schedule = BatchSizeSchedule(dataset, {1: 4, 2: 3})
        others = [RunningAverageClipping(1.0), GradientNoise(0.1), Cut(cut)]
        history = run(model, dataset, schedule, 3, [ResumableRun(folder, verbose=0), *others])
        return [history, [unit.record for unit in (schedule, *others[:2])], model.get_weights(), dataset.epoch]

    with pytest.raises(KeyboardInterrupt):
        script(tmp_path / "cut", at)
    resumed, whole = script(tmp_path / "cut"), script(tmp_path / "whole")
    assert resumed[0]["batch_size"] == [2, 4, 3]
    assert len(resumed[1][1]["step"]) == 6 + 3 + 4
    for left, right in zip(keras.tree.flatten(resumed), keras.tree.flatten(whole), strict=True):
        np.testing.assert_array_equal(left, right)


def test_each_change_is_an_event(capsys):
    dataset = tiles()
    schedule = BatchSizeSchedule(dataset, {1: 4, 2: 4, 3: 12}, verbose=1)
    run(tiny(), dataset, schedule, 4)
    assert [(epoch, finding.code) for epoch, finding in schedule.findings] == [
        (1, "batch_size.changed"),
        (3, "batch_size.changed"),
    ]
    assert "Epoch 2: BatchSizeSchedule: batches of 4 instead of 2 from here on, 3 an epoch." in capsys.readouterr().out


def test_recorder_and_progress_bar_bear_a_count_that_changes(tmp_path, capsys):
    dataset = tiles()
    schedule = BatchSizeSchedule(dataset, {1: 6})
    run(tiny(), dataset, schedule, 2, [RunRecorder(tmp_path / "run", save_best="loss")], verbose=1)
    made = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert made["setup"]["batch_size"] == 2
    assert made["setup"]["steps_per_epoch"] == 6
    epochs = [json.loads(line) for line in (tmp_path / "run" / "epochs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [epoch["batch_size"] for epoch in epochs] == [2, 6]
    printed = capsys.readouterr().out
    assert "6/6" in printed
    assert "2/2" in printed


def test_noise_scale_monitor_takes_the_size_that_holds():
    dataset = tiles()
    monitor = NoiseScaleMonitor(batch_size=2)  # a configuration tells it the first one
    run(tiny(), dataset, BatchSizeSchedule(dataset, {1: 3, 2: 4}), 3, [monitor])
    assert monitor.record["batch_size"].tolist() == [2, 3, 4]
    assert [finding.code for _, finding in monitor.findings if "size" in finding.code] == []


def test_growing_multiplies_the_datasets_own_size():
    made = BatchSizeSchedule.growing(tiles(), every=5, factor=3, largest=10)
    assert made.sizes == {0: 2, 5: 6, 10: 10}
    assert [made.size_at(epoch) for epoch in (0, 4, 5, 9, 10, 99)] == [2, 2, 6, 6, 10, 10]
    assert BatchSizeSchedule.growing(tiles(), every=1).sizes == {0: 2, 1: 4, 2: 8, 3: 12}


def test_config_tells_all_but_the_dataset():
    schedule = BatchSizeSchedule(tiles(), {np.int64(3): np.int64(6), 1: 4}, name="size")
    config = json.loads(json.dumps(schedule.get_config()))
    assert config == {"sizes": {"1": 4, "3": 6}, "verbose": 0, "name": "size"}


def test_a_fit_that_draws_from_something_else_is_refused():
    dataset = tiles()
    schedule = BatchSizeSchedule(dataset, {1: 4})
    with pytest.raises(ValueError, match=r"pass that TileDataset itself to `fit`.*Received: a `fit` with 6 steps"):
        run(tiny(), tiles(), schedule, 2)
    with pytest.raises(ValueError, match=r"without `steps_per_epoch`.*Received: a `fit` with 6 steps"):
        run(tiny(), dataset, schedule, 2, steps_per_epoch=6)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: BatchSizeSchedule(tiles(), [2, 4]), TypeError, r"`sizes` must map epochs to batch sizes.*\[2, 4\]"),
        (lambda: BatchSizeSchedule(np.zeros(3), {}), TypeError, r"`dataset` must be a `unetdyn.data.TileDataset`"),
        (lambda: BatchSizeSchedule(tiles(), {-1: 2}), ValueError, r"`sizes` must have epochs, 0 or more.*-1"),
        (lambda: BatchSizeSchedule(tiles(), {0: 13}), ValueError, r"`sizes\[0\]` must be .* from 1 to 12.*Received"),
        (lambda: BatchSizeSchedule(tiles(), {2: 0}), ValueError, r"`sizes\[2\]` must be .*Received: sizes\[2\]=0"),
        (lambda: BatchSizeSchedule.growing(tiles(), 0), ValueError, r"`every` must be a whole number of epochs, 1"),
        (lambda: BatchSizeSchedule.growing(tiles(), 1, 1), ValueError, r"`factor` must be a whole number, 2 or more"),
        (lambda: BatchSizeSchedule.growing(tiles(), 1, largest=1), ValueError, r"`largest` must be .* from 2 to 12"),
    ],
)
def test_bad_arguments_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()
