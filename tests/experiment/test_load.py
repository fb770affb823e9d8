"""What a configuration file may say, and how it is told that it may not."""

import inspect

import pytest

from unetdyn.callbacks import GradientMonitor, NoiseScaleMonitor, UpdateMonitor
from unetdyn.experiment import ConfigError, load_config, parse_config
from unetdyn.experiment.load import set_key

SYNTHETIC = {"data": {"kind": "synthetic"}}


def refused(values: dict, *texts: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(values, "mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")
    for text in texts:
        assert text in str(caught.value)


def test_parse_config_defaults_need_only_the_data():
    config = parse_config(SYNTHETIC)
    assert config.model.norm == "batch"
    assert config.callbacks.stability.window == 10
    assert config.loss.gamma == 2.0


@pytest.mark.parametrize(
    ("section", "monitor"),
    [("gradient", GradientMonitor), ("update", UpdateMonitor), ("noise_scale", NoiseScaleMonitor)],
)
def test_parse_config_monitors_have_the_defaults_of_their_classes(section, monitor):
    settings, own = getattr(parse_config(SYNTHETIC).callbacks, section).model_dump(), inspect.signature(monitor)
    assert settings == {name: own.parameters[name].default for name in settings}


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ({"modle": {}, **SYNTHETIC}, ["unknown key 'modle'", "Did you mean 'model'?"]),
        ({**SYNTHETIC, "model": {"filtres": 8}}, ["in `model`, unknown key 'filtres'", "Did you mean 'filters'?"]),
        ({"data": {"kind": "synthetic", "tiel": 8}}, ["in `data`, unknown key 'tiel'", "Did you mean 'tile'?"]),
        (
            {"data": {"kind": "folder", "path": "x", "split": {"validaton": 0.2}}},
            ["in `data.split`, unknown key 'validaton'", "Did you mean 'validation'?"],
        ),
    ],
)
def test_parse_config_unknown_key_names_the_nearest(values, texts):
    refused(values, *texts)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ({}, ["`data`: field required"]),
        ({"data": {"kind": "folder"}}, ["`data.path`: field required"]),
        ({"data": {"kind": "folders"}}, ["`data.kind` must be one of 'synthetic', 'folder'", "Did you mean 'folder'?"]),
        ({"data": {}}, ["`data.kind` must be one of 'synthetic', 'folder', 'fetch'. Received: data.kind=None"]),
        ({**SYNTHETIC, "fit": {"epochs": 0}}, ["`fit.epochs`", "greater than 0", "Received: 0"]),
        *(
            ({**SYNTHETIC, section: values}, [f"`{name}`", f"finite number. Received: {number}"])
            for number in (float("inf"), float("nan"))
            for section, values, name in (
                ("optimizer", {"learning_rate": number}, "optimizer.learning_rate"),
                ("optimizer", {"weight_decay": number}, "optimizer.weight_decay"),
                ("callbacks", {"update": {"high": number}}, "callbacks.update.high"),
                ("callbacks", {"gradient": {"explode": number}}, "callbacks.gradient.explode"),
            )
        ),
        ({**SYNTHETIC, "optimizer": {"learning_rate": "fast"}}, ["`optimizer.learning_rate`", "Received: 'fast'"]),
        ({**SYNTHETIC, "model": {"norm": "bach"}}, ["`model.norm`", "'batch'", "Received: 'bach'"]),
        (
            {"data": {"kind": "synthetic", "split": {"validation": [3, 4]}}},
            ["`data.split`", "all as [first, last] sections", "Received: train=None, validation=(3, 4)"],
        ),
        *(
            ({**SYNTHETIC, "loss": loss}, texts)
            for loss, texts in [
                (
                    {"kind": "soft_jaccard", "gamma": 1},
                    ["`gamma` belongs to kind: binary_focal or focal", "=1.0"],
                ),
                ({"kind": "dice", "beta": 0.5}, ["`beta` belongs to kind: tversky or focal_tversky", "kind='dice'"]),
                ({"alpha": 1.5}, ["`alpha` of kind: binary_focal must be less than 1. Received: alpha=1.5"]),
                ({"kind": "focal_tversky", "gamma": 0}, ["`gamma` of kind: focal_tversky must be above 0"]),
                ({"kind": "dice", "class_weights": [0]}, ["`class_weights` must not all be 0"]),
                ({"kind": "dice", "class_weights": [1, 2]}, ["`loss.class_weights`", "2 weights, model.classes=1"]),
                ({"kind": "dise"}, ["`loss.kind`", "'dice'", "Received: 'dise'"]),
            ]
        ),
        ({**SYNTHETIC, "model": {"skips": "nested"}}, ["belong to architecture: UNet. Received: skips='nested', arch"]),
        ({**SYNTHETIC, "model": {"classes": 3}}, ["sparse_categorical_crossentropy", "model.classes=3"]),
        (
            {
                **SYNTHETIC,
                "model": {"classes": 3},
                "loss": {"kind": "sparse_categorical_crossentropy"},
                "metrics": {"soft_jaccard": True},
            },
            ["`metrics.soft_jaccard` is for binary masks"],
        ),
        ({**SYNTHETIC, "metrics": {"also": ["dise"]}}, ["`metrics.also.0`", "'dice'", "Received: 'dise'"]),
        ({**SYNTHETIC, "metrics": {"also": ["dice", "dice"]}}, ["name each metric once. Received: ['dice', 'dice']"]),
        (
            {**SYNTHETIC, "metrics": {"also": ["dice"]}, "callbacks": {"save_best": "val_recall"}},
            ["`callbacks.save_best` must be one of", "'val_dice'", "Received: ", "'val_recall'"],
        ),
        (
            {**SYNTHETIC, "callbacks": {"save_best": "val_jacard"}},
            ["`callbacks.save_best` must be one of 'val_loss'", "Did you mean 'val_jaccard'?"],
        ),
        (
            {**SYNTHETIC, "callbacks": {"stability": {"monitor": ["val_los"]}}},
            ["`callbacks.stability.monitor` must be one of", "Did you mean 'val_loss'?"],
        ),
        (
            {**SYNTHETIC, "callbacks": {"early_stopping": {"monitor": "val_soft_jaccard"}}},
            ["`callbacks.early_stopping.monitor` must be one of", "'stability_cv'", "Received: ", "'val_soft_jaccard'"],
        ),
        ({**SYNTHETIC, "callbacks": {"stability": {"monitor": []}}}, ["`callbacks.stability.monitor`", "at least 1"]),
        ({**SYNTHETIC, "seed": 2**32}, ["`seed`", "Received: 4294967296"]),
        ({**SYNTHETIC, "name": "a/b"}, ["`name`", "Received: 'a/b'"]),
    ],
)
def test_parse_config_bad_value_says_what_was_expected_and_received(values, texts):
    refused(values, *texts)


def test_load_config_overrides_reach_nested_keys(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("data: {kind: synthetic, split: {validation: 0.3}}\n")
    config = load_config(path, ["fit.epochs=3", "optimizer.learning_rate=1e-4", "data.split.validation=0.25"])
    assert (config.fit.epochs, config.optimizer.learning_rate, config.data.split.validation) == (3, 1e-4, 0.25)


def test_load_config_overrides_reach_the_arguments_of_a_kind_that_is_only_named(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("data: {kind: synthetic}\noptimizer: {schedule: cosine}\n")
    schedule = load_config(path, ["optimizer.schedule.floor=0.1"]).optimizer.schedule
    assert schedule.model_dump() == {"kind": "cosine", "floor": 0.1}
    assert load_config(path, ["optimizer.schedule=onecycle"]).optimizer.schedule.kind == "onecycle"


@pytest.mark.parametrize("override", ["fit.epochs", "=3"])
def test_load_config_override_without_a_value_is_refused(tmp_path, override):
    path = tmp_path / "c.yaml"
    path.write_text("data: {kind: synthetic}\n")
    with pytest.raises(ConfigError, match=r"An override must be key=value, like fit\.epochs=5\. Received: "):
        load_config(path, [override])


def test_load_config_unknown_override_names_the_nearest(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("data: {kind: synthetic}\n")
    with pytest.raises(ConfigError, match=r"in `fit`, unknown key 'epoch'\. Did you mean 'epochs'\?"):
        load_config(path, ["fit.epoch=3"])


def test_load_config_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"must be a YAML file. Received: .*nothing\.yaml, which is not there"):
        load_config(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a: [1", "is not valid YAML"), (b"\xff\xfe\xfa", "is not valid YAML"), (b"- 1", "must hold keys and values")],
)
def test_load_config_malformed_file_is_refused(tmp_path, content, message):
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_load_config_every_recipe_is_valid(repository):
    recipes = [path for path in sorted((repository / "configs").glob("*.yaml")) if not path.name.startswith("sweep_")]
    names = {load_config(path).name for path in recipes}
    own_data = {"vnc_unet", "vnc_attention_unet", "vnc_attention_resunet"}
    synthetic = {"quickstart", "unstable_baseline", "onecycle", "two_stage", "studies_broken", "studies_mended"}
    assert names == synthetic | own_data


def test_load_config_unstable_baseline_shares_the_quickstart_data(repository):
    broken = load_config(repository / "configs/unstable_baseline.yaml")
    mended = load_config(repository / "configs/quickstart.yaml")
    split = mended.data.split.model_copy(update={"train": (0, 19)})
    assert broken.data == mended.data.model_copy(update={"augmentation": broken.data.augmentation, "split": split})
    assert (broken.optimizer.learning_rate, broken.fit.batch_size, broken.model.norm_momentum) == (1e-2, 8, 0.99)
    assert broken.metrics.soft_jaccard


def test_load_config_studies_mended_is_their_recipe_on_14_times_as_many_tiles(repository):
    broken, mended = (load_config(repository / f"configs/studies_{name}.yaml") for name in ("broken", "mended"))
    assert (broken.model, broken.loss) == (mended.model, mended.loss)
    more = {"sections": broken.data.sections, "split": broken.data.split}
    assert mended.data.model_copy(update=more) == broken.data
    assert broken.data.split.train == (0, 11)  # twelve sections
    tiles = (mended.data.size // mended.data.tile) ** 2  # theirs were 1,980, and 200 to validate on
    train, validation = mended.data.split.train, mended.data.split.validation
    assert [tiles * (last - first + 1) for first, last in (train, validation)] == [1984, 208]
    assert (mended.optimizer.clipnorm, mended.optimizer.kind) == (1.0, "adam")
    assert (broken.optimizer.learning_rate, broken.fit.batch_size) == (1e-2, 8)
    assert (mended.optimizer.learning_rate, mended.fit.batch_size, mended.fit.epochs) == (1e-3, 16, 100)
    assert (broken.callbacks.save_best, mended.callbacks.save_best) == ("val_soft_jaccard", "val_jaccard")
    early, plateau = mended.callbacks.early_stopping, mended.callbacks.reduce_lr_on_plateau
    assert (early.monitor, early.patience, early.restore_best_weights) == ("val_jaccard", 15, True)
    assert (plateau.monitor, plateau.factor, plateau.patience) == ("val_jaccard", 0.5, 5)


def test_set_key_makes_what_leads_there_and_reaches_lists():
    values = {"data": {"kind": "synthetic"}, "stages": [{"epochs": 1}, {"epochs": 2}]}
    assert set_key(values, "stages.1.epochs", 7) == ("stages", "1", "epochs")
    set_key(values, "optimizer.learning_rate", 0.1)
    assert values["stages"] == [{"epochs": 1}, {"epochs": 7}]
    assert values["optimizer"] == {"learning_rate": 0.1}


def test_set_key_beyond_a_list_says_who_asked():
    with pytest.raises(ConfigError, match=r"a key must be a number from 0 to 0\. Received: '3' in the factor"):
        set_key({"stages": [{}]}, "stages.3.epochs", 1, "the factor 'stages.3.epochs'")
