"""What a configuration says of monitors is what they declare."""

import pickle

import numpy as np
import pytest

from unetdyn import callbacks
from unetdyn.analysis.declarations import DECLARATIONS
from unetdyn.data import TileDataset
from unetdyn.experiment import ConfigError, parse_config
from unetdyn.experiment.config import Config
from unetdyn.experiment.monitors import monitors_of, offered, watched_names

SYNTHETIC = {"data": {"kind": "synthetic"}}
TILES = TileDataset(np.zeros((24, 8, 8, 1)), np.zeros((24, 8, 8, 1)), batch_size=5)


def made(settings):
    config = parse_config({**SYNTHETIC, "fit": {"batch_size": 5}, "callbacks": settings})
    return {monitor.name: monitor for monitor in monitors_of(config.callbacks, config.fit, TILES)}


def test_configuration_has_the_sections_of_the_declarations():
    sections = type(parse_config(SYNTHETIC).callbacks).model_fields
    declared = [each.name for each in DECLARATIONS if each.section is not None]
    assert list(sections) == [*declared, "save_best", "early_stopping", "reduce_lr_on_plateau"]
    assert [each.name for each, _ in offered()] == declared
    assert {"stability", "gradient", "update", "noise_scale"} <= set(declared)


def test_monitors_are_made_with_their_settings_in_the_order_of_the_declarations():
    found = made({"gradient": {"explode": 3}, "stability": {"monitor": ["loss"]}})
    assert list(found) == [declared.name for declared, section in offered() if section.on]
    assert {type(monitor).declaration.name for monitor in found.values()} == set(found)
    assert isinstance(found["gradient"], callbacks.GradientMonitor)
    assert found["gradient"].explode == 3
    assert found["stability"].monitor == ("loss",)
    assert found["noise_scale"].batch_size == 5


def test_controls_are_off_unless_they_are_asked_for():
    off = {declared.name for declared, section in offered() if not section.on}
    others = {"running_average_clip", "gradient_noise", "batch_size"}
    assert off == {"rollback", "stability_control", "convergence", *others}
    assert not off & made({}).keys()
    wanted = {"rollback": {}, "stability_control": {"factor": 0.3}, "convergence": {"criterion": "change"}}
    wanted |= {"running_average_clip": {"alpha": 3}, "gradient_noise": {"eta": 1e-6, "seed": 7}}
    found = made(wanted | {"batch_size": {"sizes": {4: 8, "6": 24}}})
    assert off <= found.keys()
    assert isinstance(found["rollback"], callbacks.DivergenceRollback)
    assert (found["stability_control"].factor, found["convergence"].criterion) == (0.3, "change")
    assert (found["running_average_clip"].alpha, found["running_average_clip"].decay) == (3, 0.99)
    assert (found["gradient_noise"].eta, found["gradient_noise"].seed) == (1e-6, 7)
    assert found["batch_size"].sizes == {4: 8, 6: 24}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, r"`callbacks.batch_size.sizes`"),
        ({"sizes": {1: "many"}}, r"`callbacks.batch_size.sizes"),
        ({"sizes": {-1: 8}}, r"`callbacks.batch_size`: `sizes` must have epochs, 0 or more, for keys. Received: -1"),
        ({"sizes": {1: 0}}, r"`callbacks.batch_size`: `sizes\[1\]` must be"),
        ({"sizes": {1: 25}}, r"`callbacks.batch_size`: `sizes\[1\]` must be .*the number of tiles there are"),
    ],
)
def test_batch_sizes_that_cannot_be_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        made({"batch_size": settings})


def test_batch_sizes_are_refused_beside_a_schedule_that_counts_steps():
    settings = {"callbacks": {"batch_size": {"sizes": {1: 16}}}}
    with pytest.raises(ConfigError, match=r"`callbacks.batch_size` changes how many steps.*leave out `optimizer.sched"):
        parse_config({**SYNTHETIC, **settings, "optimizer": {"schedule": {"kind": "cosine"}}})
    staged = {"stages": [{"name": "a", "epochs": 3, "optimizer": {"warmup_epochs": 1}}], **settings}
    with pytest.raises(ConfigError, match=r"`stages.0.optimizer.warmup_epochs`, or this section"):
        parse_config({**SYNTHETIC, **staged})


@pytest.mark.parametrize("name", ["rollback", "stability_control", "reduce_lr_on_plateau"])
def test_what_lowers_the_rate_is_refused_beside_a_schedule(name):
    scheduled = {**SYNTHETIC, "optimizer": {"schedule": {"kind": "cosine"}}}
    with pytest.raises(ConfigError, match=rf"`callbacks.{name}` needs a rate that nothing else moves"):
        parse_config({**scheduled, "callbacks": {name: {}}})
    parse_config({**scheduled, "callbacks": {"rollback": {"factor": 1}}})


def test_stability_control_tightens_the_clip_of_another_section_beside_any_schedule():
    settings = {"stability_control": {"clip": "running_average_clip", "min_clipping": 0.5}}
    with pytest.raises(
        ConfigError, match=r"`callbacks.stability_control.clip` needs.*`callbacks.running_average_clip`"
    ):
        made(settings)
    settings["running_average_clip"] = {"alpha": 3}
    found = made(settings)
    assert found["stability_control"].clip is found["running_average_clip"]
    assert found["stability_control"].min_clipping == 0.5
    assert list(found) == [declared.name for declared, _ in offered() if declared.name in found]
    parse_config({**SYNTHETIC, "optimizer": {"schedule": {"kind": "cosine"}}, "callbacks": settings})
    with pytest.raises(ConfigError, match=r"`callbacks.stability_control.clip`"):
        made(settings | {"stability_control": {"clip": "gradient_noise"}})
    assert made({"stability_control": {}})["stability_control"].clip is None


def test_values_that_controls_watch_must_be_measured():
    with pytest.raises(ConfigError, match=r"callbacks.convergence.monitor.*Did you mean 'val_jaccard'"):
        made({"convergence": {"monitor": "val_jacard"}})


def test_null_turns_a_monitor_off_unless_it_always_watches():
    assert made({"gradient": None, "noise_scale": None}).keys() == made({}).keys() - {"gradient", "noise_scale"}
    with pytest.raises(ConfigError, match=r"`callbacks.stability`"):
        made({"stability": None})


@pytest.mark.parametrize(
    ("section", "setting", "value"),
    [
        *(("stability", "window", 1), ("stability", "ddof", 2), ("stability", "monitor", [])),
        *(("gradient", "explode", 0), ("gradient", "vanish", -1), ("gradient", "spike", 0), ("gradient", "window", 3)),
        *(("update", "low", -1), ("update", "high", 0), ("update", "warmup", -1), ("noise_scale", "window", 29)),
        *(("rollback", "factor", 1.1), ("stability_control", "factor", 1), ("convergence", "criterion", "slop")),
        *(("update", "warmup", 1.5), ("gradient", "explode", "much"), ("gradient", "blocks_in_logs", True)),
    ],
)
def test_settings_out_of_the_declared_bounds_are_refused(section, setting, value):
    with pytest.raises(ConfigError, match=rf"`callbacks.{section}"):
        made({section: {setting: value}})


def test_spike_may_be_none():
    assert made({"gradient": {"spike": None}})["gradient"].spike is None


def test_section_says_which_monitor_it_is_for():
    sections = type(parse_config(SYNTHETIC).callbacks).model_fields
    about = {name: type(sections[name].default).__doc__ for name in ("stability", "noise_scale")}
    assert about == {
        "stability": "See `unetdyn.callbacks.StabilityMonitor`.",
        "noise_scale": "See `unetdyn.callbacks.NoiseScaleMonitor`. It keeps one copy of the gradient.",
    }


def test_watched_names_are_those_of_the_sections():
    config = parse_config(SYNTHETIC)
    assert list(watched_names(config.callbacks)) == [
        ("stability.monitor", "val_loss"),
        ("stability.monitor", "val_jaccard"),
    ]


def test_a_configuration_can_be_pickled():
    config = Config(data={"kind": "synthetic"})
    assert pickle.loads(pickle.dumps(config)) == config
