"""What `run.json` says of how a training was set up, against what each model was made with."""

import json

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.callbacks import RunRecorder
from unetdyn.callbacks.setup import setup

pytestmark = pytest.mark.usefixtures("untraced")

layers, optimizers = keras.layers, keras.optimizers
PARAMS = {"epochs": 3, "steps": 4}
KEYS = {
    *("optimizer", "loss", "metrics", "batch_size", "steps_per_epoch", "epochs", "accumulation_steps", "clip"),
    *("model", "norms", "parameters", "trainable_parameters", "frozen_layers", "output_activation", "input_shape"),
    *("output_shape", "hidden_activations", "penalty", "l1_penalty", "dropout", "dtype_policy", "backend", "devices"),
    "jit_compile",
}


class PlainNorm(layers.Layer):
    """A norm of a user's own."""

    def call(self, x):
        return x - keras.ops.mean(x, axis=-1, keepdims=True)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.first = layers.Dense(3, name="first")
        self.norm = layers.BatchNormalization(momentum=0.5, name="norm")
        self.last = layers.Dense(1, activation="sigmoid", name="last")

    def call(self, x, training=False):
        return self.last(self.norm(self.first(x), training=training))


def sequential(*inner, shape=(4,), name="plain", **compile_arguments):
    model = keras.Sequential([keras.Input(shape), *inner], name=name)
    model.compile(**({"optimizer": "sgd", "loss": "mse"} | compile_arguments))
    return model


def dense(**compile_arguments):
    return sequential(layers.Dense(2), layers.Dense(1, activation="sigmoid"), **compile_arguments)


def optimizer_of(optimizer, **arguments):
    return setup(dense(optimizer=optimizer), PARAMS, **arguments)


def loss_of(loss):
    return setup(dense(loss=loss))["loss"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One training with most of what there is, and what `run.json` says of it."""
    model = sequential(
        layers.Conv2D(4, 3, padding="same", name="first"),
        layers.BatchNormalization(momentum=0.9, name="batch"),
        layers.GroupNormalization(2, name="group"),
        PlainNorm(name="mine"),
        layers.SpatialDropout2D(0.25),
        layers.Dropout(0.125),
        layers.Conv2D(1, 1, name="logits"),
        layers.Activation("sigmoid"),
        shape=(8, 8, 1),
        name="small",
        optimizer=optimizers.Adam(0.5, clipnorm=2.0),
        loss=keras.losses.BinaryCrossentropy(label_smoothing=0.125),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy")],
    )
    model.get_layer("first").trainable = False
    model.compile(model.optimizer, model.loss, metrics=[keras.metrics.BinaryAccuracy(name="accuracy")])

    def slower(epoch):
        return 0.25 if epoch == 0 else 0.125

    recorder = RunRecorder(tmp_path_factory.mktemp("run"), save_best=None)
    x = np.random.default_rng(0).random((9, 8, 8, 1), dtype="float32")
    y = (x > 0.5).astype("float32")
    callbacks = [keras.callbacks.LearningRateScheduler(slower), recorder]
    model.fit(x, y, batch_size=8, epochs=2, validation_data=(x, y), verbose=0, callbacks=callbacks)
    return runs.open(recorder.path).setup, model


def test_setup_of_a_run_has_every_part(recorded):
    found, model = recorded
    assert found.keys() == KEYS
    assert found["optimizer"] | {"config": None} == {
        "name": "Adam",
        "learning_rate": 0.25,
        "schedule": None,
        "config": None,
    }
    assert found["optimizer"]["config"]["beta_1"] == 0.9
    assert found["loss"]["name"] == "binary_crossentropy"
    assert found["loss"]["config"]["label_smoothing"] == 0.125
    assert found["metrics"] == ["accuracy"]
    assert (found["batch_size"], found["steps_per_epoch"], found["epochs"]) == (8, 2, 2)
    assert found["norms"] == [
        {"layer": "batch", "kind": "BatchNormalization", "momentum": 0.9, "trainable": True},
        {"layer": "group", "kind": "GroupNormalization", "momentum": None, "trainable": True},
        {"layer": "mine", "kind": "PlainNorm", "momentum": None, "trainable": True},
    ]
    # A 3 × 3 convolution to 4 channels and its bias; two norms with two and one with two more statistics; the last one.
    assert found["parameters"] == 40 + 16 + 8 + 5 == model.count_params()
    assert found["trainable_parameters"] == 8 + 8 + 5
    assert found["frozen_layers"] == ["first"]
    assert found["output_activation"] == "sigmoid"
    assert found["input_shape"] == found["output_shape"] == [None, 8, 8, 1]
    assert found["dropout"] == 0.25
    assert found["dtype_policy"] == "float32"
    assert found["backend"] == keras.config.backend()
    assert [device.split(":")[0] for device in found["devices"]] in (["cpu"], ["gpu"])
    assert isinstance(found["jit_compile"], bool)
    assert found["model"] == "small"
    assert found["accumulation_steps"] == 1
    assert found["clip"] == {"clipnorm": 2.0}


def test_runs_without_a_setup_open(tmp_path):
    writer = runs.RunWriter(tmp_path / "new")
    assert runs.open(writer.path).setup == {}
    header = json.loads((writer.path / "run.json").read_text())
    del header["setup"]
    (writer.path / "run.json").write_text(json.dumps(header))
    assert runs.open(writer.path).setup == {}


def test_optimizer_in_a_loss_scale_is_the_one_that_is_told():
    scaled = optimizers.LossScaleOptimizer(optimizers.SGD(0.5, gradient_accumulation_steps=2, global_clipnorm=1.0))
    found = optimizer_of(scaled)
    assert (found["optimizer"]["name"], found["optimizer"]["learning_rate"]) == ("SGD", 0.5)
    assert (found["accumulation_steps"], found["clip"]) == (2, {"global_clipnorm": 1.0})


def test_schedule_is_told_with_its_first_rate():
    schedule = optimizers.schedules.CosineDecay(0.125, 10, warmup_target=0.5, warmup_steps=2)
    found = optimizer_of(optimizers.Adam(schedule), learning_rate=9.0)["optimizer"]
    assert (found["learning_rate"], found["schedule"]) == (0.125, "CosineDecay")
    assert found["config"]["learning_rate"]["config"]["decay_steps"] == 10


def my_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred))


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("binary_crossentropy", "binary_crossentropy"),
        (keras.losses.binary_crossentropy, "binary_crossentropy"),
        (keras.losses.BinaryCrossentropy(name="other"), "binary_crossentropy"),
        ("mse", "mean_squared_error"),
        (my_loss, "my_loss"),
        (None, None),
    ],
)
def test_loss_has_one_name_however_it_was_given(loss, name):
    found = loss_of(loss)
    assert (found and found["name"]) == name


def several_outputs():
    inputs = [keras.Input((2,), name="a"), keras.Input((3,), name="b")]
    nested = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, name="narrow"), layers.LayerNormalization(name="deep")]
    )
    x = nested(layers.Concatenate()(inputs))
    outputs = {"mask": layers.Dense(1, "sigmoid", name="mask")(x), "count": layers.Dense(1, "relu", name="count")(x)}
    model = keras.Model(inputs, outputs)
    nested.trainable = False
    model.compile("sgd", {"mask": "binary_crossentropy", "count": keras.losses.MeanSquaredError()})
    return model


def test_several_inputs_outputs_and_a_nested_model():
    found = setup(several_outputs(), PARAMS)
    assert found["loss"]["name"] == "binary_crossentropy, mean_squared_error"
    assert found["loss"]["config"]["mask"]["name"] == "binary_crossentropy"
    assert found["input_shape"] == [[None, 2], [None, 3]]
    assert found["output_shape"] == [[None, 1], [None, 1]]
    assert found["output_activation"] is None
    assert [norm["layer"] for norm in found["norms"]] == ["deep"]
    assert found["norms"][0]["trainable"] is False
    assert sorted(found["frozen_layers"]) == ["deep", "narrow"]


def test_subclassed_model_that_was_called():
    model = Subclassed()
    model.compile("sgd", "mse", run_eagerly=True)
    before = setup(model)
    assert before.keys() == KEYS
    model.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
    found = setup(model, PARAMS)
    assert found["norms"] == [{"layer": "norm", "kind": "BatchNormalization", "momentum": 0.5, "trainable": True}]
    assert found["parameters"] == 9 + 12 + 4
    assert (found["output_activation"], found["model"], found["jit_compile"]) == ("sigmoid", "own", False)


@pytest.mark.parametrize(
    ("last", "name"),
    [
        (layers.Dense(1), "linear"),
        (layers.Softmax(), "softmax"),
        (keras.Sequential([layers.Dense(1, activation="tanh")]), "tanh"),
        (layers.Dense(1, activation=my_loss), "my_loss"),
        (layers.Reshape((2, 2)), None),
    ],
)
def test_output_activation(last, name):
    assert setup(sequential(last))["output_activation"] == name


def test_activation_by_a_function_of_ops():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.ops.sigmoid(layers.Dense(1)(inputs)))
    assert setup(model)["output_activation"] == "sigmoid"


class Own(layers.Dense):
    """What its activation is, is not known from outside."""


@pytest.mark.parametrize(
    ("hidden", "names"),
    [
        ([layers.Dense(2), layers.Dense(2)], {"linear": 2}),
        ([layers.Dense(2, activation="relu"), layers.Dense(2)], {"relu": 1, "linear": 1}),
        ([layers.Dense(2), layers.LeakyReLU()], {"linear": 1, "leakyrelu": 1}),
        ([keras.Sequential([layers.Dense(2, activation="tanh")])], {"tanh": 1}),
        ([layers.Dense(2), layers.Lambda(keras.ops.abs, output_shape=(2,))], None),
        ([Own(2)], None),
        ([layers.Dropout(0.5)], None),
    ],
)
def test_hidden_activations_are_those_before_the_last_kernel(hidden, names):
    model = sequential(*hidden, layers.Dense(1), layers.Activation("sigmoid"))
    assert setup(model)["hidden_activations"] == names


def test_hidden_activations_by_functions_of_ops():
    inputs = keras.Input((2,))
    hidden = keras.ops.relu(layers.Dense(2)(inputs))
    assert setup(keras.Model(inputs, layers.Dense(1)(hidden)))["hidden_activations"] == {"linear": 1, "relu": 1}
    assert setup(keras.Model(inputs, layers.Dense(1)(keras.ops.abs(hidden))))["hidden_activations"] == {
        "linear": 1,
        "relu": 1,
    }


def test_largest_penalty_of_each_kind():
    strong = layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.5))
    both = layers.Dense(2, kernel_regularizer=keras.regularizers.L1L2(0.25, 0.125))
    found = setup(sequential(layers.Dense(2, kernel_regularizer="l1"), strong, both))
    assert (found["penalty"], found["l1_penalty"]) == (0.5, 0.25)
    none = setup(dense())
    assert (none["penalty"], none["l1_penalty"]) == (0.0, 0.0)


def test_dtype_policy_is_that_of_most_layers():
    model = sequential(
        layers.Dense(2, dtype="mixed_bfloat16"), layers.Dense(2, dtype="mixed_bfloat16"), layers.Dense(1)
    )
    assert setup(model)["dtype_policy"] == "mixed_bfloat16"


class Broken:
    """A model that tells nothing."""

    def __getattr__(self, name):
        raise RuntimeError("not told")


def test_what_cannot_be_told_is_null_and_never_an_error():
    found = setup(Broken())
    assert {name: value for name, value in found.items() if value is not None} == {"backend": keras.config.backend()}
    json.dumps(found)


class Unusual(keras.losses.Loss):
    """Its configuration holds what JSON does not know."""

    def call(self, y_true, y_pred):
        return my_loss(y_true, y_pred)

    def get_config(self):
        return {"weights": np.ones(2, "float32"), "inner": keras.losses.MeanSquaredError(), "function": my_loss, 1: {2}}


def test_configuration_becomes_what_json_holds():
    found = json.loads(json.dumps(loss_of(Unusual())))
    assert found["name"] == "unusual"
    assert found["config"]["weights"] == [1.0, 1.0]
    assert found["config"]["inner"]["class_name"] == "MeanSquaredError"
    assert (found["config"]["function"], found["config"]["1"]) == ("my_loss", [2])


def fitted(tmp_path, **arguments):
    x = np.zeros((9, 4), "float32")
    recorder = RunRecorder(tmp_path, save_best=None)
    dense().fit(x, x[:, :1], verbose=0, callbacks=[recorder], **arguments)
    return runs.open(tmp_path).setup["batch_size"]


def test_batch_size_is_the_validations_only_where_it_agrees(tmp_path):
    given = (np.zeros((9, 4), "float32"), np.zeros((9, 1), "float32"))
    assert fitted(tmp_path / "same", batch_size=8, validation_data=given) == 8
    assert fitted(tmp_path / "other", batch_size=8, validation_data=given, validation_batch_size=2) is None
    assert fitted(tmp_path / "none", batch_size=8) is None
    assert fitted(tmp_path / "exact", batch_size=3) == 3


class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise RuntimeError("stopped")


def test_setup_is_told_of_a_training_that_failed_in_its_first_epoch(tmp_path):
    recorder, x = RunRecorder(tmp_path, save_best=None), np.zeros((8, 4), "float32")
    with pytest.raises(RuntimeError, match="stopped") as caught:
        dense().fit(x, x[:, :1], verbose=0, callbacks=[recorder, Stop()])
    assert runs.open(tmp_path).setup == {}
    recorder.fail(caught.value)
    found = runs.open(tmp_path).setup
    assert (found["loss"]["name"], found["epochs"]) == ("mean_squared_error", 1)


def test_setup_is_told_anew_by_a_fit_that_carries_on(tmp_path):
    """But for the rate: the first is the first."""
    model, recorder = dense(), RunRecorder(tmp_path, save_best=None)
    x = np.zeros((8, 4), "float32")
    model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[recorder])
    model.layers[0].trainable = False
    model.compile(optimizers.SGD(0.5), "mse")
    model.fit(x, x[:, :1], batch_size=2, epochs=2, initial_epoch=1, verbose=0, callbacks=[recorder])
    found = runs.open(tmp_path).setup
    assert (len(found["frozen_layers"]), found["batch_size"]) == (1, 2)
    np.testing.assert_allclose(found["optimizer"]["learning_rate"], 0.01)
