"""What a configuration may say of stages, and what a stage has that says nothing."""

import re

import pytest
import yaml

from unetdyn.experiment import ConfigError, load_config, parse_config
from unetdyn.experiment.config import Config, LossConfig, StageConfig
from unetdyn.experiment.data_config import SyntheticData
from unetdyn.experiment.optimizer_config import OptimizerConfig
from unetdyn.experiment.schedule_config import CosineSchedule

TOP = {
    "data": {"kind": "synthetic"},
    "optimizer": {"kind": "adamw", "learning_rate": 2e-3, "weight_decay": 0.1, "warmup_epochs": 1},
    "loss": {"kind": "binary_focal", "gamma": 1.5},
}


def config(*stages, **parts):
    return parse_config({**TOP, "stages": list(stages), **parts})


def test_stages_inherit_what_they_do_not_say():
    stage, other = config({"epochs": 3}, {"epochs": 4, "name": "fine", "optimizer": {"learning_rate": 1e-4}}).stages
    assert (stage.name, stage.epochs, stage.frozen) == ("stage1", 3, ())
    assert (stage.optimizer.learning_rate, stage.optimizer.weight_decay, stage.loss.gamma) == (2e-3, 0.1, 1.5)
    assert (other.name, other.optimizer.learning_rate) == ("fine", 1e-4)
    assert (other.optimizer.kind, other.optimizer.weight_decay, other.optimizer.warmup_epochs) == ("adamw", 0.1, 1)


def test_stages_of_another_kind_inherit_nothing():
    (stage,) = config({"epochs": 1, "optimizer": {"kind": "sgd"}, "loss": {"kind": "soft_jaccard"}}).stages
    assert (stage.optimizer.weight_decay, stage.optimizer.learning_rate, stage.optimizer.warmup_epochs) == (
        None,
        1e-3,
        0,
    )
    assert (stage.loss.kind, stage.loss.gamma) == ("soft_jaccard", 2.0)


def test_stages_replace_a_schedule_as_a_whole():
    schedule = {"kind": "step", "every": 2, "factor": 0.5}
    (stage,) = config({"epochs": 1, "optimizer": {"schedule": "cosine"}}, optimizer={"schedule": schedule}).stages
    assert stage.optimizer.schedule.kind == "cosine"


@pytest.mark.parametrize(
    "stage",
    [
        {"epochs": 2, "optimizer": {"learning_rate": 0.5}},
        {"epochs": 2, "optimizer": OptimizerConfig(learning_rate=0.5)},
        StageConfig(name="stage1", epochs=2, optimizer=OptimizerConfig(learning_rate=0.5)),
        StageConfig(name="stage1", epochs=2, optimizer={"kind": "adamw", "learning_rate": 0.5}),
    ],
)
def test_stages_inherit_from_parts_of_a_configuration_and_in_them(stage):
    """Parts say their `kind` by being of it, and don't count their defaults among what was said."""
    general = OptimizerConfig(kind="adamw", weight_decay=0.1, schedule=CosineSchedule())
    made = Config(data=SyntheticData(), optimizer=general, loss=LossConfig(gamma=1.5), stages=[stage])
    expected = general.model_copy(update={"learning_rate": 0.5})
    assert made.stages == (StageConfig(name="stage1", epochs=2, optimizer=expected, loss=LossConfig(gamma=1.5)),)


@pytest.mark.parametrize("fit", [{}, {"batch_size": 4}, {"epochs": 7}])
def test_fit_epochs_are_those_of_the_stages(fit):
    chosen = config({"epochs": 3}, {"epochs": 4}, fit=fit)
    assert chosen.fit.epochs == 7
    assert chosen.fit.batch_size == fit.get("batch_size", 8)


def test_of_stage_is_a_training_that_is_this_stage_alone():
    chosen = config({"epochs": 3}, {"epochs": 4, "loss": {"gamma": 0}})
    one = chosen.of_stage(chosen.stages[1])
    assert (one.fit.epochs, one.loss.gamma, one.stages) == (4, 0, ())
    (whole,) = parse_config(TOP).trained
    assert (whole.epochs, whole.loss.gamma, whole.frozen) == (30, 1.5, ())


def test_recorded_stages_are_read_back():
    chosen = config(
        {"epochs": 3, "frozen": ["enc1"], "optimizer": {"schedule": {"kind": "cosine", "floor": 0.1}}},
        {"epochs": 4, "optimizer": {"kind": "sgd"}, "loss": {"kind": "binary_crossentropy"}},
        loss={"kind": "soft_jaccard"},
    )
    dumped = chosen.model_dump(mode="json")
    assert parse_config(dumped) == chosen
    dumped["stages"][0]["epochs"] = 5  # without a word of their sum
    assert parse_config(dumped).fit.epochs == 9
    assert parse_config(TOP).model_dump()["fit"]["epochs"] == 30


@pytest.mark.parametrize(
    ("stages", "parts", "text"),
    [
        ([{}], {}, "`stages.0.epochs`: field required"),
        ([3], {}, "`stages.0`: "),
        (3, {}, "`stages`: input should be a list. Received: 3"),
        (None, {}, "`stages`: input should be a list. Received: None"),
        ([{"epochs": 1, "frozen": "enc1"}], {}, "`stages.0.frozen`: input should be a list. Received: 'enc1'"),
        ([{"epochs": 1, "freeze": []}], {}, "in `stages.0`, unknown key 'freeze'. Did you mean 'frozen'?"),
        (
            [{"epochs": 1}, {"epochs": 1, "optimizer": {"learning_rat": 1}}],
            {},
            "in `stages.1.optimizer`, unknown key 'learning_rat'. Did you mean 'learning_rate'?",
        ),
        (
            [{"epochs": 1, "optimizer": {"schedule": {"kind": "cosin"}}}],
            {},
            "Received: stages.0.optimizer.schedule.kind='cosin'. Did you mean 'cosine'?",
        ),
        ([{"epochs": 1, "name": "a/b"}], {}, "`stages.0.name`"),
        ([{"epochs": 1, "name": "a"}] * 2, {}, "`stages`: stages must have different names. Received: ['a', 'a']"),
        (
            [{"epochs": 2}, {"epochs": 3}],
            {"fit": {"epochs": 4}},
            "`fit`: `epochs` has no place beside `stages`, which have 5 together: leave it out, or change "
            "`stages.0.epochs` and the like. Received: epochs=4",
        ),
        (
            [{"epochs": 1, "loss": {"kind": "sparse_categorical_crossentropy"}}],
            {},
            "soft_jaccard with 1. Received: stages.0.loss.kind='sparse_categorical_crossentropy', model.classes=1",
        ),
        (
            [{"epochs": 1}, {"epochs": 1, "optimizer": {"schedule": "cosine", "warmup_epochs": 0}}],
            {"callbacks": {"reduce_lr_on_plateau": {}}, "optimizer": {}},
            "needs a rate that nothing else moves: leave out `stages.1.optimizer.schedule` and "
            "`stages.1.optimizer.warmup_epochs`, or this section. Received: schedule='cosine'",
        ),
        (
            [{"epochs": 9}, {"epochs": 3, "optimizer": {"warmup_epochs": 5}}],
            {},
            "`stages.1.optimizer.warmup_epochs` must be less than the epochs of the stage; 0 for no warm-up. Received: "
            "warmup_epochs=5.0, stages.1.epochs=3",
        ),
    ],
)
def test_stages_that_cannot_be_are_refused(stages, parts, text):
    with pytest.raises(ConfigError) as caught:
        parse_config({**TOP, **parts, "stages": stages})
    assert text in str(caught.value)


def test_what_is_wrong_at_the_top_is_said_once():
    with pytest.raises(ConfigError) as caught:
        config({"epochs": 1}, {"epochs": 1}, optimizer={"kind": "adm"})
    assert str(caught.value).count("Received") == 1


def test_load_config_overrides_reach_into_a_list(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("data: {kind: synthetic}\nstages: [{epochs: 3}, {epochs: 4}]\n")
    chosen = load_config(path, ["stages.1.epochs=2", "stages.0.optimizer.learning_rate=0.1"])
    assert [stage.epochs for stage in chosen.stages] == [3, 2]
    assert chosen.stages[0].optimizer.learning_rate == 0.1
    for key in ("2", "first"):
        with pytest.raises(ConfigError, match=rf"In a list, a key must be a number from 0 to 1\. Received: '{key}'"):
            load_config(path, [f"stages.{key}.epochs=2"])
    path.write_text("data: {kind: synthetic}\nstages: []\n")
    with pytest.raises(ConfigError, match=r"must be nothing, for it is empty\. Received: '0' in the override 'stages"):
        load_config(path, ["stages.0=2"])


def test_progressive_training_of_the_docs_is_a_configuration(repository):
    (example,) = re.findall(r"```yaml\n(.*?)```", (repository / "docs/command_line.md").read_text(), re.DOTALL)
    chosen = parse_config({"data": {"kind": "synthetic"}, **yaml.safe_load(example)})
    assert [stage.epochs for stage in chosen.stages] == [30, 50, 20]
    assert [stage.optimizer.learning_rate for stage in chosen.stages] == [1e-3, 3e-4, 1e-4]
    assert chosen.fit.epochs == 100
