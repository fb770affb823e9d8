"""What a configuration may say of the optimizer: that it reaches Keras, comes back from a run, or is refused."""

import inspect
import re
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest
import yaml

from unetdyn.callbacks import MomentumCycle
from unetdyn.experiment import ConfigError, parse_config
from unetdyn.experiment.build import build_model, build_optimizer
from unetdyn.experiment.optimizer_config import ARGUMENTS_OF_KINDS, CLIPS, KERAS_ARGUMENTS, OptimizerConfig

KINDS = get_args(OptimizerConfig.model_fields["kind"].annotation)
CLASSES = {kind: type(keras.optimizers.get(kind)) for kind in KINDS}

REACHES = [
    ("adamw", "beta_1", 0.8),
    ("adam", "beta_2", 0.95),
    ("adam", "amsgrad", True),
    ("adam", "epsilon", 1e-5),
    ("adamw", "epsilon", 1e-5),
    ("rmsprop", "epsilon", 1e-5),
    ("adagrad", "epsilon", 1e-5),
    ("sgd", "momentum", 0.9),
    ("rmsprop", "momentum", 0.9),
    ("rmsprop", "rho", 0.8),
    ("rmsprop", "centered", True),
    ("adagrad", "initial_accumulator_value", 0.2),
    *((kind, "weight_decay", 0.02) for kind in KINDS),
    *(("sgd", clip, 1.5) for clip in CLIPS),
    ("adam", "gradient_accumulation_steps", 4),
    ("adam", "loss_scale_factor", 1024.0),
]
"""Kind, key, a value that is not the default."""

TOGETHER = [
    {"kind": "sgd", "momentum": 0.9, "nesterov": True},
    {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 5},
]


def config(optimizer, **parts):
    small = {"filters": 2, "depth": 1}
    return parse_config({"data": {"kind": "synthetic", "tile": 16}, "model": small, "optimizer": optimizer, **parts})


def test_every_key_that_keras_is_given_is_in_a_table_here():
    tried = {key for _, key, _ in REACHES} | {key for keys in TOGETHER for key in keys} - {"kind"}
    assert tried == set(KERAS_ARGUMENTS)


@pytest.mark.parametrize("argument", KERAS_ARGUMENTS)
def test_argument_belongs_to_the_kinds_whose_class_has_it(argument):
    having = {kind for kind, made in CLASSES.items() if argument in inspect.signature(made).parameters}
    assert set(ARGUMENTS_OF_KINDS.get(argument, KINDS)) == having


@pytest.mark.parametrize("keys", [*({"kind": kind, key: value} for kind, key, value in REACHES), *TOGETHER], ids=str)
def test_argument_reaches_keras_and_comes_back_from_the_resolved_configuration(keys):
    chosen = config(keys)
    made = build_optimizer(chosen, steps_per_epoch=5).get_config()
    default = CLASSES[chosen.optimizer.kind]().get_config()
    given = {key: value for key, value in keys.items() if key != "kind"}
    changed = {key for key in made if made[key] != default[key]} - {"learning_rate", "name"}
    assert {key: made[key] for key in given} == given
    assert changed == set(given)
    written = chosen.model_dump(mode="json")
    assert {key: written["optimizer"][key] for key in keys} == keys
    assert parse_config(written) == chosen


@pytest.mark.parametrize("kind", KINDS)
def test_absent_arguments_are_those_of_keras(kind):
    made = build_optimizer(config({"kind": kind}), steps_per_epoch=5).get_config()
    default = CLASSES[kind]().get_config()
    assert {**made, "name": "", "learning_rate": 0} == {**default, "name": "", "learning_rate": 0}


def test_dynamic_loss_scale_holds_the_optimizer():
    chosen = config({"kind": "sgd", "dynamic_loss_scale": {"initial_scale": 256.0, "dynamic_growth_steps": 7}})
    made = build_optimizer(chosen, steps_per_epoch=5)
    assert isinstance(made, keras.optimizers.LossScaleOptimizer)
    assert (made.initial_scale, made.dynamic_growth_steps, type(made.inner_optimizer)) == (256, 7, CLASSES["sgd"])
    assert parse_config(chosen.model_dump(mode="json")) == chosen
    assert build_optimizer(config({"dynamic_loss_scale": {}}), 5).initial_scale == 2**15


@pytest.mark.parametrize(
    ("optimizer", "scaled", "factor"), [({}, True, None), ({"loss_scale_factor": 256.0}, False, 256.0)]
)
def test_mixed_float16_scales_the_loss_as_keras_does_or_by_the_factor_that_is_given(optimizer, scaled, factor):
    model = build_model(config(optimizer, fit={"precision": "mixed_float16"}), 1, 4)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == scaled
    assert getattr(model.optimizer, "inner_optimizer", model.optimizer).loss_scale_factor == factor


@pytest.mark.parametrize("scale", [None, {}])
def test_weight_decay_groups_spare_all_but_kernels(scale):
    chosen = config({"kind": "adamw", "weight_decay_groups": True, "dynamic_loss_scale": scale})
    model = build_model(chosen, 1, 4)
    updating = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    decayed = {variable.name for variable in model.trainable_variables if updating._use_weight_decay(variable)}
    assert decayed == {"kernel"}
    assert parse_config(chosen.model_dump(mode="json")) == chosen
    plain = build_model(config({"kind": "adamw"}), 1, 4)
    assert all(plain.optimizer._use_weight_decay(variable) for variable in plain.trainable_variables)


@pytest.mark.parametrize(
    ("optimizer", "batch", "rate"),
    [
        ({"scale_from_batch": 8}, 16, 2e-3),
        ({"scale_from_batch": 16, "scale_rule": "sqrt"}, 4, 5e-4),
        ({"scale_from_batch": 8, "gradient_accumulation_steps": 4}, 4, 2e-3),
        ({"scale_from_batch": 8}, 8, 1e-3),
    ],
)
def test_rate_is_scaled_once_and_the_resolved_configuration_says_to_what(optimizer, batch, rate):
    chosen = config({"learning_rate": 1e-3, **optimizer}, fit={"batch_size": batch})
    assert chosen.optimizer.learning_rate == pytest.approx(rate)
    made = build_optimizer(chosen, steps_per_epoch=5)
    np.testing.assert_allclose(float(made.learning_rate), rate, rtol=1e-6)
    assert chosen.optimizer.scale_from_batch == batch * optimizer.get("gradient_accumulation_steps", 1)
    assert parse_config(chosen.model_dump(mode="json")) == chosen


def test_scaled_rate_is_the_largest_of_a_schedule():
    chosen = config({"learning_rate": 1e-3, "scale_from_batch": 8, "schedule": "onecycle"}, fit={"batch_size": 24})
    assert build_optimizer(chosen, 5)._learning_rate.max_lr == pytest.approx(3e-3)


@pytest.mark.parametrize("kind", ["sgd", "rmsprop"])
def test_momentum_can_cycle_where_it_is_given(kind):
    made = build_optimizer(config({"kind": kind, "momentum": 0.9, "schedule": "onecycle"}), 5)
    assert MomentumCycle().check(made).total_steps == 30 * 5


def test_penalties_reach_every_kernel_and_come_back():
    chosen = config({}, model={"l1": 1e-5, "l2": 1e-4, "filters": 2, "depth": 1, "architecture": "UNet"})
    model = build_model(chosen, 1, 4)
    found = {(layer.kernel_regularizer.l1, layer.kernel_regularizer.l2) for layer in model.layers if layer.weights[:1]
             and hasattr(layer, "kernel")}  # fmt: skip
    assert found == {(1e-5, 1e-4)}
    assert parse_config(chosen.model_dump(mode="json")) == chosen


@pytest.mark.parametrize(
    ("optimizer", "texts"),
    [
        ({"betas": [0.9, 0.95]}, ["in `optimizer`, unknown key 'betas'", "Did you mean 'beta_"]),
        ({"momentun": 0.9}, ["unknown key 'momentun'", "Did you mean 'momentum'?"]),
        ({"clipnrom": 1}, ["Did you mean 'clipnorm'?"]),
        ({"kind": "adan"}, ["`optimizer.kind`", "'adagrad'", "Received: 'adan'"]),
        (
            {"kind": "adam", "momentum": 0.9},
            ["`momentum` belongs to kind: sgd or rmsprop. Received: kind='adam', momentum=0.9. Leave it out"],
        ),
        ({"kind": "sgd", "amsgrad": False}, ["`amsgrad` belongs to kind: adam or adamw", "amsgrad=False"]),
        ({"kind": "adagrad", "rho": 0.9}, ["`rho` belongs to kind: rmsprop. Received: kind='adagrad'"]),
        ({"kind": "sgd", "nesterov": True}, ["`nesterov` needs a `momentum` above 0, such as 0.9", "momentum=None"]),
        (
            {"clipnorm": 1, "global_clipnorm": 2},
            ["give only one of `clipnorm`, `clipvalue`, `global_clipnorm`", "clipnorm=1.0, global_clipnorm=2.0"],
        ),
        (
            {"loss_scale_factor": 2, "dynamic_loss_scale": {}},
            ["give only one of `loss_scale_factor`, `dynamic_loss_scale`. Received: loss_scale_factor=2.0, dynamic"],
        ),
        ({"weight_decay_groups": True}, ["`weight_decay_groups` needs a `weight_decay` above 0", "weight_decay=None"]),
        ({"kind": "adamw", "weight_decay": 0, "weight_decay_groups": True}, ["Received: weight_decay=0.0"]),
        ({"ema_momentum": 0.9}, ["`ema_momentum` needs `use_ema: true`. Received: use_ema=False, ema_momentum=0.9"]),
        ({"ema_overwrite_frequency": 3}, ["`ema_overwrite_frequency` needs `use_ema: true`"]),
        ({"schedule": {"kind": "onecycle", "max": 0.1}}, ["unknown key 'max'"]),
        ({"scale_rule": "square"}, ["`optimizer.scale_rule`", "'linear' or 'sqrt'", "Received: 'square'"]),
        ({"scale_from_batch": 0}, ["`optimizer.scale_from_batch`", "greater than 0", "Received: 0"]),
        ({"beta_1": 1}, ["`optimizer.beta_1`", "less than 1", "Received: 1"]),
        ({"gradient_accumulation_steps": 1}, ["`optimizer.gradient_accumulation_steps`", "to 2", "Received: 1"]),
        ({"dynamic_loss_scale": {"initial": 2}}, ["in `optimizer.dynamic_loss_scale`, unknown key 'initial'"]),
        ({"dynamic_loss_scale": True}, ["`optimizer.dynamic_loss_scale`", "Received: True"]),
    ],
)
def test_optimizer_that_can_not_be_is_refused(optimizer, texts):
    with pytest.raises(ConfigError) as caught:
        config(optimizer)
    for text in texts:
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("section", "values", "text"),
    [
        ("model", {"l2": -1}, "`model.l2`: input should be greater than or equal to 0. Received: -1"),
        ("model", {"l3": 1}, "unknown key 'l3'. Did you mean 'l"),
        ("data", {"kind": "synthetic", "augmentation": {"noise": -1}}, "`data.augmentation.noise`"),
        ("data", {"kind": "synthetic", "augmentation": {"nose": 1}}, "Did you mean 'noise'?"),
    ],
)
def test_penalty_and_noise_that_can_not_be_are_refused(section, values, text):
    with pytest.raises(ConfigError) as caught:
        config({}, **{section: values}) if section == "model" else parse_config({section: values})
    assert text in str(caught.value)


def test_example_of_the_docs_is_taken_and_comes_back():
    page = (Path(__file__).parents[2] / "docs" / "optimizer.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    chosen = parse_config(yaml.safe_load(example))
    assert chosen.optimizer.learning_rate == pytest.approx(2e-4 * 2**0.5)  # 8 images, twice accumulated
    assert parse_config(chosen.model_dump(mode="json")) == chosen
    named = set(re.findall(r"`([a-z_0-9]+)`", page))
    assert {*KERAS_ARGUMENTS, *KINDS, "scale_from_batch", "weight_decay_groups", "dynamic_loss_scale"} <= named
