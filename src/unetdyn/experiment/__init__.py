"""One typed configuration, one fit, one run directory."""

import keras  # noqa: F401  # first, so that our classes are registered before any of our modules is half imported

from unetdyn.experiment.config import Config
from unetdyn.experiment.load import ConfigError, load_config, parse_config
from unetdyn.experiment.resume import resume_experiment
from unetdyn.experiment.run import run_experiment
from unetdyn.experiment.saved_model import load_model
from unetdyn.experiment.state_export import export_state

__all__ = [
    "Config",
    "ConfigError",
    "export_state",
    "load_config",
    "load_model",
    "parse_config",
    "resume_experiment",
    "run_experiment",
]
