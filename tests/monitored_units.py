"""The monitors and controls that must pass tests/contracts/test_monitor_contract.py: every one that is exported.

A new one is made without arguments; one that needs some has them in `ARGUMENTS`.
"""

import keras
import numpy as np

from unetdyn import callbacks
from unetdyn.analysis.declarations import UNDECLARED
from unetdyn.data import TileDataset
from unetdyn.schedules import OneCycle

ARGUMENTS = {
    "AdaptiveGradientClipping": lambda folder: {"clipping": 1e9},
    "AutoClip": lambda folder: {"percentile": 100},
    "BatchSizeSchedule": lambda folder: {"dataset": TileDataset(*np.zeros((2, 8, 1, 1, 1))), "sizes": {}},
    "GradientNoise": lambda folder: {"eta": 0},
    "ConvergenceStopping": lambda folder: {"verbose": 0},
    "DivergenceRollback": lambda folder: {"verbose": 0},
    "LiveDashboard": lambda folder: {"where": "notebook", "every_seconds": 0},
    "MomentumCycle": lambda folder: {"base_momentum": 0.9, "max_momentum": 0.9, "cycle": OneCycle(1.0, 8)},
    "NonFiniteGuard": lambda folder: {"verbose": 0},
    "ResumableRun": lambda folder: {"path": folder / "resumable", "verbose": 0},
    "RunRecorder": lambda folder: {"path": folder / "run", "save_best": "val_loss"},
    "RunningAverageClipping": lambda folder: {"alpha": 1e9},
    "Watch": lambda folder: {"path": folder / "watch", "display": "terminal"},
    "StabilityControl": lambda folder: {"verbose": 0},
    "StabilityMonitor": lambda folder: {"monitor": ["val_loss", "loss"], "window": 2},
}
"""By name, a function that gives the arguments; it gets an empty folder to write to. Controls have nothing to do."""


def _maker(callback):
    arguments = ARGUMENTS.get(callback.__name__, lambda folder: {})
    return lambda folder: callback(**arguments(folder))


def _is_unit(exported):
    """A callback that can be used as it is: no base of others, which declares nothing."""
    return issubclass(exported, keras.callbacks.Callback) and getattr(exported, "declaration", None) is not UNDECLARED


_UNITS = [exported for name in callbacks.__all__ if _is_unit(exported := getattr(callbacks, name))]
_ACTING = [unit for unit in _UNITS if getattr(unit, "declaration", UNDECLARED).acts]

MONITORS = {unit.__name__: _maker(unit) for unit in _UNITS if unit not in _ACTING}
"""By name, a function that makes the monitor; it gets an empty folder to write to."""

CONTROLS = {unit.__name__: _maker(unit) for unit in _ACTING}
"""The same for controls, with arguments under which there is nothing for them to do in a healthy training."""
